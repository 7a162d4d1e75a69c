# SPDX-License-Identifier: MIT
# man-command.awk - elman(1) and elman-COMMAND(1) out of docs/command-line.md.
#
# Knows as much of Markdown as that page uses: headings, paragraphs, lists of
# one depth, tables, blocks that are indented by four, `code`, **strong** and
# links.  A section `## elman COMMAND ...` is a page of its own; a table whose
# first column is called `option` is its OPTIONS.

# Text with its marks, into roff.
function inline(text,    out, at, end, middle) {
    out = ""
    while (match(text, /`[^`]*`|\*\*[^*]*\*\*|\[[^]]*\]\([^)]*\)/)) {
        out = out escaped(substr(text, 1, RSTART - 1))
        middle = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        if (middle ~ /^`/)
            out = out "\\fB" literal(substr(middle, 2, length(middle) - 2)) \
                "\\fR"
        else if (middle ~ /^\*/)
            out = out "\\fB" escaped(substr(middle, 3, length(middle) - 4)) \
                "\\fR"
        else {
            end = index(middle, "](")
            out = out inline(substr(middle, 2, end - 2))
        }
    }
    return out escaped(text)
}

# The code of a tag: names bold, what stands for something else in italics.
function tagged(code,    n, i, word, out) {
    n = split(code, word, " ")
    out = ""
    for (i = 1; i <= n; ++i)
        out = out (i > 1 ? " " : "") \
            (word[i] ~ /^[A-Z][A-Z.]*$/ ? "\\fI" : "\\fB") \
            literal(word[i]) "\\fR"
    return out
}

function tag(cell,    n, i, part, out) {
    n = split(cell, part, "`")
    out = ""
    for (i = 1; i <= n; ++i)
        out = out (i % 2 == 0 ? tagged(part[i]) : inline(part[i]))
    return out
}

function first_upper(text) {
    return toupper(substr(text, 1, 1)) substr(text, 2)
}

function trimmed(text) {
    sub(/^ +/, "", text)
    sub(/ +$/, "", text)
    return text
}

# Cells of a row into cell[1 ...]; \| is no border.
function cut(row,    n, i) {
    gsub(/\\\|/, "\001", row)
    sub(/^\|/, "", row)
    sub(/\| *$/, "", row)
    n = split(row, cell, "|")
    for (i = 1; i <= n; ++i) {
        gsub(/\001/, "|", cell[i])
        cell[i] = trimmed(cell[i])
    }
    return n
}

function table_row(row,    n, i, text) {
    n = cut(row)
    if (++rows == 1) {
        for (i = 1; i <= n; ++i)
            head[i] = cell[i]
        options = head[1] == "option"
        if (options) {
            heading("options")
            undescribed = 0
        } else if (undescribed)
            leave_table()
        return
    }
    if (rows == 2)
        return
    if (cell[1] ~ /^\*\*/) {
        put(".SS " first_upper(substr(cell[1], 3, length(cell[1]) - 4)))
        return
    }
    text = ""
    if (options || n == 2) {
        text = cell[n]
        if (n == 3 && cell[2] != "")
            text = text (text == "" ? "" : " ") "(default: " cell[2] ")"
    } else
        for (i = 2; i <= n; ++i)
            if (cell[i] != "")
                text = text (text == "" ? "" : "; ") head[i] ": " cell[i]
    put(".TP")
    put(tag(cell[1]))
    fill(inline(text))
}

# What stands after the options of a command belongs to them no more.
function leave_table() {
    if (rows > 0 && options)
        heading("notes")
    else if (undescribed)
        heading("description")
    rows = options = undescribed = 0
}

function flush() {
    if (text == "")
        return
    leave_table()
    if (bullet) {
        put(".IP \\(bu 3")
        fill(inline(text))
    } else {
        paragraph()
        fill(inline(text))
    }
    text = ""
}

function see_also() {
    heading("see also")
    if (command == "")
        put(related ".BR elman (3)")
    else
        put(".BR elman (1),\nfor what all commands share,\n.BR elman (3)")
    put(".PP\nThe pages that are named, such as training.md, are in\n" \
        ".IR share/doc/elman ,\nbelow where elman was installed.")
}

# `elman train TEXT... -o MODEL`, of a heading.
function open_command(line,    n, word) {
    n = split(line, word, " ")
    command = word[2]
    if (!(command in summary)) {
        print "man-command.awk: elman " command \
            " is not in the table of commands" > "/dev/stderr"
        exit 1
    }
    open_page(folder, "elman-" command, 1, summary[command])
    heading("synopsis")
    put(tagged(line) " [\\fIOPTION\\fR]...")
    undescribed = 1
}

function plain(text) {
    gsub(/`/, "", text)
    return escaped(text)
}

BEGIN {
    open_page(folder, "elman", 1, "train and run recurrent neural networks")
    heading("synopsis")
}

/^# / { next }

/^## / {
    flush()
    end_block()
    if ($2 == "elman" && NF > 2) {
        if (command == "")
            main = page
        else
            see_also()
        open_command(substr($0, 4))
    } else {
        undescribed = 0
        heading(substr($0, 4))
    }
    rows = options = 0
    next
}

/^    / && text == "" {
    if (kept_lines == 0)
        leave_table()
    for (; blanks > 0; --blanks)
        if (kept_lines > 0)
            block("")
    blanks = 0
    block(substr($0, 5))
    next
}

/^$/ {
    flush()
    ++blanks
    next
}

{
    end_block()
    blanks = 0
}

/^\|/ {
    flush()
    if (page ~ /\/elman\.1$/) {
        if (rows == 0)
            heading("commands")
        if (match($0, /`elman [a-z]+/)) {
            cut($0)
            name = substr($0, RSTART + 7, RLENGTH - 7)
            summary[name] = plain(cell[2])
            related = related ".BR elman\\-" name " (1),\n"
        }
    }
    table_row($0)
    next
}

/^- / {
    flush()
    bullet = 1
    text = substr($0, 3)
    next
}

text == "" {
    bullet = bullet && /^  /
}

{
    text = (text == "" ? "" : text " ") trimmed($0)
}

END {
    flush()
    end_block()
    see_also()
    page = main
    command = ""
    see_also()
}
