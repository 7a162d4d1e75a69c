#!/bin/sh
# SPDX-License-Identifier: MIT
# fetch.sh - elman as a part of another project (FetchContent, which is
# add_subdirectory), offline: only the library is built, as it should be, and
# what the project wishes for itself changes no bit of it.
# shellcheck source=tests/consume/support/tree.sh
. "$ELMAN_SOURCE/tests/consume/support/tree.sh"

source=$ELMAN_SOURCE/tests/consume
quietly "$CC" -std=c11 -I "$ELMAN_SOURCE/include" "$source/consume.c" \
    -L "$ELMAN_BUILD" -Wl,-rpath,"$ELMAN_BUILD" -lelman -o by-hand
line=$(./by-hand) || fail 'by-hand does not run'

# What was built stays from test to test.
build=$ELMAN_BUILD/fetch
generator=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' \
    "$ELMAN_BUILD/CMakeCache.txt")
quietly cmake -S "$source/fetch" -B "$build" -G "$generator" \
    -DCMAKE_C_COMPILER="$CC" -DFETCHCONTENT_FULLY_DISCONNECTED=ON \
    -DFETCHCONTENT_SOURCE_DIR_ELMAN="$ELMAN_SOURCE"
quietly cmake --build "$build" --parallel 2
says "$line" "$build/consume"
says "$line" "$build/consume-static"
if ldd "$build/consume-static" 2>&1 | grep '=>'; then
    fail 'consume-static is not static'
fi

# The page's two lines do for a source below the project.
mkdir page
cp "$source/consume.c" page
ln -s "$ELMAN_SOURCE" page/elman
awk '/^    add_subdirectory\(elman\)$/ {
    print "cmake_minimum_required(VERSION 3.25)\nproject(page C)"
    print
    print "add_executable(program consume.c)"
    getline
    print
}' "$ELMAN_SOURCE/docs/install.md" >page/CMakeLists.txt
[ -s page/CMakeLists.txt ] || fail 'the page has no two lines'
quietly cmake -S page -B page/build -DCMAKE_C_COMPILER="$CC"

grep -q '^CMAKE_BUILD_TYPE:STRING=$' "$build/CMakeCache.txt" ||
    fail 'the kind of build of the project was changed'
grep -e '"command".*/src/base/status\.c' "$build/compile_commands.json" |
    grep -q -e ' -O2 .*-fno-fast-math' || fail 'elman was not optimised'
if find "$build" -name 'libelman.so*' | grep .; then
    fail 'a library was built that nobody links'
fi
ctest --test-dir "$build" -N >log 2>&1
grep -q 'Total Tests: 1$' log || fail "$(cat log)"
quietly cmake --install "$build" --prefix "$WORK/tree"
[ "$(find tree ! -type d)" = tree/bin/consume ] ||
    fail 'something of elman was installed with the project'
