#!/bin/sh
# SPDX-License-Identifier: MIT
# install.sh - what is installed, below DESTDIR too: these files, which know
# nothing of the folder they were built in.
# shellcheck source=tests/consume/support/tree.sh
. "$ELMAN_SOURCE/tests/consume/support/tree.sh"

version=$(awk '/define ELMAN_VERSION_(MAJOR|MINOR|PATCH)/ {
    printf "%s%s", dot, $3; dot = "." }' "$ELMAN_SOURCE/include/elman.h")
case $version in
0.*) abi=${version%.*} ;;
*) abi=${version%%.*} ;;
esac

quietly cmake --install "$ELMAN_BUILD" --prefix "$WORK/tree"
quietly env DESTDIR="$WORK/dest" cmake --install "$ELMAN_BUILD" --prefix /opt/e
lib=$(library_folder tree)
lib=${lib#tree/}

# list FOLDER: the files in it.
list() {
    (cd "$1" && find . ! -type d) | sed 's,^\./,,' | LC_ALL=C sort
}
list tree >files
list dest/opt/e | cmp - files || fail 'DESTDIR has other files'
[ "$(find dest ! -type d ! -path 'dest/opt/e/*')" = '' ] ||
    fail 'something was put beside the prefix'

{
    for file in libelman.a libelman.so libelman.so.$abi libelman.so."$version" \
        pkgconfig/elman.pc cmake/elman/elman-config.cmake \
        cmake/elman/elman-config-version.cmake \
        cmake/elman/elman-targets.cmake; do
        echo "$lib/$file"
    done
    echo share/man/man1/elman.1
    for command in bench convert eval info probe run sample train; do
        echo "share/man/man1/elman-$command.1"
    done
    [ ! -e "$ELMAN_BUILD/libelman-mpi.so" ] ||
        echo "$lib/elman/libelman-mpi.so"
    echo bin/elman
    echo include/elman.h
    echo share/bash-completion/completions/elman
    echo share/man/man3/elman.3
} | LC_ALL=C sort >expected
# What says how it was configured bears the kind of build in its name.
grep -v -e '^share/doc/elman/.*\.md$' -e '^share/doc/elman/LICENSE$' \
    -e 'elman-targets-[a-z]*\.cmake$' files >rest
diff expected rest || fail 'these are not the files (<: expected)'
grep -q '^share/doc/elman/training.md$' files || fail 'the pages are missing'

if grep -rlI -e "$ELMAN_BUILD" -e "$ELMAN_SOURCE" tree; then
    fail 'these name the folder they were built in'
fi
if command -v readelf >/dev/null; then
    soname=$(readelf -d "tree/$lib/libelman.so" |
        sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
    [ "$soname" = "libelman.so.$abi" ] || fail "the library is called '$soname'"
    for file in bin/elman "$lib/libelman.so"; do
        if readelf -d "tree/$file" | grep -e RPATH -e RUNPATH; then
            fail "$file looks for libraries where it was built"
        fi
        for name in $(needed "tree/$file"); do
            case $name in
            libc.* | libm.* | libpthread.* | ld-linux* | ld.so*) ;;
            libzip.* | libprotobuf-c.*) echo "$file needs $name" ;;
            *) fail "$file needs $name" ;;
            esac
        done
    done
else
    echo 'what is loaded was not looked at, there is no readelf (make deps)'
fi
[ "$(env -i tree/bin/elman --version)" = "elman $version" ] ||
    fail 'the installed program does not say its version'
env -i tree/bin/elman info >/dev/null || fail 'the installed program fails'
if ldd tree/bin/elman | grep 'not found'; then
    fail 'the installed program lacks a library'
fi

# ---- And away again.
find tree -type f -o -type l | sed "s,^tree,$WORK/tree," >manifest
: >"$WORK/tree/bin/another"
quietly sh "$ELMAN_SOURCE/tools/uninstall.sh" manifest
[ "$(find tree ! -type d)" = tree/bin/another ] ||
    fail 'uninstalling left something'
[ -z "$(find tree -type d -name elman)" ] || fail 'empty folders are left'
