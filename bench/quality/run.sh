#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh - trains a model on well-known data, measures it on what was held out,
# as it is and going on learning, and puts both into docs/results.tsv:
# run.sh NAME
#
#   tinyshakespeare  characters; the last 5 % held out
#   tinyshakespeare50   the same, but held out is the last 5 % of each of 50
#                    pieces, as char-rnn does it: far easier, since every
#                    speaker and scene has been seen
#   wikitext2        words, a vocabulary of 10,000; valid.txt chooses the epoch,
#                    test.txt is measured
#
# The data are looked for in $ELMAN_SHARED/data, the program is $ELMAN, the
# threads are $THREADS (default: 2), and everything else goes to $WORK.  A run
# that was ended, however, goes on when it is called again.
set -eu

source=$(cd "$(dirname "$0")/../.." && pwd)
: "${ELMAN_SHARED:=$source/../shared}" "${ELMAN:=$source/build/release/elman}"
: "${THREADS:=2}" "${WORK:=$source/build/quality}"
results=$source/docs/results.tsv
data=$ELMAN_SHARED/data
name=${1-}
[ $# -eq 1 ] || name=

mkdir -p "$WORK"
cd "$WORK"
dtype=f32

# there FILE: sets text to it, if it is.
there() {
    text=$data/$1
    [ -f "$text" ] || {
        echo "run.sh: no $text" >&2
        exit 1
    }
}

case $name in
tinyshakespeare)
    there tinyshakespeare/input.txt
    size=$(wc -c <"$text")
    train=$((size * 95 / 100))
    head -c "$train" "$text" >"$name.train.txt"
    tail -c +$((train + 1)) "$text" >"$name.valid.txt"
    cp "$name.valid.txt" "$name.test.txt"
    set -- --cell lstm --hidden 512 --layers 2 --embed 128 --dropout 0.4 \
        --optimizer adam --lr 0.002 --clip 1 --batch 64 --steps 64 --epochs 14
    ;;
tinyshakespeare50)
    there tinyshakespeare/input.txt
    size=$(wc -c <"$text")
    piece=$((size / 50))
    train=$((piece * 95 / 100))
    : >"$name.train.txt"
    : >"$name.valid.txt"
    for i in $(seq 0 49); do
        tail -c +$((i * piece + 1)) "$text" |
            head -c "$piece" >"$name.piece"
        head -c "$train" "$name.piece" >>"$name.train.txt"
        tail -c +$((train + 1)) "$name.piece" >>"$name.valid.txt"
    done
    cp "$name.valid.txt" "$name.test.txt"
    dtype=bf16
    set -- --cell lstm --hidden 512 --layers 2 --embed 128 --dropout 0.5 \
        --dtype $dtype --optimizer adam --lr 0.002 --clip 1 --batch 64 \
        --steps 64 --epochs 16
    ;;
wikitext2)
    there wikitext-2/train.txt.gz
    gzip -dc "$text" >"$name.train.txt"
    cp "$data/wikitext-2/valid.txt" "$name.valid.txt"
    cp "$data/wikitext-2/test.txt" "$name.test.txt"
    chmod u+w "$name.valid.txt" "$name.test.txt"
    set -- --level word --vocab-size 10000 --cell lstm --hidden 200 \
        --layers 2 --tie --dropout 0.2 --optimizer adam --lr 0.002 --clip 1 \
        --batch 20 --steps 35 --epochs 10
    ;;
*)
    echo "usage: bench/quality/run.sh tinyshakespeare|tinyshakespeare50|wikitext2" >&2
    exit 2
    ;;
esac

command="elman train $name.train.txt -o $name.safetensors $* --valid $name.valid.txt"
resume=
[ ! -e "$name.checkpoint" ] || resume="--resume $name.checkpoint"

# Seconds are added up over all the pieces of a run.
begin=$(date +%s)
note() {
    echo $(($(date +%s) - begin)) >>"$name.seconds"
}
trap note EXIT
# shellcheck disable=SC2086
"$ELMAN" train "$name.train.txt" -o "$name.safetensors" "$@" \
    --valid "$name.valid.txt" --log "$name.log" --checkpoint "$name.checkpoint" \
    --threads "$THREADS" $resume
trap - EXIT
note
seconds=$(awk '{ s += $1 } END { print s }' "$name.seconds")

case $name in
wikitext2) key=perplexity unit=perplexity end=perplexity ;;
*) key=nats_per_token unit='nats per character' end=nats ;;
esac
[ -f "$results" ] ||
    printf '# name\tfigure\tunit\tseconds\tthreads\tdtype\tcommand\n' >"$results"
grep -v "^$name-" "$results" >results.new || true

# row NAME SECONDS COMMAND [OPTION...]: what `elman eval` says with the options.
row() {
    what=$1 took=$2 told=$3
    shift 3
    "$ELMAN" eval "$name.safetensors" "$name.test.txt" "$@" \
        --threads "$THREADS" --json >"$name.json"
    figure=$(sed "s/.*\"$key\": *\([^,}]*\).*/\1/" "$name.json")
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$what-$end" "$figure" "$unit" \
        "$took" "$THREADS" "$dtype" "$told" >>results.new
}
row "$name" "$seconds" "$command"
row "$name-dynamic" "$seconds" \
    "$command; elman eval $name.safetensors $name.test.txt --dynamic" --dynamic
cp results.new "$results"
tail -n 2 "$results"
