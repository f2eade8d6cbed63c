# shellcheck shell=sh
# smoke_head.sh: what the smoke tests of the programs begin with; they source it with the path of train_hybrid in $train.
# From here on the directory is a fresh one, removed in the end.
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory" || exit 1
failures=0
test_name=$(basename "$0" .sh)

fail() {
    echo "$test_name: $*" >&2
    failures=$((failures + 1))
}

# finish: the last line of a test.
finish() {
    [ "$failures" -eq 0 ] || exit 1
    echo "$test_name: all well"
}

# small OPTIONS...: a training of seconds.
small() {
    # shellcheck disable=SC2154 # set by who sources this
    "$train" --dataset synthetic --synthetic-images 400 --imbalance 10 --arch resnet8 --epochs 2 --batch 32 --lr 0.05 \
        --quiet "$@"
}
