# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# models.sh - what the tests of C source share: networks of every kind with
# random weights, and C compilers.
# shellcheck source=tests/cli/support/checks.sh
. "$ELMAN_SOURCE/tests/cli/support/checks.sh"

support=$ELMAN_SOURCE/tests/csource/support
strict='-std=c99 -Wall -Wextra -Werror -pedantic'
seed=1

# tensors FILE NAME:ROWS[:COLUMNS]...: an F32 file without metadata, of random
# numbers with a full mantissa, 2^-5 to 1 in size.
tensors() {
    file=$1
    shift
    seed=$((seed + 1))
    printf '%s\n' "$@" | awk -F: -v x="$seed" '
        function draw(n) { x = x * 16807 % 2147483647; return int(x / 8) % n }
        BEGIN { at = 0; draw(2) }
        {
            shape = $3 == "" ? $2 : $2 "," $3
            count = $3 == "" ? $2 : $2 * $3
            line = line comma "\"" $1 "\":{\"dtype\":\"F32\",\"shape\":[" \
                shape "],\"data_offsets\":[" at "," at + 4 * count "]}"
            comma = ","
            at += 4 * count
            for (i = 0; i < count; i++) {
                e = 122 + draw(5)
                printf "\\0%o\\0%o\\0%o\\0%o\n", draw(256), draw(256),
                    draw(128) + e % 2 * 128, int(e / 2) + draw(2) * 128 \
                    >"numbers"
            }
        }
        END {
            line = "{" line "}"
            while (length(line) % 8 != 0)
                line = line " "
            printf "%s", line >"header"
        }'
    size=$(wc -c <header)
    {
        # shellcheck disable=SC2059
        printf "\\$(printf %o $((size % 256)))\\$(printf %o $((size / 256)))"
        printf '\0\0\0\0\0\0'
        cat header
        printf '%b' "$(tr -d '\n' <numbers)"
    } >"$file"
    rm header numbers
}

# network FILE KEY=NUMBER...: one of these sizes; G gates, L layers, P a
# projection, V and E an embedding, O a decoder.  What is left over goes to
# `elman convert`.
network() {
    model=$1
    shift
    G=1 I=3 H=5 L=1 P=0 V=0 E=0 O=0 bias=1 dbias=1
    while [ $# -gt 0 ]; do
        case $1 in
        [GIHLPVEO]=* | bias=* | dbias=*) eval "$1" ;;
        *) break ;;
        esac
        shift
    done
    out=$((P > 0 ? P : H))
    input=$((E > 0 ? E : I))
    list=
    [ "$E" -eq 0 ] || list="embedding.weight:$V:$E"
    for n in $(seq 0 $((L - 1))); do
        list="$list rnn.weight_ih_l$n:$((G * H)):$input"
        list="$list rnn.weight_hh_l$n:$((G * H)):$out"
        [ "$bias" -eq 0 ] || list="$list rnn.bias_ih_l$n:$((G * H)) \
            rnn.bias_hh_l$n:$((G * H))"
        [ "$P" -eq 0 ] || list="$list rnn.weight_hr_l$n:$P:$H"
        input=$out
    done
    [ "$O" -eq 0 ] || list="$list decoder.weight:$O:$out"
    [ "$O" -eq 0 ] || [ "$dbias" -eq 0 ] || list="$list decoder.bias:$O"
    # shellcheck disable=SC2086
    tensors weights.safetensors $list
    expect 0 "$ELMAN" convert weights.safetensors "$model" --quiet "$@"
}

# inputs STEPS WIDTH [V]: lines of numbers, or of tokens below V.
inputs() {
    seed=$((seed + 1))
    awk -v steps="$1" -v width="$2" -v vocab="${3:-0}" -v x="$seed" '
        function draw(n) { x = x * 16807 % 2147483647; return int(x / 8) % n }
        BEGIN {
            draw(2)
            for (t = 0; t < steps; t++) {
                line = ""
                for (i = 0; i < width; i++)
                    line = line (i ? "," : "") \
                        (vocab ? draw(vocab) : draw(400000) / 100000 - 2)
                print line
            }
        }'
}

# compile COMPILER OPTION...: model.c with the program that compares, strictly.
compile() {
    compiler=$1
    shift
    # shellcheck disable=SC2086
    expect 0 "$compiler" $strict -I. "$@" model.c "$support/drive.c" -o drive
    [ ! -s err ] || fail "$compiler $*: it says something"
}

# as_run MODEL OPTION...: model.c of this model gives what `elman run` gives.
as_run() {
    expect 0 "$ELMAN" convert "$1" model.c --name model --quiet
    expect 0 "$ELMAN" run "$1" x.csv y.csv
    shift
    compile "$CC" -O2 "$@"
    expect 0 ./drive x.csv y.csv
}

# The compilers for this machine.
compilers() {
    for c in gcc clang; do
        ! command -v $c >/dev/null || echo $c
    done
}
