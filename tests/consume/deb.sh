#!/bin/sh
# SPDX-License-Identifier: MIT
# deb.sh - the Debian packages: what they hold and depend on, and a program
# built against them, unpacked.
# shellcheck source=tests/consume/support/tree.sh
. "$ELMAN_SOURCE/tests/consume/support/tree.sh"

for program in cpack dpkg-deb dpkg-shlibdeps file gzip; do
    if ! command -v $program >/dev/null; then
        echo "skipped: there is no $program here (make deps)"
        exit 77
    fi
done
version=$(awk '/define ELMAN_VERSION_(MAJOR|MINOR|PATCH)/ {
    printf "%s%s", dot, $3; dot = "." }' "$ELMAN_SOURCE/include/elman.h")

quietly cpack --config "$ELMAN_BUILD/CPackConfig.cmake" -B "$WORK/packages"
library=$(basename packages/libelman[0-9]*.deb)
library=${library%%_*}
all="elman $library libelman-dev"
[ ! -e "$ELMAN_BUILD/libelman-mpi.so" ] || all="$all elman-mpi"
for package in $all; do
    file=$(echo packages/"$package"_"$version"-1_*.deb)
    [ -f "$file" ] || fail "there is no $package: $(ls packages)"
    dpkg-deb -c "$file" >"$package".list
    dpkg-deb -x "$file" unpacked
    if awk '$2 != "root/root" || $1 ~ /^-.*w.*w/' "$package".list | grep .; then
        fail "$package: somebody else owns these, or may write them"
    fi
    grep -q "/share/doc/$package/copyright$" "$package".list ||
        fail "$package does not say who may copy it"
done
[ "$(find packages -maxdepth 1 -name '*.deb' | wc -l)" -eq \
    "$(echo "$all" | wc -w)" ] ||
    fail "$(ls packages)"

# holds PACKAGE PATTERN..., and no other package does.
holds() {
    for pattern in $2; do
        for list in *.list; do
            if [ "$list" = "$1.list" ]; then
                grep -q "$pattern" "$list" || fail "$1 has no $pattern"
            elif grep "$pattern" "$list"; then
                fail "$list has it too: $pattern"
            fi
        done
    done
}
holds elman '/usr/bin/elman$ /man1/elman.1.gz$ /man1/elman-train.1.gz$
    /completions/elman$ /doc/elman/training.md$'
holds "$library" "/libelman\\.so\\.$version\$ /$(echo "$library" |
    sed 's/libelman/libelman\\.so\\./')[[:blank:]]"
holds libelman-dev '/include/elman.h$ /libelman\.a$ /libelman\.so[[:blank:]]
    /elman.pc$ /elman-config.cmake$ /man3/elman.3.gz$'

# field PACKAGE FIELD PATTERN
field() {
    value=$(dpkg-deb -f packages/"$1"_*.deb "$2")
    echo "$value" | grep -q -e "$3" || fail "$1: $2 is '$value', not $3"
}
field elman Depends 'libc6 ('
field "$library" Depends 'libc6 ('
field libelman-dev Depends "^$library (= $version-1)$"
dpkg-deb -f packages/elman_*.deb Depends | grep mpi &&
    fail 'the command depends on MPI'
case $all in
*elman-mpi)
    holds elman-mpi '/elman/libelman-mpi\.so$'
    field elman-mpi Depends "elman (= $version-1)"
    field elman-mpi Depends libopenmpi
    ;;
esac
if readelf -d unpacked/usr/bin/elman | grep -q 'NEEDED.*libzip'; then
    field elman Depends libzip
    field libelman-dev Recommends libzip-dev
fi
dpkg-deb --ctrl-tarfile packages/"$library"_*.deb | tar -xO ./shlibs |
    grep -q "^libelman ${library#libelman} $library" ||
    fail 'others would not know what depends on the library'
if nm unpacked/usr/bin/elman 2>/dev/null | grep -q ' T '; then
    fail 'the program is not stripped'
fi

root=$WORK/unpacked/usr
lib=$(library_folder "$root")
[ "$("$root/bin/elman" --version)" = "elman $version" ] || fail 'elman fails'
LD_LIBRARY_PATH=$lib
export LD_LIBRARY_PATH
source=$ELMAN_SOURCE/tests/consume
quietly cmake -S "$source" -B build -DCMAKE_PREFIX_PATH="$root" \
    -DCMAKE_C_COMPILER="$CC"
quietly cmake --build build
line=$(build/consume-static) || fail 'consume-static does not run'
says "$line" build/consume-elman
if command -v pkg-config >/dev/null && command -v make >/dev/null; then
    cp "$source/Makefile" "$source/consume.c" .
    quietly env PKG_CONFIG_PATH="$lib/pkgconfig" make CC="$CC" consume-shared
    says "$line" ./consume-shared
fi
wc -c packages/*.deb
