#!/bin/sh
# SPDX-License-Identifier: MIT
# demo.sh - learns to write as a text does: demo.sh [TEXT]
#
# Without a text it takes this project's own sources and documentation.  Nine
# tenths are for learning; on the last tenth the model is measured beside
# guessing and a character bigram.  Everything lies in build/demo.
#   DEMO_OPTIONS   other options of `elman train`
#   DEMO_PROMPT    how the sample begins
set -eu

book=${1:-}
case $book in
'' | /*) ;;
*) book=$PWD/$book ;;
esac
cd "$(dirname "$0")/.."
elman=${ELMAN:-build/release/elman}
folder=build/demo
model=$folder/model.safetensors
options=${DEMO_OPTIONS:---hidden 256 --batch 32 --steps 35 --optimizer adam \
--lr 0.005 --clip 1 --updates 8000}

die() {
    echo "demo.sh: $*" >&2
    exit 1
}

say() {
    printf '\n$ %s\n' "$*"
    "$@"
}

[ -x "$elman" ] || die "$elman: there is no such program (make)"
mkdir -p "$folder"
if [ -z "$book" ]; then
    # One order everywhere, so that the demonstration is the same everywhere.
    for place in cli docs include src README.md; do
        [ -e "$place" ] || continue
        find "$place" -type f \( -name '*.[ch]' -o -name '*.md' \)
    done | LC_ALL=C sort | xargs cat >"$folder/text.txt"
    prompt=${DEMO_PROMPT-static }
else
    { [ -f "$book" ] && [ -r "$book" ]; } ||
        die "$book: the text cannot be read (TEXT is a file)"
    cat "$book" >"$folder/text.txt"
    prompt=${DEMO_PROMPT-}
fi

size=$(wc -c <"$folder/text.txt")
[ "$size" -gt 0 ] || die "${book:-the text}: is empty"
lines=$(head -c $((size * 9 / 10)) "$folder/text.txt" | wc -l)
[ "$lines" -gt 0 ] ||
    die "${book:-the text}: no line ends in the first nine tenths of it (a" \
        "text of lines is needed, to cut it into what is learned and the rest)"
head -n "$lines" "$folder/text.txt" >"$folder/train.txt"
tail -n +$((lines + 1)) "$folder/text.txt" >"$folder/rest.txt"
echo "${book:-this project}: $(wc -c <"$folder/train.txt") bytes to learn" \
    "from, $(wc -c <"$folder/rest.txt") held out"

# The options are words, to be split.
# shellcheck disable=SC2086
say "$elman" train "$folder/train.txt" -o "$model" $options
say "$elman" eval "$model" "$folder/rest.txt" --baseline "$folder/train.txt"
if [ -n "$prompt" ]; then
    say "$elman" sample "$model" --length 400 --prompt "$prompt"
else
    say "$elman" sample "$model" --length 400
fi
printf '\n\nThe model is %s; more of it: %s sample %s --seed 1\n' \
    "$model" "$elman" "$model"
