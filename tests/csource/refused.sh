#!/bin/sh
# SPDX-License-Identifier: MIT
# refused.sh - what has no place in a C file is one sentence; names; the bytes
# are the same each time, whatever the locale.
# shellcheck source=tests/csource/support/models.sh
. "$ELMAN_SOURCE/tests/csource/support/models.sh"

network net.safetensors G=4 I=3 H=5 O=2

# ---- What cannot be written.
tensors both.safetensors weight_ih_l0:5:3 weight_hh_l0:5:5 \
    weight_ih_l0_reverse:5:3 weight_hh_l0_reverse:5:5
expect 0 "$ELMAN" convert both.safetensors two.safetensors
refused 1 'runs in both directions, and a C file takes one step after another' \
    convert two.safetensors new.c
expect 0 "$ELMAN" convert net.safetensors wide.safetensors --dtype f64
refused 1 'is of float64, and C source is of float32' \
    convert wide.safetensors new.c
refused 1 'is of float64' convert wide.safetensors new.c --weights int8
expect 0 "$ELMAN" convert wide.safetensors wide.c --dtype f32 --name net
expect 0 "$ELMAN" convert net.safetensors net.c
sed 's/"net\.h"/"wide.h"/' net.c >same.c
same wide.c same.c
same wide.h net.h

# The last number of a file is the last bias: as an infinite one, and as NaN.
size=$(wc -c <weights.safetensors)
for bits in '\0\0\0200\0177:infinite' '\0\0\0300\0177:NaN'; do
    head -c $((size - 4)) weights.safetensors >odd.safetensors
    printf '%b' "${bits%:*}" >>odd.safetensors
    refused 1 "decoder.bias: number 1 is ${bits#*:}, and C has no constant" \
        convert odd.safetensors new.c
done
{
    head -c $((size - 4)) weights.safetensors
    printf '\0\0\0\200'
} >zero.safetensors
expect 0 "$ELMAN" convert zero.safetensors zero.c
grep -q -e '-0.f,$' zero.c || fail 'minus zero is lost'

# ---- Calls.
expect 0 "$ELMAN" convert net.safetensors new.safetensors --weights int8
refused 2 '--weights bfloat16 is of OUT.c alone' \
    convert net.safetensors new.safetensors --weights bfloat16
refused 2 '--name is of OUT.c alone' \
    convert net.safetensors new.safetensors --name x
refused 2 '--measure goes with --weights bfloat16 or int8' \
    convert net.safetensors new.safetensors --measure x.npy
refused 2 '--measure goes with --weights bfloat16 or int8' \
    convert net.safetensors new.c --measure x.npy
refused 2 'net.c: cannot be read by its name' convert net.c new.safetensors
refused 1 'missing.npy: ' \
    convert net.safetensors new.c --weights int8 --measure missing.npy
refused 1 'nowhere/new.h: ' convert net.safetensors nowhere/new.c

# ---- Names.
refused 1 '2x: no name for C (letters, digits and underscores' \
    convert net.safetensors new.c --name 2x
refused 1 'a-b: no name for C' convert net.safetensors new.c --name a-b
refused 2 '--name is empty' convert net.safetensors new.c --name ''
refused 1 'no name for C .*at most 100' convert net.safetensors new.c \
    --name "$(printf 'x%0100d' 0)"
refused 1 'no #include can name the header' convert net.safetensors 'a"b.c'
[ ! -e new.c ] || fail 'something was written'
[ ! -e new.h ] || fail 'a header was written'
mkdir folder
expect 0 "$ELMAN" convert net.safetensors 'folder/2 big-Nets.c'
grep -q '^#include "2 big-Nets.h"$' 'folder/2 big-Nets.c' || fail 'the header'
grep -q '^void m2_big_Nets_init(m2_big_Nets_state \*state);$' \
    'folder/2 big-Nets.h' || fail 'the name of a file'
grep -q '^#define M2_BIG_NETS_OUTPUTS 2$' 'folder/2 big-Nets.h' ||
    fail 'the name in capitals'
# shellcheck disable=SC2086
expect 0 "$CC" $strict -c 'folder/2 big-Nets.c' -o net.o

# ---- The same bytes.
mkdir again
expect 0 "$ELMAN" convert net.safetensors again/net.c --threads 1 --isa c
same again/net.c net.c
same again/net.h net.h
for locale in $(locale -a 2>/dev/null | grep -E '^(de|fr|pl|ru)_' | head -n 2); do
    LC_ALL=$locale expect 0 "$ELMAN" convert net.safetensors again/net.c
    same again/net.c net.c
done

# ---- Comments take any words.
text='a *_ b ??!.txt'
printf 'x,y\n' >"$text"
expect 0 quick "$ELMAN_SOURCE/LICENSE" -o lm.safetensors --updates 5
expect 0 "$ELMAN" convert lm.safetensors lm.c --weights int8 \
    --measure "$text"
# shellcheck disable=SC2086
expect 0 "$CC" $strict -c lm.c -o lm.o
exit 0
