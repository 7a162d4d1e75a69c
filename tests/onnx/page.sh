#!/bin/sh
# SPDX-License-Identifier: MIT
# page.sh - the commands of docs/onnx.md, in their order: python blocks are run,
# the js block is a file, and of console blocks each command must print what
# stands below it.
# shellcheck source=tests/onnx/support/needs.sh
. "$ELMAN_SOURCE/tests/onnx/support/needs.sh"

needs_onnx
needs_runtime
needs_torch
cd "$WORK"
mkdir bin
ln -s "$ELMAN_PYTHON" bin/python3
ln -s "$ELMAN" bin/elman
PATH=$WORK/bin:$PATH
NODE_PATH=$ELMAN_SOURCE/build/peers/node_modules
export PATH NODE_PATH

awk '
    /^```js$/ { name = "say.js"; next }
    /^```(python|console)$/ { name = sprintf("%02d.%s", ++n, substr($0, 4)); next }
    /^```$/ { name = ""; next }
    name != "" { print >name }' "$ELMAN_SOURCE/docs/onnx.md"

# check COMMAND EXPECTED: an empty command is none.
check() {
    [ -n "$1" ] || return 0
    sh -c "$1" >out || true
    printf '%s' "$2" >expected
    # A text may end without a line's end.
    [ "$(cat out)" = "$(cat expected)" ] || {
        diff expected out || :
        echo "FAILED: $1"
        exit 1
    }
    count=$((count + 1))
}

count=0
for block in [0-9]*; do
    case $block in
    *.python)
        python3 -W ignore "$block" || exit 1
        continue
        ;;
    esac
    command=
    expected=
    while IFS= read -r line; do
        case $line in
        '$ '*)
            check "$command" "$expected"
            command=${line#??}
            expected=
            ;;
        *) expected="$expected$line
" ;;
        esac
    done <"$block"
    check "$command" "$expected"
done
[ "$count" -ge 9 ]
