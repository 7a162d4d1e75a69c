#!/bin/sh
# SPDX-License-Identifier: MIT
# uninstall.sh - removes what was installed last: uninstall.sh MANIFEST
#
# MANIFEST is the list that CMake wrote; DESTDIR is that of the installation.
# Folders that are empty then, and that bear elman's name, go too.
set -eu

if [ $# -ne 1 ] || [ ! -f "$1" ]; then
    echo "uninstall.sh: ${1:-no file}: nothing was installed from here" >&2
    exit 1
fi
# The last line of the list has no end.
{
    cat "$1"
    echo
} | while IFS= read -r file; do
    [ -n "$file" ] || continue
    rm -f "${DESTDIR:-}$file"
    folder=$(dirname "${DESTDIR:-}$file")
    case $folder in
    */elman) rmdir "$folder" 2>/dev/null || : ;;
    esac
done
echo "uninstall.sh: removed the files of $1"
