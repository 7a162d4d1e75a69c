#!/bin/sh
# SPDX-License-Identifier: MIT
# from.sh - training that begins with a model: what it takes over, refuses and
# says, and that it goes on after a stop.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 150 1
make_text other.txt 60 2
make_text rest.txt 40 3

# tune STATUS ARGUMENT...: goes on from base.
tune() {
    wanted=$1
    shift
    expect "$wanted" "$ELMAN" train other.txt --from base -o m --quiet \
        --threads 1 --batch 4 --steps 10 "$@"
}

# tune_on TEXT MODEL ARGUMENT...
tune_on() {
    words=$1
    model=$2
    shift 2
    expect 0 "$ELMAN" train "$words" --from "$model" -o m --quiet --threads 1 \
        --batch 4 --steps 10 "$@"
}

# perplexity MODEL TEXT
perplexity() {
    expect 0 "$ELMAN" eval "$1" "$2" --json
    json perplexity out
}

expect 0 quick book.txt -o base --epochs 2

# ---- It begins where the model stands, and with a rate of 0 stays there.
before=$(perplexity base rest.txt)
tune 0 --updates 3 --lr 0
[ "$(perplexity m rest.txt)" = "$before" ] ||
    fail 'the model is not where it began'
tune 0 --updates 3 --lr 0 --average 0.9
[ "$(perplexity m rest.txt)" = "$before" ] ||
    fail 'the average is not where it began'
# It learns, and in less time than from nothing.
tune 0 --updates 40 --json
valid_json out
less "$(perplexity m rest.txt)" "$before" || fail 'nothing was learned'
cp m tuned
expect 0 quick other.txt -o drawn --updates 40 --lr 0.005
less "$(perplexity tuned rest.txt)" "$(perplexity drawn rest.txt)" ||
    fail 'what the model knew was of no use'
# The same again.
tune 0 --updates 40 --isa c
same m tuned

# ---- An epoch of one minibatch: two runs are one.
head -c 41 book.txt >piece
plain='--optimizer sgd --lr 0.5 --schedule constant'
# shellcheck disable=SC2086
{
    expect 0 quick piece -o whole --epochs 5 $plain
    expect 0 quick piece -o part --epochs 2 $plain
    tune_on piece part --epochs 3 $plain
}
[ "$(perplexity m rest.txt)" = "$(perplexity whole rest.txt)" ] ||
    fail 'two runs are not one'
[ "$(perplexity part rest.txt)" != "$(perplexity whole rest.txt)" ] ||
    fail 'no update changes anything'

# ---- The network, the tokens and the arithmetic are the model's.
shape() {
    "$ELMAN" info "$1" | sed '/^trained/,/^memory/d; /^ /d' | grep -v ' MiB\|KiB'
}
for options in '--cell lstm --proj 5 --layers 2 --embed 7' \
    '--cell gru --reset before --tie --embed 16 --dtype f64' \
    '--cell none --context 3 --activation relu --dtype bf16' \
    '--level word --min-count 2 --dropout 0.2' \
    '--level byte' '--normalize letters'; do
    # shellcheck disable=SC2086
    expect 0 quick book.txt -o kind --updates 3 $options
    tune_on other.txt kind --updates 3
    shape kind >wanted
    shape m >got
    same got wanted
done
tune 0 --updates 3 --dtype f64
expect 0 "$ELMAN" info m
grep -q '^kind  *language model, f64$' out || fail '--dtype is not obeyed'

# ---- Its history
expect 0 "$ELMAN" info tuned --json
valid_json out
grep -q '"runs": 2, "from": {"updates": [0-9]*, ' out ||
    fail 'the model does not say where it comes from'
expect 0 "$ELMAN" info tuned
grep -q 'from updates' out || fail 'info does not say where it comes from'

# ---- What the model does not know
printf 'the time machine @ # the lamp\n%s' "$(cat other.txt)" >odd.txt
expect 0 "$ELMAN" train odd.txt --from base -o m --updates 2 --batch 4 \
    --steps 10
grep -q '^2 of [0-9,]* tokens are not in the model.s vocabulary' err ||
    fail 'unknown tokens are not counted'
expect 0 "$ELMAN" train odd.txt --from base -o m --updates 2 --batch 4 \
    --steps 10 --quiet
[ ! -s err ] || fail '--quiet is not quiet'
printf '@#@#@#\n' | tr -d '\n' >odd
refused 1 'odd: not one of its tokens is in the vocabulary of base' \
    train odd --from base -o m

# ---- Held out, as ever.
tune 0 --epochs 2 --valid rest.txt --json
best=$(json valid_loss out)
expect 0 "$ELMAN" eval m rest.txt --json
[ "$(json nats_per_token out)" = "$best" ] || fail 'another model was kept'

# ---- After a stop: the checkpoint has all of it, and the model is not needed.
run='--epochs 4 --dropout 0.2 --average 0.9 --valid-fraction 0.1'
# shellcheck disable=SC2086
{
    tune 0 $run
    cp m whole
    tune 0 $run --checkpoint c --checkpoint-every 7
}
same m whole
cp base kept
rm base
for file in c.1 c.2; do
    [ -e $file ] || continue
    expect 0 "$ELMAN" train other.txt -o again --quiet --resume $file
    same again whole
done
cp kept base
# A checkpoint is a model as well.
tune_on other.txt c --updates 3

# ---- The command that goes on does not begin again.
expect 0 quick book.txt -o relu --updates 5 --activation relu
expect 1 "$ELMAN" train other.txt --from relu -o wild --quiet --batch 4 \
    --steps 10 --optimizer sgd --lr 1e30 --clip 0 --updates 30
sentence 'to go on without it: .* --on-nonfinite skip'
grep -q -e '--from' err && fail 'the command that goes on begins again'
command=$(sed 's/.*to go on without it: //' err)
expect 0 sh -c "$command"

# ---- In its own place, and nowhere else.
cp base here
expect 0 "$ELMAN" train other.txt --from here -o here --quiet --updates 40 \
    --batch 4 --steps 10 --threads 1
same here tuned
for option in log checkpoint; do
    cp base here
    refused 1 'here: is the model to go on from' \
        train other.txt --from here -o m --$option here
    same here base
done

# ---- Refused, before anything is done.
for option in 'level word' 'normalize none' 'min-count 1' 'vocab-size 9' \
    'cell elman' 'context 2' 'embed 3' 'activation tanh' 'reset after' \
    'hidden 16' 'layers 1' 'proj 2' 'tie'; do
    # shellcheck disable=SC2086
    refused 2 "train: --${option%% *} means nothing with --from" \
        train other.txt --from base -o m --$option
done
refused 2 '--from begins a run' train other.txt --from base -o m --resume c
refused 2 '--locked says nothing' train other.txt --from base -o m --locked
refused 1 'nowhere: ' train other.txt --from nowhere -o m
refused 1 'other.txt: ' train other.txt --from other.txt -o m
expect 0 quick book.txt -o none --updates 1 --cell none --context 2
refused 2 '--weight-drop is of recurrent weights' \
    train other.txt --from none -o m --weight-drop 0.5
cp base base.safetensors
expect 0 "$ELMAN" convert base.safetensors bytes.safetensors --weights int8
refused 1 'bytes.safetensors: has weights of a byte, which do not train' \
    train other.txt --from bytes.safetensors -o m
expect 0 "$ELMAN" convert bytes.safetensors floats.safetensors --dtype f32
tune_on other.txt floats.safetensors --updates 2
exit 0
