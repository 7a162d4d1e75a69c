#!/bin/sh
# SPDX-License-Identifier: MIT
# stdin.sh - "-" is stdin, and leaves nothing behind.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

mkdir tmp
TMPDIR=$WORK/tmp
export TMPDIR
make_text book.txt 100 1
make_text rest.txt 20 2

expect 0 quick book.txt -o m --epochs 2
expect 0 quick - -o piped --epochs 2 <book.txt
same m piped
head -n 1000 book.txt | expect 0 quick - -o piped --epochs 2
same m piped

expect 0 "$ELMAN" eval m rest.txt --json
cp out figures
expect 0 "$ELMAN" eval m - --json <rest.txt
same out figures
expect 0 "$ELMAN" eval - rest.txt --json <m
same out figures
expect 0 "$ELMAN" info - <m

expect 1 "$ELMAN" train - -o x <&-
sentence 'standard input: .*Bad file descriptor'
expect 1 "$ELMAN" train - -o x </dev/null
sentence 'standard input: '
printf 'fine\n\377\n' | expect 1 "$ELMAN" train - -o x
sentence 'standard input: line 2: '
expect 1 "$ELMAN" eval - - <m
sentence 'standard input can be read only once'
TMPDIR=$WORK/nowhere expect 1 "$ELMAN" train - -o x <book.txt
sentence 'nowhere: no temporary file'

[ -z "$(ls tmp)" ] || fail 'a temporary file was left'
exit 0
