#!/bin/sh
# SPDX-License-Identifier: MIT
# baseline.sh - eval --baseline against the same counts made by awk.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 200 1
make_text rest.txt 30 2
expect 0 quick book.txt -o m --level word --updates 1
expect 0 "$ELMAN" eval m rest.txt --baseline book.txt --json
cp out figures
expect 0 "$ELMAN" info m --json
V=$(json vocabulary out)

awk -v V="$V" '
    function take(b) {
        if (FILENAME == "book.txt") {
            n++; single[b]++
            if (counting++) { before[a]++; pair[a, b]++ }
        } else if (measuring++) {
            u -= log((single[b] + 1) / (n + V))
            p -= log((pair[a, b] + 1) / (before[a] + V))
        }
        a = b
    }
    { for (i = 1; i <= NF; i++) take($i); take("<eos>") }
    END {
        k = measuring - 1
        printf "%.6f %.6f %.6f\n", V, exp(u / k), exp(p / k)
    }' book.txt rest.txt >wanted
awk '{ printf "%.6f %.6f %.6f\n", $1, $2, $3 }' >got <<END
$(json guessing figures) $(json unigram figures) $(json bigram figures)
END
same wanted got
exit 0
