#!/bin/sh
# SPDX-License-Identifier: MIT
# log.sh - the log: a line an update, JSON, in the documented order.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 100 1
echo 'an old log' >log
expect 0 quick book.txt -o m --epochs 2 --log log \
    --valid-fraction 0.2 --json
updates=$(json updates out)
[ "$(wc -l <log)" -eq "$updates" ] || fail 'the log has other lines'
valid_json log
pattern='^{"update": [0-9]*, "epoch": [12], "tokens": [0-9]*, "loss": [0-9.]*'
pattern="$pattern, \"perplexity\": [0-9.]*, \"valid_loss\": [0-9nul.]*"
pattern="$pattern, \"grad_norm\": [0-9.e-]*, \"lr\": 0.003"
pattern="$pattern, \"tokens_per_second\": [0-9.e+]*"
pattern="$pattern, \"shards\": 1, \"ranks\": 1}\$"
[ "$(grep -c "$pattern" log)" -eq "$updates" ] ||
    fail "a line is not like $pattern: $(head -n 1 log)"
[ "$(grep -vc '"valid_loss": null' log)" -eq 2 ] ||
    fail 'valid_loss does not stand at the ends of epochs alone'
awk -F'[:,]' -v B=4 -v T=10 '
    $2 != NR { exit 1 }
    { e = exp($8) / $10 - 1; if (e * e > 1e-12) exit 1 }
    $6 <= before { exit 1 }
    { before = $6 }' log || fail 'updates, tokens or perplexities are wrong'
tail -n 1 log >last
[ "$(json tokens out)" = "$(json tokens last)" ] ||
    fail 'the summary and the log count other tokens'

# On stdout.
expect 0 quick book.txt -o m2 --epochs 2 --log - \
    --valid-fraction 0.2
sed 's/, "tokens_per_second.*//' out >a
sed 's/, "tokens_per_second.*//' log >b
same a b
exit 0
