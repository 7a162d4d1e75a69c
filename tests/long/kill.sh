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

# Milliseconds from 5 to 200, as fractions of a second.
awk -v n="$KILLS" -v x="$SEED" 'BEGIN {
    for (i = 0; i < n; i++) {
        x = x * 16807 % 2147483647
        printf "0.%03d\n", 5 + x % 195
    }
}' >moments

# run UPDATES: starts the run, or goes on with it.
run() {
    resume=
    [ ! -e c ] && [ ! -e c.1 ] || resume='--resume c'
    # shellcheck disable=SC2086
    exec "$ELMAN" train book.txt -o m $options --updates "$1" --log log \
        --checkpoint c --checkpoint-every 1 $resume >out 2>err
}

# kill_all UPDATES: a run of so many, killed at all moments; 1 where it was over
# before the last one.
kill_all() {
    rm -f m log c c.1 c.2
    kills=0
    fell_back=0
    while read -r moment; do
        run "$1" &
        pid=$!
        sleep "$moment"
        kill -s KILL $pid 2>/dev/null
        wait $pid 2>/dev/null
        status=$?
        [ $status -ne 0 ] || return 1
        [ $status -eq 137 ] ||
            fail "status $status of a run that was to be killed"
        kills=$((kills + 1))
        if [ -s err ]; then
            grep -q 'going on from c\.[12]' err || fail 'a run complained'
            fell_back=$((fell_back + 1))
        fi
    done <moments
    return 0
}

# How many updates a second, for a run that is long enough; a longer one if not.
# shellcheck disable=SC2086
expect 0 "$ELMAN" train book.txt -o m $options --updates 400 --json \
    --checkpoint c --checkpoint-every 1
rate=$(awk -v s="$(json seconds out)" 'BEGIN { print int(400 / s) + 1 }')
updates=$((rate * 20))
until kill_all $updates; do
    echo "the run of $updates updates ended after $kills kills"
    updates=$((updates * 2))
    [ $updates -lt 100000000 ] || fail 'the runs end before they are killed'
done
made=$(wc -l <log)
echo "killed $kills times, up to update $made of $updates; $fell_back fell back"
[ $kills -eq "$KILLS" ] || fail 'not all moments came'
# shellcheck disable=SC2086
expect 0 "$ELMAN" train book.txt -o whole $options --updates $updates \
    --log whole.log
(run $updates) || fail 'the run cannot go on'
same m whole
sed 's/, "tokens_per_second": [^,}]*//' log >a
sed 's/, "tokens_per_second": [^,}]*//' whole.log >b
same a b
exit 0
