#!/bin/sh
# SPDX-License-Identifier: MIT
# manual.sh - the manual pages are sound, and say all options of the program and
# all functions of the header.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

expect 0 sh "$ELMAN_SOURCE/tools/man.sh" pages
[ ! -s err ] || fail 'making them is not silent'

# ---- Sound, as far as somebody here can tell.
judged=no
for page in pages/*; do
    name=$(basename "$page")
    grep -q "^\\.TH .* \"elman [0-9]" "$page" || fail "$name has no title"
    if awk 'length > 100' "$page" | grep -v '^\\f'; then
        fail "$name has lines that are too long"
    fi
    if man --version 2>/dev/null | grep -q '^man '; then
        judged=yes
        LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings=w -l "$page" >out 2>err ||
            fail "man: $name"
        [ ! -s err ] || fail "man: $name"
        awk 'length > 80 { exit 1 }' out || fail "$name is too wide"
    fi
    if command -v mandoc >/dev/null; then
        judged=yes
        # A page that is made has no date.
        mandoc -T lint "$page" 2>&1 | grep -v 'missing date' >out &&
            fail "mandoc: $name"
    fi
done
[ $judged = yes ] || echo 'not judged: there is neither man nor mandoc here'

# words PAGE...: as they are read.
words() {
    sed 's/\\f.//g; s/\\-/-/g; s/\\&//g; s/\\(aq/'"'"'/g' "$@"
}

# ---- A page for every command, with every option of its --help; those that
# all commands share are in elman(1).
for command in $("$ELMAN" --help |
    sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p' | grep -v '^elman$'); do
    [ -f "pages/elman-$command.1" ] || fail "elman-$command(1) is missing"
    words pages/elman.1 "pages/elman-$command.1" >page
    "$ELMAN" "$command" --help | awk '/^  (-., )?--/ {
        print $1 ~ /,$/ ? $2 : $1 }' >options
    while read -r name; do
        grep -q -e "$name\\([^a-z-]\\|\$\\)" page ||
            fail "elman-$command(1) does not say $name"
    done <options
    # And no option that there is not.
    words "pages/elman-$command.1" |
        sed -n '/^\.TP$/{n;s/^\(-., \)\{0,1\}\(--[a-z-]*\).*/\2/p;}' >said
    while read -r name; do
        grep -qx -e "$name" options ||
            fail "elman-$command(1) says $name, which there is not"
    done <said
done
[ "$(find pages -name 'elman*.1' | wc -l)" -gt 7 ] || fail 'pages are missing'

# ---- Every function and descriptor of the header.
words pages/elman.3 >page
grep -o '\<elman_[a-z_0-9]*(' "$ELMAN_SOURCE/include/elman.h" | sort -u >names
grep -o '\<ELMAN_[A-Z_0-9]*_DESC\>' "$ELMAN_SOURCE/include/elman.h" |
    sort -u >>names
[ "$(wc -l <names)" -gt 100 ] || fail 'the header was not understood'
while read -r name; do
    grep -q -F -e "$name" page || fail "elman(3) does not say $name"
done <names
for word in 'seed' 'ELMAN_EUNSUPPORTED' 'weight_hr_ln' 'whole sentence'; do
    grep -q "$word" page || fail "elman(3) does not say '$word'"
done
exit 0
