#!/bin/sh
# smoke.sh PROGRAM [with|without]: train_hybrid from the outside, on the synthetic set: every method trains and logs,
# weights survive save and load, the same seed gives the same weights, bad input is refused by name. "without" allows it to
# read no PNG files.
set -eu
train=$(realpath "$1")
program=$train
png=${2:-with}
# shellcheck source=tests/smoke_head.sh
. "$(dirname "$0")/smoke_head.sh"

# refused STATUS TEXT OPTIONS...: the program must end with that status and a sentence that has the text.
refused() {
    status=$1 text=$2
    shift 2
    got=0
    "$program" "$@" >output 2>&1 || got=$?
    [ "$got" -eq "$status" ] || fail "train_hybrid $*: status $got, not $status"
    grep -qF -e "$text" output || fail "train_hybrid $*: no '$text' in: $(cat output)"
}

# ---- every method trains, tests and logs ---------------------------------------------------------------------------
for method in ce ce-rs hybrid-sc hybrid-psc; do
    small --method "$method" --log "$method.log" --save "$method.safetensors" >output || fail "$method: status $?"
    [ ! -s output ] || fail "$method: --quiet printed $(cat output)"
    expect "$method: lines in the log" "$(wc -l <"$method.log")" 4
    [ "$(grep -c '"event":"epoch"' "$method.log")" -eq 2 ] || fail "$method: not two epochs in the log"
    expect "$method: method" "$(field "$method.log" result method)" "\"$method\""
    expect "$method: arch" "$(field "$method.log" result arch)" '"resnet8"'
    expect "$method: parameters" "$(field "$method.log" result parameters)" 75290
    expect "$method: train_images" "$(field "$method.log" result train_images)" "$(field "$method.log" start train_images)"
    expect "$method: top1" "$(field "$method.log" result top1)" '[0-9]*'
    expect "$method: few" "$(field "$method.log" result few)" '[0-9]*'
    # The largest class has 40 images: there is no class with many, and that is null, not 0.
    expect "$method: many" "$(field "$method.log" result many)" null
    expect "$method: peak_rss_mib" "$(field "$method.log" result peak_rss_mib)" '[1-9]*'
    expect "$method: loss" "$(field "$method.log" epoch loss)" '[0-9]*'
    case $method in
    ce*)
        expect "$method: alpha" "$(field "$method.log" epoch alpha)" 0.0
        expect "$method: loss_feature" "$(field "$method.log" epoch loss_feature)" null
        ;;
    *)
        expect "$method: alpha" "$(field "$method.log" epoch alpha)" 0.75
        expect "$method: loss_feature" "$(field "$method.log" epoch loss_feature)" '*[0-9]*'
        ;;
    esac
done
expect "views" "$(field hybrid-psc.log start views)" 2

# ---- every loss of either branch trains -----------------------------------------------------------------------------
for loss in sc psc bcl kcl tsc paco proco; do
    small --method hybrid-sc --feature-loss $loss --queue 48 --log loss.log || fail "--feature-loss $loss: status $?"
    expect "$loss: feature_loss" "$(field loss.log start feature_loss)" "\"$loss\""
    expect "$loss: loss_feature" "$(field loss.log epoch loss_feature)" '*[0-9]*'
    small --method hybrid-sc --feature-loss $loss --queue 48 --threads 1 --save one.safetensors
    small --method hybrid-sc --feature-loss $loss --queue 48 --threads 2 --save two.safetensors
    cmp one.safetensors two.safetensors || fail "$loss: weights depend on the number of threads"
done
plain=$(field ce.log epoch loss)
for loss in smoothed label-aware focal class-balanced class-balanced-focal balanced-softmax logit-adjustment ldam; do
    small --method ce --classifier-loss $loss --log loss.log --save loss.safetensors ||
        fail "--classifier-loss $loss: status $?"
    expect "$loss: classifier_loss" "$(field loss.log start classifier_loss)" "\"$loss\""
    expect "$loss: loss" "$(field loss.log epoch loss)" '*[0-9]*'
    [ "$(field loss.log epoch loss)" != "$plain" ] || fail "$loss: the loss is that of ce"
done
small --method ce --classifier-loss ldam --load loss.safetensors --eval-only --log again.log || fail "ldam: --load"
expect "ldam: top1 after --load" "$(field again.log result top1)" "$(field loss.log result top1)"
small --method ce --drw-epoch 1 --log drw.log
[ "$(field drw.log epoch loss)" != "$plain" ] || fail "--drw-epoch 1 changed nothing"
small --method ce --classifier-sampler reversed --log sampler.log
[ "$(field sampler.log epoch loss)" != "$plain" ] || fail "--classifier-sampler reversed changed nothing"
small --method hybrid-psc --feature-sampler reversed --log sampler.log
[ "$(field sampler.log epoch loss_feature)" != "$(field hybrid-psc.log epoch loss_feature)" ] ||
    fail "--feature-sampler reversed changed nothing"
small --method ce --clip-norm 0.01 --log clipped.log
[ "$(field clipped.log epoch loss)" != "$plain" ] || fail "--clip-norm 0.01 changed nothing"
expect "gradient_norm" "$(field clipped.log epoch gradient_norm)" '*[0-9]*'
expect "skipped_steps" "$(field clipped.log epoch skipped_steps)" 0
small --method hybrid-sc --log steps.log --log-steps 3
steps=$(field steps.log step steps) epoch=$(field steps.log epoch loss)
expect "--log-steps 3" "$(grep -c '"event":"step"' steps.log)" $((2 * steps / 3))
expect "the first of them" "$(grep -m 1 '"event":"step"' steps.log | field - step step)" 3
small --method hybrid-sc --log steps.log --log-steps 1
expect "--log-steps 1" "$(grep -c '"event":"step"' steps.log)" $((2 * steps))
expect "the steps' mean and the epoch's" "$(sed -n "s/.*\"step\".*\"epoch\":2.*\"loss\":\([0-9.]*\).*/\1/p" steps.log |
    awk -v epoch="$epoch" '{ sum += $1 } END { print (sum / NR - epoch) ^ 2 < 1e-10 }')" 1
# Options on the command line stay as they are, though they equal the recipe's; the others move with --epochs.
"$train" --recipe cifar10-lt-100/ldam-drw --data x --epochs 400 --milestones 160,180 --drw-epoch 160 --print-recipe >moved
for line in 'milestones = 160,180' 'drw-epoch = 160' 'warmup = 10'; do
    grep -qx "$line" moved || fail "--epochs 400 beside a recipe: no '$line' in $(grep -E '^(milestones|drw|warmup)' moved)"
done
if [ -w /dev/full ]; then
    for option in --help --print-recipe "--recipe list"; do
        # shellcheck disable=SC2086
        "$train" --dataset synthetic $option >/dev/full 2>output && fail "$option to a full disk: status 0"
        grep -q 'could not be printed: No space' output || fail "$option to a full disk: $(cat output)"
    done
    "$train" --dataset synthetic --synthetic-images 100 --arch resnet8 --epochs 1 --batch 32 >/dev/full 2>output &&
        fail "results to a full disk: status 0"
    grep -q 'could not be printed' output || fail "results to a full disk: $(cat output)"
fi
printf 'save = a\033[31mb\n' >esc.recipe
refused 2 "with a control character" --recipe esc.recipe
printf 'sa\302\233ve = ab\n' >esc.recipe
"$train" --recipe esc.recipe 2>output && fail "an option with a control character: status 0"
if grep -q "$(printf '\302\233')" output; then fail "a control character reaches the terminal"; fi
diverging="--dataset synthetic --synthetic-images 400 --arch resnet8 --epochs 9 --batch 32 --method ce --lr 1000 --warmup 0 --weight-decay 1 --eval-every 9"
# shellcheck disable=SC2086
refused 1 "training diverged in epoch" $diverging
# shellcheck disable=SC2086
refused 1 "left out: hn_gradients_clip: the gradient of" $diverging --on-nonfinite skip --log skipped.log
expect "steps that were left out" "$(grep -c '"event":"skipped"' skipped.log)" 10
small --method hybrid-sc --micro-batch 12 --log parts.log --save parts.safetensors
expect "--micro-batch: loss" "$(field parts.log epoch loss)" '*[0-9]*'
cmp -s hybrid-sc.safetensors parts.safetensors && fail "--micro-batch 12 changed nothing, not even batch norm"
small --method hybrid-sc --micro-batch 64 --save whole.safetensors
cmp hybrid-sc.safetensors whole.safetensors || fail "--micro-batch of the whole batch is not the whole batch"
small --method hybrid-sc --load hybrid-sc.safetensors --eval-only --log whole.log
small --method hybrid-sc --load hybrid-sc.safetensors --eval-only --micro-batch 12 --log parts.log
for log in whole parts; do
    sed -n 's/^{"event":"result".*"top1":\([0-9.]*\),.*"confusion":\(.*\]\]\).*/\1 \2/p' $log.log >$log.scores
done
[ -s whole.scores ] || fail "--eval-only logs no scores"
cmp whole.scores parts.scores || fail "--eval-only --micro-batch 12 scores otherwise"
for option in "--reduction sum" "--projection-hidden 48" "--projection-out 32"; do
    # shellcheck disable=SC2086
    small --method hybrid-psc $option --log head.log --save head.safetensors || fail "$option: status $?"
    [ "$(field head.log epoch loss_feature)" != "$(field hybrid-psc.log epoch loss_feature)" ] || fail "$option changed nothing"
done
small --method hybrid-psc --prototypes 3 --log loss.log --save three.safetensors
cmp -s hybrid-psc.safetensors three.safetensors && fail "--prototypes 3 changed nothing"
small --method hybrid-sc --transition fixed --alpha 0.25 --log loss.log
expect "--alpha" "$(field loss.log epoch alpha)" 0.25
small --method hybrid-sc --statistics classifier --save statistics.safetensors
cmp -s hybrid-sc.safetensors statistics.safetensors && fail "--statistics classifier changed nothing"
small --method hybrid-sc --feature-loss none --log loss.log
expect "--feature-loss none" "$(field loss.log epoch loss_feature)" null

# ---- saved weights give the same accuracy ----------------------------------------------------------------------------
small --method hybrid-psc --load hybrid-psc.safetensors --eval-only --log again.log || fail "--eval-only: status $?"
for key in top1 few macro_f1; do
    expect "$key after --load" "$(field again.log result $key)" "$(field hybrid-psc.log result $key)"
done

# ---- the same seed gives the same bits, whatever the threads; another seed does not ----------------------------------
for method in ce hybrid-sc hybrid-psc; do
    small --method "$method" --threads 1 --workers 0 --save one.safetensors
    small --method "$method" --threads 2 --workers 2 --save two.safetensors
    cmp one.safetensors two.safetensors || fail "$method: weights depend on the number of threads"
    cmp -s "$method.safetensors" one.safetensors || fail "$method: the same command gave other weights"
done
small --method ce --seed 2 --save other.safetensors
cmp -s ce.safetensors other.safetensors && fail "--seed 2 gave the weights of --seed 1"

# ---- engines: each trains, comes to about the same loss, and gives its own bits on any number of threads ---
for engine in cblas direct onednn; do
    if ! small --method ce --epochs 1 --engine $engine --threads 1 --log engine.log --save one.safetensors 2>output; then
        [ $engine = onednn ] && grep -q 'no engine "onednn"' output || fail "--engine $engine: $(cat output)"
        continue
    fi
    small --method ce --epochs 1 --engine $engine --threads 2 --save two.safetensors
    cmp one.safetensors two.safetensors || fail "--engine $engine: weights depend on the number of threads"
    expect "engine" "$(field engine.log start engine)" "\"$engine\""
    loss=$(field engine.log epoch loss)
    [ $engine != cblas ] || plain=$loss
    awk "BEGIN { exit !($loss > 0.98 * $plain && $loss < 1.02 * $plain) }" || fail "--engine $engine: loss $loss, cblas $plain"
done
refused 2 "--engine is 'gpu'" --engine gpu

# ---- recipes: by name, from a file, with the command line's last word ------------------------------------------------
"$program" --recipe list >output
for name in cifar10-lt-100 cifar100-lt-10 hybrid-sc hybrid-psc sc-two-stage ldam-drw balanced-softmax crt lws tau-norm ncm; do
    grep -q "^  $name " output || fail "--recipe list does not name $name"
done
"$program" --recipe cifar10-lt-50/ldam-drw --data . --lr 0.2 --print-recipe >a.recipe
for line in "imbalance = 50" "subset = numpy-legacy" "classifier-loss = ldam" "drw-epoch = 160" "lr = 0.2" "lr-decay = 0.01" \
    "milestones = 160,180" "warmup = 5" "weight-decay = 0.0002" "batch = 128"; do
    grep -qx "$line" a.recipe || fail "--print-recipe lacks '$line'"
done
"$program" --recipe a.recipe --print-recipe | cmp - a.recipe || fail "a printed recipe does not print itself again"
printf 'log =#x\nsave = a#b # comment\n' >hash.recipe
"$program" --recipe hash.recipe --print-recipe >output
for line in "log =#x" "save = a#b"; do
    grep -qx "$line" output || fail "a recipe with '$line' is printed without it"
done
"$program" --recipe output --print-recipe | cmp - output || fail "texts with # in them are not read as they are printed"
"$program" --recipe a.recipe --epochs 20 --print-recipe >b.recipe
for line in "drw-epoch = 16" "milestones = 16,18" "warmup = 0.5"; do
    grep -qx "$line" b.recipe || fail "--epochs does not move the recipe's '$line'"
done
"$program" --recipe a.recipe --epochs 20 --drw-epoch 7 --print-recipe | grep -qx "drw-epoch = 7" ||
    fail "--drw-epoch has not the last word"
"$program" --recipe synthetic-lt-100/hybrid-psc --synthetic-images 400 --imbalance 10 --epochs 2 --batch 32 --lr 0.05 \
    --quiet --log recipe.log
small --method hybrid-psc --warmup 0.1 --milestones 1.2,1.6 --log plain.log
expect "a recipe's loss" "$(field recipe.log epoch loss)" "$(field plain.log epoch loss)"
# Every built-in recipe holds together: 8 sets with 17 methods each, and 3 with settings of their own.
pairs=0 wholes=0
for set in $("$program" --recipe list | sed -n '/^Sets/,/^Methods/s/^  \([^ ]*\).*/\1/p'); do
    for method in $("$program" --recipe list | sed -n '/^Methods/,/^With/s/^  \([^ ]*\).*/\1/p'); do
        "$program" --recipe "$set/$method" --data . --print-recipe >output 2>&1 || fail "$set/$method: $(cat output)"
        pairs=$((pairs + 1))
    done
done
for whole in $("$program" --recipe list | sed -n '/^With/,$s/^  \([^ ]*\).*/\1/p'); do
    "$program" --recipe "$whole" --data . --print-recipe >output 2>&1 || fail "$whole: $(cat output)"
    wholes=$((wholes + 1))
done
expect "recipes of a set and a method" $pairs 136
expect "recipes with settings of their own" $wholes 3
"$program" --recipe inaturalist2018/hybrid-psc --data . --print-recipe >output
for line in "dataset = inaturalist2018" "arch = resnet50" "imbalance = 1" "temperature = 0.1" "milestones = 60,80"; do
    grep -qx "$line" output || fail "inaturalist2018/hybrid-psc lacks '$line'"
done
refused 2 "no recipe no/such" --recipe no/such
printf '# comment\nepochs = 3 # so many\n\nfrom = here\n' >bad.recipe
refused 2 "bad.recipe, line 4: a recipe has no option 'from'" --recipe bad.recipe
printf 'epochs 3\n' >bad.recipe
refused 2 "line 1: 'epochs 3' is not of the form" --recipe bad.recipe
printf 'eval-only = maybe\n' >bad.recipe
refused 2 "eval-only is 'maybe'" --recipe bad.recipe
printf 'lr = fast\n' >bad.recipe
refused 2 "that was bad.recipe, line 1" --recipe bad.recipe
head -c 70000 /dev/zero >bad.recipe
refused 2 "bad.recipe is no recipe" --recipe bad.recipe

# ---- image files: folders, lists, iNaturalist's JSON -------------------------------------------------------------------
red=iVBORw0KGgoAAAANSUhEUgAAABQAAAAQCAIAAACZeshMAAAAK0lEQVR42mM8ISfHQC5gYqAADJxmFkwhH7lVWJVueRQ2PPw8EjUzjsC0DQBEiwUpTkwr8gAAAABJRU5ErkJggg==
green=iVBORw0KGgoAAAANSUhEUgAAABQAAAAQCAIAAACZeshMAAAALUlEQVR42mMU2WLDQC5gYqAADJxmFkyhOzZyWJWqHHk0PPw8EjWzEBOfw8zPAONVBfLsYwYpAAAAAElFTkSuQmCC
for split in train val; do
    mkdir -p folder/$split/red folder/$split/green
    for i in 1 2 3 4 5 6 7 8; do
        echo $red | base64 -d >folder/$split/red/$i.png
        echo $green | base64 -d >folder/$split/green/$i.png
    done
done
files() {
    "$program" --arch resnet8 --image-size 16 --epochs 15 --batch 8 --lr 0.05 --quiet --data folder "$@"
}
if files --dataset image-folder --method hybrid-psc --log folder.log --save folder.safetensors 2>output; then
    expect "image-folder: images" "$(field folder.log start train_images)" 16
    expect "image-folder: top1" "$(field folder.log result top1)" 100.0
    expect "image-folder: imbalance" "$(field folder.log start imbalance)" 1.0
    files --dataset image-folder --method hybrid-psc --threads 1 --workers 3 --save again.safetensors
    cmp folder.safetensors again.safetensors || fail "image-folder: weights depend on threads or workers"
    for split in train val; do
        for i in 1 2 3 4 5 6 7 8; do
            echo "$split/red/$i.png 1"
            echo "$split/green/$i.png 0"
        done >$split.txt
    done
    files --dataset image-list --train-list train.txt --test-list val.txt --method ce --log list.log
    expect "image-list: top1" "$(field list.log result top1)" 100.0
    for split in train val; do
        awk -v set=$split 'BEGIN { printf "{\"images\":["
            for (i = 0; i < 16; ++i)
                printf "%s{\"id\":%d,\"file_name\":\"%s/%s/%d.png\"}", i ? "," : "", i, set, i % 2 ? "red" : "green", 1 + i / 2
            printf "],\"annotations\":["
            for (i = 0; i < 16; ++i)
                printf "%s{\"image_id\":%d,\"category_id\":%d}", i ? "," : "", i, i % 2 ? 9 : 4
            print "],\"categories\":[{\"id\":4},{\"id\":9}]}" }' >folder/${split}2018.json
    done
    files --dataset inaturalist2018 --method ce --log json.log
    expect "inaturalist2018: loss" "$(field json.log epoch loss)" "$(field list.log epoch loss)"
    for augmentation in sim autoaugment randaugment; do
        files --dataset image-folder --method hybrid-sc --augmentation plain --later-views $augmentation --epochs 1 \
            --log later.log || fail "--later-views $augmentation: status $?"
        expect "--later-views $augmentation" "$(field later.log epoch loss)" '[0-9]*'
    done
    files --dataset image-folder --arch resnet18 --image-size 32 --epochs 1 --log large.log
    expect "resnet18: parameters" "$(field large.log result parameters)" 11177538
    files --dataset image-folder --epochs 1 --save whole.safetensors
    : >folder/train/red/1.png
    refused 1 "folder/train/red/1.png" --dataset image-folder --data folder --arch resnet8 --image-size 16 --batch 8 --epochs 1
    # Another image of its class stands in, and they are all the same.
    files --dataset image-folder --on-corrupt skip --epochs 1 --save skip.safetensors --log skip.log 2>skip.err ||
        fail "--on-corrupt skip: status $?"
    expect "--on-corrupt skip: warnings" "$(grep -c 'warning: skipped: .*folder/train/red/1.png' skip.err)" 1
    expect "--on-corrupt skip: skipped_images" "$(field skip.log epoch skipped_images)" '[1-9]'
    expect "skipped_images" "$(field large.log epoch skipped_images)" 0
    cmp whole.safetensors skip.safetensors || fail "--on-corrupt skip: no image of the class stands in"
    : >folder/val/red/1.png
    refused 1 "folder/val/red/1.png" --dataset image-folder --data folder --arch resnet8 --image-size 16 --batch 8 --epochs 1 \
        --on-corrupt skip
elif [ "$png" = without ] && grep -q "without libpng" output; then
    echo "smoke: this build reads no PNG files; not tested"
else
    fail "image-folder: $(cat output)"
fi
refused 1 "directory with train and val in it" --dataset image-folder --data /nonexistent
refused 2 "--dataset image-list needs --train-list" --dataset image-list --data folder

# ---- several seeds ---------------------------------------------------------------------------------------------------
small --method ce --epochs 1 --seeds 1,2 --log seeds.log
small --method ce --epochs 1 --seed 2 --log second.log
expect "runs of --seeds" "$(grep -c '"event":"result"' seeds.log)" 2
expect "the second seed" "$(field seeds.log result top1)" "$(field second.log result top1)"
mean=$(sed -n 's/.*"event":"result".*"top1":\([0-9.]*\).*/\1/p' seeds.log | awk '{ s += $1 } END { printf "%.6f", s / NR }')
awk "BEGIN { d = $(field seeds.log seeds top1_mean) - $mean; exit !(d < 1e-4 && d > -1e-4) }" || fail "--seeds: the mean is not $mean"
refused 2 "--save takes one" --dataset synthetic --seeds 1,2 --save x.safetensors
refused 2 "a seed is a whole number" --dataset synthetic --seeds 1.5

# ---- validation and second stages ------------------------------------------------------------------------------------
small --method ce --epochs 4 --validation 0.2 --log validation.log --save first.safetensors
expect "best_epoch" "$(field validation.log result best_epoch)" '[1-4]'
best=$(sed -n 's/.*"event":"epoch".*"validation":\([0-9.]*\).*/\1/p' validation.log | sort -g | tail -n 1)
expect "best_validation" "$(field validation.log result best_validation)" "$best"
expect "the best epoch's scores" "$(field validation.log best macro_f1)" \
    "$(sed -n "s/.*\"event\":\"epoch\",\"epoch\":$(field validation.log best epoch),.*\"macro_f1\":\([0-9.]*\).*/\1/p" validation.log)"
[ "$(field validation.log start train_images)" -lt "$(field plain.log start train_images)" ] ||
    fail "--validation holds nothing out"
for stage in crt lws tau ncm; do
    small --method ce --epochs 4 --validation 0.2 --second-stage $stage --second-epochs 2 --threads 1 --log $stage.log \
        --save $stage.safetensors
    small --method ce --epochs 4 --validation 0.2 --second-stage $stage --second-epochs 2 --threads 2 --save two.safetensors
    cmp $stage.safetensors two.safetensors || fail "--second-stage $stage: weights depend on the number of threads"
    expect "$stage: kind" "$(field $stage.log second_stage kind)" "\"$stage\""
    expect "$stage: top1" "$(field $stage.log second_stage top1)" "$(field $stage.log result top1)"
    expect "$stage: the first stage" "$(field $stage.log epoch top1)" "$(field validation.log epoch top1)"
    ! cmp -s first.safetensors $stage.safetensors || fail "--second-stage $stage changed no weight"
    small --load $stage.safetensors --eval-only --log again.log
    expect "$stage: saved and loaded" "$(field again.log result top1)" "$(field $stage.log result top1)"
done
expect "tau" "$(field tau.log second_stage tau)" '[012].[0-9]*'
refused 2 "needs --validation SHARE to choose tau by" --dataset synthetic --second-stage tau
refused 2 "--second-stage needs a linear classifier" --dataset synthetic --second-stage crt --classifier-loss ldam
refused 2 "nothing for --second-stage" --dataset synthetic --eval-only --load one.safetensors --second-stage ncm
refused 2 "--validation is '0.7'" --validation 0.7

# ---- bf16: it comes to about the same loss and accuracy --------------------------------------------------------------
small --method ce --epochs 1 --log f32.log
small --method ce --epochs 1 --precision bf16 --threads 1 --log bf16.log --save one.safetensors
small --method ce --epochs 1 --precision bf16 --threads 2 --save two.safetensors
cmp one.safetensors two.safetensors || fail "--precision bf16: weights depend on the number of threads"
expect "precision" "$(field bf16.log start precision)" '"bf16"'
awk "BEGIN { r = $(field bf16.log epoch loss) / $(field f32.log epoch loss); exit !(r > 0.98 && r < 1.02 && r != 1) }" ||
    fail "--precision bf16: loss $(field bf16.log epoch loss), f32 $(field f32.log epoch loss)"
small --method ce --load one.safetensors --eval-only --log again.log || fail "bf16: its weights do not load in f32"
refused 1 "use --precision f32" --dataset synthetic --arch resnet8 --precision bf16 --engine cblas
refused 2 "--precision is 'f16'" --precision f16

# ---- --profile: lines that add up, and the same weights ----------------------------------------------------------------
small --method hybrid-sc --profile --log profile.log --save profile.safetensors >output || fail "--profile: status $?"
[ ! -s output ] || fail "--profile --quiet printed $(cat output)"
cmp hybrid-sc.safetensors profile.safetensors || fail "--profile changed the weights"
expect "peaks" "$(field profile.log peaks gflops)" '[0-9]*'
expect "peaks" "$(field profile.log peaks gbytes_per_second)" '[0-9]*'
for kind in conv_unit linear residual "supervised contrastive" cross-entropy optimizer "waiting for images" "everything else"; do
    grep -q "\"event\":\"profile\",\"kind\":\"$kind\"" profile.log || fail "--profile has no line for $kind"
done
grep -q '"kind":"conv_unit","shape":"16->32 32x32 to 16x16","pass":"backward","calls":[1-9].*"of_bound":[0-9]' profile.log ||
    fail "--profile does not hold a convolution against its bound"
sed -n 's/^{"event":"profile".*"share":\([^,]*\),.*/\1/p' profile.log |
    awk '{ sum += $1 } END { exit !(sum > 0.999 && sum < 1.001) }' || fail "--profile: the shares do not add up to 1"
"$program" --dataset synthetic --synthetic-images 400 --arch resnet8 --epochs 1 --batch 32 --profile >output ||
    fail "--profile: status $?"
grep -q '^conv_unit 16->16 32x32 *backward ' output || fail "--profile prints no table: $(cat output)"
grep -q '^waiting for images ' output || fail "--profile prints no waiting: $(cat output)"
grep -q '^everything else ' output || fail "--profile prints no rest: $(cat output)"

# ---- bad usage: status 2 and a sentence that names option and value --------------------------------------------------
refused 2 "--method is 'hybrid'; it must be one of ce|" --method hybrid
refused 2 "--epochs is '0'" --epochs 0
refused 2 "--feature-loss is 'ce'" --feature-loss ce
refused 2 "--classifier-loss is 'sc'" --classifier-loss sc
refused 2 "--epochs is '3x'" --epochs 3x
refused 2 "--temperature is '0'" --temperature 0
refused 2 "--lr is 'nan'" --lr nan
refused 2 "--milestones is '5,3'" --milestones 5,3
refused 2 "no option --epohcs" --epohcs 3
refused 2 "no option -x" -x
refused 2 "--log needs a value" --log
refused 2 "--quiet takes no value" --quiet=1
refused 2 "'words' is not an option" words
refused 2 "--dataset cifar10 needs --data" --dataset cifar10
refused 2 "--eval-only needs --load" --eval-only
refused 2 "nothing for --profile" --eval-only --load ce.safetensors --profile
refused 2 "--imbalance-profile is 'flat'" --imbalance-profile flat
refused 2 "--warmup is 9" --warmup 9 --epochs 3

# ---- failures: status 1, the library's sentence and a hint -----------------------------------------------------------
refused 1 "nowhere" --dataset fashion-mnist --data nowhere
refused 1 "dataset-fashion-mnist" --dataset fashion-mnist --data nowhere
refused 1 "nowhere" --dataset cifar10 --data nowhere
refused 1 "no.safetensors" --dataset synthetic --arch resnet8 --load no.safetensors --eval-only
refused 1 "--load must fit --arch" --dataset synthetic --arch resnet14 --load ce.safetensors --eval-only
refused 1 "no-directory/run.log" --dataset synthetic --log no-directory/run.log
refused 1 "no-directory" --dataset synthetic --save no-directory/weights.safetensors
if [ -e /dev/full ]; then
    refused 1 "/dev/full" --dataset synthetic --arch resnet8 --log /dev/full
fi

# ---- help and version --------------------------------------------------------------------------------------------------
"$program" --help >output || fail "--help: status $?"
for option in dataset data imbalance imbalance-profile subset method arch epochs batch lr milestones warmup weight-decay temperature \
    transition psc-include-own feature-loss classifier-loss views seed threads engine precision save load eval-only log profile quiet help \
    checkpoint checkpoint-every keep resume export; do
    grep -q -e "^  --$option" output || fail "--help does not name --$option"
done
"$program" --version | grep -q libhybridnet || fail "--version does not name the library"

finish
