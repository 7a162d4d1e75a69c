#!/bin/sh
# SPDX-License-Identifier: MIT
# truncation.sh - ways to cut gradients off in time, on one text: perplexity of
# what was held out, and what it took.
#
#   bench/truncation.sh [FILE]
#
# prints the table of docs/chapter.md as Markdown.  The text is FILE, or The Time
# Machine in $ELMAN_SHARED/data; the first 161,000 bytes are learned, and the
# rest is measured.  Every row is run once for each of $SEEDS (default: 0 1 2),
# on one thread; seconds are of the processor, whatever else runs beside it.  The
# program is $ELMAN, and everything goes to $WORK.
set -eu

source=$(cd "$(dirname "$0")/.." && pwd)
: "${ELMAN_SHARED:=$source/../shared}" "${ELMAN:=$source/build/release/elman}"
: "${WORK:=$source/build/truncation}" "${SEEDS:=0 1 2}" "${HIDDEN:=128}"
: "${EPOCHS:=12}"
text=${1:-$ELMAN_SHARED/data/timemachine/timemachine.txt}
[ -f "$text" ] || {
    echo "truncation.sh: there is no $text (tools/get-timemachine.sh fetches it)" >&2
    exit 1
}
mkdir -p "$WORK"
head -c 161000 "$text" >"$WORK/first.txt"
tail -c +161001 "$text" >"$WORK/rest.txt"
cd "$WORK"

# In $spent: processor seconds of all children so far.  (A subshell would not
# know of them.)
look_at_clock() {
    times >spent.txt
    spent=$(awk 'NR == 2 {
        for (i = 1; i <= 2; i++) {
            split($i, part, /[ms]/)
            sum += 60 * part[1] + part[2]
        }
        print sum
    }' spent.txt)
}

value() {
    sed "s/.*\"$1\": *\([^,}]*\).*/\1/" "$2"
}

# row WORDS OPTION...: one line of the table.
row() {
    words=$1
    shift
    : >figures
    for seed in $SEEDS; do
        look_at_clock
        begin=$spent
        "$ELMAN" train first.txt -o model.safetensors --normalize letters \
            --hidden "$HIDDEN" --optimizer adam --lr 0.003 --clip 1 --batch 32 \
            --seed "$seed" --threads 1 --quiet --json "$@" >train.json
        look_at_clock
        "$ELMAN" eval model.safetensors rest.txt --threads 1 --json >eval.json
        echo "$(value updates train.json) $begin $spent" \
            "$(value perplexity eval.json)" >>figures
    done
    awk -v words="$words" '
        {
            updates += $1
            seconds += $3 - $2
            perplexity += $4
            least = NR == 1 || $4 < least ? $4 : least
            most = NR == 1 || $4 > most ? $4 : most
        }
        END {
            printf "| %s | %.0f | %.1f | %.2f (%.2f to %.2f) |\n", words,
                updates / NR, seconds / NR, perplexity / NR, least, most
        }' figures
}

echo '| gradients go back | updates | seconds | held-out perplexity |'
echo '|---|---|---|---|'
for pair in '5 5' '5 35' '35 35' '35 70' '35 140'; do
    # shellcheck disable=SC2086
    set -- $pair
    row "regular, k1 = $1, k2 = $2" --steps "$1" --back "$2" --epochs "$EPOCHS"
done
for pair in '5 0.5' '5 0.142857 1/7' '35 0.5'; do
    # shellcheck disable=SC2086
    set -- $pair
    row "random, k1 = $1, c = ${3:-$2}" --steps "$1" --truncation random --cut "$2" \
        --epochs "$EPOCHS"
done
row 'none' --truncation none --epochs "$EPOCHS"
row 'none, ten times the epochs' --truncation none --epochs $((10 * EPOCHS))
