#!/bin/sh
# SPDX-License-Identifier: MIT
# check-floors.sh - holds the sources to the floor law: check-floors.sh [ROOT]
#
# An #include in src/ points down: to a file of its own folder (the first one
# below src/) or of a lower floor, never up and never sideways.  cli/, wings/,
# examples/ and bench/ come in through <elman.h> and through nothing else of
# the library.  No two files of src/ share a name.  Each fault is a line on
# stderr, and makes the status 1.
set -eu

cd "${1:-$(dirname "$0")/..}"
for folder in include src cli wings examples bench; do
    if [ -d "$folder" ]; then
        find "$folder" -type f \( -name '*.[ch]' -o -name '*.inc' \)
    fi
done | LC_ALL=C sort | LC_ALL=C awk '
function fault(path, line, sentence) {
    printf "%s:%d: %s\n", path, line, sentence > "/dev/stderr"
    ++faults
}

# "a/b/../c" is "a/c".
function normal(path,    n, part, i, kept, out) {
    n = split(path, part, "/")
    kept = 0
    for (i = 1; i <= n; ++i)
        if (part[i] == ".." && kept > 0)
            --kept
        else if (part[i] != "." && part[i] != "")
            out[++kept] = part[i]
    path = out[1]
    for (i = 2; i <= kept; ++i)
        path = path "/" out[i]
    return path
}

function folder_of(path,    part) {
    split(path, part, "/")
    return part[1] == "src" ? part[2] : part[1]
}

function directory_of(path) {
    sub(/[^\/]*$/, "", path)
    return path
}

function check_quoted(path, line, name,    target, from, to) {
    target = normal(directory_of(path) name)
    if (!(target in known)) {
        fault(path, line, "\"" name "\" is no file of the project, seen from " \
              directory_of(path) " (a header of the system is written <" name \
              ">)")
        return
    }
    from = folder_of(path)
    to = folder_of(target)
    if (target !~ /^src\//) {
        if (path ~ /^src\// || from != to)
            fault(path, line, target " is included as a file of another house" \
                  " (the public header is written <elman.h>)")
    } else if (path !~ /^src\//)
        fault(path, line, target " is an internal of the library" \
              " (only <elman.h> is public)")
    else if (from != to && floor[to] >= floor[from])
        fault(path, line, target " lies on floor " floor[to] ", and " from \
              " on floor " floor[from] " (an include points down)")
}

function check_angled(path, line, name) {
    if (name == "elman.h") {
        if (path == "include/elman.h")
            fault(path, line, "the public header includes itself")
    } else if (("src/" name) in known || ("include/" name) in known)
        fault(path, line, "<" name "> is a file of the project" \
              " (written with its relative path)")
    else if (path !~ /^(src|wings|bench\/peers)\// && !(name in libc) && \
             name !~ /^sys\//)
        fault(path, line, "<" name "> is no header of C or POSIX")
    else if (name ~ /^(immintrin|arm_neon)\.h$/ && path !~ /^src\/kernels\//)
        fault(path, line, "<" name "> belongs into src/kernels")
}

function check_file(path,    line, text, name) {
    line = 0
    while ((getline text < path) > 0) {
        ++line
        if (text !~ /^[ \t]*#[ \t]*include/)
            continue
        name = text
        sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
        if (name ~ /^"[^"]+"/) {
            sub(/^"/, "", name)
            sub(/".*/, "", name)
            check_quoted(path, line, name)
        } else if (name ~ /^<[^>]+>/) {
            sub(/^</, "", name)
            sub(/>.*/, "", name)
            check_angled(path, line, name)
        } else
            fault(path, line, "an include that does not name its file")
    }
    close(path)
}

BEGIN {
    n = split("base 0 tensor 1 kernels 1 io 2 cell 2 nn 3 optim 3 text 3 " \
              "model 4 train 5 interop 5 api 6", pair, " ")
    for (i = 1; i < n; i += 2)
        floor[pair[i]] = pair[i + 1] + 0
    n = split("assert complex ctype errno fenv float inttypes limits locale " \
              "math setjmp signal stdalign stdarg stdatomic stdbool stddef " \
              "stdint stdio stdlib stdnoreturn string threads time uchar " \
              "wchar wctype dirent dlfcn fcntl fnmatch getopt glob langinfo " \
              "libgen poll pthread pwd regex sched semaphore spawn strings " \
              "termios unistd", pair, " ")
    for (i = 1; i <= n; ++i)
        libc[pair[i] ".h"] = 1
}

{
    known[$0] = 1
    path_of[NR] = $0
}

END {
    for (i = 1; i <= NR; ++i) {
        path = path_of[i]
        if (path ~ /^src\//) {
            if (!(folder_of(path) in floor))
                fault(path, 1, "lies on no floor")
            name = path
            sub(/.*\//, "", name)
            if (name in place)
                fault(path, 1, "has the name of " place[name])
            else
                place[name] = path
        }
        check_file(path)
    }
    if (NR == 0)
        fault("check-floors.sh", 1, "there is no source file here")
    exit faults > 0
}'
