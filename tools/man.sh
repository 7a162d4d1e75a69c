#!/bin/sh
# SPDX-License-Identifier: MIT
# man.sh - writes the manual pages: man.sh FOLDER
#
# elman(1) and elman-COMMAND(1) are made from docs/command-line.md, elman(3)
# from include/elman.h: there is one text to keep true.
set -eu

if [ $# -ne 1 ]; then
    echo 'usage: man.sh FOLDER' >&2
    exit 2
fi
mkdir -p "$1"
folder=$(cd "$1" && pwd)
rm -f "$folder"/elman*.[13]
cd "$(dirname "$0")/.."
LC_ALL=C
export LC_ALL

version=$(awk '/^#define ELMAN_VERSION_(MAJOR|MINOR|PATCH) / {
    printf "%s%s", dot, $3
    dot = "."
}' include/elman.h)
make_pages() {
    awk -v folder="$folder" -v version="$version" \
        -f tools/man-roff.awk -f "tools/$1" "$2"
}
make_pages man-command.awk docs/command-line.md
make_pages man-library.awk include/elman.h
