#!/bin/sh
# SPDX-License-Identifier: MIT
# A model writes one token a call, and no call allocates.
set -eu

cd "$WORK"
"$1" >out 2>err
cat out err
[ "$(head -c 7 out)" = '/* The ' ]
[ "$(wc -c <out)" -ge 200 ]
grep -q '^207 steps, no allocation in any of them$' err
# Its model is a model like any other, and it takes any other.
"$1" step.safetensors 'int' >again 2>err
[ "$(head -c 3 again)" = 'int' ]
grep -q '^203 steps' err
if [ -x "$ELMAN" ]; then
    "$ELMAN" info step.safetensors
fi
if "$1" no.safetensors 2>err; then
    exit 1
fi
grep -q 'no.safetensors' err
