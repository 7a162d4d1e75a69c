#!/bin/sh
# SPDX-License-Identifier: MIT
# installed.sh - the command that was installed finds its wing, and needs no MPI
# to start.
# shellcheck source=tests/mpi/support/mpirun.sh
. "$(dirname "$0")/support/mpirun.sh"

make_text book.txt 50 1
expect 0 cmake --install "$ELMAN_BUILD" --prefix "$WORK/tree"
elman=$WORK/tree/bin/elman
wing=$(find tree -name libelman-mpi.so)
[ -f "$wing" ] || fail 'the wing was not installed'
expect 0 ranks 2 "$elman" train book.txt -o two --shards 2 --updates 3 --quiet
expect 0 "$elman" train book.txt -o one --shards 2 --updates 3 --quiet
same one two
if command -v readelf >/dev/null; then
    readelf -d "$elman" | grep -q 'NEEDED.*mpi' && fail 'the command links MPI'
    readelf -d "$wing" | grep -q 'NEEDED.*libmpi' || fail 'the wing does not'
fi
mv "$wing" "$wing.away"
expect 0 "$elman" train book.txt -o one --shards 2 --updates 3 --quiet
expect 1 ranks 2 "$elman" train book.txt -o two --shards 2 --updates 3
grep -q 'this elman has no MPI' err || fail 'it is not said what is missing'
exit 0
