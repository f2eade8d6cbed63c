#!/bin/sh
# smoke_program.sh PROGRAM: a benchmark at its smallest, or one of the small examples, ends with status 0 and prints what it is for.
set -eu
program=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
# shellcheck source=tests/smoke_head.sh
. "$here/smoke_head.sh"
test_name=$(basename "$program")

# prints PATTERN OPTIONS...: status 0, and a line that matches; what is printed stays in the file output.
prints() {
    pattern=$1 status=0
    shift
    "$program" "$@" >output 2>error || status=$?
    [ $status -eq 0 ] || fail "$*: status $status: $(cat error)"
    grep -qE -e "$pattern" output || fail "$*: no '$pattern' in: $(cat output)"
}

rate='[0-9.]*[1-9]' # positive
case $test_name in
custom_trainer) # frozen prototypes leave the loss high, a frozen model the accuracy low
    prints '^test accuracy (8[0-9]|9[0-9]|100)\.[0-9] %$'
    grep -q '^step 100  loss  -1\.[12]' output || fail "the loss is not as low as it gets: $(cat output)"
    ;;
pipeline) # the rarest classes, with 10 to 20 images, are found too
    prints '^test accuracy ([6-9][0-9])\.[0-9] %: many [0-9.]*, medium [0-9.]*, few [3-9][0-9]\.'
    [ "$(grep -c '^epoch' output)" -eq 12 ] || fail "not twelve epochs: $(cat output)"
    ;;
bench_step)
    prints "\"images_per_second\": $rate.*\"loss\": [0-9]" --arch 8 --batch 8 --steps 1
    prints "\"images_per_second\": $rate.*\"logit\": -?[0-9]" --arch 8 --batch 8 --steps 1 --infer
    ;;
bench_loss)
    prints "\"name\": \"psc\".*\"seconds\": $rate.*\"ratio\": [0-9].*\"value\": [0-9]" \
        --loss psc --n 300 --classes 50 --dim 16 --repeats 1
    ;;
bench_open)
    for i in 3 0 2; do echo "a/$i.jpg $i"; done >list.txt
    prints '"images": 3, "classes": 4, "seconds": .*"library_bytes": [1-9].*"peak_bytes": [1-9]' image-list . list.txt
    status=0
    "$program" image-list . >output 2>error || status=$?
    [ $status -eq 2 ] || fail "without a list: status $status"
    ;;
bench_memory)
    prints '"micro_batch": 3.*"peak_bytes": [1-9].*"value": [0-9]' \
        --arch resnet18 --side 32 --batch 4 --classes 20 --micro-batch 3
    ;;
bench_loader)
    prints "\"images\": 160, \"images_per_second\": $rate" --batch 8 --batches 10 --imbalance 2
    ;;
bench_conv) # six shapes, by every engine
    prints "\"engine\": \"direct\".*\"forward_gflops\": [0-9].*\"backward_gflops\": [0-9]" --batch 1 --repeats 1
    [ "$(grep -c '"engine": "direct"' output)" -eq 6 ] || fail "not six shapes: $(cat output)"
    ! grep -vE '"forward_gflops": [0-9.]+, "backward_gflops": [0-9.]+}$' output || fail "a rate is none"
    ;;
bench_decode)
    mkdir -p set/red set/blue
    for i in 1 2 3 4; do
        cp "$here/fuzz/corpus/image/jpeg" set/red/$i.jpg
        cp "$here/fuzz/corpus/image/jpeg-17x9" set/blue/$i.jpg
    done
    prints "\"files\": 8,.*\"decode_images_per_cpu_second\": $rate.*\"loader_images_per_cpu_second\": $rate" \
        --data set --side 8 --rounds 1
    grep -qE '"ratio": [0-9].*"wall_images_per_second": [0-9]' output || fail "a rate is none: $(cat output)"
    ;;
*) fail "there is no test of it" ;;
esac

finish
