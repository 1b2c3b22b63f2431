#!/usr/bin/env bash
# cover.sh MIN PACKAGES...: statement coverage of the packages by their own
# and each other's tests; fails when any tree of them is below MIN percent.
set -euo pipefail
cd "$(dirname "$0")/.."
min="$1"; shift
status=0
for tree in "$@"; do
  profile="$(mktemp)"
  go test -count=1 -coverpkg="$tree" -coverprofile="$profile" "$tree" >/dev/null
  got="$(go tool cover -func="$profile" | awk '/^total:/ {sub("%","",$3); print $3}')"
  rm -f "$profile"
  echo "$tree $got%"
  awk -v got="$got" -v min="$min" 'BEGIN {exit !(got < min)}' && { echo "below $min%"; status=1; }
done
exit $status
