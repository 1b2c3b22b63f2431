#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, for the given
# time each (default 10s). A crash leaves its input in testdata/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
time="${1:-10s}"
count=0
while IFS=: read -r file _ line; do
  target="$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$line")"
  echo "== $(dirname "$file") $target"
  go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x "./$(dirname "$file")"
  count=$((count + 1))
done < <(grep -rnE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*\(' . | sed 's|^\./||' | sort)
echo "$count fuzz targets, $time each"
[ "$count" -gt 0 ]
