#!/bin/sh
# SPDX-License-Identifier: MIT
# The public header is complete by itself, in strict C11 and in C++17.
set -eu

warnings='-Wall -Wextra -pedantic -Werror -fsyntax-only'
echo '#include <elman.h>
elman_rnn_desc rnn = ELMAN_RNN_DESC;
elman_context_desc context = ELMAN_CONTEXT_DESC;' >"$WORK/alone.c"
# shellcheck disable=SC2086
"$CC" -std=c11 $warnings -Wstrict-prototypes -I "$ELMAN_SOURCE/include" \
    "$WORK/alone.c"
echo 'C11: passed'

# C++ knows designated initialisers from 2020 on: no descriptor's macro here.
for cxx in "${CXX:-c++}" g++ clang++; do
    if command -v "$cxx" >/dev/null; then
        echo '#include <elman.h>
#include <elman.h>
int main() { return elman_version() == nullptr; }' >"$WORK/alone.cpp"
        # shellcheck disable=SC2086
        "$cxx" -std=c++17 $warnings -I "$ELMAN_SOURCE/include" \
            "$WORK/alone.cpp"
        echo "C++17 by $cxx: passed"
        exit 0
    fi
done
echo 'C++17: not tried, there is no C++ compiler here (make deps)'
