#!/bin/sh
# SPDX-License-Identifier: MIT
# The shared library exports what elman.h declares, all of it and nothing more;
# the static one defines no name outside elman_ and el_.
set -eu

if [ -n "$ELMAN_SANITIZE" ]; then
    echo 'skipped: a sanitizer adds symbols of its own'
    exit 77
fi
if ! command -v nm >/dev/null; then
    echo 'skipped: there is no nm here (make deps)'
    exit 77
fi
LC_ALL=C
export LC_ALL

# One declaration a line; the name is the word before its first parenthesis.
"$CC" -E -P "$ELMAN_SOURCE/include/elman.h" | tr '\n;' ' \n' |
    sed -n 's/.*visibility("default")))//p' | sed 's/ *(.*//; s/.*[ *]//' |
    sort >"$WORK/declared"
nm -D --defined-only "$ELMAN_BUILD/libelman.so" | awk '{ print $3 }' |
    sort >"$WORK/exported"
[ "$(wc -l <"$WORK/declared")" -gt 20 ]

status=0
comm -23 "$WORK/declared" "$WORK/exported" >"$WORK/missing"
comm -13 "$WORK/declared" "$WORK/exported" >"$WORK/extra"
if [ -s "$WORK/missing" ]; then
    echo 'declared in elman.h, but not in libelman.so:'
    cat "$WORK/missing"
    status=1
fi
if [ -s "$WORK/extra" ]; then
    echo 'in libelman.so, but not declared in elman.h:'
    cat "$WORK/extra"
    status=1
fi
if nm -g --defined-only "$ELMAN_BUILD/libelman.a" |
    awk 'NF == 3 && $3 !~ /^(el|elman)_/ { print $3 }' | grep .; then
    echo 'these names of libelman.a belong to nobody (el_ or elman_)'
    status=1
fi
exit $status
