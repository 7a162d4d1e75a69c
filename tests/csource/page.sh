#!/bin/sh
# SPDX-License-Identifier: MIT
# page.sh - the commands of docs/c-source.md, in their order: each prints what
# stands below it, but for the digits of numbers.
# shellcheck source=tests/cli/support/checks.sh
. "$ELMAN_SOURCE/tests/cli/support/checks.sh"

if [ -z "$ELMAN_PYTHON" ]; then
    echo 'skipped: there is no PyTorch (make deps-torch)'
    exit 77
fi
if [ -n "$ELMAN_CROSS" ]; then
    echo 'skipped: this build is for another machine (make test is for this)'
    exit 77
fi
printf 'PK\003\004' >none.pt
if "$ELMAN" convert none.pt none.safetensors 2>&1 | grep -q 'without libzip'; then
    echo 'skipped: this build is without libzip (make deps)'
    exit 77
fi
echo 'float x;' >empty.c
if ! clang --target=thumbv7em-none-eabihf -c empty.c 2>err; then
    echo 'skipped: there is no clang for ARM here (make deps)'
    exit 77
fi
mkdir bin
ln -s "$ELMAN_PYTHON" bin/python3
ln -s "$ELMAN" bin/elman
PATH=$WORK/bin:$PATH
export PATH

awk '
    /^```python$/ { name = "train.py"; next }
    /^```c$/ { name = "main.c"; next }
    /^```console$/ { name = sprintf("%d.console", ++n); next }
    /^```$/ { name = ""; next }
    name != "" { print >name }' "$ELMAN_SOURCE/docs/c-source.md"

digits() {
    sed 's/[0-9][0-9.,]*\(e-[0-9]*\)\{0,1\}/N/g'
}

# check COMMAND EXPECTED: an empty command is none.
check() {
    [ -n "$1" ] || return 0
    sh -c "$1" >out 2>err || fail "$1"
    [ ! -s err ] || fail "$1: it says something"
    printf '%s' "$2" | digits >expected
    digits <out >said
    if ! diff expected said; then
        fail "$1"
    fi
    count=$((count + 1))
}

count=0
for block in 1.console 2.console; do
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
    done <$block
    check "$command" "$expected"
done
[ "$count" -eq 7 ] || fail "$count commands"

# What the program printed is what `elman run` says.
printf '0.5,-1,0\n1,2,3\n' >steps.csv
expect 0 elman convert forecast.pt forecast.safetensors
expect 0 elman run forecast.safetensors steps.csv want.csv
./forecast <steps.csv | paste -d' ' - want.csv | awk '
    { e = $1 - $2; if (e > 1e-8 || e < -1e-8) exit 1; n++ }
    END { exit n != 2 }' || fail 'elman run says something else'
exit 0
