#!/bin/sh
# SPDX-License-Identifier: MIT
# The commands of docs/from-pytorch.md, in their order: python blocks are run,
# and of console blocks each command must print what stands below it.
set -eu

if [ -z "$ELMAN_PYTHON" ]; then
    echo 'skipped: there is no PyTorch (make deps-torch)'
    exit 77
fi
printf 'PK\003\004' >"$WORK/none.pt"
if "$ELMAN" convert "$WORK/none.pt" "$WORK/none.safetensors" 2>&1 |
    grep -q 'without libzip'; then
    echo 'skipped: this build is without libzip (make deps)'
    exit 77
fi
cd "$WORK"
PATH=$(dirname "$ELMAN"):$PATH
export PATH

awk '
    /^```(python|console)$/ { name = sprintf("%02d.%s", ++n, substr($0, 4)); next }
    /^```$/ { name = ""; next }
    name != "" { print >name }' "$ELMAN_SOURCE/docs/from-pytorch.md"

# check COMMAND EXPECTED: an empty command is none.
check() {
    [ -n "$1" ] || return 0
    sh -c "$1" >out || true
    printf '%s' "$2" >expected
    if ! diff expected out; then
        echo "FAILED: $1"
        exit 1
    fi
}

count=0
for block in [0-9]*; do
    count=$((count + 1))
    case $block in
    *.python)
        "$ELMAN_PYTHON" "$block" || exit 1
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
[ "$count" -ge 10 ]
