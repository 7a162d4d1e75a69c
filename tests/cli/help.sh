#!/bin/sh
# SPDX-License-Identifier: MIT
# help.sh - help, the version, and calls that are wrong.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

# ---- Help is a result: stdout, status 0, an example in it.
for call in --help -h help; do
    expect 0 "$ELMAN" "$call"
    grep -q '^Example:' out || fail "$call shows no example"
    [ ! -s err ] || fail "$call writes on stderr"
done
for command in train eval sample info bench convert run probe; do
    for call in "$command --help" "$command -h" "help $command"; do
        # shellcheck disable=SC2086
        expect 0 "$ELMAN" $call
        grep -q "^usage: elman $command" out || fail "$call shows no usage"
        grep -q '^Example:' out || fail "$call shows no example"
        grep -q -- '--threads' out || fail "$call does not list --threads"
    done
    awk 'length > 80 { exit 1 }' out || fail "help $command is too wide"
done

# Every documented option of train is there.
expect 0 "$ELMAN" train --help
for name in output level min-count vocab-size normalize max-tokens cell \
    context activation hidden layers embed batch steps sampling epochs \
    updates optimizer lr momentum weight-decay schedule gamma every warmup \
    floor patience clip loss valid valid-fraction log checkpoint \
    checkpoint-every resume dtype threads isa seed quiet json; do
    grep -q -- "--$name" out || fail "train does not know --$name"
done

version=$(awk '/define ELMAN_VERSION_(MAJOR|MINOR|PATCH)/ {
    printf "%s%s", dot, $3; dot = "." }' "$ELMAN_SOURCE/include/elman.h")
expect 0 "$ELMAN" --version
[ "$(cat out)" = "elman $version" ] || fail "--version is not $version"

# ---- A call that is wrong: one line, status 2.
refused 2 'a command is missing'
refused 2 "unknown command 'trian'" trian
refused 2 'unknown option --helpp' --helpp
refused 2 'elman: train: unknown option --hiden (did you mean --hidden?)' \
    train x -o y --hiden 3
refused 2 'unknown option --zzzzzz (elman train --help' train x -o y --zzzzzz
refused 2 'unknown option -x' train x -o y -x
refused 2 '--hidden needs a value (N)' train x -o y --hidden
refused 2 '--output needs a value (FILE)' train x --output --level char
refused 2 '--level needs a value (char|word|byte)' train x -o y --level
refused 2 "--hidden is '3k' (it should be a whole number)" \
    train x -o y --hidden 3k
refused 2 "--hidden is '' (it should be a whole number)" \
    train x -o y --hidden=
refused 2 "--hidden is '0' (it should be at least 1)" train x -o y --hidden 0
refused 2 "--hidden is '-3' (it should be at least 1)" train x -o y --hidden=-3
refused 2 'below 2 to the 63' train x -o y --epochs 9999999999999999999
refused 2 "--lr is 'nan' (it should be a number)" train x -o y --lr nan
refused 2 "--lr is 'inf' (it should be a number)" train x -o y --lr inf
refused 2 "--lr is '1e-3x' (it should be a number)" train x -o y --lr 1e-3x
refused 2 'at least 0 and less than 1' train x -o y --valid-fraction 1
refused 2 "--level 'letter' is not known (there is char|word|byte)" \
    train x -o y --level letter
refused 2 '--quiet takes no value' train x -o y --quiet=yes
refused 2 '--threads' train x -o y --threads 0
refused 2 'something is missing' train -o y
refused 2 'no model file is named (-o FILE)' train x
refused 2 'something is missing' eval model
refused 2 'something is missing' sample
refused 2 "'b' is too much" sample a b
refused 2 "'b' is too much" info a b
refused 2 'unknown option --temprature (did you mean --temperature?)' \
    sample m --temprature 1
refused 2 '--temperature' sample m --temperature 0
refused 2 '--top-p' sample m --top-p 1.5
# After -- nothing is an option.
refused 2 "'--json' is too much" info -- a --json

# Options that mean nothing together.
refused 2 '--gamma means nothing with --schedule constant' \
    train x -o y --gamma 0.5 --schedule constant
refused 2 '--context means nothing with --cell elman' train x -o y --context 3
refused 2 '--momentum means nothing with --optimizer adam' \
    train x -o y --momentum 0.5 --optimizer adam
refused 2 '--proj means nothing with --cell gru' \
    train x -o y --cell gru --proj 3
refused 2 '--reset means nothing with --cell elman' \
    train x -o y --reset before
refused 2 '--activation is of --cell elman' \
    train x -o y --cell lstm --activation tanh
refused 2 '--proj 256 is not below --hidden 256' \
    train x -o y --cell lstm --proj 256
refused 2 '--tie needs --embed 256' train x -o y --tie --embed 128
refused 2 '--locked says nothing without --dropout' train x -o y --locked
refused 2 '--weight-drop is of recurrent weights' \
    train x -o y --cell none --weight-drop 0.5
refused 2 '--stop-after needs a validation' train x -o y --stop-after 2
refused 2 'the run would not end' train x -o y --epochs 0
refused 2 '--valid and --valid-fraction' \
    train x -o y --valid v --valid-fraction 0.1
refused 2 'halve needs a validation' train x -o y --schedule halve
refused 2 'the model would be mixed' train x -o - --json

# ---- Values of every shape: in the next word, after =, after a letter.
refused 1 'nowhere' train nowhere -o y
refused 1 'nowhere' train nowhere --output=y
refused 1 'nowhere' train nowhere -oy
exit 0
