#!/bin/sh
# smoke_options.sh PROGRAM: what options do to a training of train_hybrid: the rate follows its schedule, and an option
# that says how to learn changes what is learnt.
set -eu
train=$(realpath "$1")
# shellcheck source=tests/smoke_head.sh
. "$(dirname "$0")/smoke_head.sh"

# ---- the learning rate: an epoch's is that of its last step ----------------------------------------------------------
tiny --method ce --epochs 4 --lr 0.08 --milestones 1,2 --lr-decay 0.5 --warmup 0 --log rate.log
expect "rates with --milestones 1,2" "$(fields rate.log epoch lr)" "0.08 0.04 0.02 0.02"
tiny --method ce --epochs 4 --lr 0.08 --milestones 3 --lr-decay 0.25 --warmup 2 --log rate.log --log-steps 1
expect "rates with --warmup 2" "$(fields rate.log step lr)" \
    "0.008 0.02 0.032 0.044 0.056 0.068 0.08 0.08 0.08 0.02 0.02 0.02"
tiny --method ce --lr 0.5 --milestones 3 --warmup 1 --log rate.log --log-steps 1
expect "a warm-up to a high rate" "$(fields rate.log step lr)" "0.01 0.17333333 0.33666667"
tiny --method ce --epochs 5 --lr 0.08 --log rate.log --log-steps 1
expect "rates without --milestones" "$(fields rate.log epoch lr)" "0.08 0.08 0.08 0.008 0.0008"
expect "the first rates without --warmup" "$(fields rate.log step lr)" "0.008 0.08 0.08 *"

# ---- seeds are logged as they are, however many digits they have ---------------------------------------------------
tiny --method ce --seeds 7,123456789,4294967295 --log seeds.log
for event in start seeds; do
    grep -q "^{\"event\":\"$event\".*\"seeds\":\[7.0,123456789,4294967295\]" seeds.log ||
        fail "seeds in the event $event: $(grep -o '"seeds":.[^]]*' seeds.log | sort -u)"
done

# ---- the optimizer and the feature branch ----------------------------------------------------------------------------
tiny --method hybrid-psc --log plain.log --save plain.safetensors
n=0
for option in "--momentum 0" "--weight-decay 0.1" "--views 1" "--temperature 0.5" --psc-include-own "--prototypes 3" \
    "--prototypes 3 --assign hard" "--prototypes 3 --assign uniform"; do
    n=$((n + 1))
    # shellcheck disable=SC2086
    tiny --method hybrid-psc $option --log option.log --save option$n.safetensors || fail "$option: status $?"
    expect "$option: loss_feature" "$(field option.log epoch loss_feature)" '[0-9]*'
    [ "$(field option.log epoch loss_feature)" != "$(field plain.log epoch loss_feature)" ] ||
        fail "$option changed nothing"
done
distinct "weights with one option more" plain.safetensors option?.safetensors
tiny --method hybrid-psc --epochs 2 --transition parabolic --log alpha.log
expect "alpha" "$(fields alpha.log epoch alpha)" "1.0 0.75"
tiny --method hybrid-psc --epochs 2 --transition parabolic --alpha-origin 1 --log alpha.log
expect "alpha with --alpha-origin 1" "$(fields alpha.log epoch alpha)" "0.75 0.0"
tiny --method hybrid-psc --epochs 4 --transition separate --log alpha.log
expect "alpha of separate" "$(fields alpha.log epoch alpha)" "1.0 1.0 1.0 0.0"
tiny --method hybrid-psc --epochs 4 --transition separate --separate-at 0.5 --log alpha.log
expect "alpha with --separate-at 0.5" "$(fields alpha.log epoch alpha)" "1.0 1.0 0.0 0.0"

# ---- augmentations ---------------------------------------------------------------------------------------------------
for augmentation in plain sim autoaugment randaugment resized; do
    tiny --method hybrid-sc --augmentation $augmentation --log augmented.log --save $augmentation.safetensors ||
        fail "--augmentation $augmentation: status $?"
    expect "--augmentation $augmentation: loss" "$(field augmented.log epoch loss)" '[0-9]*'
done
tiny --method hybrid-sc --save default.safetensors
cmp default.safetensors plain.safetensors || fail "the augmentation is not plain where none is named"
tiny --method hybrid-sc --later-views sim --save later.safetensors || fail "--later-views sim: status $?"
distinct "weights with other augmentations" plain.safetensors sim.safetensors autoaugment.safetensors \
    randaugment.safetensors resized.safetensors later.safetensors
tiny --method hybrid-sc --augmentation sim --later-views same --save same.safetensors
cmp sim.safetensors same.safetensors || fail "--later-views same is not the first view's augmentation"
tiny --method hybrid-sc --log-steps 1 --log same.log
tiny --method hybrid-sc --classifier-augmentation sim --log-steps 1 --log other.log
first() { # FILE KEY: of its first step
    fields "$1" step "$2" | cut -d ' ' -f 1
}
expect "the feature branch with --classifier-augmentation" "$(first other.log loss_feature)" "$(first same.log loss_feature)"
[ "$(first other.log loss_classifier)" != "$(first same.log loss_classifier)" ] ||
    fail "--classifier-augmentation sim changes nothing"
tiny --method hybrid-sc --classifier-augmentation plain --save as_plain.safetensors
cmp as_plain.safetensors plain.safetensors || fail "--classifier-augmentation plain is not what --augmentation plain does"

# ---- recipes with two augmentations: as their options, written out --------------------------------------------------
for recipe in "bcl 0.2308 0.39 1.92e-4" "proco 0.5 0.6 1e-4"; do
    # shellcheck disable=SC2086
    set -- $recipe
    "$train" --recipe "synthetic-lt-100/$1" --synthetic-images 100 --imbalance 2 --epochs 2 --batch 32 --quiet \
        --log recipe.log --save recipe.safetensors || fail "synthetic-lt-100/$1: status $?"
    expect "$1: feature_loss" "$(field recipe.log start feature_loss)" "\"$1\""
    expect "$1: loss" "$(field recipe.log epoch loss)" '[0-9]*'
    tiny --method hybrid-sc --feature-loss "$1" --classifier-loss logit-adjustment --classifier-sampler instance \
        --alpha "$2" --augmentation autoaugment --later-views sim --epochs 2 --lr "$3" --milestones 1.6,1.8 \
        --warmup 0.05 --weight-decay "$4" --projection-hidden 512 --save written.safetensors
    cmp recipe.safetensors written.safetensors || fail "synthetic-lt-100/$1 is not what its options are"
done

# ---- LDAM's confidences are those of the scaled cosines --------------------------------------------------------------
# Without the scale no class of ten has more than e / (e + 9 / e), 45.1 %: the error of calibration is what top-1 is above.
small --method ce --classifier-loss ldam --synthetic-images 600 --imbalance 1 --epochs 8 --log ldam.log
awk "BEGIN { top1 = $(field ldam.log result top1); exit !(top1 > 60 && $(field ldam.log result ece) < top1 - 45.1) }" ||
    fail "ldam: top1 $(field ldam.log result top1), but ece $(field ldam.log result ece)"

# ---- second stages ---------------------------------------------------------------------------------------------------
tiny --method ce --second-stage tau --tau 1 --log tau.log --save tau.safetensors
expect "--tau 1" "$(field tau.log second_stage tau)" 1.0
if command -v python3 >/dev/null; then
    python3 - tau.safetensors <<'PYTHON' || fail "--tau 1: the classifier's rows have not the norm 1 and no bias"
import json, struct, sys

with open(sys.argv[1], "rb") as f:
    header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
    data = f.read()

def tensor(name):
    begin, end = header[name]["data_offsets"]
    return struct.unpack("<%df" % ((end - begin) // 4), data[begin:end])

classes, features = header["fc.weight"]["shape"]
weights = tensor("fc.weight")
assert (classes, features) == (10, 64)
for c in range(classes):
    assert abs(sum(w * w for w in weights[c * features:(c + 1) * features]) - 1) < 1e-5
assert not any(tensor("fc.bias"))
PYTHON
else
    echo "$test_name: no python3; the norms are not looked at"
fi
tiny --method ce --second-stage crt --second-epochs 1 --save crt1.safetensors
tiny --method ce --second-stage crt --second-epochs 1 --second-lr 0.01 --save crt2.safetensors
tiny --method ce --second-stage crt --second-epochs 2 --save crt3.safetensors
distinct "weights of second stages" tau.safetensors crt1.safetensors crt2.safetensors crt3.safetensors

# ---- tests -----------------------------------------------------------------------------------------------------------
tiny --method ce --epochs 4 --eval-every 3 --log every.log
expect "top1 with --eval-every 3" "$(fields every.log epoch top1)" "null null [0-9]* [0-9]*"

finish
