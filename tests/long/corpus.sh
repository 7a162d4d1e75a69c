#!/bin/sh
# SPDX-License-Identifier: MIT
# corpus.sh - texts of more than 2^32 bytes and characters, at every level: in
# the memory that small ones take, and with every token where it belongs.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/../cli/support/checks.sh"

free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1000000) }')
if [ "$free" -lt 6 ]; then
    echo "skipped: a text of 4.5 GB wants 6 GB of disk, and there are $free"
    exit 77
fi
# Puts into a file the most memory that a program took, in kB, as the system says
# when it has ended.
cat >peak.c <<'C'
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    int status;
    struct rusage used;
    const pid_t pid = argc > 2 ? fork() : -1;
    if (pid == 0) {
        execv(argv[2], argv + 2);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &used) != pid)
        return 127;
    FILE *const file = fopen(argv[1], "w");
    if (!file || fprintf(file, "%ld\n", (long)used.ru_maxrss) < 0 ||
        fclose(file))
        return 127;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
C
if ! "$CC" peak.c -o peak 2>err; then
    echo 'skipped: nothing says here what memory a process took'
    exit 77
fi

# A text of somewhat more than 2^20 characters, some of them of two and three
# bytes; 64 and 4096 of it, one behind the other.
awk 'BEGIN {
    x = 1
    for (i = 0; i < 24000; i++) {
        line = ""
        for (j = 0; j < 7; j++) {
            x = x * 16807 % 2147483647
            line = line (x % 4 < 3 ? "word" x % 50 : "a" x % 2000) " "
        }
        x = x * 16807 % 2147483647
        print line (x % 8 ? "end" : "\303\251\342\202\254") "."
    }
}' >unit.txt
# eightfold FROM TO
eightfold() {
    cat "$1" "$1" "$1" "$1" "$1" "$1" "$1" "$1" >"$2"
}
eightfold unit.txt eight.txt
eightfold eight.txt small.txt
eightfold small.txt many.txt
eightfold many.txt large.txt
rm many.txt eight.txt
[ "$(wc -c <large.txt)" -gt 4294967296 ] || fail 'the text is too short'

# memory COMMAND...: runs it, and puts into $peak the most that it took, in kB.
memory() {
    expect 0 ./peak took "$@"
    peak=$(cat took)
}

# One unit at the end is held out, which is so far from the beginning that no
# place in it fits 32 bits; what it costs is what the unit alone costs.
# check LEVEL SAMPLING OPTION...
check() {
    level=$1
    sampling=$2
    shift 2
    for size in small large; do
        part=0.015625
        [ $size = small ] || part=0.000244140625
        begin=$(date +%s)
        memory "$ELMAN" train $size.txt -o m --level "$level" \
            --sampling "$sampling" --hidden 8 --batch 8 --steps 10 \
            --updates 300 --threads 1 --valid-fraction $part --quiet --json "$@"
        eval "$size=$peak"
        echo "$level, $sampling, $size: $peak kB, $(($(date +%s) - begin)) s"
    done
    valid=$(json valid_loss out)
    expect 0 "$ELMAN" eval m unit.txt --json
    [ "$(json nats_per_token out)" = "$valid" ] ||
        fail "$valid was measured at the end of the text"
    # shellcheck disable=SC2154
    [ "$large" -lt $((small + 12000)) ] || fail 'memory grows with the text'
}

check byte random
check char random
check char sequential --normalize letters
check word random --embed 8 --min-count 2 --vocab-size 500

exit 0
