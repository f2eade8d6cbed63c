#!/bin/sh
# smoke_endings.sh PROGRAM: what ends train_hybrid, and what does not: a training goes on without single steps that are
# not finite; signals end a test as they end any program.
set -eu
train=$(realpath "$1")
# shellcheck source=tests/smoke_head.sh
. "$(dirname "$0")/smoke_head.sh"

tiny --method hybrid-psc --save plain.safetensors

# ---- --on-nonfinite skip leaves single steps out ---------------------------------------------------------------------
# A unit of the projection head that few images wake, those whose features sum to more than 49: it puts out an infinity.
# At the smallest rate the rest of the network stays as it is.
if command -v python3 >/dev/null; then
    python3 - plain.safetensors brittle.safetensors <<'PYTHON'
import json, struct, sys

with open(sys.argv[1], "rb") as f:
    size = f.read(8)
    header = f.read(struct.unpack("<Q", size)[0])
    data = bytearray(f.read())

def put(name, stride, values):
    """The values, from the first of the tensor on, stride apart."""
    begin = json.loads(header)[name]["data_offsets"][0]
    for i, value in enumerate(values):
        struct.pack_into("<f", data, begin + 4 * stride * i, value)

put("projection.0.weight", 1, [1e30] * 64)
put("projection.0.bias", 1, [-49e30])
put("projection.2.weight", 64, [1e30] * 128)
with open(sys.argv[2], "wb") as f:
    f.write(size + header + data)
PYTHON
    tiny --method hybrid-psc --load brittle.safetensors --epochs 3 --batch 4 --lr 1e-8 --on-nonfinite skip \
        --log skip.log --log-steps 1 2>output || fail "--on-nonfinite skip: status $?: $(cat output)"
    skipped=$(grep -c '"event":"skipped"' skip.log || true)
    whole=$(grep -c '"event":"step"' skip.log || true)
    # More than ten in all, though never ten in a row.
    [ "$skipped" -gt 10 ] || fail "--on-nonfinite skip: only $skipped steps are left out"
    expect "all steps" $((skipped + whole)) $((3 * $(field skip.log step steps)))
    expect "sentences on steps left out" "$(grep -c 'left out: .*puts out' output)" "$skipped"
    expect "skipped_steps" "$(fields skip.log epoch skipped_steps | awk '{ print $1 + $2 + $3 }')" "$skipped"
    expect "the last epoch's loss" "$(field skip.log epoch loss_feature)" '[0-9]*'
    expect "top1" "$(field skip.log result top1)" '[0-9]*'
    status=0
    tiny --method hybrid-psc --load brittle.safetensors --epochs 3 --batch 4 --lr 1e-8 2>output || status=$?
    expect "status without --on-nonfinite skip" $status 1
else
    echo "$test_name: no python3; steps that are not finite are not tried"
fi

# ---- a full disk leaves no half line in the log ----------------------------------------------------------------------
if (trap '' XFSZ && ulimit -f 12) 2>/dev/null; then
    status=0
    (
        trap '' XFSZ
        ulimit -f 12 # blocks of 512 or 1024 bytes: less than the log would have
        tiny --method ce --epochs 40 --log full.log --log-steps 1
    ) 2>output || status=$?
    expect "status with a log on a full disk" $status 1
    grep -q 'the log full.log cannot be written: File too large' output || fail "a log on a full disk: $(cat output)"
    grep -q '"event":"step"' full.log || fail "a log on a full disk has no step"
    expect "the end of a log on a full disk" "$(tail -c 2 full.log)" "}"
else
    echo "$test_name: no limit of file sizes here; a full disk is not tried"
fi

# ---- signals end --eval-only -----------------------------------------------------------------------------------------
# Of so many images that it takes long. What a shell starts in the background ignores SIGINT, unless env says otherwise.
for signal in TERM INT; do
    if ! env --default-signal=$signal true 2>/dev/null; then
        echo "$test_name: env has no --default-signal; signals are not tried"
        break
    fi
    rm -f output
    env --default-signal=$signal "$train" --dataset synthetic --synthetic-images 500000 --arch resnet8 --batch 32 \
        --load plain.safetensors --eval-only >output 2>&1 &
    child=$!
    tries=0
    until grep -qs 'test images' output || [ $tries -ge 1000 ] || ! kill -0 $child 2>/dev/null; do
        sleep 0.02
        tries=$((tries + 1))
    done
    grep -qs 'test images' output || fail "--eval-only does not begin: $(cat output)"
    kill -$signal $child || fail "SIG$signal: --eval-only was over before it"
    status=0
    wait $child 2>/dev/null || status=$?
    child=
    case $signal in
    TERM) expect "status after SIGTERM" $status 143 ;;
    INT) expect "status after SIGINT" $status 130 ;;
    esac
    ! grep -q '^result' output || fail "SIG$signal: --eval-only went on: $(cat output)"
done

finish
