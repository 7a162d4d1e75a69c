#!/bin/sh
# SPDX-License-Identifier: MIT
# fulldisk.sh - what cannot be written is said, and what was there stays.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

[ -c /dev/full ] || exit 77
make_text book.txt 60 1
expect 0 quick book.txt -o m --epochs 1
cp m kept

# to_full ARGUMENT...: stdout is a full disk.
to_full() {
    : >out
    "$ELMAN" "$@" >/dev/full 2>err
    [ $? -eq 1 ] || fail "a full disk goes unnoticed: elman $*"
    sentence 'standard output: .*No space left on device'
}
to_full info
to_full info m
to_full info m --json
to_full eval m book.txt
to_full sample m
to_full --help
to_full train --help
to_full train book.txt -o other --hidden 4 --batch 4 --steps 5 --updates 2 \
    --quiet --json

refused 1 '/dev/full: .*No space left on device' \
    train book.txt -o /dev/full --hidden 4 --batch 4 --steps 5 --updates 2 \
    --quiet
[ -c /dev/full ] || fail 'the device was replaced'
refused 1 '/dev/full: .*No space left on device' \
    train book.txt -o other --hidden 4 --batch 4 --steps 5 --updates 2 \
    --quiet --log /dev/full

# A closed stdout is an error too, and no model gets what was printed.
"$ELMAN" info m >&- 2>err
[ $? -eq 1 ] || fail 'a closed stdout goes unnoticed'
sentence 'standard output: '

# So is a reader that went away.
{
    "$ELMAN" sample m --length 100000 2>err
    echo $? >code
} | head -n 1 >out
[ "$(cat code)" -eq 1 ] || fail 'a broken pipe goes unnoticed'
sentence 'standard output: .*Broken pipe'

# A disk that fills up under the model, or under a checkpoint.
(
    ulimit -f 1 || exit 77
    quick book.txt -o m --epochs 2
) >out 2>err
status=$?
if [ $status -ne 77 ]; then
    [ $status -eq 1 ] || fail 'a file that may not grow goes unnoticed'
    sentence 'm.*: .*File too large'
    same m kept
    (
        ulimit -f 1
        quick book.txt -o new --epochs 2 --checkpoint c
    ) >out 2>err
    [ $? -eq 1 ] || fail 'a checkpoint that may not grow goes unnoticed'
    [ "$(grep -c '^elman: c: cannot be written: File too large' err)" -eq 1 ] ||
        fail 'a checkpoint that may not grow is not said once'
    tail -n 1 err >line && mv line err
    sentence 'new: .*File too large'
    [ ! -e c ] || fail 'a part of a checkpoint was left'
fi
for file in *; do
    case $file in
    book.txt | code | err | kept | m | other | out) ;;
    *) fail "$file was left behind" ;;
    esac
done
exit 0
