#!/bin/sh
# SPDX-License-Identifier: MIT
# survive.sh - what may become of the world around a run: its checkpoints'
# folder, its terminal, the clock.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 200 1
options='--hidden 32 --batch 4 --steps 20 --threads 1'

# whole UPDATES: what a run of so many makes that nothing happened to.
whole() {
    # shellcheck disable=SC2086
    expect 0 "$ELMAN" train book.txt -o whole --quiet $options --updates "$1"
}

# begin UPDATES: a run in the background, job $pid, until its log has 20 lines
# and there is a checkpoint.
begin() {
    rm -rf m log gone away
    mkdir gone
    # shellcheck disable=SC2086
    "$ELMAN" train book.txt -o m --quiet $options --updates "$1" --log log \
        --checkpoint gone/c --checkpoint-every 1 >out 2>err &
    pid=$!
    until [ -e gone/c ] && [ -e log ] && [ "$(wc -l <log)" -ge 20 ]; do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.01
    done 2>/dev/null
}

# ---- The checkpoints' folder goes away: it is said once, the run goes on, and
# its end is a failure, but the model is there.  A run that had ended before, or
# was writing its last one, is tried again, longer.
for updates in 500 2000 10000 50000; do
    begin $updates
    mv gone away
    wait $pid
    status=$?
    ! grep -q '^elman: gone/c: cannot be written: No such file' err || break
done
[ "$status" -eq 1 ] || fail "status $status of a run without a checkpoint"
# The one that was being written may have had another thing to say.
[ "$(grep -c '^elman: gone/c: cannot be written: No such file' err)" -eq 1 ] ||
    fail 'it is not said once'
[ "$(wc -l <err)" -le 2 ] || fail 'it is said again and again'
[ "$(wc -l <log)" -eq "$updates" ] || fail 'the run did not go on'
whole "$updates"
same m whole

# It comes back: the last one is written, and all is well.
for updates in 500 2000 10000 50000; do
    begin $updates
    mv gone away
    until [ -s err ]; do
        kill -0 $pid 2>/dev/null || break
        sleep 0.01
    done
    mkdir gone
    wait $pid
    status=$?
    [ ! -e gone/c ] || break
done
[ -s gone/c ] || fail 'the last checkpoint is not there'
[ $status -eq 0 ] || fail "status $status of a run whose disk came back"
grep -q '^elman: gone/c: cannot be written: ' err ||
    fail 'it is not said that the disk was away'
whole "$updates"
same m whole
expect 0 "$ELMAN" train book.txt -o again --quiet --resume gone/c
same again whole
mv away/c kept && rm -rf gone away
expect 0 "$ELMAN" train book.txt -o again --quiet --resume kept
same again whole
options="$options --updates 500"
whole 500

# ---- A folder that cannot be written in is said before an hour is spent.
if command -v setpriv >/dev/null && [ "$(id -u)" -eq 0 ]; then
    mkdir closed && chmod 755 closed && chmod 755 .
    expect 1 setpriv --reuid 65534 --clear-groups "$ELMAN" train book.txt \
        -o - --quiet --updates 1 --checkpoint closed/c
    sentence 'closed/c: the folder closed cannot be written in'
fi

# ---- Nobody reads stderr or stdout any more: training goes on.
rm -f m log
{
    # shellcheck disable=SC2086
    "$ELMAN" train book.txt -o m $options --log log --json
    echo $? >code
} 2>&1 | true
same m whole
[ "$(wc -l <log)" -eq 500 ] || fail 'the log is not whole'

# ---- No wall clock: whoever asks for one dies.
case ${ELMAN_SANITIZE-}${ELMAN_CROSS-} in
'')
    cat >clock.c <<'C'
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <sys/syscall.h>
#include <unistd.h>
time_t time(time_t *out) { (void)out; abort(); }
int gettimeofday(struct timeval *restrict a, void *restrict b)
{ (void)a, (void)b; abort(); }
int clock_gettime(clockid_t id, struct timespec *out)
{
    if (id == CLOCK_REALTIME)
        abort();
    return (int)syscall(SYS_clock_gettime, id, out);
}
C
    if "$CC" -shared -fPIC -o clock.so clock.c 2>err; then
        rm -f m log
        # shellcheck disable=SC2086
        expect 0 env LD_PRELOAD="$PWD/clock.so" "$ELMAN" train book.txt -o m \
            --quiet $options --log log --checkpoint c --checkpoint-every 20
        same m whole
        # That the shim is in place.
        LD_PRELOAD="$PWD/clock.so" date >out 2>err
        [ $? -gt 1 ] || fail 'the shim does not hold'
    fi
    ;;
esac
exit 0
