#!/usr/bin/env bash
# check_house.sh RULE SOURCE [LIBRARY]: the rules of CONTRIBUTING.md that a compiler does not check.
#   includes    a source sees only lower floors (and its own); one file includes cblas.h,
#               one oneDNN's dnnl.h, one jpeglib.h, one png.h
#   calls       no printing, exiting, environment, clock or C random numbers in lib/; memory and files in their places
#   size        no source of lib/ over 600 lines, no line of C over 128 columns
#   globals     LIBRARY (libhybridnet.a) has no variable data but thread-local
#   self-test   every rule reports a tree that breaks it
# Prints each breach as FILE:LINE: what, and ends with status 1 if there was one; 77: skipped.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# Comments and the insides of string literals out, line numbers kept; #include lines stay as they are.
strip() {
    awk '
        /^[ \t]*#[ \t]*include/ && !inside { print; next }
        {
            out = ""
            n = length($0)
            for (i = 1; i <= n; ++i) {
                c = substr($0, i, 1)
                two = substr($0, i, 2)
                if (inside) {
                    if (two == "*/") { inside = 0; ++i }
                } else if (quote != "") {
                    if (c == "\\") ++i
                    else if (c == quote) { quote = ""; out = out c }
                } else if (two == "/*") { inside = 1; ++i; out = out " " }
                else if (two == "//") break
                else {
                    if (c == "\"" || c == "\047") quote = c
                    out = out c
                }
            }
            quote = ""
            print out
        }' "$1"
}

sources() {
    (cd "$1" && find lib -name '*.[ch]' | LC_ALL=C sort)
}

# Height of a floor; siblings of one height do not see each other.
height() {
    case $1 in
    base) echo 0 ;;
    kernel | io) echo 1 ;;
    layer | loss | sample | data) echo 2 ;;
    model) echo 3 ;;
    train) echo 4 ;;
    *) return 1 ;;
    esac
}

# The floor whose noun a public header is.
floor_of_header() {
    case $1 in
    export | types | version | status | engine | trace | context | tensor | rng | param) echo base ;;
    safetensors) echo io ;;
    layer | layers | exec) echo layer ;;
    loss | loss_common | cross_entropy | supcon | prototypical | rebalanced | prototypes | balanced_contrastive | k_positive | paco | proco) echo loss ;;
    sampler) echo sample ;;
    dataset | image_files | long_tail | split | augment | loader) echo data ;;
    resnet | heads) echo model ;;
    checkpoint | decoupled | gradients | hybrid | transition | schedule | optimizer | metrics) echo train ;;
    *) return 1 ;;
    esac
}

check_includes() {
    local file floor line text target to own_brings
    sources "$1" | while read -r file; do
        floor=${file#lib/}
        floor=${floor%%/*}
        height "$floor" >/dev/null || { echo "$file:1: no floor of this house is called $floor"; continue; }
        strip "$1/$file" | grep -nE '^[ \t]*#[ \t]*include' | while IFS=: read -r line text; do
            case $text in
            *cblas.h*)
                [ "$file" = lib/kernel/gemm.c ] || echo "$file:$line: only lib/kernel/gemm.c includes cblas.h"
                continue
                ;;
            *dnnl.h*)
                [ "$file" = lib/kernel/onednn.h ] || echo "$file:$line: only lib/kernel/onednn.h includes dnnl.h"
                continue
                ;;
            *'<jpeglib.h>'* | *'<jerror.h>'*)
                [ "$file" = lib/data/image_jpeg.c ] || echo "$file:$line: only lib/data/image_jpeg.c includes libjpeg's headers"
                continue
                ;;
            *'<png.h>'*)
                [ "$file" = lib/data/image_png.c ] || echo "$file:$line: only lib/data/image_png.c includes png.h"
                continue
                ;;
            *'<hybridnet.h>'*)
                echo "$file:$line: includes the umbrella: name the headers that are used"
                continue
                ;;
            *'<hybridnet/'*)
                target=$(sed -E 's|.*<hybridnet/([a-z0-9_]+)\.h>.*|\1|' <<<"$text")
                to=$(floor_of_header "$target") || {
                    echo "$file:$line: check_house.sh does not know to which floor hybridnet/$target.h belongs"
                    continue
                }
                # What a public header of the own floor brings along anyway may be named.
                own_brings=no
                for header in $(grep -l "#include <hybridnet/$target.h>" "$1"/include/hybridnet/*.h 2>/dev/null); do
                    [ "$(floor_of_header "$(basename "$header" .h)")" != "$floor" ] || own_brings=yes
                done
                [ $own_brings = no ] || continue
                ;;
            *\"*/*)
                to=$(sed -E 's|.*"([a-z0-9_]+)/.*|\1|' <<<"$text")
                height "$to" >/dev/null || { echo "$file:$line: no floor is called $to"; continue; }
                ;;
            *\"*)
                echo "$file:$line: private headers are included as \"floor/name.h\""
                continue
                ;;
            *) continue ;;
            esac
            # A loader takes a sampler's order and owns it.
            if [ "$to" != "$floor" ] && [ "$(height "$to")" -ge "$(height "$floor")" ] && [ "$floor-$to" != data-sample ]; then
                echo "$file:$line: $floor must not see $to"
            fi
        done || true
    done
    # Public headers keep the floors too; a loader takes a sampler's order, so data may see sample there.
    for file in "$1"/include/hybridnet/*.h; do
        [ -e "$file" ] || continue
        target=$(basename "$file" .h)
        floor=$(floor_of_header "$target") || {
            echo "include/hybridnet/$target.h:1: check_house.sh does not know its floor"
            continue
        }
        grep -nE '#include <hybridnet/' "$file" | while IFS=: read -r line text; do
            to=$(floor_of_header "$(sed -E 's|.*<hybridnet/([a-z0-9_]+)\.h>.*|\1|' <<<"$text")") || continue
            if [ "$to" != "$floor" ] && [ "$(height "$to")" -ge "$(height "$floor")" ] && [ "$floor-$to" != data-sample ]; then
                echo "include/hybridnet/$target.h:$line: $floor must not see $to"
            fi
        done || true
    done
}

# forbid SOURCE NAMES EXCEPT WHY: calls of the functions NAMES (alternatives) in files whose path does not match EXCEPT.
forbid() {
    local file
    sources "$1" | { grep -vE "$3" || true; } | while read -r file; do
        strip "$1/$file" | { grep -nE "(^|[^A-Za-z0-9_.>])($2)[ \t]*\\(" || true; } | while IFS=: read -r line text; do
            # A declaration or definition of a member or macro of that name is no call.
            echo "$file:$line: $4:$(sed -E 's/^[ \t]*/ /' <<<"$text")"
        done
    done
}

check_calls() {
    local nowhere='^$'
    forbid "$1" 'v?f?printf|puts|fputs|putchar|putc|fputc|perror|v?dprintf|psignal' "$nowhere" 'prints'
    forbid "$1" '_?exit|_Exit|quick_exit|abort|assert|raise|kill' "$nowhere" 'may end the process'
    forbid "$1" '(secure_)?getenv|setenv|putenv|setlocale|signal|sigaction' "$nowhere" 'reads or changes the process'
    forbid "$1" 's?rand|s?random|[dln]rand48|rand_r' "$nowhere" 'draws from a generator with hidden state'
    forbid "$1" 'time|clock|clock_gettime|gettimeofday|omp_get_wtime' "$nowhere" 'depends on the clock'
    forbid "$1" 'malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|memalign|free|strn?dup|alloca' \
        '^lib/base/context\.c$' 'allocates past the context'
    forbid "$1" 'f?open|fopen|fdopen|openat|creat|mkstemp|gzopen|opendir' '^lib/(io|data)/' 'opens files'
    forbid "$1" 'openblas_set_num_threads|bli_thread_set_num_threads|omp_set_dynamic|omp_set_max_active_levels' \
        "$nowhere" "changes the caller's threads"
    forbid "$1" 'omp_set_num_threads' '^lib/base/parallel\.c$' "changes the caller's threads"
    sources "$1" | while read -r file; do
        strip "$1/$file" | { grep -nE '\b(stdout|stderr)\b' || true; } | sed "s|^\([0-9]*\):.*|$file:\1: names a standard stream|"
    done
}

check_size() {
    local file lines
    sources "$1" | while read -r file; do
        lines=$(wc -l <"$1/$file")
        [ "$lines" -le 600 ] || echo "$file:600: has $lines lines; 600 is the limit"
    done
    (cd "$1" && { find include lib examples tests bench -name '*.[ch]' 2>/dev/null || true; }) | LC_ALL=C sort | while read -r file; do
        awk -v file="$file" 'length > 128 { print file ":" FNR ": has " length " columns; 128 is the limit" }' "$1/$file"
    done
}

# Objects (type O) in .data, .bss or common. .tdata and .tbss are thread-local; .data.rel.ro is constant once loaded.
# No exceptions so far; one would be a name here, with its reason.
check_globals() {
    objdump -t "$2" | awk '
        /^[^ ].*:[ \t]+file format/ { file = $1; sub(/:$/, "", file) }
        {
            for (i = 1; i < NF; ++i)
                if ($i ~ /^(\.data|\.bss|\*COM\*|\.lbss|\.ldata)(\.|$)/ && $i !~ /^\.data\.rel\.ro/ && $i !~ /^\.(data|bss)\.\.L/ &&
                    $NF !~ /^\./)
                    print file ":1: variable with static storage: " $NF
        }'
}

self_test() {
    local tmp failed=0
    tmp=$(mktemp -d)
    trap 'rm -rf "$tmp"' RETURN
    # breach RULE FILE TEXT EXPECTED: RULE reports FILE; EXPECTED empty: it does not.
    breach() {
        rm -rf "$tmp/tree"
        mkdir -p "$tmp/tree/include/hybridnet" "$tmp/tree/lib" "$tmp/tree/$(dirname "$2")"
        printf '#include <hybridnet/sampler.h>\n' >"$tmp/tree/include/hybridnet/loader.h"
        printf '%b' "$3" >"$tmp/tree/$2"
        local library=() got
        if [ "$1" = globals ]; then
            "${HN_CC:-gcc}" -fPIC -c "$tmp/tree/$2" -o "$tmp/tree/x.o"
            ar rcs "$tmp/tree/x.a" "$tmp/tree/x.o"
            library=("$tmp/tree/x.a")
        fi
        got=$("check_$1" "$tmp/tree" "${library[@]}")
        if { [ -n "$4" ] && ! grep -q "$4" <<<"$got"; } || { [ -z "$4" ] && [ -n "$got" ]; }; then
            echo "self-test: rule $1, file $2, expected \"$4\", reported \"$got\":"
            printf '%b' "$3"
            failed=1
        fi
    }
    breach includes lib/base/a.c '#include "kernel/gemm.h"\n' 'a.c:1: base must not see kernel'
    breach includes lib/loss/a.c '\n#include "layer/layer.h"\n' 'a.c:2: loss must not see layer'
    breach includes lib/loss/a.c '#include <hybridnet/layers.h>\n' 'loss must not see layer'
    breach includes lib/kernel/a.h '#include "io/file.h"\n' 'kernel must not see io'
    breach includes lib/model/a.c '# include <hybridnet/hybrid.h>\n' 'model must not see train'
    breach includes lib/loss/a.c '#include <cblas.h>\n' 'only lib/kernel/gemm.c'
    breach includes lib/kernel/a.c '#include <oneapi/dnnl/dnnl.h>\n' 'only lib/kernel/onednn.h'
    breach includes lib/data/image.c '#include <jpeglib.h>\n' 'only lib/data/image_jpeg.c'
    breach includes lib/data/image.c '#include <png.h>\n' 'only lib/data/image_png.c'
    breach includes lib/data/image_png.c '#include <png.h>\n' ''
    breach includes lib/loss/a.c '#include <hybridnet.h>\n' 'umbrella'
    breach includes lib/loss/a.c '#include "near.h"\n' 'floor/name'
    breach includes lib/loss/a.c '#include <hybridnet/unheard.h>\n' 'does not know'
    breach includes lib/attic/a.c 'int x;\n' 'no floor'
    breach includes include/hybridnet/loss.h '#include <hybridnet/layer.h>\n' 'loss must not see layer'
    breach includes lib/sample/a.c '#include <hybridnet/loader.h>\n' 'sample must not see data'
    breach includes lib/data/a.c '#include <hybridnet/sampler.h>\n' ''
    breach includes lib/kernel/gemm.c '#include "kernel/gemm.h"\n#include "base/parallel.h"\n#include <cblas.h>\n' ''
    breach includes lib/train/a.c '/*\n#include "examples/x.h"\n*/\n#include "model/x.h"\n' ''
    local call
    for call in 'printf("x")' 'fprintf(f, "x")' 'puts("x")' 'perror (0)' 'exit(1)' 'abort()' 'assert(x)' 'getenv("X")' \
        'rand()' 'time(NULL)' 'clock()' 'malloc(1)' 'calloc(1, 1)' 'free(p)' 'aligned_alloc(64, 64)' 'fopen(a, b)' \
        'open(a, 0)' 'strdup(s)' 'omp_set_num_threads(2)'; do
        breach calls lib/loss/a.c "\nvoid f(void) { $call; }\n" 'a.c:2:'
    done
    breach calls lib/loss/a.c 'void *f = stderr;\n' 'standard stream'
    breach calls lib/loss/a.c '/* malloc(1) */ // exit(1)\nchar *s = "free(p) \\"abort()";\nint f(int t) { return snprintf(0, 0, s) + uptime(t); }\n' ''
    breach calls lib/base/context.c 'void f(void) { free(0); }\n' ''
    breach calls lib/io/a.c 'void f(void) { fopen(a, b); }\n' ''
    breach size lib/loss/a.c "$(printf '\\n%.0s' $(seq 601))" '601 lines'
    breach size tests/a.h "/* $(printf 'x%.0s' $(seq 123)) */\n" '129 columns'
    breach size tests/a.h "/* $(printf 'x%.0s' $(seq 122)) */\n" ''
    breach globals lib/loss/a.c 'int counter;\n' 'counter'
    breach globals lib/loss/a.c 'static int counter = 3; int f(void) { return counter++; }\n' 'counter'
    breach globals lib/loss/a.c 'int f(void) { static int seen; return seen++; }\n' 'seen'
    breach globals lib/loss/a.c '_Thread_local int mine; int g(void) { return 0; }\nint (*const table[])(void) = {g};\nconst int c = 1;\n' ''
    [ $failed -eq 0 ] && echo "every rule reports what breaks it"
    return $failed
}

rule=${1:-} source=${2:-$here/..}
case $rule in
includes | calls | size)
    found=$("check_$rule" "$source")
    ;;
globals)
    command -v objdump >/dev/null || { echo "skipped: no objdump"; exit 77; }
    found=$(check_globals "$source" "$3")
    ;;
self-test)
    command -v objdump >/dev/null || { echo "skipped: no objdump"; exit 77; }
    self_test
    exit
    ;;
*)
    echo "usage: check_house.sh includes|calls|size|globals|self-test SOURCE [LIBRARY]" >&2
    exit 2
    ;;
esac
[ -z "$found" ] || { echo "$found"; exit 1; }
[ "$(sources "$source" | wc -l)" -gt 0 ] || { echo "no sources under $source/lib"; exit 1; }
echo "$rule: $(sources "$source" | wc -l) files in order"
