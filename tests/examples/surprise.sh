#!/bin/sh
# SPDX-License-Identifier: MIT
# Of three thousand lines of a log the two that are unlike the others are found,
# by a model that knew nothing before the first of them.
set -eu

cd "$WORK"
awk 'BEGIN {
    x = 7
    for (i = 1; i <= 3000; i++) {
        x = x * 16807 % 2147483647
        if (i == 1700)
            print "kernel: Out of memory: killed process 812 (postgres)"
        else if (i == 2500)
            print "sshd: accepted password for root from 203.0.113.9"
        else
            printf "web: GET /item/%d status 200 in %d ms\n", x % 1000, x % 90
    }
}' >log
"$1" <log >out 2>err
cat out err
cut -f 1 out | tr '\n' ' ' >lines
[ "$(cat lines)" = '1700 2500 ' ]
grep -q '^3000 lines' err
# A line may begin with a zero, and the last one end without a newline.
{
    head -n 899 log
    printf '\000\n'
    tail -n +900 log
    printf 'cron: nothing of this kind was here before'
} >zeros
"$1" <zeros >out 2>err
cat -v out err
cut -f 1 out | tr '\n' ' ' >lines
[ "$(cat lines)" = '900 1701 2501 3002 ' ]
[ "$(tail -c 1 out | od -An -c | tr -d ' ')" = '\n' ]
# Its model may come from the command, and then knows the log already.
[ -x "${ELMAN:-}" ] || exit 0
"$ELMAN" train log -o m --level byte --hidden 64 --epochs 3 --quiet
"$1" m <log >out 2>err
cat out err
cut -f 1 out | tr '\n' ' ' >lines
[ "$(cat lines)" = '1700 2500 ' ]
"$ELMAN" train log -o m --hidden 8 --updates 1 --quiet
if "$1" m <log 2>err; then
    exit 1
fi
grep -q 'bytes' err
