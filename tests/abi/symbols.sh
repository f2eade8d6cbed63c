#!/usr/bin/env bash
# symbols.sh LIBRARY SOURCE: the shared library exports what tests/abi/symbols.txt lists, nothing but hn_* names, and
# every function that the public headers declare. symbols.sh --list LIBRARY prints the exported names, sorted.
set -euo pipefail

# Names without their version; the version node itself (type A) is not a name.
exported() {
    nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort -u
}

command -v nm >/dev/null || { echo "skipped: no nm"; exit 77; }
if [ "$1" = --list ]; then
    exported "$2"
    exit
fi
library=$1 source=$2
cc=${HN_CC:-gcc}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

exported "$library" >"$tmp/exported"
if ! diff -u "$source/tests/abi/symbols.txt" "$tmp/exported"; then
    echo "FAILED: exported names (+) differ from tests/abi/symbols.txt (-); a name that goes breaks the ABI, one that"
    echo "        comes is recorded with scripts/abi-baseline"
    failed=1
fi
if grep -vE '^hn_[a-z0-9_]+$' "$tmp/exported"; then
    echo "FAILED: the names above do not belong to the public interface"
    failed=1
fi
if nm -D --defined-only "$library" | awk '$2 != "A" && $3 !~ /@@HYBRIDNET_[0-9]+$/ { bad = 1; print } END { exit !bad }'; then
    echo "FAILED: the symbols above carry no version node"
    failed=1
fi

# HN_API becomes an attribute, which marks each declaration; the name is the first one that a parenthesis follows.
printf '#include <hybridnet.h>\n' | "$cc" -std=c11 -E -P -I "$source/include" - | tr '\n' ' ' |
    sed 's/__attribute__((visibility("default")))/\n/g' | tail -n +2 |
    sed -nE 's/^[^(]*(\(\(warn_unused_result\)\)\)?[^(]*[ *])?(hn_[a-z0-9_]+)\(.*/\2/p' |
    LC_ALL=C sort -u >"$tmp/declared"
sed -nE 's/^ *(HN_API .*[ *])(hn_[a-z0-9_]+)\(.*/\2/p' "$source"/include/hybridnet/*.h | LC_ALL=C sort -u >"$tmp/counted"
if ! diff "$tmp/counted" "$tmp/declared"; then
    echo "FAILED: this test does not understand the declarations above"
    failed=1
fi
{
    echo '#include <hybridnet.h>'
    echo 'typedef void (*function)(void);'
    echo 'extern const function all[];'
    echo 'const function all[] = {'
    sed 's/.*/    (function)&,/' "$tmp/declared"
    echo '};'
    echo 'int main(void) { return all[0] == 0; }'
} >"$tmp/all.c"
"$cc" -std=c11 -I "$source/include" "$tmp/all.c" "$library" -o "$tmp/all" "-Wl,-rpath,$(dirname "$(realpath "$library")")" 2>"$tmp/log" &&
    "$tmp/all" || {
    grep -o 'undefined reference to .*' "$tmp/log" || cat "$tmp/log"
    echo "FAILED: declared in include/ and not exported"
    failed=1
}
if LC_ALL=C comm -13 "$tmp/declared" "$tmp/exported" | grep .; then
    echo "FAILED: the names above are exported and declared nowhere in include/"
    failed=1
fi
echo "$(wc -l <"$tmp/exported") exported, $(wc -l <"$tmp/declared") declared"
exit $failed
