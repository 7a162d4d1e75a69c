#!/bin/sh
# SPDX-License-Identifier: MIT
# determinism.sh - the model is a function of text, options and seed: not of
# threads, nor of the cpu level.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 200 1
make_text rest.txt 30 2
levels=$("$ELMAN" info --json |
    sed 's/.*"levels": \[\([^]]*\)\].*/\1/; s/[",]//g')
echo "levels: $levels"

# all_equal OPTION...: trains one model in every way there is.
all_equal() {
    rm -f first figure text
    for level in $levels; do
        for threads in 1 2 3; do
            expect 0 "$ELMAN" train book.txt -o m --quiet --isa "$level" \
                --threads $threads --batch 5 --steps 17 "$@"
            [ -e first ] || cp m first
            same m first
            expect 0 "$ELMAN" eval m rest.txt --json --isa "$level" \
                --threads $threads
            [ -e figure ] || cp out figure
            same out figure
            expect 0 "$ELMAN" sample m --length 60 --isa "$level" \
                --threads $threads
            [ -e text ] || cp out text
            same out text
        done
    done
}
all_equal --hidden 37 --updates 40
all_equal --hidden 33 --layers 2 --embed 9 --activation relu --updates 20 \
    --sampling random --valid-fraction 0.1
all_equal --hidden 19 --cell none --context 3 --updates 20
all_equal --cell lstm --hidden 43 --proj 19 --layers 2 --embed 19 --tie \
    --updates 12 --dropout 0.3 --weight-drop 0.2
all_equal --cell gru --hidden 35 --layers 3 --updates 12 --dropout 0.4 --locked
all_equal --cell gru --reset before --hidden 33 --updates 12
all_equal --hidden 18 --level word --updates 20 --optimizer sgd
all_equal --dtype bf16 --cell lstm --hidden 43 --layers 2 --embed 19 \
    --updates 12
all_equal --dtype bf16 --cell gru --hidden 35 --updates 12 --dropout 0.4

# Another seed is another model.
expect 0 "$ELMAN" train book.txt -o other --quiet --hidden 18 --level word \
    --updates 20 --optimizer sgd --batch 5 --steps 17 --seed 1
cmp -s other first && fail 'the seed changes nothing'
exit 0
