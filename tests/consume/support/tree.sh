# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# tree.sh - what the tests of installed files share.
set -eu
cd "$WORK"

if [ -n "$ELMAN_SANITIZE" ]; then
    echo 'skipped: a stranger links no sanitizer'
    exit 77
fi
if [ -n "$ELMAN_CROSS" ]; then
    echo 'skipped: a stranger on this machine cannot run what was built'
    exit 77
fi
unset ELMAN_ISA DESTDIR PKG_CONFIG_PATH LD_LIBRARY_PATH

fail() {
    echo "FAILED: $*"
    exit 1
}

# quietly COMMAND...: what it says matters if it fails.
quietly() {
    "$@" >log 2>&1 || {
        tail -n 40 log
        fail "$*"
    }
}

# says EXPECTED PROGRAM: the line that it prints.
says() {
    said=$("$2") || fail "$2 does not run"
    [ "$said" = "$1" ] || fail "$2 says '$said' and not '$1'"
    echo "passed: $(basename "$2")"
}

# needed FILE: the libraries that it asks for by name.
needed() {
    readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}

# The folder of libraries below a prefix: lib, or one for each processor.
library_folder() {
    dirname "$(find "$1" -name libelman.a)"
}
