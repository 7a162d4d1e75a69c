#!/bin/sh
# SPDX-License-Identifier: MIT
# lint.sh - the checks that need no compiler: format, licence lines, floors,
# shell scripts.  Each fault is a line on stderr, and makes the status 1.
set -eu

cd "$(dirname "$0")/.."
status=0

fault() {
    echo "lint: $*" >&2
    status=1
}

# sources PATTERN...: the project's own files of these names.
sources() {
    for pattern; do
        find . \( -path ./build -o -path ./.git \) -prune -o \
            -type f -name "$pattern" -print
    done | sed 's,^\./,,' | LC_ALL=C sort
}

# Beautiful by hand is beautiful by clang-format 14; others differ in detail.
format=
for program in "${CLANG_FORMAT:-clang-format-14}" clang-format; do
    if command -v "$program" >/dev/null; then
        format=$program
        break
    fi
done
if [ -z "$format" ]; then
    fault 'clang-format is not installed (make deps)'
elif ! sources '*.c' '*.h' | xargs "$format" --dry-run -Werror; then
    fault "the format differs (put right by: $format -i FILE)"
fi

for file in $(sources '*.c' '*.h'); do
    IFS= read -r line <"$file" || line=
    if [ "$line" != '/* SPDX-License-Identifier: MIT */' ]; then
        fault "$file: the first line is not the SPDX line"
    fi
done
for file in $(sources '*.sh' '*.py' '*.cmake' CMakeLists.txt Makefile) \
    .ci/run; do
    if ! head -n 2 "$file" | grep -qx '# SPDX-License-Identifier: MIT'; then
        fault "$file: the SPDX line is missing at its beginning"
    fi
done

for file in $(sources '*.c' '*.h' '*.sh' '*.py' '*.md' '*.cmake' \
    CMakeLists.txt Makefile); do
    if grep -nE '[[:blank:]]+$|(TO''DO|FIX''ME)' "$file" >&2; then
        fault "$file: blanks end a line, or something is left to do"
    fi
done

sh tools/check-floors.sh || status=1

if command -v shellcheck >/dev/null; then
    # shellcheck disable=SC2046
    shellcheck $(sources '*.sh') .ci/run || status=1
else
    echo 'lint: shellcheck is not installed; the scripts were not checked' >&2
fi

if [ $status -eq 0 ]; then
    echo 'lint: nothing found'
fi
exit $status
