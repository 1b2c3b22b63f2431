#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, for the given
# time each (default 10s). A crash leaves its input in testdata/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
time="${1:-10s}"
log="$(mktemp)"
trap 'rm -f "$log"' EXIT

# fuzz FOLDER TARGET
fuzz() {
  local try
  for try in 1 2 3; do
    if go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 10x "./$1" >"$log" 2>&1; then
      grep -E '^ok' "$log"
      return 0
    fi
    # Go may report its own deadline as a failure when a worker is slow to
    # stop (golang/go#75804, fixed in Go 1.27). A finding names its input.
    if grep -q 'Failing input written' "$log" || ! grep -q '^ *context deadline exceeded' "$log"; then
      break
    fi
    echo "the fuzzer's own deadline; again"
  done
  cat "$log"
  return 1
}

count=0
while IFS=: read -r file _ line; do
  target="$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$line")"
  echo "== $(dirname "$file") $target"
  fuzz "$(dirname "$file")" "$target"
  count=$((count + 1))
done < <(grep -rnE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*\(' . | sed 's|^\./||' | sort)
echo "$count fuzz targets, $time each"
[ "$count" -gt 0 ]
