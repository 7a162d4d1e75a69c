#!/bin/sh
# SPDX-License-Identifier: MIT
# resume.sh - what --resume accepts, refuses and repairs.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 100 1
make_text other.txt 100 2
expect 0 quick book.txt -o whole --epochs 4
expect 0 quick book.txt -o two --epochs 2 --checkpoint c
[ -s c ] || fail 'there is no checkpoint'
[ -s c.1 ] || fail 'two epochs leave one checkpoint'

# resume STATUS ARGUMENT...: goes on from c.
resume() {
    wanted=$1
    shift
    expect "$wanted" "$ELMAN" train book.txt -o m --quiet --resume c "$@"
}

# ---- A finished run is finished: exit 0, and the model is there again.
resume 0
same m two
# Neither is it changed by options that change no result.
resume 0 --threads 2 --isa c
same m two

# ---- A run that was ended in the middle of an epoch and made longer is the run
# that was not, validations included.
middle() {
    rm -f c c.1 c.2
    expect 0 quick book.txt -o long --valid-fraction 0.2 --updates 100 "$@"
    expect 0 quick book.txt -o short --valid-fraction 0.2 --updates 1 \
        --checkpoint c "$@"
    resume 0
    same m short
    resume 0 --updates 100
    same m long
}
cp c kept
cp c.1 kept.1
middle --optimizer sgd --lr 100
middle --optimizer sgd --lr 100 --schedule halve
middle --stop-after 2
middle --dtype bf16
rm -f c c.1 c.2
mv kept c
mv kept.1 c.1

# ---- Updates alone lift the limit of epochs, as in a new run.
expect 0 quick book.txt -o longer --updates 200
resume 0 --updates 200
same m longer

# ---- More epochs; what was not given is as it was.
resume 0 --epochs 4
same m whole
resume 0 --epochs 4 --hidden 16 --level char --lr 0.003 --min-count 1
same m whole

# ---- Options that do not agree are named, with both values.
resume 1 --epochs 4 --hidden 17
sentence 'c: has --hidden 16, which cannot become --hidden 17'
resume 1 --lr 0.1
sentence 'c: has --lr 0.003, which cannot become --lr 0.1'
resume 1 --cell none --context 2
sentence 'c: has --cell elman, which cannot become --cell none'
resume 1 --level word
sentence 'c: has --level char, which cannot become --level word'
resume 1 --seed 5
sentence '--seed 0'
resume 1 --sampling random
sentence '--sampling'
resume 1 --valid-fraction 0.1
sentence '--valid-fraction'
resume 1 --vocab-size 10
sentence 'c: has another vocabulary'
resume 1 --max-tokens 1000 --epochs 4
sentence 'text'
resume 2 --gamma 0.1
sentence '--gamma means nothing'
resume 2 --cell
sentence 'needs a value'
refused 1 'text' train other.txt -o m --resume c --epochs 4
refused 1 'c: is the checkpoint' train book.txt -o c --resume c
refused 1 'nowhere' train book.txt -o m --resume nowhere

# ---- What is damaged, or missing, is passed over, and named.
cp c good
cp c.1 good.1
size=$(wc -c <c)
head -c $((size / 2)) good >c
resume 0 --epochs 4
same m whole
sentence 'c: .*going on from c.1'
rm c
resume 0 --epochs 4
same m whole
sentence 'c: .*going on from c.1'
cp good c
printf 'X' | dd of=c bs=1 seek=$((size - 20)) conv=notrunc 2>err
resume 0 --epochs 4
same m whole
sentence 'going on from c.1'
: >c
: >c.1
resume 1 --epochs 4
sentence '^elman: c'
rm -f c c.1
resume 1 --epochs 4
sentence '^elman: c'
# A model is no checkpoint.
cp two c
resume 1 --epochs 4
sentence 'c: '
# Nor does it hurt anything that went wrong here.
cp good c
resume 0 --epochs 4
same m whole

# ---- A log that is shorter than it was is said, and goes on.
rm -f c c.1 c.2
expect 0 quick book.txt -o two --epochs 2 --checkpoint c \
    --log log
lines=$(wc -l <log)
cp log log.two
echo 'from a run that was killed' >>log
resume 0 --epochs 2 --log log
same log log.two
resume 0 --epochs 4 --log log
[ "$(wc -l <log)" -eq $((2 * lines)) ] || fail 'the log did not go on'
head -n "$lines" log >begin
same begin log.two
head -n 1 log.two >log
resume 0 --epochs 2 --log log
sentence 'log: is shorter than when the checkpoint was written'

# ---- Words: the vocabulary comes from the checkpoint, and is checked.
expect 0 quick book.txt -o words --epochs 2 --level word \
    --vocab-size 12 --min-count 2 --checkpoint w
expect 0 "$ELMAN" train book.txt -o again --quiet --resume w
same words again
expect 0 "$ELMAN" train book.txt -o again --quiet --resume w --vocab-size 12 \
    --min-count 2
same words again
refused 1 'w: has another vocabulary' \
    train book.txt -o again --resume w --vocab-size 13

# ---- A cosine ends where the first run was to end.
expect 0 quick book.txt -o cosine --epochs 2 \
    --schedule cosine --warmup 5 --checkpoint k --checkpoint-every 20
expect 0 "$ELMAN" train book.txt -o again --quiet --resume k.1
same cosine again
exit 0
