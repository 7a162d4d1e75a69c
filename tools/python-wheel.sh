#!/bin/sh
# SPDX-License-Identifier: MIT
# python-wheel.sh - builds the wheel of python/: python-wheel.sh BUILD FOLDER
#
# BUILD has libelman.so; FOLDER gets elman-*.whl.  Nothing is fetched, and
# nothing is written beside the sources.  PYTHON is the python3 that builds it.
set -eu

if [ $# -ne 2 ] || [ ! -e "$1/libelman.so" ]; then
    echo "python-wheel.sh: ${1:-no folder}: has no libelman.so (make)" >&2
    exit 2
fi
ELMAN_SOURCE=$(cd "$(dirname "$0")/.." && pwd)
ELMAN_LIBRARY=$(cd "$1" && pwd)/libelman.so
export ELMAN_SOURCE ELMAN_LIBRARY
mkdir -p "$2"
folder=$(cd "$2" && pwd)
: "${PYTHON:=/usr/bin/python3}"

for module in pip setuptools wheel; do
    if ! "$PYTHON" -c "import $module" 2>/dev/null; then
        echo "python-wheel.sh: $PYTHON has no $module (make deps-python)" >&2
        exit 1
    fi
done
# The C library is everywhere; whatever else it was linked with is not.
if command -v readelf >/dev/null; then
    readelf -d "$ELMAN_LIBRARY" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
        grep -v -e '^libc\.' -e '^libm\.' -e '^libpthread\.' -e '^ld-' |
        sed 's/^/python-wheel.sh: the wheel needs this where it goes: /' >&2 ||
        :
fi
rm -rf "$folder/source" "$folder"/elman-*.whl
cp -R "$ELMAN_SOURCE/python" "$folder/source"
cp "$ELMAN_SOURCE/LICENSE" "$folder/source"
find "$folder/source" -name __pycache__ -prune -exec rm -rf {} +
"$PYTHON" -m pip wheel --quiet --disable-pip-version-check --no-index \
    --no-deps --no-build-isolation --wheel-dir "$folder" "$folder/source"
rm -rf "$folder/source"
echo "$folder"/elman-*.whl
