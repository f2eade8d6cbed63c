#!/usr/bin/env bash
# reproduction.sh SOURCE: docs/reproduction.md has the figures of the logs beside it. 77: skipped.
set -euo pipefail
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
python3 "$1/docs/reproduction/table.py" --check "$1/docs/reproduction.md"

# A page that is off by a hundredth is noticed, and one that leaves a log out.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s "$(cd "$1/docs/reproduction" && pwd)" "$work/reproduction"
for change in 's/| 44.75 +- 0.49 |/| 44.76 +- 0.49 |/' 's/| 64.50 | 72.67 |/| 64.51 | 72.67 |/' 's/sc-resized-crops.jsonl//'; do
    sed "$change" "$1/docs/reproduction.md" >"$work/page.md"
    ! cmp -s "$1/docs/reproduction.md" "$work/page.md" || { echo "$change changes nothing"; exit 1; }
    ! python3 "$1/docs/reproduction/table.py" --check "$work/page.md" >"$work/out" || { echo "$change was not noticed"; exit 1; }
    grep -q "^$work/page.md: " "$work/out" || { cat "$work/out"; exit 1; }
done
