#!/bin/sh
# smoke_rules.sh TRAIN_HYBRID [with|without]: what the program refuses before it trains, since it would only come out after,
# or never; and what a training keeps when a file fails. The second argument: whether the build reads PNG files.
set -eu
train=$1
png=${2:-with}
# shellcheck source=tests/smoke_head.sh
. "$(dirname "$0")/smoke_head.sh"

# refused STATUS SENTENCE OPTIONS...
refused() {
    status=$1 sentence=$2 got=0
    shift 2
    tiny "$@" >output 2>&1 || got=$?
    [ "$got" -eq "$status" ] || fail "$*: status $got, not $status"
    grep -qF -- "$sentence" output || fail "$*: '$(head -n 1 output)' lacks '$sentence'"
}

# ---- options that exclude each other ------------------------------------------------------------------------------------
refused 2 "class weights begin" --method ce --classifier-loss class-balanced --drw-epoch 1
refused 2 "class weights begin" --method ce --classifier-loss class-balanced-focal --drw-epoch 1
refused 2 "--drw-epoch is 3; it must be below --epochs, 3" --method ce --epochs 3 --drw-epoch 3
for loss in class-balanced class-balanced-focal balanced-softmax logit-adjustment; do
    refused 2 "--classifier-loss $loss would balance once more" --method ce --classifier-loss $loss --second-stage crt
done
for loss in class-balanced class-balanced-focal balanced-softmax logit-adjustment; do
    refused 2 "--classifier-loss $loss makes up for the classes' sizes, and so does the classifier's sampler, balanced" \
        --method hybrid-sc --classifier-loss $loss
    for sampler in balanced balanced-random reversed; do
        refused 2 "$sampler; use --classifier-sampler instance" --method ce --classifier-loss $loss --classifier-sampler $sampler
    done
done
refused 2 "--drw-epoch makes up for the classes' sizes" --method ce-rs --epochs 3 --drw-epoch 1
for sampler in instance square-root progressive; do
    tiny --method hybrid-psc --classifier-loss balanced-softmax --classifier-sampler $sampler --save balanced.safetensors ||
        fail "balanced-softmax with the sampler $sampler: status $?"
done
tiny --method hybrid-psc --classifier-loss balanced-softmax --load balanced.safetensors --eval-only ||
    fail "a test is refused for what training would do: status $?"
for stage in crt lws; do
    refused 2 "--second-stage $stage trains; --second-epochs is 0" --method ce --second-stage $stage --second-epochs 0
done
# What is given on the command line must have an effect; a recipe may bring it.
for option in "--checkpoint-every 2" "--keep 3"; do
    # shellcheck disable=SC2086
    refused 2 "${option%% *} needs --checkpoint DIR" --method ce $option
done
for option in train-list test-list; do
    refused 2 "--$option needs --dataset image-list" --method ce --$option list.txt
done
printf 'checkpoint-every = 2\nkeep = 3\ntrain-list = list.txt\n' >more.recipe
tiny --recipe more.recipe --method ce || fail "a recipe with more than a run takes: status $?"
refused 2 "--seeds is empty" --method ce --seeds ""
for pair in "save export" "save features" "export features" "save log" "features log"; do
    one=${pair% *} other=${pair#* }
    refused 2 "is one, which is also --" --method ce "--$one" one "--$other" one
done
: >one
ln -s one alias
refused 2 "--log is alias, which is also --save" --method ce --save one --log alias
[ ! -s one ] || fail "a file of two options was written"
rm one alias
for sampler in balanced balanced-random reversed; do
    refused 2 "the classifier's sampler, $sampler" --method ce --classifier-loss balanced-softmax --classifier-sampler $sampler
    refused 2 "--feature-sampler $sampler; use instance" --method hybrid-sc --feature-loss paco --feature-sampler $sampler
done
printf 'dataset = synthetic\nepochs = 10\ndrw-epoch = 1\nmethod = ce\nclassifier-loss = ldam\n' >drw.recipe
"$train" --recipe drw.recipe --epochs 4 --print-recipe | grep -qx "drw-epoch = 1" || fail "a moved drw-epoch became 0, never"
refused 2 "--log is ./one, which is also --save" --method ce --save one --log ./one
refused 2 "--checkpoint is one, which is also --export" --method ce --export "$PWD/one" --checkpoint one
[ ! -e one ] || fail "a file of two options was made"
echo "notes of mine" >notes
refused 1 "the log is to be notes, where there is a file that is no log" --method ce --log notes
expect "what was to be the log" "$(cat notes)" "notes of mine"
refused 2 "--features is notes, which is also --load" --method ce --load notes --features notes
refused 2 "--data is 'my #set'; in a recipe" --method ce --data 'my #set' --print-recipe
# Every recipe is one that the program takes; that there is no data comes out later.
for method in $("$train" --recipe list | sed -n '/^Methods/,/^With/s/^  \([^ ]*\).*/cifar10-lt-10\/\1/p;/^With/,$s/^  \([^ ]*\).*/\1/p'); do
    got=0
    "$train" --recipe "$method" --data nowhere --quiet >output 2>&1 || got=$?
    expect "status of $method without data" $got 1
done
tiny --recipe synthetic-lt-100/ce-drw --epochs 1 --print-recipe >recipe
grep -qx 'drw-epoch = 0' recipe || fail "drw-epoch of one epoch: $(grep drw recipe)"
tiny --recipe synthetic-lt-100/ce-drw --epochs 2 --log run.jsonl || fail "a recipe with class weights in two epochs"
expect "drw-epoch of two epochs" "$(field run.jsonl start drw_epoch)" 1
"$train" -h | grep -q '^Usage: train_hybrid' || fail "-h"
refused 2 "no control character" --method ce --checkpoint ck --log "$(printf 'a\tb.jsonl')"
[ ! -e ck ] || fail "a checkpoint's directory was made for options that it cannot keep"

# ---- files that cannot be written at the end ----------------------------------------------------------------------------
mkdir there
mkfifo pipe
for option in save export features; do
    refused 1 "--$option is there; it must be a file" --method ce --$option there
    refused 1 "--$option is new/; it must be a file" --method ce --$option new/
    refused 1 "--$option is pipe; it must be a file" --method ce --$option pipe
done
[ ! -e new ] || fail "new/ was made"
refused 1 "has no training image, and so no mean" --method ce --synthetic-images 200 --imbalance 1000 --second-stage ncm

# The one that fails does not cost the others: a directory stands in its way when training is over.
small --method ce --features late --export weights.safetensors --log late.jsonl >output 2>&1 &
child=$!
until grep -qs '"event":"start"' late.jsonl || ! kill -0 $child 2>/dev/null; do sleep 0.01; done
mkdir late
got=0
wait $child || got=$?
child=
[ "$got" -eq 1 ] || fail "features that cannot be written: status $got"
grep -qF "late is no regular file, and is not replaced by one" output || fail "features: $(cat output)"
[ -s weights.safetensors ] || fail "features that cannot be written cost the weights"
expect "result beside features that cannot be written" "$(field late.jsonl result top1)" '[0-9]*'

# ---- resuming -----------------------------------------------------------------------------------------------------------
# A recipe that leaves most to the program, whose epochs are counted of 200: the command line that began it goes on.
printf 'milestones = 100,150\ndrw-epoch = 100\n' >mine.recipe
begin() {
    small --method ce --recipe mine.recipe --epochs 4 --checkpoint ck --resume "$@"
}
begin --log run.jsonl || fail "a short recipe"
expect "milestones of a short recipe" "$(field run.jsonl start milestones)" '\[2.0'
begin --log ./run.jsonl 2>output || fail "a short recipe is refused by its own checkpoint: $(cat output)"
expect "epochs in a log under another spelling of its path" "$(fields run.jsonl epoch epoch)" '1 2 3 4'
begin --lr 0.01 --log run.jsonl 2>output && fail "another rate was taken"
grep -qF "the training in ck was begun with" output || fail "another rate: $(cat output)"

# ---- tests with validation images ---------------------------------------------------------------------------------------
small --method ce --validation 0.2 --save weights.safetensors --log trained.jsonl
small --method ce --validation 0.2 --load weights.safetensors --eval-only --log tested.jsonl
expect "validation of weights that are only tested" "$(field tested.jsonl result validation)" \
    "$(field trained.jsonl epoch validation)"
small --method ce --load weights.safetensors --eval-only --log whole.jsonl
expect "counts with nothing held out" "$(field tested.jsonl start group_counts)" "$(field whole.jsonl start class_counts)"
for group in many medium few; do # of all training images, whether some are held out or not
    expect "$group with validation images held out" "$(field tested.jsonl result $group)" "$(field whole.jsonl result $group)"
done

# ---- folders that do not fit ----------------------------------------------------------------------------------------------
pixel=iVBORw0KGgoAAAANSUhEUgAAABQAAAAQCAIAAACZeshMAAAAK0lEQVR42mM8ISfHQC5gYqAADJxmFkwhH7lVWJVueRQ2PPw8EjUzjsC0DQBEiwUpTkwr8gAAAABJRU5ErkJggg==
for name in train/a train/b train/c val/a val/c; do
    mkdir -p folder/$name
    for i in 1 2 3 4; do
        echo $pixel | base64 -d >folder/$name/$i.png
    done
done
files() { # OPTIONS...
    got=0
    "$train" --data folder --image-size 16 --arch resnet8 --batch 4 --epochs 1 --quiet "$@" >output 2>&1 || got=$?
}
# unfit SENTENCE OPTIONS...: refused, where nothing else is said before an image is read, also by a build that reads none.
unfit() {
    sentence=$1
    shift
    files "$@"
    [ "$got" -eq 1 ] || fail "$*: status $got, not 1"
    grep -qF -- "$sentence" output || fail "$*: no '$sentence' in: $(cat output)"
}
unfit "class 1 is 'b' in train and 'c' in val" --dataset image-folder
mv folder/val/c folder/val/b
rm folder/train/a/[234].png
unfit "try a smaller --imbalance, or 1" --dataset image-folder --imbalance 2

# ---- categories that do not fit -----------------------------------------------------------------------------------------
# categories SPLIT FIRST LAST LIST: a file of two images, of these categories' ids; LIST has all categories.
categories() {
    cat >"folder/${1}2018.json" <<JSON
{"images":[{"id":1,"file_name":"$1/b/1.png"},{"id":2,"file_name":"$1/b/2.png"}],
"annotations":[{"image_id":1,"category_id":$2},{"image_id":2,"category_id":$3}],"categories":[$4]}
JSON
}
categories train 1 3 '{"id":1},{"id":2},{"id":3}'
categories val 1 3 '{"id":1},{"id":3}'
unfit "train2018.json has 3 categories and val2018.json 2" --dataset inaturalist2018
categories train 1 2 '{"id":1,"name":"a"},{"id":2,"name":"b"}'
categories val 1 3 '{"id":1,"name":"a"},{"id":3,"name":"c"}'
unfit "class 1 is 'b' in train2018.json and 'c' in val2018.json" --dataset inaturalist2018
categories val 1 3 '{"id":1},{"id":3}' # names on one side alone
files --dataset inaturalist2018
[ "$got" -eq 0 ] || [ "$png" = without ] || fail "categories with names in one file: status $got, $(cat output)"

# ---- images that cannot be read ---------------------------------------------------------------------------------------------
if [ "$png" = with ]; then
    rm -rf folder ck
    for name in train/a train/b val/a val/b; do
        mkdir -p folder/$name
        echo $pixel | base64 -d >folder/$name/1.png
        for i in 2 3 4; do
            cp folder/$name/1.png folder/$name/$i.png
            case $name in train/*) : >folder/$name/$i.png ;; esac
        done
    done
    # skipping OPTIONS...: four steps; without workers no batch is prepared ahead.
    skipping() {
        files --dataset image-folder --method ce --batch 2 --workers 0 --on-corrupt skip "$@"
        [ "$got" -eq 0 ] || fail "--on-corrupt skip $*: status $got, $(cat output)"
    }
    skipping --log whole.jsonl
    expect "skipped images" "$(field whole.jsonl epoch skipped_images)" '[1-9]*'
    skipping --checkpoint ck --checkpoint-every 2 --keep 9 --log halves.jsonl
    for checkpoint in $(find ck -name 'checkpoint-*' | sort | sed 1,2d); do # those after the second step
        rm "$checkpoint"
    done
    skipping --checkpoint ck --checkpoint-every 2 --keep 9 --log halves.jsonl --resume
    expect "resumed at step" "$(field halves.jsonl resume step)" 2
    expect "skipped images of an epoch in two halves" "$(field halves.jsonl epoch skipped_images)" \
        "$(field whole.jsonl epoch skipped_images)"
    : >folder/train/a/1.png
    unfit "no image of its class can be read" --dataset image-folder --method ce --on-corrupt skip
    unfit "--on-corrupt skip lets another of its class stand in" --dataset image-folder --method ce
fi

finish
