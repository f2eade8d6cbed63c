#!/bin/sh
# smoke_checkpoint.sh PROGRAM: train_hybrid killed at random moments and resumed ends with the weights and the log of a run
# that nobody disturbed; signals save and stop; a full disk, directories that cannot be written in and damaged files end in a
# sentence or in the checkpoint before. From the environment: HN_KILLS, how many kills (default 10); HN_SEED, of the random
# numbers (default: the time).
set -eu
program=$(realpath "$1") here=$(dirname "$(realpath "$0")")
kills=${HN_KILLS:-10}
seed=${HN_SEED:-$(date +%s)}
# shellcheck source=tests/smoke_head.sh
. "$(dirname "$0")/smoke_head.sh"
echo "smoke_checkpoint: HN_SEED=$seed"

# For the background: the process itself, for its number to be the program's.
exec_small() {
    exec "$program" --dataset synthetic --synthetic-images 400 --imbalance 10 --arch resnet8 --epochs 4 --batch 32 --lr 0.05 \
        --quiet "$@"
}

small() {
    (exec_small "$@")
}

# resume DIR OPTIONS...: all that is learnt is the checkpoint's.
resume() {
    at=$1
    shift
    "$program" --checkpoint "$at" --resume --quiet "$@"
}

# refused STATUS TEXT OPTIONS...: the program must end with that status and a sentence that has the text.
refused() {
    status=$1 text=$2
    shift 2
    got=0
    small "$@" >output 2>&1 || got=$?
    [ "$got" -eq "$status" ] || fail "train_hybrid $*: status $got, not $status"
    grep -qF -e "$text" output || fail "train_hybrid $*: no '$text' in: $(cat output)"
}

# What a log says of the training: times, and where it was resumed, left out.
training_of() {
    sed -n '/"event":"step"\|"event":"epoch"\|"event":"best"\|"event":"second_stage"\|"event":"result"/p' "$1" |
        sed 's/"\(images_per_second\|seconds\|peak_rss_mib\)":[^,}]*//g'
}

same_run() { # NAME SAVE LOG: against the undisturbed run's
    cmp "$2" "$1.safetensors" || fail "$1: the weights are not those of an undisturbed run"
    training_of "$1.log" >want
    grep -q '"event":"step"' want || fail "$1: the log has no step"
    training_of "$3" >got
    cmp want got || fail "$1: the log is not that of an undisturbed run: $(diff want got)"
}

files_of() { # DIR
    find "$1" -name 'checkpoint-*.safetensors' 2>/dev/null | wc -l
}

newest() { # DIR
    find "$1" -name 'checkpoint-*.safetensors' | sort | tail -n 1
}

# waits DIR: until the running child has written a checkpoint beyond its first.
waits() {
    tries=0
    while [ "$(files_of "$1")" -lt 2 ] && [ $tries -lt 600 ] && kill -0 "$child" 2>/dev/null; do
        sleep 0.02
        tries=$((tries + 1))
    done
}

# struck BLOW OPTIONS...: a training of the kind psc, in ck and s.log, that the command BLOW meets after its second
# checkpoint; sets $status. One that was over before the blow is begun again, up to ten times.
struck() {
    blow=$1
    shift
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf ck away s.safetensors s.log
        # shellcheck disable=SC2046
        exec_small $(options_of psc) --log s.log --log-steps 5 --checkpoint ck "$@" 2>output &
        child=$!
        waits ck
        $blow 2>/dev/null || true
        status=0
        wait $child 2>/dev/null || status=$?
        child=
        [ $status -eq 0 ] || return 0
    done
}

# draw N: a number from 0 to N - 1, in $drawn.
draw() {
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    drawn=$((seed / 65536 % $1))
}

# ---- undisturbed runs to compare with --------------------------------------------------------------------------------
options_of() {
    case $1 in
    tsc) echo "--method hybrid-sc --feature-loss tsc --queue 48 --validation 0.2" ;;
    proco) echo "--method hybrid-sc --feature-loss proco --classifier-sampler instance --validation 0.2 --drw-epoch 2" ;;
    paco) echo "--method hybrid-psc --feature-loss paco --queue 70 --second-stage crt --second-epochs 1" ;;
    *) echo "--method hybrid-psc --transition beta" ;;
    esac
}
for kind in tsc proco paco psc; do
    # shellcheck disable=SC2046 # several words
    small $(options_of $kind) --save $kind.safetensors --log $kind.log --log-steps 5 || fail "$kind: status $?"
done

# ---- kill -9 at random moments ---------------------------------------------------------------------------------------
done_kills=0
trainings=0
while [ $done_kills -lt "$kills" ]; do
    for kind in tsc proco paco psc; do
        trainings=$((trainings + 1))
        rm -rf ck k.safetensors k.log
        draw 5
        every=$((1 + drawn))
        draw 6
        left=$((1 + drawn)) # kills of this training
        finished=no
        circumstances="$kind, --checkpoint-every $every"
        while [ $finished = no ]; do
            draw 2
            threads=$((1 + drawn))
            draw 3
            workers=$drawn
            draw 480
            delay=0.$(printf %03d $((20 + drawn)))
            circumstances="$circumstances; $threads threads, $workers workers"
            # The whole command each time: it begins or goes on, whatever there is.
            # shellcheck disable=SC2046
            exec_small $(options_of $kind) --save k.safetensors --log k.log --log-steps 5 --checkpoint ck \
                --checkpoint-every $every --resume --threads $threads --workers $workers 2>output &
            child=$!
            if [ $done_kills -lt "$kills" ] && [ $left -gt 0 ]; then
                sleep "$delay"
                if kill -9 $child 2>/dev/null; then
                    done_kills=$((done_kills + 1))
                    left=$((left - 1))
                    circumstances="$circumstances, killed after $delay s"
                fi
            fi
            status=0
            wait $child 2>/dev/null || status=$?
            child=
            case $status in
            0) finished=yes ;;
            137) ;;
            *) fail "$kind: status $status after a kill: $(cat output)" && finished=yes ;;
            esac
            [ ! -d ck ] || [ "$(files_of ck)" -le 3 ] || fail "$kind: $(files_of ck) checkpoints with --keep 2"
        done
        same_run $kind k.safetensors k.log
        [ "$(find ck -type f | wc -l)" -eq 2 ] || fail "$kind: left in the directory: $(ls ck)"
        [ $done_kills -lt "$kills" ] || break
    done
done
circumstances=
echo "smoke_checkpoint: $done_kills kills in $trainings trainings"

# ---- SIGINT and SIGTERM save and stop --------------------------------------------------------------------------------
signalled() {
    kill -"$signal" "$child"
}
for signal in INT TERM; do
    struck signalled --save s.safetensors
    [ "$status" -eq 130 ] || fail "SIG$signal: status $status, not 130"
    grep -q 'stopped in epoch .*to go on: train_hybrid --checkpoint ck --resume' output || fail "SIG$signal: $(cat output)"
    resume ck || fail "--resume after SIG$signal: status $?"
    same_run psc s.safetensors s.log
done

# ---- a finished run does its end again -------------------------------------------------------------------------------
rm -rf ck p.safetensors p.log
# shellcheck disable=SC2046
small $(options_of paco) --save p.safetensors --log p.log --log-steps 5 --checkpoint ck --checkpoint-every 7
same_run paco p.safetensors p.log
resume ck --threads 1 || fail "--resume of a finished run: status $?"
same_run paco p.safetensors p.log
grep -q '"event":"resume","epoch":4,' p.log || fail "no resume in the log"

# ---- what may change, and what may not -------------------------------------------------------------------------------
refused 2 "--lr is 0.1; the training in ck was begun with 0.05" --checkpoint ck --resume --lr 0.1
refused 2 "--epochs is 9; the training in ck was begun with 4" --checkpoint ck --resume --epochs 9
refused 2 "--feature-loss is sc; the training in ck was begun with paco" --checkpoint ck --resume --feature-loss sc
refused 2 "ck holds checkpoints already: --resume" --checkpoint ck
refused 2 "--resume needs --checkpoint" --resume
refused 2 "--checkpoint takes one" --checkpoint new --seeds 1,2
refused 2 "nothing for --checkpoint" --checkpoint new --eval-only --load psc.safetensors
refused 2 "--log is 'a #1'; in a recipe, and so with --checkpoint," --checkpoint new --log "a #1"
refused 2 "--keep is '0'" --checkpoint new --keep 0
[ ! -e new ] || fail "a refused command has made a directory"
small --checkpoint new --resume --epochs 1 --log other.log || fail "--resume without a checkpoint: status $?"
small --checkpoint new --resume --epochs 1 --log another.log --workers 0 --keep 1 || fail "--resume to another log: status $?"
grep -q '"event":"start"' another.log || fail "another log has no start"
small --checkpoint new --resume --epochs 1 --log missing.log
rm missing.log
resume new --log other.log || fail "--resume to a log that is there: status $?"

# ---- damaged files: the checkpoint before, or a sentence -----------------------------------------------------------
rm -rf ck d.safetensors d.log
# shellcheck disable=SC2046
small $(options_of tsc) --save d.safetensors --log d.log --log-steps 5 --checkpoint ck --checkpoint-every 9
bad=$(newest ck)
cp -r ck good
truncate -s -1 "$bad"
resume ck 2>output || fail "--resume past a truncated file: status $?"
grep -q "passed over.*$bad" output || fail "a truncated file is passed over in silence: $(cat output)"
same_run tsc d.safetensors d.log
rm -rf ck && cp -r good ck
printf '\001' | dd of="$bad" bs=1 seek=$(($(wc -c <"$bad") / 2)) conv=notrunc 2>/dev/null
resume ck 2>output || fail "--resume past a changed byte: status $?"
grep -q "$bad is damaged" output || fail "a changed byte is passed over in silence: $(cat output)"
same_run tsc d.safetensors d.log
for file in ck/*; do
    cp tsc.safetensors "$file" # of weights, but no checkpoint
done
cp d.log before.log
refused 1 "none of the checkpoints in ck is whole" --checkpoint ck --resume
cmp d.log before.log || fail "a refused --resume has changed the log"

# ---- a log of another training stays as it is ------------------------------------------------------------------------
rm -rf ck
small --epochs 1 --checkpoint ck --log shared.log
small --seed 2 --log shared.log --log-steps 5 # a longer one
cp shared.log before.log
refused 1 "shared.log cannot be gone on with: it is not the log of this training; name a new --log" \
    --epochs 1 --checkpoint ck --resume
cmp shared.log before.log || fail "another training's log was changed"
head -n 1 before.log >shared.log
refused 1 "it is shorter than when the checkpoint was written" --epochs 1 --checkpoint ck --resume
resume ck --log anew.log || fail "--resume with a new log: status $?"
resume ck --log anew.log || fail "--resume with another log, again: status $?"
grep -q '"event":"start"' anew.log || fail "a new log of a training that goes on has no start"

# ---- directories that cannot be written in ---------------------------------------------------------------------------
: >file
refused 1 "--checkpoint is file" --checkpoint file
refused 1 "--checkpoint is file/below" --checkpoint file/below
refused 1 "--checkpoint is nowhere/below" --checkpoint nowhere/below
refused 1 "--checkpoint is /proc/checkpoints" --checkpoint /proc/checkpoints

# ---- a full disk: at the beginning an end, later a sentence, and the checkpoint before -------------------------------
rm -rf ck
if (trap '' XFSZ && ulimit -f 100) 2>/dev/null; then
    full() {
        trap '' XFSZ
        ulimit -f 100 # less than a checkpoint has
        "$@"
    }
    status=0
    (full small --checkpoint ck --epochs 1) 2>output || status=$?
    [ $status -eq 1 ] || fail "a disk that is full at the beginning: status $status"
    grep -q 'File too large' output || fail "a disk that is full at the beginning: $(cat output)"
    [ "$(find ck -type f | wc -l)" -eq 0 ] || fail "a disk that is full leaves $(ls ck)"
    killed() {
        kill -9 "$child"
    }
    struck killed --checkpoint-every 2
    [ "$status" -eq 137 ] || fail "before a disk that is full: status $status, not 137"
    find ck -name '*.safetensors' | sort >before
    status=0
    (full resume ck) 2>output || status=$?
    [ $status -eq 1 ] || fail "a disk that is full: status $status"
    grep -q 'this checkpoint is not written; those before it stay' output || fail "a disk that is full: $(cat output)"
    find ck -name '*.safetensors' | sort | cmp - before || fail "a disk that is full costs checkpoints"
    resume ck --save s.safetensors || fail "--resume after a full disk: status $?"
    same_run psc s.safetensors s.log
else
    echo "smoke_checkpoint: no limit of file sizes here; a full disk is not tried"
fi

# ---- a directory that goes away while training: it goes on, and says so ----------------------------------------------
moved() {
    mv ck away
}
struck moved --checkpoint-every 2
[ "$status" -eq 1 ] || fail "a directory that went away: status $status"
grep -q 'this checkpoint is not written; those before it stay' output || fail "a directory that went away: $(cat output)"
grep -q 'its last checkpoint could not be written' output || fail "a directory that went away: $(cat output)"
grep -q '"event":"checkpoint_failed".*No such file' s.log || fail "the log does not tell of a checkpoint that failed"
resume away --save s.safetensors 2>output || fail "--resume in another place: $(cat output)"
same_run psc s.safetensors s.log

# ---- the weights alone -----------------------------------------------------------------------------------------------
# shellcheck disable=SC2046
small $(options_of psc) --export e.safetensors --log e.log
top1() {
    sed -n 's/^{"event":"result".*"top1":\([^,]*\),.*/\1/p' "$1"
}
small --load e.safetensors --eval-only --log again.log --export twice.safetensors || fail "--load of --export: status $?"
[ "$(top1 e.log)" = "$(top1 again.log)" ] || fail "--export: top1 $(top1 again.log), not $(top1 e.log)"
cmp e.safetensors twice.safetensors || fail "--eval-only --export changes the weights"
small --load "$(newest away)" --eval-only --log again.log || fail "--load of a checkpoint: status $?"
[ "$(top1 e.log)" = "$(top1 again.log)" ] || fail "--load of a checkpoint: top1 $(top1 again.log), not $(top1 e.log)"
if command -v python3 >/dev/null; then
    python3 - "$(newest away)" e.safetensors <<'PYTHON' || fail "Python does not read what was written"
import json, struct, sys

def read(path):
    """Names, metadata and sizes, by the safetensors module where there is one."""
    try:
        from safetensors import safe_open
        with safe_open(path, "np") as f:
            return {name: f.get_tensor(name).shape for name in f.keys()}, f.metadata()
    except ImportError:
        with open(path, "rb") as f:
            header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        return {name: tuple(t["shape"]) for name, t in header.items() if name != "__metadata__"}, header["__metadata__"]

checkpoint, metadata = read(sys.argv[1])
weights, _ = read(sys.argv[2])
assert all(checkpoint[name] == shape for name, shape in weights.items())
assert not [name for name in weights if name.startswith(("projection.", "prototypes", "optimizer.", "loss."))]
assert checkpoint["optimizer.momentum.conv1.weight"] == checkpoint["conv1.weight"]
assert metadata["hybridnet.checkpoint"] == "1" and "\nmethod = hybrid-psc\n" in metadata["options"]
PYTHON
    # ---- whole by their checksum, with numbers that no training has
    # forged TEXT CHANGE...: the sentence's text.
    forged() {
        text=$1
        shift
        rm -rf forged
        mkdir forged
        python3 "$here/checkpoint_forge.py" "$(newest away)" "forged/$(basename "$(newest away)")" "$@" || fail "forging $*"
        got=0
        resume forged >output 2>&1 || got=$?
        [ "$got" -eq 1 ] || fail "forged $*: status $got: $(cat output)"
        grep -qF -e "$text" output || fail "forged $*: no '$text' in: $(cat output)"
    }
    big=9223372036854775807
    forged 'counts that no training' "course=0x0p+0 0x0p+0 $big 0x0p+0 $big 0x0p+0 0 0x0p+0 $big 0x0p+0 0 $big 0 $big"
    forged 'stands in epoch 1000000000000000000,' hybridnet.epoch=999999999999999999 OPTION:batch=8
    forged 'stands in epoch 1001,' hybridnet.epoch=1000
    forged 'of its steps' hybridnet.epoch=0 hybridnet.step=999999999999999999
    forged 'log_bytes is -5' log_bytes=-5
else
    echo "smoke_checkpoint: no python3; it does not read the files"
fi

finish
