#!/usr/bin/env bash
# compare.sh LIBRARY SOURCE: the library's ABI equals the recorded one, tests/abi/libhybridnet.abi (abidiff: functions,
# their types, struct layouts, enum values). Exit status 77: skipped. compare.sh --write LIBRARY SOURCE records it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
options=(--exported-interfaces-only --suppressions "$here/private.suppr")

skip() {
    echo "skipped: $1"
    exit 77
}

command -v abidiff >/dev/null || skip "no abidiff (Debian: abigail-tools)"
command -v readelf >/dev/null || skip "no readelf (Debian: binutils)"
if [ "$1" = --write ]; then
    abidw "${options[@]}" --no-corpus-path --no-comp-dir-path --no-elf-needed \
        --out-file "$3/tests/abi/libhybridnet.abi" "$2"
    exit
fi
library=$1 source=$2
baseline=$source/tests/abi/libhybridnet.abi
[ -f "$baseline" ] || { echo "FAILED: no $baseline; scripts/abi-baseline makes it"; exit 1; }
sections=$(readelf -S --wide "$library")
grep -q '\.debug_info' <<<"$sections" || skip "$library has no debug information; build with -g"
# Sizes and alignments belong to an architecture.
machine=$(readelf -h "$library" | sed -n 's/^ *Machine: *//p')
case $machine in
*X86-64*) name=elf-amd-x86_64 ;;
*AArch64*) name=elf-arm-aarch64 ;;
*) name=$machine ;;
esac
grep -q "architecture='$name'" "$baseline" || skip "the recorded ABI is of another architecture than $machine"
report=$(abidiff --no-show-locs "${options[@]}" "$baseline" "$library") && {
    echo "no difference"
    exit
}
echo "$report"
# What no program built before survives; growth at the end of a struct, new names and new constants it does.
if grep -qE "^ *\[D\]|offset changed from|data member deletion|enumerator (deletion|change)|return type changed|parameter [0-9]+ of type '[^']*' changed" <<<"$report"; then
    echo "FAILED: the ABI has changed incompatibly: programs built before would break."
else
    echo "FAILED: the ABI has grown. If that is meant, record it with scripts/abi-baseline; docs/abi.md says what may be."
fi
exit 1
