#!/usr/bin/env bash
# headers.sh SOURCE: every public header compiles alone, twice included, as C11 and as C++17, without a warning.
# From the environment: HN_CC, HN_CXX (default gcc, g++). Exit status 77: skipped.
set -euo pipefail
include=$(realpath "$1")/include
warnings=(-pedantic -Wall -Wextra -Wconversion -Werror -fsyntax-only -I "$include")
checked=0 failed=0

# check COMPILER LANGUAGE STANDARD HEADER
check() {
    printf '#include <%s>\n#include <%s>\ntypedef int not_empty;\n' "$4" "$4" | "$1" -x "$2" -std="$3" "${warnings[@]}" - || {
        echo "FAILED: <$4> as $3 with $1"
        failed=$((failed + 1))
    }
    checked=$((checked + 1))
}

cc=${HN_CC:-gcc} cxx=${HN_CXX:-g++}
for tool in "$cc" "$cxx"; do
    command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
while read -r header; do
    check "$cc" c c11 "$header"
    check "$cxx" c++ c++17 "$header"
done < <(cd "$include" && find . -name '*.h' | sed 's|^\./||' | sort)

# The umbrella is complete: it names every other header but those that others bring.
for header in "$include"/hybridnet/*.h; do
    name=hybridnet/$(basename "$header")
    case $name in hybridnet/export.h | hybridnet/loss_common.h) continue ;; esac
    grep -q "#include <$name>" "$include/hybridnet.h" || { echo "FAILED: hybridnet.h lacks <$name>"; failed=$((failed + 1)); }
done

# Every struct has its place in the table of layouts.
while read -r struct; do
    grep -qE "^(FROZEN|GROWS)\($struct, " "$1/tests/abi/layout.inc" || {
        echo "FAILED: $struct is missing in tests/abi/layout.inc"
        failed=$((failed + 1))
    }
done < <(sed -nE 's/^\} (hn_[a-z0-9_]+);.*/\1/p' "$include"/hybridnet/*.h)
echo "$checked compilations, $failed failures"
[ "$checked" -gt 0 ] && [ "$failed" -eq 0 ]
