# shellcheck shell=sh
# smoke_head.sh: what the smoke tests of the programs begin with; they source it, with the path of train_hybrid in $train
# if they call it. The directory is then a fresh one, removed in the end; a program whose number is in $child ends, too.
directory=$(mktemp -d)
child=
trap '[ -z "$child" ] || kill -9 "$child" 2>/dev/null || true; rm -rf "$directory"' EXIT
cd "$directory" || exit 1
failures=0
test_name=$(basename "$0" .sh)
circumstances= # where there are any to be told with a failure

fail() {
    echo "$test_name: $*${circumstances:+ ($circumstances)}" >&2
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

# tiny OPTIONS...: three steps; the hybrid methods take both branches in each.
tiny() {
    "$train" --dataset synthetic --synthetic-images 100 --imbalance 2 --arch resnet8 --epochs 1 --batch 32 --lr 0.05 \
        --transition fixed --quiet "$@"
}

# field FILE EVENT KEY: the value of a key in the last line of that event; a list is cut at its first comma.
field() {
    sed -n "s/^{\"event\":\"$2\".*\"$3\":\([^,}]*\).*/\1/p" "$1" | tail -n 1
}

# fields FILE EVENT KEY: the values in all lines of that event, with blanks between them.
fields() {
    sed -n "s/^{\"event\":\"$2\".*\"$3\":\([^,}]*\).*/\1/p" "$1" | paste -s -d ' ' -
}

expect() { # NAME VALUE PATTERN
    # shellcheck disable=SC2254 # the third argument is a pattern
    case $2 in
    $3) ;;
    *) fail "$1 is '$2', not $3" ;;
    esac
}

# distinct NAME FILE...: all are there, and no two are the same.
distinct() {
    name=$1
    shift
    [ "$(cksum "$@" | cut -d ' ' -f 1,2 | sort -u | wc -l)" -eq $# ] || fail "$name: two of these are the same: $*"
}
