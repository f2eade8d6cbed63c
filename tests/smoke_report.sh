#!/bin/sh
# smoke_report.sh TRAIN_HYBRID HN_REPORT: the report from the outside: a page of real runs has every section and needs
# nothing else; runs that still go, and logs that lack things, have a page; logs that are broken are refused by file and line.
set -eu
train=$(realpath "$1")
program=$(realpath "$2")
# shellcheck source=tests/smoke_head.sh
. "$(dirname "$0")/smoke_head.sh"

# whole PAGE: well formed, complete, self-contained.
whole() {
    [ "$(grep -o '<svg' "$1" | wc -l)" -eq "$(grep -o '</svg>' "$1" | wc -l)" ] || fail "$1: <svg> and </svg> do not balance"
    if command -v xmllint >/dev/null; then
        xmllint --noout "$1" || fail "$1 is not well formed"
    fi
    for section in settings scores training accuracy classes confusion features; do
        [ "$(grep -c "<section id=\"$section\">" "$1")" -eq 1 ] || fail "$1 has no section $section"
    done
    outside=$(grep -oE '(https?:)?//[^"<> ]+' "$1" | grep -vx 'http://www.w3.org/2000/svg' || true)
    [ -z "$outside" ] || fail "$1 refers to $outside"
    ! grep -qE '<script|<link|<img|src=|url\(|@import' "$1" || fail "$1 loads something"
    ! grep -qiE '[" >,(](nan|-nan|inf|-inf)[" <,)]' "$1" || fail "$1 shows a number that is none"
}

# page NAME TEXT: the log has a page that holds TEXT. The log is on the standard input.
page() {
    cat >"$1"
    if "$program" --output page.html "$1" 2>output; then
        cp page.html "$1.html"
        whole "$1.html"
        grep -qF -e "$2" page.html || fail "$1: no '$2' on the page"
    else
        fail "$1 is refused: $(cat output)"
    fi
}

# refused STATUS TEXT ARGUMENTS...: no page, that status, and one sentence that has the text.
refused() {
    status=$1 text=$2 got=0
    shift 2
    rm -f none.html
    "$program" --output none.html "$@" >output 2>&1 || got=$?
    [ "$got" -eq "$status" ] || fail "hn_report $*: status $got, not $status"
    grep -qF -e "$text" output || fail "hn_report $*: no '$text' in: $(cat output)"
    [ ! -e none.html ] || fail "hn_report $*: wrote a page"
}

# bad NAME TEXT: the log on the standard input is refused with TEXT.
bad() {
    cat >"$1"
    refused 1 "$2" "$1"
}

# ---- what train_hybrid writes for it ---------------------------------------------------------------------------------
small --method hybrid-sc --validation 0.1 --log sc.log --features sc.safetensors || fail "train_hybrid: status $?"
small --method ce --log ce.log
small --method ce --epochs 1 --seeds 1,2 --log seeds.log
[ "$(grep -c '"event":"result".*"confusion":\[\[[0-9,]*\],\[' sc.log)" -eq 1 ] || fail "no confusion matrix in the log"
sed -n 's/.*"confusion":\[\(\[[^"]*\]\)\],.*/\1/p' sc.log | tr -d '[' | tr ']' '\n' | grep . | sed 's/^,//' |
    awk -F, '{ rows++; if (NF != 10) bad = 1; for (i = 1; i <= NF; i++) sum += $i } END { exit bad || rows != 10 || sum != 80 }' ||
    fail "the confusion matrix does not hold the 80 test images"
small --method hybrid-sc --validation 0.1 --threads 2 --workers 2 --features again.safetensors
cmp sc.safetensors again.safetensors || fail "the features depend on the number of threads"
for text in "--seeds makes several networks; --features takes one" "--features is no-directory/x"; do
    case $text in *seeds*) set -- --seeds 1,2 --features x ;; *) set -- --features no-directory/x ;; esac
    small "$@" >output 2>&1 && fail "train_hybrid $* goes on"
    grep -qF -e "$text" output || fail "train_hybrid $*: no '$text' in: $(cat output)"
done

# ---- a page of real runs -----------------------------------------------------------------------------------------------
"$program" --output real.html --title 'Tails & <heads>' --features sc.safetensors sc.log ce.log seeds.log ||
    fail "real logs: status $?"
whole real.html
for text in '<h1>Tails &amp; &lt;heads&gt;</h1>' '4 runs of' 'seeds, seed 2' 'mean of 2 seeds' 'sc + ce' 'synthetic' 'resnet8' \
    '75.3 k' '80 test images from' 'which sc wrote' 'Perplexity 26.3' '% of the variance' 'class="ring"' 'predicted class' \
    'Loss of the feature branch' 'Validation images' 'finished'; do
    grep -qF -e "$text" real.html || fail "no '$text' on the page of real runs"
done
[ "$(grep -c 'Confusion matrix of' real.html)" -eq 4 ] || fail "not four confusion matrices"
top1=$(sed -n 's/.*"event":"result".*"top1":\([0-9.]*\).*/\1/p' sc.log | awk '{ printf "%.2f", $1 }')
grep -qE ">(<strong>)?$top1<" real.html || fail "the page has not the log's top-1, $top1"
"$program" --output same.html --title 'Tails & <heads>' --features sc.safetensors sc.log ce.log seeds.log
cmp real.html same.html || fail "the same logs gave another page"
"$program" ce.log || fail "without options: status $?"
grep -qF 'No features were given' report.html || fail "no word about missing features"
set -- ce.log ce.log ce.log ce.log ce.log
"$program" --output many.html "$@" "$@" "$@" || fail "15 logs: status $?"
whole many.html
grep -qF 'There are 15 runs; the plots show the first 12.' many.html || fail "15 runs: no word about it"

# A browser has the last word: the one that HN_BROWSER names, or one that is there and starts.
browser=${HN_BROWSER:-$(command -v chromium || true)}
if [ -z "$browser" ]; then
    echo "smoke: no Chromium here has looked at the page (scripts/check browser)"
elif HOME=$directory timeout 120 "$browser" --headless --no-sandbox --disable-gpu \
    --user-data-dir="$directory/browser" --dump-dom "file://$directory/real.html" >dom 2>browser.err; then
    for text in '<section id="features">' 't-SNE' '</html>'; do
        grep -qF "$text" dom || fail "$browser does not see $text"
    done
elif [ -n "${HN_BROWSER:-}" ]; then
    fail "$browser: $(tail -n 3 browser.err)"
else
    echo "smoke: $browser does not start here: $(tail -n 1 browser.err)"
fi

# ---- logs that lack things: a page without them -----------------------------------------------------------------------
head -n 1 sc.log | page started.log 'no test yet'
head -n 2 sc.log | page going.log 'so far'
head -c 400 sc.log | sed 's/^/{"event":"epoch","epoch":1,"loss":2}\n/' | tr -d '\000' | page cut.log 'has no end yet'
sed 's/"confusion":\[\[.*\]\],//' sc.log | page plain.log 'No log has a confusion matrix'
page nulls.log 'no test yet' <<'END'
{"event":"start","dataset":null,"epochs":null,"class_counts":null}
{"event":"epoch","epoch":1,"loss":null}
END
page steps.log 'class="line" d="M' <<'END'
{"event":"start","epochs":1}
{"event":"step","epoch":1,"step":10,"steps":40,"alpha":1,"loss":3,"loss_feature":3,"loss_classifier":null}
{"event":"step","epoch":1,"step":20,"steps":40,"alpha":1,"loss":2,"loss_feature":2,"loss_classifier":null}
{"event":"step","epoch":1,"step":30,"steps":0,"alpha":1,"loss":1.5}
{"event":"step","epoch":1,"step":40,"steps":40,"alpha":1,"loss":1}
END
page unknown.log 'no test yet' <<'END'
{"event":"start","later":{"x":[1,"2"]}}
{"event":"of a later version","epoch":"one"}
END
page lengths.log 'No log has a result with class sizes' <<'END'
{"event":"start","class_counts":[10,5]}
{"event":"result","top1":1,"per_class":[1,2,3]}
END
page extreme.log 'finished' <<'END'
{"event":"start","class_counts":[1e99,0,-3,1],"imbalance":1e308,"epochs":-1,"seed":1e99}
{"event":"epoch","epoch":1e99,"loss":-1e99,"alpha":1e-300,"top1":1e300,"images_per_second":-0.0}
{"event":"epoch","epoch":-1e99,"loss":1e99,"alpha":7,"validation":-1}
{"event":"result","per_class":[1e50,1,2,-1e50],"confusion":[[9223372036854775807,0],[0,0]],"seconds":-1,"best_epoch":0.5}
END
page flat.log 'finished' <<'END'
{"event":"epoch","epoch":0,"loss":0,"alpha":0,"top1":0}
{"event":"result","per_class":[0],"class_counts":[7],"confusion":[[0]]}
END
page '<b>&".log' '&lt;b&gt;&amp;&quot;' <<'END'
{"event":"start","method":"</td><script>alert(1)</script>","dataset":"\u0001\"'&","arch":"\ud83d\ude00"}
END

# ---- plots ---------------------------------------------------------------------------------------------------------------
# has PAGE COUNT TEXT: so many times the text is there.
has() {
    count=$(grep -oF -e "$3" "$1" | wc -l)
    [ "$count" -eq "$2" ] || fail "$1: $count times '$3', not $2"
}

# epochs LAST KEYS: that many epochs; KEYS is for printf, with the epoch's number for its %d.
epochs() {
    for epoch in $(seq "$1"); do
        # shellcheck disable=SC2059 # a format by purpose
        printf "{\"event\":\"epoch\",\"epoch\":%d,$2}\n" "$epoch" "$epoch"
    done
}

epochs 60 '"loss":%d' | page long.log 'first 1, last 60, best 1.'
has long.log.html 12 'r="2.6"'
epochs 3 '"loss":2.302585%d' | page stuck.log '>2.35</text>'
epochs 3 '"loss":-12%d000' | page negative_loss.log "$(printf '>\342\210\222122000</text>')"
echo '{"event":"epoch","epoch":1000000,"loss":0,"top1":100}' | page one.log '>1000000</text>'
has one.log.html 1 '>0.04</text>'
has one.log.html 1 '>100</text>'
has one.log.html 0 '>104</text>'
page alpha.log 'first 0.7, last 0.7.' <<'END'
{"event":"step","epoch":1,"step":10,"steps":10,"alpha":0.3,"loss":3}
{"event":"epoch","epoch":1,"alpha":0.7,"loss":4}
END
has alpha.log.html 1 'first 3, last 3, best 3.'
page sizes.log '10 % in the smallest class, 20 % in the largest, 30 % at best.' <<'END'
{"event":"result","class_counts":[40,5,10],"per_class":[20,10,30]}
END

# ---- colours and layout --------------------------------------------------------------------------------------------------
grep -e '--s11:' real.html >colours # a line for each theme
[ "$(grep -c . colours)" -eq 2 ] || fail "not two themes"
while read -r theme; do
    [ "$(echo "$theme" | grep -oE -e '--s[0-9]+:#[0-9a-f]+' | cut -d : -f 2 | sort -u | grep -c .)" -eq 12 ] ||
        fail "two runs have one colour: $theme"
done <colours
for text in '.seeds td{white-space:normal}' '#classes figure>svg{min-width:760px}' '.wrap{white-space:normal;min-width:9em}' \
    '.small:not(:last-child){break-after:avoid}.small{break-inside:avoid}'; do
    has real.html 1 "$text"
done
page few.log 'Numbers and colours: of' <<'END'
{"event":"result","confusion":[[1,1],[0,9]]}
END
has few.log.html 2 '"count mid"'
has few.log.html 1 '"count high"'
has few.log.html 1 "$(printf '<title>0 \342\206\222 1: 50 %%</title>')"
awk 'BEGIN { for (i = 0; i < 169; i++) row = row (i % 13 ? "," : i ? "],[" : "") 1
    print "{\"event\":\"result\",\"confusion\":[[" row "]]}" }' |
    page colours.log '>Colours: of'

# ---- what is told of runs ------------------------------------------------------------------------------------------------
page still.log '>25 s<' <<'END'
{"event":"epoch","epoch":1,"top1":5,"seconds":10}
{"event":"epoch","epoch":2,"top1":null,"seconds":25}
END
page twice.log '>twice, seed 1</th>' <<'END'
{"event":"start","seed":1}
{"event":"start","seed":1}
END
grep -q '>twice, seed 1, run 2</th>' twice.log.html || fail "two runs of one seed have one name"
latin=$(printf 'latin\377')
echo '{"event":"seeds","seeds":[1,2],"top1_mean":1e99,"top1_deviation":2}' | page "$latin.log" \
    "$(printf '>latin\357\277\275, mean of 2 seeds')"
grep -q "$(printf '>1e+99 \302\261\302\2402.00<')" "$latin.log.html" || fail "1e99 is not short"
printf '\357\273\277{"event":"start","parameters":1e99}\n' | page marked.log '>1e+99<'
page turned.log 'evil' <<'END'
{"event":"start","method":"\u202eevil\u2066","arch":"\u202a\u2069"}
END
! LC_ALL=C grep -qE "$(printf '\342\200[\252-\256]|\342\201[\246-\251]')" turned.log.html || fail "the page turns"
grep -q "$(printf '>top\342\200\2211</th>.*>G\342\200\221mean</th>')" real.html || fail "a heading may break at its hyphen"

echo '{"event":"epoch","loss":1}' | page unnumbered.log '<td>– of –</td>'
printf '{"event":"start","class_counts":[5e-324,1e100],"epochs":3}\n{"event":"result","per_class":[1,2]}\n' | page tiny.log tiny

# ---- logs that are broken: a sentence with file and line ---------------------------------------------------------------
printf '' | bad empty.log 'empty.log is empty'
printf '\n \n' | bad blank.log 'blank.log has no event'
printf '{"event":"start"}\n{"event":"epoch",\n' | bad broken.log 'broken.log, line 2: '
printf '{"event":"start"}\n{"event":"epoch","epoch":1\0}\n' | bad nul.log 'nul.log, line 2: a NUL byte'
printf '{"event":"start","epochs":"200"}\n' | bad text.log 'text.log, line 1: "epochs" is not a number'
printf '\n{"event":"start","class_counts":[1,"2"]}\n' | bad list.log 'list.log, line 2: "class_counts" is not a list of numbers'
printf '{"event":"result","confusion":[[1,2],[3]]}\n' | bad ragged.log 'ragged.log, line 1: "confusion" is not a list of rows'
printf '{"event":"result","confusion":[[-1]]}\n' | bad negative.log '"confusion" is not a list of rows'
printf '{"event":"start","method":["ce"]}\n' | bad method.log '"method" is not text'
printf '{"event":"epoch","loss":1e999}\n' | bad overflow.log 'overflow.log, line 1: '
printf '{"event":7}\n' | bad event.log 'event.log, line 1: no "event"'
printf '[1]\n' | bad array.log 'array.log, line 1: no "event"'
printf '{"event":"start","x":"\377"}\n' | bad latin.log 'latin.log, line 1: '
printf '{"event":"peaks"}\n' | bad other.log 'other.log has no event'
head -c 5000 /dev/urandom | sed 's/^/x/' | bad random.log 'random.log, line 1: '
{ head -c 100000 /dev/zero | tr '\000' '[' && echo; } | bad deep.log 'deep.log, line 1: '
refused 1 'gone.log cannot be read' gone.log
refused 1 'cannot be read' "$directory"
refused 1 'empty.log is empty' ce.log empty.log

# ---- features that are broken ------------------------------------------------------------------------------------------
# features_file HEADER DATA: a safetensors file by hand; its header has less than 256 bytes, the data is for printf.
features_file() {
    # shellcheck disable=SC2059 # both are formats by purpose
    { printf "\\$(printf %o ${#1})\\0\\0\\0\\0\\0\\0\\0" && printf '%s' "$1" && printf "$2"; } >bad.safetensors
}
rows='"features":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}'
labels='"labels":{"dtype":"I32","shape":[1],"data_offsets":[4,8]}'
one='\0\0\200\077'
features_file "{$rows,$labels}" "$one\\3\\0\\0\\0"
"$program" --features bad.safetensors --output page.html ce.log || fail "features of one image: status $?"
whole page.html
grep -qF 'There is no t-SNE' page.html || fail "features of one image: no word about t-SNE"
features_file '{"features":{"dtype":"F32","shape":[3,1],"data_offsets":[0,12]},"labels":{"dtype":"I32","shape":[3],"data_offsets":[12,24]}}' \
    "\\0\\0\\0\\0$one\\0\\0\\0\\100\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0"
"$program" --features bad.safetensors --output page.html plain.log || fail "features on a line: status $?"
sed -n '/Principal components/,/<.svg>/p' page.html >components.html
has components.html 2 '>0.5</text>' # of both axes, as long as each other
features_file "{$rows,$labels}" '\0\0\300\177\0\0\0\0'
refused 1 'bad.safetensors: the features of image 0 are not finite' --features bad.safetensors ce.log
features_file "{$rows,$labels}" "$one\\377\\377\\377\\377"
refused 1 'the label of image 0 is -1' --features bad.safetensors ce.log
features_file "{$rows}" "$one"
refused 1 'has no "labels"' --features bad.safetensors ce.log
features_file '{"features":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"labels":{"dtype":"I32","shape":[1],"data_offsets":[4,8]}}' \
    "$one\\0\\0\\0\\0"
refused 1 'must have f32 features' --features bad.safetensors ce.log
head -c 1000 sc.safetensors >bad.safetensors
refused 1 'bad.safetensors' --features bad.safetensors ce.log
refused 1 'gone.safetensors' --features gone.safetensors ce.log

# ---- usage ---------------------------------------------------------------------------------------------------------------
refused 2 'no log was named'
refused 2 'there is no option --titel' --titel x ce.log
refused 2 '--title needs a value' --title
refused 2 'there is no option -x' -x ce.log
printf '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n<title>Precious</title>\n' >theirs.html
for file in sc.log sc.safetensors theirs.html; do # as of --output *.log, the features of one of the logs, another's page
    cp $file before
    got=0
    "$program" --output $file ce.log seeds.log >output 2>&1 || got=$?
    [ "$got" -eq 2 ] || fail "--output $file: status $got, not 2"
    grep -qF "the page is to be $file, where there is a file that is no page" output || fail "--output $file: $(cat output)"
    cmp $file before || fail "--output $file: replaced"
done
: >page.html
"$program" --output page.html ce.log || fail "a page in the place of an empty file: status $?"
"$program" --output page.html ce.log || fail "a page in the place of a page: status $?"
chmod 640 page.html
"$program" --output page.html --title '' ce.log || fail "a page without a title: status $?"
expect "the permissions of a page that was replaced" "$(ls -l page.html)" '-rw-r-----*'
grep -q '<title>Long-tailed' page.html || fail "an empty title"
echo precious >page.html.part0
"$program" --output page.html ce.log || fail "a page beside a file called page.html.part0: status $?"
[ "$(cat page.html.part0)" = precious ] || fail "page.html.part0 was written"
[ "$(echo page.html*)" = "page.html page.html.part0" ] || fail "left beside the page: $(echo page.html*)"
mkdir -p other
cp ce.log other
"$program" --output page.html ce.log other/ce.log || fail "two logs of one name: status $?"
grep -q '>ce.log</th>' page.html || fail "two logs of one name are not told apart"
cp ce.log ce.jsonl
"$program" --output page.html ce.log ce.jsonl ./ce.log || fail "three logs of one name: status $?"
for name in ce ce.jsonl ce.log; do
    grep -q ">$name</th>" page.html || fail "no run is called $name"
done
echo '{"event":"start","eval_only":true,"epochs":200}' >eval.log
echo '{"event":"result","top1":50.0}' >>eval.log
"$program" --output page.html eval.log || fail "a log of --eval-only: status $?"
! grep -q '0 of 200' page.html || fail "a log of --eval-only is said to have 0 of 200 epochs"
"$program" --output no-directory/x.html ce.log >output 2>&1 && fail "a page in no directory"
"$train" --help | grep -q -e "^  --features FILE" || fail "train_hybrid --help does not name --features"
grep -qF 'no-directory/x.html" cannot be written' output || fail "no-directory: $(cat output)"
if [ -e /dev/full ]; then
    "$program" --output /dev/full ce.log >output 2>&1 && fail "a page on a full disk"
    grep -qF '/dev/full" cannot be written' output || fail "full disk: $(cat output)"
fi
refused 2 'takes no value' --version=1
"$program" --help >output || fail "--help: status $?"
for option in output title features help version; do
    grep -q -e "^  --$option" output || fail "--help does not name --$option"
done
"$program" --version | grep -q libhybridnet || fail "--version does not name the library"

finish
