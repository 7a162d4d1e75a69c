# SPDX-License-Identifier: MIT
# man-roff.awk - what the makers of manual pages share: text into roff.

# text with `to` in the place of the character `from`.  (What a backslash in
# gsub's replacement means differs from awk to awk.)
function replaced(text, from, to,    at, out) {
    out = ""
    while ((at = index(text, from)) > 0) {
        out = out substr(text, 1, at - 1) to
        text = substr(text, at + 1)
    }
    return out text
}

# Characters that roff would take for its own, or draw otherwise than typed.
function escaped(text) {
    text = replaced(text, "\\", "\\e")
    text = replaced(text, "^", "\\(ha")
    return replaced(text, "~", "\\(ti")
}

# Words of a program: hyphens and quotes that can be copied.
function literal(text) {
    text = replaced(escaped(text), "-", "\\-")
    text = replaced(text, "'", "\\(aq")
    return replaced(text, "`", "\\(ga")
}

# A line that begins with a dot or a quote would be a request.
function guarded(line) {
    return line ~ /^[.']/ ? "\\&" line : line
}

# Prints roff text that is to be filled, a sentence a line or more.
function fill(text,    n, i, word, line, stop) {
    n = split(text, word, " ")
    line = ""
    for (i = 1; i <= n; ++i) {
        line = line == "" ? word[i] : line " " word[i]
        stop = word[i] ~ /[.?!]\)?$/ && word[i] !~ /\.\.\.$/ && \
               word[i + 1] ~ /^["(]?[A-Z]/
        if (i < n && !stop && length(line) + 1 + length(word[i + 1]) <= 76)
            continue
        if (!stop && i < n && line ~ /\.$/)
            line = line "\\&" # no sentence ends here
        put(guarded(line))
        line = ""
    }
}

# Lines as they stand: kept until end_block, since a block that is wider than
# the page moves to the left.
function block(line) {
    kept[++kept_lines] = line
}

function end_block(    i, widest) {
    if (kept_lines == 0)
        return
    widest = 0
    for (i = 1; i <= kept_lines; ++i)
        if (length(kept[i]) > widest)
            widest = length(kept[i])
    paragraph()
    if (widest > 71)
        put(".in 2n")
    put(".nf")
    for (i = 1; i <= kept_lines; ++i)
        put(kept[i] == "" ? ".sp" : guarded(literal(kept[i])))
    put(".fi")
    if (widest > 71)
        put(".in")
    kept_lines = 0
}

function put(line) {
    print line > page
    after_heading = line ~ /^\.S[HS]/
}

function heading(title) {
    put(".SH \"" toupper(title) "\"")
}

# mandoc and groff want no paragraph straight after a heading.
function paragraph() {
    if (!after_heading)
        put(".PP")
}

function open_page(folder, name, section, summary) {
    page = folder "/" name "." section
    put(".\\\" Made from the documentation by tools/man.sh.")
    put(".TH " toupper(name) " " section " \"\" \"elman " version "\" \"elman\"")
    put(".nh") # names do not break in their middle
    put(".ad l")
    put(".SH NAME")
    put(name " \\- " summary)
}
