#!/bin/sh
# check_golden.sh: every tests/golden/*.safetensors was made by the scripts that stand beside it, as they stand there.
# Status 1 if one was not: then run its make_*.py again, or put the script back.
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")/golden" || exit 1

failed=0 files=0
for file in *.safetensors; do
    [ -e "$file" ] || continue
    files=$((files + 1))
    # "sources" of the header's "__metadata__": NAME.py:SHA-256 NAME.py:SHA-256 ...
    sources=$(grep -a -o '"sources": *"[^"]*"' "$file" | head -n 1 | sed 's/.*"\([^"]*\)"$/\1/')
    if [ -z "$sources" ]; then
        echo "$file: it does not say which scripts made it"
        failed=1
    fi
    for source in $sources; do
        script=${source%%:*} want=${source#*:}
        if [ ! -f "$script" ]; then
            echo "$file: its script $script is not here"
            failed=1
            continue
        fi
        got=$(sha256sum "$script" | cut -d ' ' -f 1)
        if [ "$got" != "$want" ]; then
            echo "$file: $script has SHA-256 $got; the file was made by $want"
            failed=1
        fi
    done
done
[ $files -gt 0 ] || { echo "no golden files in $(pwd)"; exit 1; }
[ $failed -eq 0 ] && echo "$files golden files agree with their scripts"
exit $failed
