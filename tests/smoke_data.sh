#!/bin/sh
# smoke_data.sh PROGRAM: train_hybrid on small sets in the files of CIFAR-10, CIFAR-100 and Fashion-MNIST: how many
# images of each class stay, and that options choose which.
set -eu
train=$(realpath "$1")
# shellcheck source=tests/smoke_head.sh
. "$(dirname "$0")/smoke_head.sh"

# images FIRST COUNT CLASSES HEAD PLANES SIDE: records of HEAD bytes, the last of them the label, which goes round the
# classes, one before it a fifth of it, rounded down; and PLANES planes of one shade each, which depends on the label or on the place, counted from FIRST.
images() {
    # Not every awk prints a zero byte: labels are one higher there, and below all shades.
    awk -v first="$1" -v count="$2" -v classes="$3" -v head="$4" -v planes="$5" -v side="$6" 'BEGIN {
        blank = sprintf("%" side * side "s", "")
        for (i = first; i < first + count; i++) {
            label = i % classes
            for (k = 1; k <= head; k++)
                printf "%c", 1 + (k == head ? label : int(label / 5))
            for (k = 0; k < planes; k++) {
                plane = blank
                shade = k == planes - 1 ? label : int(i / classes)
                gsub(" ", sprintf("%c", 101 + shade % 26), plane)
                printf "%s", plane
            }
        }
    }' | LC_ALL=C tr '\001-\144' '\000-\143'
}

# on DATASET OPTIONS...: a training of an epoch on it.
on() {
    dataset=$1
    shift
    "$train" --dataset "$dataset" --data "$dataset" --method ce --arch resnet8 --epochs 1 --batch 32 --lr 0.05 \
        --quiet "$@"
}

# ---- CIFAR-10 --------------------------------------------------------------------------------------------------------
mkdir cifar10
for i in 0 1 2 3 4; do
    images $((20 * i)) 20 10 1 3 32 >cifar10/data_batch_$((i + 1)).bin
done
images 100 10 10 1 3 32 >cifar10/test_batch.bin
on cifar10 --imbalance 2 --subset numpy-legacy --log cifar10.log --save legacy.safetensors || fail "cifar10: status $?"
expect "cifar10: train_images" "$(field cifar10.log start train_images)" 68
expect "cifar10: test_images" "$(field cifar10.log start test_images)" 10
# int(10 * (1 / 2)^(c / 9))
grep -qF '"class_counts":[10,9,8,7,7,6,6,5,5,5]' cifar10.log || fail "cifar10: $(grep -o 'class_counts.*' cifar10.log)"
expect "cifar10: loss" "$(field cifar10.log epoch loss)" '[0-9]*'
expect "cifar10: top1" "$(field cifar10.log result top1)" '[0-9]*'
on cifar10 --imbalance 2 --subset own --save own.safetensors
on cifar10 --imbalance 2 --save default.safetensors
cmp own.safetensors default.safetensors || fail "the subset is not own where none is named"
on cifar10 --imbalance 2 --subset own --subset-seed 1 --save seed.safetensors
on cifar10 --imbalance 2 --subset numpy-legacy --subset-seed 1 --save legacy_seed.safetensors
on cifar10 --imbalance 2 --imbalance-profile step --log step.log --save step.safetensors
expect "step: train_images" "$(field step.log start train_images)" 75
grep -qF '"class_counts":[10,10,10,10,10,5,5,5,5,5]' step.log || fail "step: $(grep -o 'class_counts.*' step.log)"
distinct "weights of other subsets" legacy.safetensors own.safetensors seed.safetensors legacy_seed.safetensors \
    step.safetensors

# ---- a run that cannot begin, or go on, leaves logs as they are -----------------------------------------------------
# unlogged TEXT OPTIONS...: it fails with the text, and the logs stay.
unlogged() {
    text=$1 got=0
    shift
    on cifar10 --imbalance 2 "$@" >output 2>&1 || got=$?
    expect "status of $*" $got 1
    grep -qF -e "$text" output || fail "$*: no '$text' in: $(cat output)"
    for log in run other; do
        cmp $log.before $log.log || fail "$*: $log.log was changed"
    done
}
on cifar10 --imbalance 2 --checkpoint ck --log run.log
cp run.log run.before
on cifar10 --imbalance 2 --log other.log
cp other.log other.before
mv cifar10 gone
unlogged "data_batch_1.bin" --checkpoint ck --resume --log run.log
unlogged "data_batch_1.bin" --checkpoint ck --resume --log other.log
unlogged "data_batch_1.bin" --log other.log
cp -r gone cifar10
images 0 30 10 1 3 32 >cifar10/data_batch_1.bin # more of them
unlogged "not those of the checkpoint" --checkpoint ck --resume --log run.log
unlogged "not those of the checkpoint" --checkpoint ck --resume --log other.log
rm -r cifar10
mv gone cifar10
on cifar10 --imbalance 2 --checkpoint ck --resume --log run.log || fail "cifar10: --resume: status $?"
expect "events of a run that went on" "$(grep -c '"event":"result"' run.log)" 1

# ---- CIFAR-100 -------------------------------------------------------------------------------------------------------
mkdir cifar100
images 0 200 100 2 3 32 >cifar100/train.bin
images 200 100 100 2 3 32 >cifar100/test.bin
on cifar100 --imbalance 2 --subset numpy-legacy --log cifar100.log || fail "cifar100: status $?"
# int(2 * (1 / 2)^(c / 99)): two images of the first class, one of every other
expect "cifar100: train_images" "$(field cifar100.log start train_images)" 101
expect "cifar100: test_images" "$(field cifar100.log start test_images)" 100
expect "cifar100: parameters" "$(field cifar100.log start parameters)" $((75290 + 90 * 65))
expect "cifar100: top1" "$(field cifar100.log result top1)" '[0-9]*'
ln -s cifar100 cifar100-coarse
on cifar100-coarse --imbalance 2 --log coarse.log || fail "cifar100-coarse: status $?"
# int(10 * (1 / 2)^(c / 19)) of the ten images of each superclass
expect "cifar100-coarse: train_images" "$(field coarse.log start train_images)" 136
expect "cifar100-coarse: parameters" "$(field coarse.log start parameters)" $((75290 + 10 * 65))
expect "cifar100-coarse: top1" "$(field coarse.log result top1)" '[0-9]*'

# ---- Fashion-MNIST ---------------------------------------------------------------------------------------------------
mkdir fashion-mnist
# idx NAME FIRST COUNT OCTAL [SIDE OCTAL]: a file of images and one of labels; OCTAL is COUNT, or SIDE, again.
idx() {
    printf '%b' '\0000\0000\0010\0003\0000\0000\0000' "\\0$4" '\0000\0000\0000' "\\0${6:-34}" '\0000\0000\0000' "\\0${6:-34}" >file
    images "$2" "$3" 10 0 1 "${5:-28}" >>file
    mv file "fashion-mnist/$1-images-idx3-ubyte"
    printf '%b' '\0000\0000\0010\0001\0000\0000\0000' "\\0$4" >file
    images "$2" "$3" 10 1 0 1 >>file
    mv file "fashion-mnist/$1-labels-idx1-ubyte"
}
idx train 0 100 144
idx t10k 100 10 012
on fashion-mnist --imbalance 2 --log fashion.log --method hybrid-psc || fail "fashion-mnist: status $?"
expect "fashion-mnist: train_images" "$(field fashion.log start train_images)" 68
expect "fashion-mnist: test_images" "$(field fashion.log start test_images)" 10
expect "fashion-mnist: loss_feature" "$(field fashion.log epoch loss_feature)" '[0-9]*'
expect "fashion-mnist: top1" "$(field fashion.log result top1)" '[0-9]*'
idx t10k 100 10 012 32 40
got=0
on fashion-mnist --imbalance 2 --log sizes.log 2>output || got=$?
expect "status with images of two sizes" $got 1
grep -qF 'training images are of 28 x 28 x 1 numbers, test images of 32 x 32 x 1' output || fail "two sizes: $(cat output)"
[ ! -s sizes.log ] || fail "images of two sizes were trained on"

finish
