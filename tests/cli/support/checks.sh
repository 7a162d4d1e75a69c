# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# checks.sh - what the tests of the command share.
#
# A test runs in $WORK, calls $ELMAN, and ends at the first thing that is not
# as it should be.
set -u
unset ELMAN_ISA
cd "$WORK" || exit 1

fail() {
    echo "FAILED: $*"
    echo "--- stdout of the last command:"
    head -c 2000 out
    echo "--- its stderr:"
    head -c 2000 err
    exit 1
}

# expect STATUS COMMAND...: runs it, with stdout in out and stderr in err.
expect() {
    wanted=$1
    shift
    "$@" >out 2>err
    status=$?
    [ "$status" -eq "$wanted" ] || fail "status $status, not $wanted: $*"
}

# sentence PATTERN: the last command wrote one line on stderr, like this.
sentence() {
    [ "$(wc -l <err)" -eq 1 ] || fail "stderr is not one line (for: $1)"
    grep -q '^elman: ' err || fail 'the line does not begin with elman:'
    grep -q -e "$1" err || fail "the sentence is not like: $1"
}

# refused STATUS PATTERN ARGUMENT...: elman fails so, with nothing on stdout.
refused() {
    wanted=$1
    pattern=$2
    shift 2
    expect "$wanted" "$ELMAN" "$@" </dev/null
    sentence "$pattern"
    [ ! -s out ] || fail "something is on stdout: elman $*"
}

same() {
    differ=$(cmp "$1" "$2" 2>&1) || fail "$1 and $2 differ: $differ"
}

# make_text FILE LINES SEED: sentences of few words, the same everywhere.
make_text() {
    awk -v lines="$2" -v x="$3" '
        function draw(n) { x = x * 16807 % 2147483647; return x % n + 1 }
        BEGIN {
            a = split("the a this that one", article, " ")
            n = split("time machine traveller laboratory garden evening " \
                      "morlock lamp door story", noun, " ")
            v = split("saw left found heard followed was", verb, " ")
            for (i = 0; i < lines; i++)
                printf "%s %s %s %s %s.\n", article[draw(a)], noun[draw(n)],
                    verb[draw(v)], article[draw(a)], noun[draw(n)]
        }' >"$1"
}

# json KEY FILE: the number or word that belongs to KEY, in one line of JSON.
json() {
    sed -n "s/.*\"$1\": *\"\{0,1\}\([^,}\"]*\).*/\1/p" "$2" | head -n 1
}

# valid_json FILE: every line is JSON, as far as this machine can tell.
valid_json() {
    if command -v python3 >/dev/null; then
        python3 -c '
import json, sys
for line in open(sys.argv[1]):
    json.loads(line)' "$1" || fail "$1: is not JSON"
    else
        grep -qv '^{.*}$' "$1" && fail "$1: a line is not like JSON"
    fi
    return 0
}

# less A B: as numbers.
less() {
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a + 0 < b + 0) }'
}

# quick TEXT... OPTION...: trains a model that learns in a moment, by the same
# recipe whatever the defaults are.
quick() {
    "$ELMAN" train --hidden 16 --batch 4 --steps 10 --optimizer adam \
        --lr 0.003 --schedule constant --threads 1 --quiet "$@"
}
