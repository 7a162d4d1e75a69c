#!/bin/sh
# SPDX-License-Identifier: MIT
# compilers.sh - the bits are the same by gcc and clang at every level of
# optimisation, with instructions that this machine has and without, in strict C
# and where a compiler would contract; C++ takes the header; the self-test can
# fail.
# shellcheck source=tests/csource/support/three.sh
. "$ELMAN_SOURCE/tests/csource/support/three.sh"

if [ -n "$ELMAN_CROSS" ]; then
    echo 'skipped: this build is for another machine (make test is for this)'
    exit 77
fi
found=$(compilers)
if [ -z "$found" ]; then
    echo 'skipped: there is neither gcc nor clang here (make deps)'
    exit 77
fi
write_all

# all COMPILER OPTION...: every model's self-test, compiled side by side.
all() {
    running=
    for name in $names; do
        "$@" -DELMAN_SELF_TEST "$name.c" -o "self_$name" >"said_$name" 2>&1 &
        running="$running $!"
    done
    for pid in $running; do
        wait "$pid" || fail "$*: $(cat said_*)"
    done
    for name in $names; do
        [ ! -s "said_$name" ] || fail "$*: it says $(cat "said_$name")"
        expect 0 "./self_$name"
        grep -q "$name: the self-test passed, bit for bit" out ||
            fail "what the self-test of $name says"
    done
    echo "the same bits: $*"
}

for c in $found; do
    for options in -O0 -O1 -O2 -Os '-O3 -march=native' \
        '-O2 -fno-tree-vectorize'; do
        # shellcheck disable=SC2086
        all "$c" $strict $options
    done
    all "$c" -std=gnu11 -O3 -march=native -ffp-contract=fast
    all "$c" -std=c11 -O2 -Wall -Wextra -Wshadow -Wconversion -Werror \
        -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes
    # shellcheck disable=SC2086
    if echo 'int main(void) { return 0; }' >plain.c &&
        "$c" -fsanitize=address,undefined plain.c -o self 2>err && ./self; then
        all "$c" $strict -O1 -fsanitize=address,undefined \
            -fno-sanitize-recover=all
    fi
done

# Without fused multiply-adds the numbers are others, but the same by all, but
# where clang is told to contract whatever a file says.
network model.safetensors G=4 I=3 H=19 P=9 L=2 O=3
as_c model model.safetensors
inputs 30 3 >x.csv
expect 0 "$ELMAN" run model.safetensors x.csv y.csv
first=
for c in $found; do
    for options in -O0 '-O3 -march=native' \
        '-std=gnu11 -O3 -march=native -ffp-contract=fast'; do
        case $c$options in
        clang*=fast) continue ;;
        esac
        # shellcheck disable=SC2086
        expect 0 "$c" $options -Wall -Wextra -Werror -I. -DMODEL_NO_FMA \
            model.c "$support/print.c" -o print
        expect 0 ./print x.csv
        if [ -z "$first" ]; then
            mv out first
            first=yes
            # shellcheck disable=SC2086
            expect 0 "$c" $strict -I. model.c "$support/print.c" -o print
            expect 0 ./print x.csv
            ! cmp -s out first || fail 'NO_FMA changes nothing'
        else
            same out first
        fi
        # shellcheck disable=SC2086
        expect 0 "$c" $options -DMODEL_NO_FMA -DELMAN_SELF_TEST model.c -o self
        expect 0 ./self
        grep -q 'to about three digits' out || fail 'what the self-test says'
    done
done
echo 'the same bits without fused multiply-adds'

# What IEEE 754 is not asked of.
for c in $found; do
    expect 1 "$c" -O2 -ffast-math -c model.c -o model.o
    grep -q 'no -ffast-math' err || fail '-ffast-math is taken'
done

# A weight that is another, an output that is another.
sed '/^static const weight w_hh_0/,/^};/s/0x[0-9a-f]*p/0x3p/' model.c >broken.c
expect 0 "$CC" -DELMAN_SELF_TEST broken.c -o self
expect 1 ./self
grep -q 'the self-test failed at step' out || fail 'what the self-test says'
sed 's/#define TEST_SUM 0x\(.\)/#define TEST_SUM 0x9/;
    s/#define TEST_SUM 0x9/#define TEST_SUM 0x8/' model.c >broken.c
expect 0 "$CC" -DELMAN_SELF_TEST broken.c -o self
expect 1 ./self
echo 'the self-test fails where it should'

for c in ${CXX:-c++} g++ clang++; do
    if command -v "$c" >/dev/null; then
        printf '%s\n' '#include "n_words.h"' '#include "n_lstm.h"' \
            '#include "n_lstm.h"' \
            'int main() { static n_lstm_state s; static n_words_state w;' \
            'float y[N_LSTM_OUTPUTS], x[N_LSTM_INPUTS] = {1, 2, 3};' \
            'n_lstm_init(&s); n_lstm_step(&s, x, y); n_words_init(&w);' \
            'n_words_step(&w, 1, nullptr); return 0; }' >use.cpp
        expect 0 "$CC" -c n_words.c -o n_words.o
        expect 0 "$CC" -c n_lstm.c -o n_lstm.o
        expect 0 "$c" -std=c++11 -Wall -Wextra -Werror -pedantic use.cpp \
            n_words.o n_lstm.o -o use
        expect 0 ./use
        echo "C++: $c"
    fi
done
exit 0
