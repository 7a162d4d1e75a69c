#!/bin/sh
# SPDX-License-Identifier: MIT
# page.sh - the program of docs/embedding.md, compiled as that page says, loads
# a model and goes on with a text.
# shellcheck source=tests/consume/support/tree.sh
. "$ELMAN_SOURCE/tests/consume/support/tree.sh"

command -v pkg-config >/dev/null || {
    echo 'skipped: pkg-config is not installed (make deps)'
    exit 77
}
quietly cmake --install "$ELMAN_BUILD" --prefix "$WORK/tree"
PKG_CONFIG_PATH=$WORK/$(library_folder tree)/pkgconfig
LD_LIBRARY_PATH=$WORK/$(library_folder tree)
export PKG_CONFIG_PATH LD_LIBRARY_PATH

awk '/^```c$/ { inside = 1; next }
    /^```$/ && inside { exit }
    inside' "$ELMAN_SOURCE/docs/embedding.md" >stream.c
[ "$(grep -c . stream.c)" -le 45 ] || fail 'the program has grown'
# shellcheck disable=SC2046
quietly "$CC" -std=c11 -Wall -Wextra -Werror stream.c -o stream \
    $(pkg-config --cflags --libs elman)

for i in 1 2 3 4 5 6 7 8; do
    echo "the time machine went on $i times, and the time traveller came back"
done >text.txt
quietly "$ELMAN" train text.txt -o m.safetensors --hidden 16 --batch 2 \
    --steps 8 --epochs 2 --threads 1 --quiet
./stream m.safetensors 'the time' >out || fail 'the program failed'
[ "$(head -c 8 out)" = 'the time' ] || fail 'it does not begin with the text'
[ "$(wc -m <out)" -ge 250 ] || fail 'it does not go on'
./stream m.safetensors 'the time' | cmp - out || fail 'it goes on otherwise'
if ./stream none.safetensors >out 2>err; then
    fail 'a model that is not there was loaded'
fi
grep -q 'none.safetensors: .*No such file' err || fail 'the sentence'
