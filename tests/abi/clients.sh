#!/usr/bin/env bash
# clients.sh OLD NEW: two builds of client.c, against the headers of 0.1.0 and today's, run with today's library and do the
# same to the bit.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"$1" "$tmp/old.safetensors" >"$tmp/old" || { echo "FAILED: the client of 0.1.0"; exit 1; }
"$2" "$tmp/new.safetensors" >"$tmp/new" || { echo "FAILED: the client of today's headers"; exit 1; }
diff "$tmp/old" "$tmp/new" || { echo "FAILED: the clients (0.1.0 <, today > ) disagree"; exit 1; }
cmp "$tmp/old.safetensors" "$tmp/new.safetensors" || { echo "FAILED: the clients' weights differ"; exit 1; }
steps=$(grep -c ' loss ' "$tmp/new")
[ "$steps" -gt 10 ] || { echo "FAILED: only $steps steps"; exit 1; }
echo "$steps steps and $(wc -l <"$tmp/new") lines alike"
