# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# mpirun.sh - what the tests of many processes share: ranks COUNT WORD...
#
# The ranks are on this machine, however few its cores are.
# shellcheck source=tests/cli/support/checks.sh
. "$ELMAN_SOURCE/tests/cli/support/checks.sh"

if ! command -v mpirun >/dev/null || [ ! -e "$ELMAN_BUILD/libelman-mpi.so" ]
then
    echo 'skipped: MPI is not installed, or elman was built without it' \
        '(make deps-mpi)'
    exit 77
fi
if [ -n "$ELMAN_SANITIZE" ]; then
    echo "skipped: MPI's own memory is what a sanitizer would look at"
    exit 77
fi
OMPI_ALLOW_RUN_AS_ROOT=1
OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# Its folder's path is that of a socket, which may not be long.
TMPDIR=/tmp
export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM TMPDIR

ranks() {
    count=$1
    shift
    mpirun --oversubscribe --bind-to none -n "$count" "$@"
}

# said PATTERN: the last command wrote one line of elman's on stderr, like this,
# beside what mpirun says.
said() {
    [ "$(grep -c '^elman: ' err)" -eq 1 ] || fail "not one sentence (for: $1)"
    grep '^elman: ' err | grep -q -e "$1" ||
        fail "the sentence is not like: $1"
}
