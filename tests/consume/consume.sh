#!/bin/sh
# SPDX-License-Identifier: MIT
# What is installed can be used by a stranger, through pkg-config and through
# find_package, shared and static, from C and C++, also after the tree was
# moved; and every program computes the same bits.
# shellcheck source=tests/consume/support/tree.sh
. "$ELMAN_SOURCE/tests/consume/support/tree.sh"

quietly cmake --install "$ELMAN_BUILD" --prefix "$WORK/first"
mv first tree
tree=$WORK/tree
lib=$(library_folder "$tree")
source=$ELMAN_SOURCE/tests/consume

# By hand, which needs nothing.
quietly "$CC" -std=c11 -I "$tree/include" "$source/consume.c" -L "$lib" \
    -lelman -o by-hand
LD_LIBRARY_PATH=$lib
export LD_LIBRARY_PATH
line=$(./by-hand) || fail 'by-hand does not run'
echo "${line%%,*}"
for standard in c89 c99 c11; do
    echo '#include <elman.h>' >alone.c
    quietly "$CC" -std=$standard -Wall -Wextra -Werror -fsyntax-only \
        -I "$tree/include" alone.c
done
quietly "$CC" -std=c99 -pedantic-errors -fsyntax-only -I "$tree/include" alone.c

if command -v pkg-config >/dev/null && command -v make >/dev/null; then
    PKG_CONFIG_PATH=$lib/pkgconfig
    export PKG_CONFIG_PATH
    cp "$source/Makefile" "$source/consume.c" .
    quietly make CC="$CC" consume-shared consume-archive
    says "$line" ./consume-shared
    (
        unset LD_LIBRARY_PATH
        says "$line" ./consume-archive
    )
    # The page's two lines are a Makefile.
    mkdir page
    cp consume.c page
    # shellcheck disable=SC2016
    sed -n 's/^    \([A-Z]* += \$(shell pkg-config .*\)/\1/p' \
        "$ELMAN_SOURCE/docs/install.md" >page/Makefile
    [ "$(wc -l <page/Makefile)" -eq 2 ] || fail 'the page has no two lines'
    quietly make -C page CC="$CC" consume
    says "$line" page/consume
    if pkg-config --static --libs elman | grep -q -e -lzip; then
        echo 'consume-static: not tried here, for libzip is no archive' \
            '(fetch.sh tries it without)'
    else
        quietly make CC="$CC" consume-static
        says "$line" ./consume-static
    fi
else
    echo 'pkg-config: not tried, it or make is not installed (make deps)'
fi

for language in C CXX; do
    if [ $language = CXX ] && ! command -v "${CXX:-c++}" >/dev/null; then
        echo 'C++: not tried, there is no C++ compiler here (make deps)'
        continue
    fi
    quietly cmake -S "$source" -B by-cmake-$language \
        -DCMAKE_PREFIX_PATH="$tree" -DCMAKE_C_COMPILER="$CC" \
        -DLANGUAGE=$language
    quietly cmake --build by-cmake-$language
    # CMake has put where the library is into the one, the other needs none.
    (
        unset LD_LIBRARY_PATH
        says "$line" by-cmake-$language/consume-elman
        says "$line" by-cmake-$language/consume-static
    )
done

# The page's two lines are a CMake project.
mkdir -p cmake-page
cp "$source/consume.c" cmake-page
awk '/^    find_package\(elman [0-9.]+ REQUIRED\)$/ {
    print "cmake_minimum_required(VERSION 3.13)\nproject(page C)"
    print
    print "add_executable(program consume.c)"
    getline
    print
}' "$ELMAN_SOURCE/docs/install.md" >cmake-page/CMakeLists.txt
quietly cmake -S cmake-page -B cmake-page/build -DCMAKE_PREFIX_PATH="$tree" \
    -DCMAKE_C_COMPILER="$CC"
quietly cmake --build cmake-page/build
says "$line" cmake-page/build/program

# A version that this one is not is refused.
sed 's/elman 0\.1/elman 9.9/' "$source/CMakeLists.txt" >CMakeLists.txt
if cmake -S . -B wrong -DCMAKE_PREFIX_PATH="$tree" >log 2>&1; then
    fail 'find_package(elman 9.9) was satisfied'
fi
grep -q 'requested version "9.9"' log || fail "$(cat log)"
