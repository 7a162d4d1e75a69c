#!/bin/sh
# SPDX-License-Identifier: MIT
# completion.sh - what bash offers is what the program takes.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

if ! command -v bash >/dev/null; then
    echo 'skipped: there is no bash here'
    exit 77
fi
script=$ELMAN_SOURCE/cli/completion.sh

# offered WORD...: in out, a line each, what may stand in the last word's place.
offered() {
    # shellcheck disable=SC2016
    expect 0 bash -c '
        source "$1" || exit 1
        COMP_WORDS=("${@:2}")
        COMP_CWORD=$(($# - 2))
        _elman
        ((${#COMPREPLY[@]} == 0)) || printf "%s\n" "${COMPREPLY[@]}"' \
        bash "$script" "$ELMAN" "$@"
    [ ! -s err ] || fail "there are words on stderr: $*"
}

# offers LIST WORD...: exactly these.
offers() {
    list=$1
    shift
    offered "$@"
    # shellcheck disable=SC2086
    [ "$(cat out)" = "$(printf '%s\n' $list)" ] ||
        fail "what is offered is not '$list' (for: elman $*)"
}

# How bash itself comes to call it.
# shellcheck disable=SC2016
expect 0 bash -c 'source "$1" && complete -p elman' bash "$script"
[ "$(cat out)" = 'complete -o default -F _elman elman' ] ||
    fail 'bash does not know elman'

# ---- Commands, as the program lists them.
commands=$("$ELMAN" --help | sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p' |
    grep -v '^elman$')
[ "$(echo "$commands" | wc -l)" -ge 7 ] || fail 'there are commands missing'
offers "$commands help --help --version" ''
offers "$commands" help ''
offers train t
offers 'sample' help s
offers '' help train ''
offers '--help --version' --

# ---- Options: every one that is offered is known, and every one in the help
# is offered.
for command in $commands; do
    "$ELMAN" "$command" --help | awk '/^  (-., )?--/ {
        print $1 ~ /,$/ ? $2 : $1 }' >wanted
    offered "$command" --
    same wanted out
    mv out options
    while read -r name; do
        [ "$name" = --help ] && continue
        # The other one, which no command has, keeps it from running.
        "$ELMAN" "$command" "$name" --no-such-option </dev/null >out 2>err
        grep -q "unknown option $name" err && fail "$command takes no $name"
    done <options
done
offers '--valid --valid-fraction' train book.txt --val
offers '' train -- --val
offers '' nonsense --
offers '' train bo

# ---- Choices, by every way to give a value.
offers 'elman none lstm gru' train --cell ''
offers 'lstm' train --cell l
offers 'elman none lstm gru' train --cell =
offers 'gru' train --cell = g
offers '--cell=gru' train --cell=g
offers 'f32 f64 bf16 int8' bench --dtype ''
offers "$("$ELMAN" info | sed -n 's/^levels *\([^(]*\).*/\1/p')" train --isa ''

# ---- Files and numbers are not the program's to offer; a text that is - is no
# option.
offers '' train --output ''
offers '' train -o ''
offers '' train --hidden ''
offers '' train - ''
offers '' sample m --prompt ''
exit 0
