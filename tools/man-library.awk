# SPDX-License-Identifier: MIT
# man-library.awk - elman(3) out of include/elman.h.
#
# A comment with dashes is a section; any other belongs to the declarations
# below it, down to a blank line.  A comment's text is filled, but for lines
# that are indented in it.  The members of structs and enumerations are a list,
# with what the comments behind them say.

function squeezed(text) {
    gsub(/[ \t\n]+/, " ", text)
    sub(/^ /, "", text)
    sub(/ $/, "", text)
    return text
}

# Comment lines, from the array `lines` of n: paragraphs, filled or as they are.
function render(n,    i, text) {
    text = ""
    for (i = 1; i <= n + 1; ++i) {
        if (text != "" && (i > n || lines[i] == "" || lines[i] ~ /^  /)) {
            paragraph()
            fill(escaped(text))
            text = ""
        }
        if (i <= n && lines[i] ~ /^  /)
            block(substr(lines[i], 3))
        else {
            end_block()
            if (i <= n && lines[i] != "")
                text = (text == "" ? "" : text " ") lines[i]
        }
    }
}

# A declaration on lines that fit, bold.
function declare(text,    n, i, part, line) {
    sub(/^ELMAN_API /, "", text)
    if (text ~ /^#/ && length(text) > 71) {
        put("\\fB" literal(substr(text, 1, index(text, "{") - 2)) "\\fR")
        text = "    " substr(text, index(text, "{"))
    }
    n = split(text, part, ", ")
    line = part[1]
    for (i = 2; i <= n; ++i)
        if (length(line) + 3 + length(part[i]) > 71) {
            put("\\fB" literal(line ",") "\\fR")
            line = "    " part[i]
        } else
            line = line ", " part[i]
    put("\\fB" literal(line) "\\fR")
}

# The members between the braces of a struct or an enumeration.
function members(body, separator,    at, code, said, count, i, name, note) {
    count = 0
    while (body != "") {
        at = index(body, "/*")
        code = at > 0 ? substr(body, 1, at - 1) : body
        body = at > 0 ? substr(body, at + 2) : ""
        while ((i = index(code, separator)) > 0 || \
               (separator == "," && squeezed(code) != "")) {
            if (i == 0)
                i = length(code) + 1
            name[++count] = squeezed(substr(code, 1, i - 1)) \
                (separator == ";" ? ";" : "")
            code = substr(code, i + 1)
        }
        if (squeezed(code) != "") # the comment stands inside of a member
            body = code substr(body, index(body, "*/") + 2)
        else if (at > 0) {
            i = index(body, "*/")
            said = substr(body, 1, i - 1)
            gsub(/\n *\*/, "\n", said)
            note[count] = note[count] (note[count] == "" ? "" : " ") \
                squeezed(said)
            body = substr(body, i + 2)
        }
    }
    for (i = 1; i <= count; ++i) {
        put(".TP")
        put("\\fB" literal(name[i]) "\\fR")
        if (note[i] != "")
            fill(escaped(note[i]))
        else
            put("\\&")
    }
}

# Rows X(NAME, "text") of a table macro.
function table(text,    quote, name) {
    while (match(text, /X\([A-Z0-9]+, *"[^"]*"\)/)) {
        name = substr(text, RSTART + 2, RLENGTH - 3)
        text = substr(text, RSTART + RLENGTH)
        quote = index(name, "\"")
        put(".TP")
        put("\\fBELMAN_" substr(name, 1, index(name, ",") - 1) "\\fR")
        fill(escaped(substr(name, quote + 1, length(name) - quote - 1)))
    }
}

# A comment with what it is said of.
function flush(    i, text, open) {
    if (declared > 0) {
        paragraph()
        put(".nf")
        for (i = 1; i <= declared; ++i) {
            text = declaration[i]
            if (text ~ /^typedef (struct|enum) [a-z_]+ *\{/)
                text = substr(text, 1, index(text, "{") - 1) "{ ... };"
            else if (text ~ /X\(/)
                continue
            gsub(/\\\n/, " ", text)
            declare(squeezed(text))
        }
        put(".fi")
    }
    render(comment_lines)
    for (i = 1; i <= declared; ++i) {
        text = declaration[i]
        open = index(text, "{")
        if (text ~ /^typedef struct [a-z_]+ *\{/)
            members(substr(text, open + 1, last_brace(text) - open - 1), ";")
        else if (text ~ /ELMAN_STATUS_ENUM\)/)
            continue
        else if (text ~ /^typedef enum [a-z_]+ *\{/)
            members(substr(text, open + 1, last_brace(text) - open - 1), ",")
        else if (text ~ /X\(/)
            table(text)
    }
    declared = comment_lines = 0
}

function last_brace(text,    i) {
    for (i = length(text); i > 0 && substr(text, i, 1) != "}"; --i)
        ;
    return i
}

# The comment at the top: paragraphs with a word hanging out at their left.
function introduce(    i, text, n, part, j) {
    heading("description")
    for (i = 1; i <= comment_lines; ++i) {
        text = lines[i]
        if (text ~ /^[A-Z][a-z]+  /) {
            put(".TP")
            put("\\fB" substr(text, 1, index(text, " ") - 1) "\\fR")
            sub(/^[A-Z][a-z]+ +/, "", text)
        } else if (text ~ /^  /)
            sub(/^ +/, "", text)
        else if (text == "") {
            if (lines[i + 1] !~ /^[A-Z][a-z]+  /)
                paragraph()
            continue
        }
        if (text ~ /[^.]   /) { # columns
            gsub(/   +/, "\001", text)
            n = split(text, part, "\001")
            for (j = 1; j <= n; ++j) {
                put(guarded(escaped(part[j])))
                put(".br")
            }
        } else
            fill(escaped(text))
    }
    comment_lines = 0
}

BEGIN {
    state = "top"
}

# ---- Comments that begin a line.
state != "comment" && state != "code" && /^\/\*/ {
    if ($0 ~ /SPDX/)
        next
    if (state == "group")
        flush()
    back = state == "top" ? "intro" : "group"
    line = $0
    comment_lines = 0
    if (line ~ /^\/\* ----/) {
        flush()
        title = line
        sub(/^\/\* -+ /, "", title)
        sub(/ -+(\*\/)?$/, "", title)
        heading(title)
        if (line ~ /\*\//)
            next
        state = "comment"
        next
    }
    sub(/^\/\* ?/, "", line)
    state = "comment"
    $0 = " * " line
}

state == "comment" {
    line = $0
    done = sub(/ *\*\/ *$/, "", line)
    if (line ~ /^ \*/)
        sub(/^ \* ?/, "", line)
    if (!(done && line == ""))
        lines[++comment_lines] = line
    if (done && back == "intro") {
        summary = lines[1]
        sub(/^[^-]*- /, "", summary)
        sub(/\.$/, "", summary)
        open_page(folder, "elman", 3, escaped(summary))
        heading("synopsis")
        put(".nf\n.B #include <elman.h>\n.sp")
        put("cc program.c $(pkg\\-config \\-\\-cflags \\-\\-libs elman)\n.fi")
        for (i = 1; i < comment_lines; ++i)
            lines[i] = lines[i + 1]
        --comment_lines
        while (comment_lines > 0 && lines[1] == "") {
            for (i = 1; i < comment_lines; ++i)
                lines[i] = lines[i + 1]
            --comment_lines
        }
        introduce()
    }
    if (done)
        state = "group"
    next
}

state == "top" { next }

# ---- Declarations, whole.
state == "group" && /^$/ {
    flush()
    next
}

state == "group" && /^#(if|endif|else|include)|^#define ELMAN_(H|API|STATUS_ENUM|VERSION_[A-Z]+)|^extern "C"|^}$/ {
    next
}

{
    whole = state == "code" ? whole "\n" $0 : $0
    state = "code"
    bare = whole
    opened = gsub(/\{/, "{", bare)
    closed = gsub(/\}/, "}", bare)
    if (whole ~ /^#/ ? $0 !~ /\\$/ : (opened == closed && $0 ~ /;( *\/\*.*\*\/)?$/)) {
        declaration[++declared] = whole
        state = "group"
    }
}

END {
    flush()
    heading("see also")
    put(".BR elman (1)")
    put(".PP\nThe pages of docs/ are in\n.IR share/doc/elman ,\n" \
        "below where elman was installed.")
}
