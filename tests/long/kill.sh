#!/bin/sh
# SPDX-License-Identifier: MIT
# kill.sh - a run is killed at a hundred random moments, one after the other,
# and resumed each time; its model is that of a run that was not, byte for byte.
#
# A checkpoint is due after every update, so that many of the moments lie in the
# middle of one being written.  KILLS and SEED may be set.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/../cli/support/checks.sh"

: "${KILLS:=100}"
: "${SEED:=1}"
make_text book.txt 400 1
options='--hidden 24 --batch 4 --steps 20 --cell lstm --dropout 0.1 --clip 1
    --average 0.99 --valid-fraction 0.1 --threads 2 --quiet'

# How many updates a second, to make the run long enough for all that.
# shellcheck disable=SC2086
expect 0 "$ELMAN" train book.txt -o m $options --updates 400 --json \
    --checkpoint c --checkpoint-every 1
rate=$(awk -v s="$(json seconds out)" 'BEGIN { print int(400 / s) + 1 }')
updates=$((rate * 20))
rm -f c c.1 c.2
# shellcheck disable=SC2086
expect 0 "$ELMAN" train book.txt -o whole $options --updates $updates \
    --log whole.log
echo "$updates updates"

# Milliseconds from 5 to 200, as fractions of a second.
awk -v n="$KILLS" -v x="$SEED" 'BEGIN {
    for (i = 0; i < n; i++) {
        x = x * 16807 % 2147483647
        printf "0.%03d\n", 5 + x % 195
    }
}' >moments

rm -f m log
kills=0
early=0
fell_back=0
while read -r moment; do
    resume=
    [ ! -e c ] && [ ! -e c.1 ] || resume='--resume c'
    # shellcheck disable=SC2086
    "$ELMAN" train book.txt -o m $options --updates $updates --log log \
        --checkpoint c --checkpoint-every 1 $resume >out 2>err &
    pid=$!
    sleep "$moment"
    kill -s KILL $pid 2>/dev/null || early=$((early + 1))
    wait $pid 2>/dev/null
    status=$?
    [ $status -eq 137 ] || [ $status -eq 0 ] ||
        fail "status $status of a run that was to be killed"
    [ $status -ne 137 ] || kills=$((kills + 1))
    if [ -s err ]; then
        grep -q 'going on from c\.[12]' err || fail 'a run complained'
        fell_back=$((fell_back + 1))
    fi
    [ $status -ne 0 ] || break
done <moments
made=$(wc -l <log)
echo "killed $kills times, up to update $made; $fell_back fell back"
[ $kills -eq "$KILLS" ] || fail "the run ended after $kills kills"
# shellcheck disable=SC2086
expect 0 "$ELMAN" train book.txt -o m $options --updates $updates --log log \
    --checkpoint c --checkpoint-every 1 --resume c
same m whole
sed 's/, "tokens_per_second": [^,}]*//' log >a
sed 's/, "tokens_per_second": [^,}]*//' whole.log >b
same a b
exit 0
