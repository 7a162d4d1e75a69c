#!/bin/sh
# SPDX-License-Identifier: MIT
# train.sh - train, eval, sample and info, on every kind of model.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 200 1
make_text rest.txt 40 2
tokens=$(wc -c <rest.txt)

# ---- The main job
expect 0 quick book.txt -o m --epochs 3 --lr 0.01 --json
[ ! -s err ] || fail '--quiet is not quiet'
valid_json out
[ "$(json model out)" = m ] || fail 'the summary does not name the model'
[ "$(json epochs out)" = 3 ] || fail 'the summary has other epochs'

expect 0 "$ELMAN" eval m rest.txt --json --baseline book.txt
valid_json out
[ "$(wc -l <out)" -eq 1 ] || fail 'eval --json is not one line'
[ "$(json tokens out)" -eq $((tokens - 1)) ] ||
    fail 'eval counts other tokens'
[ "$(json unknown out)" = 0 ] || fail 'eval met something unknown'
less "$(json perplexity out)" "$(json unigram out)" ||
    fail 'the model is worse than frequencies'
less "$(json unigram out)" "$(json guessing out)" ||
    fail 'frequencies are worse than guessing'
awk -v n="$(json nats_per_token out)" -v p="$(json perplexity out)" \
    -v b="$(json bits_per_char out)" 'BEGIN {
        e = exp(n) / p - 1; f = n / log(2) / b - 1
        exit !(e * e < 1e-18 && f * f < 1e-18) }' ||
    fail 'nats, bits and perplexity do not belong together'
cp out whole
expect 0 "$ELMAN" eval m rest.txt
grep -q '^perplexity  *[0-9.]*$' out || fail 'eval prints no perplexity'
# The same text in two files is the same text.
head -n 17 rest.txt >first
tail -n +18 rest.txt >second
expect 0 "$ELMAN" eval m first second --json --baseline book.txt
same out whole
expect 0 "$ELMAN" eval m rest.txt --max-tokens 100 --json
[ "$(json tokens out)" -eq 99 ] || fail 'eval --max-tokens is not obeyed'

expect 0 "$ELMAN" info m
grep -q '^parameters  [0-9,]* (as many for any number of time steps)' out ||
    fail 'info does not say what the parameters depend on'
grep -q 'decoder.weight' out || fail 'info lists no tensors'
expect 0 "$ELMAN" info m --json
valid_json out
V=$(json vocabulary out)
[ "$(json parameters out)" -eq $((16 * V + 16 * 16 + 2 * 16 + V * 16 + V)) ] ||
    fail 'info counts other parameters'

# ---- Samples
expect 0 "$ELMAN" sample m --length 50 --seed 3 --prompt 'the time '
cp out sample
[ "$(head -c 9 out)" = 'the time ' ] || fail 'the prompt is not printed'
[ ! -s err ] || fail 'sample writes on stderr'
case $(wc -c <out) in
59 | 60) ;;
*) fail 'a sample of another length' ;;
esac
expect 0 "$ELMAN" sample m --length 50 --seed 3 --prompt 'the time '
same out sample
expect 0 "$ELMAN" sample m --length 50 --seed 4 --prompt 'the time '
cmp -s out sample && fail 'another seed writes the same'
expect 0 "$ELMAN" sample m --length 50 --greedy --prompt 'the time '
cp out greedy
expect 0 "$ELMAN" sample m --length 50 --top-k 1 --seed 9 --prompt 'the time '
same out greedy
expect 0 "$ELMAN" sample m --length 50 --top-p 1e-9 --prompt 'the time '
same out greedy
expect 0 "$ELMAN" sample m --length 50 --temperature 1e-4 --prompt 'the time '
same out greedy
expect 0 "$ELMAN" sample m --length 0 --prompt 'the time '
[ "$(cat out)" = 'the time ' ] || fail 'a length of 0 prints more'
expect 0 "$ELMAN" sample m
[ "$(wc -c <out)" -ge 500 ] || fail 'a sample of the default length is short'
expect 0 "$ELMAN" sample m --prompt 'the @' --length 2000
sentence 'the prompt: 1 of 5 tokens are not in'
[ "$(grep -c unk out)" -eq 1 ] || fail '<unk> was written'

# A sample of the untrained is made of all tokens; <unk> only if it may be.
expect 0 quick book.txt -o raw --updates 1 --lr 0
expect 0 "$ELMAN" sample raw --length 3000
grep -q '<unk>' out && fail '<unk> was written'
expect 0 "$ELMAN" sample raw --length 3000 --allow-unk
grep -q '<unk>' out || fail '--allow-unk allows nothing'

# ---- Other cells, levels and numbers; each must beat guessing.
# learns NAME OPTION...: trains, evaluates, samples.
learns() {
    name=$1
    shift
    expect 0 quick book.txt -o "$name" --epochs 2 "$@"
    expect 0 "$ELMAN" eval "$name" rest.txt --json --baseline book.txt
    valid_json out
    less "$(json perplexity out)" "$(json guessing out)" ||
        fail "$name learned nothing"
    expect 0 "$ELMAN" sample "$name" --length 40
    [ -s out ] || fail "$name writes nothing"
    expect 0 "$ELMAN" info "$name" --json
    valid_json out
}
learns none --cell none --context 3
[ "$(json parameters_per_context_token out)" -eq $((16 * V)) ] ||
    fail 'info does not say what a token of context costs'
expect 0 "$ELMAN" info none
grep -q 'more for each token of context' out ||
    fail 'info hides that parameters grow with the context'
learns none-relu --cell none --context 2 --activation relu --embed 5
learns relu --activation relu --layers 2 --embed 6
learns word --level word --min-count 2 --vocab-size 20 --lr 0.02
expect 0 "$ELMAN" sample word --prompt 'the a' --length 30 --seed 1
grep -q '^the a [a-z]' out || fail 'words are not set apart by blanks'
[ "$(wc -l <out)" -gt 1 ] || fail '<eos> does not end a line'
learns byte --level byte
learns letters --normalize letters
learns double --dtype f64 --optimizer adamw --weight-decay 0.01
learns random --sampling random --optimizer rmsprop
learns sgd --optimizer sgd --loss sum --clip 5 --lr 0.1
learns momentum --optimizer momentum --lr 0.1 --schedule step --every 50 \
    --gamma 0.7
learns cosine --schedule cosine --warmup 10 --floor 0.1

# ---- Held out: the best model is kept.
expect 0 quick book.txt -o held --epochs 4 --lr 0.02 \
    --valid rest.txt --schedule halve --patience 1 --json
best=$(json valid_loss out)
expect 0 "$ELMAN" eval held rest.txt --json
[ "$(json nats_per_token out)" = "$best" ] ||
    fail 'the model that was kept is not the one of the best validation loss'
expect 0 quick book.txt -o tail --epochs 2 \
    --valid-fraction 0.1 --json
[ "$(json valid_loss out)" != null ] || fail 'no tail was held out'

# ---- stdout and stderr, progress
expect 0 quick book.txt -o - --epochs 3 --lr 0.01
same out m
expect 0 "$ELMAN" train book.txt -o m2 --hidden 16 --batch 4 --steps 10 \
    --epochs 1
[ ! -s out ] || fail 'train without --json writes on stdout'
grep -q '^m2: [0-9,]* parameters' err || fail 'train does not say what it made'

# ---- The machine
expect 0 "$ELMAN" info
grep -q '^levels  *c' out || fail 'info does not list the levels'
expect 0 "$ELMAN" info --json --isa c --threads 1
valid_json out
[ "$(json level out)" = c ] || fail '--isa is not obeyed'
ELMAN_ISA=c expect 0 "$ELMAN" info --json
[ "$(json level out)" = c ] || fail 'ELMAN_ISA is not obeyed'
# A run that does not get better is stopped early, with the best model kept.
make_text noise.txt 60 3
expect 0 "$ELMAN" train noise.txt -o best --hidden 24 --batch 4 --steps 15 \
    --epochs 60 --valid-fraction 0.2 --schedule constant --lr 0.02 --quiet \
    --stop-after 3 --json --log log
[ "$(json epochs out)" -eq $(($(json best_epoch out) + 3)) ] ||
    fail 'the run did not stop 3 validations after its best'
[ "$(json epochs out)" -lt 60 ] || fail 'the run did not stop early'
exit 0
