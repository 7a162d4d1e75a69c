#!/bin/sh
# SPDX-License-Identifier: MIT
# long.sh - the exact gradient through sequences of 1,000 to 1,000,000 steps,
# with everything kept and within a budget: time of the processor, memory and the
# gradients' checksums, as a table and a plot.
#
#   bench/long.sh [TABLE.tsv PLOT.svg]
#
# Each length in $STEPS is run by `elman bench --workload long` on $THREADS
# threads (default 1) within $MEMORY (default 64MB), and up to $KEPT steps (default
# 200,000: 2.4 GB) without a budget as well.  Where a gradient differs from the
# one with everything kept, that ends it.  The program is $ELMAN.
set -eu

source=$(cd "$(dirname "$0")/.." && pwd)
: "${ELMAN:=$source/build/release/elman}" "${MEMORY:=64MB}" "${THREADS:=1}"
: "${STEPS:=1000 3000 10000 30000 100000 178978 300000 1000000}"
: "${KEPT:=200000}"
table=${1:-$source/build/long.tsv}
plot=${2:-$source/build/long.svg}
mkdir -p "$(dirname "$table")" "$(dirname "$plot")"

# run STEPS MEMORY: processor us a step, MiB beyond weights and text, passes,
# checksum.
run() {
    "$ELMAN" bench --workload long --steps "$1" --memory "$2" --tsv \
        --threads "$THREADS" | awk -F'\t' '$1 == "long" {
            printf "%.1f\t%.1f\t%.1f\t%s\n", $9, $10, $12, $13 }'
}

printf 'steps\tus a step, all kept\tMiB\tus a step, in %s\tMiB\tpasses\tratio\tgradient\n' \
    "$MEMORY" >"$table"
for steps in $STEPS; do
    kept='-	-	-	-'
    [ "$steps" -gt "$KEPT" ] || kept=$(run "$steps" 0)
    within=$(run "$steps" "$MEMORY")
    printf '%s\t%s\t%s\n' "$steps" "$kept" "$within" | awk -F'\t' '
        $5 != "-" && $5 != $9 { exit 1 }
        {
            ratio = $2 == "-" ? "-" : sprintf("%.3f", $6 / $2)
            print $1 "\t" $2 "\t" $3 "\t" $6 "\t" $7 "\t" $8 "\t" ratio "\t" $9
        }' >>"$table" || {
        echo "long.sh: gradients of $steps steps differ" >&2
        exit 1
    }
    tail -n 1 "$table"
done

# Two panels with logarithmic axes: seconds and MiB against steps.
awk -F'\t' -v memory="$MEMORY" '
    function log10(x) { return log(x) / log(10) }
    function x_at(steps) { return left + (log10(steps) - x0) / (x1 - x0) * wide }
    function y_at(v) { return top + high - (log10(v) - y0) / (y1 - y0) * high }
    function text(x, y, anchor, what) {
        printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x,
            y, anchor, what
    }
    function line(x, y, to_x, to_y, colour) {
        printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x, y, to_x, to_y, colour
    }
    function curve(values, colour, dash,   i, points) {
        points = ""
        for (i = 1; i <= n; i++)
            if (values[i] != "-")
                points = points sprintf("%.1f,%.1f ", x_at(steps[i]),
                                        y_at(values[i]))
        printf "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s/>\n", points, colour, dash
    }
    function panel(title, kept, within,   e) {
        text(left + wide / 2, top - 12, "middle", title)
        for (e = x0; e <= x1; e++) {
            line(x_at(10 ^ e), top, x_at(10 ^ e), top + high, "#ddd")
            text(x_at(10 ^ e), top + high + 18, "middle", names[e])
        }
        for (e = y0; e <= y1; e++) {
            line(left, y_at(10 ^ e), left + wide, y_at(10 ^ e), "#ddd")
            text(left - 6, y_at(10 ^ e) + 4, "end", 10 ^ e)
        }
        text(left + wide / 2, top + high + 36, "middle", "time steps")
        curve(kept, "#888", " stroke-dasharray=\"6 4\"")
        curve(within, "#1f5fa8", "")
    }
    NR > 1 {
        steps[++n] = $1
        kept_s[n] = $2 == "-" ? "-" : $1 * $2 / 1e6
        kept_m[n] = $3
        s[n] = $1 * $4 / 1e6
        m[n] = $5
    }
    END {
        print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 360\" font-family=\"sans-serif\" font-size=\"12\">"
        print "<rect width=\"860\" height=\"360\" fill=\"#fff\"/>"
        wide = 340; high = 240; top = 50; x0 = 3; x1 = 6
        split("10 100 1,000 10,000 100,000 1,000,000", names, " ")
        left = 60; y0 = -1; y1 = 3
        panel("seconds", kept_s, s)
        left = 490; y0 = 1; y1 = 4
        panel("MiB beyond weights and text", kept_m, m)
        line(300, 345, 330, 345, "#1f5fa8")
        text(336, 349, "start", "within " memory)
        line(450, 345, 480, 345, "#888")
        text(486, 349, "start", "all kept")
        print "</svg>"
    }' "$table" >"$plot"
