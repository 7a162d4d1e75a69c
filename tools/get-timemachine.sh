#!/bin/sh
# SPDX-License-Identifier: MIT
# get-timemachine.sh - fetches the text that the book chapter learns from:
# get-timemachine.sh [FILE]
#
# H. G. Wells, The Time Machine, as Dive into Deep Learning keeps it.  FILE
# (timemachine.txt) is written whole and checked, or not at all.
#   ELMAN_TIMEMACHINE_URL   another address of the same bytes
set -eu

file=${1:-timemachine.txt}
address=http://d2l-data.s3-accelerate.amazonaws.com/timemachine.txt
address=${ELMAN_TIMEMACHINE_URL:-$address}
right_size=178979
right_sum=090b5e7e70c295757f55df93cb0a180b9691891a
temporary=$file.part.$$

die() {
    rm -f "$temporary" "$temporary.said"
    echo "get-timemachine.sh: $*" >&2
    exit 1
}

sum_of() {
    sha1sum <"$1" | cut -d ' ' -f 1
}

trap 'die "stopped"' HUP INT TERM
command -v sha1sum >/dev/null || die 'sha1sum is not installed (coreutils)'
if [ -f "$file" ] && [ "$(sum_of "$file")" = $right_sum ]; then
    echo "$file is already there, and right"
    exit 0
fi
[ ! -d "$file" ] || die "$file: is a folder (the name of a file is needed)"
(: >"$temporary") 2>/dev/null || die "$file: cannot be written here"

if command -v curl >/dev/null; then
    set -- curl --fail --silent --show-error --location --max-time 120 \
        --output "$temporary" "$address"
elif command -v wget >/dev/null; then
    set -- wget --no-verbose --timeout=30 --tries=2 \
        --output-document="$temporary" "$address"
else
    die 'neither curl nor wget is installed (apt-get install curl)'
fi
"$@" 2>"$temporary.said" ||
    die "$address: could not be fetched ($(tail -n 1 "$temporary.said"))"

size=$(wc -c <"$temporary")
[ "$size" -eq $right_size ] ||
    die "$address: $size bytes came (it should be $right_size)"
sum=$(sum_of "$temporary")
[ "$sum" = $right_sum ] ||
    die "$address: the bytes are not the book's (SHA-1 $sum, it should be" \
        "$right_sum)"
mv "$temporary" "$file" || die "$file: cannot be written"
rm -f "$temporary.said"
echo "$file: $size bytes, as they should be"
