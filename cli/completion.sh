# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# completion.sh - lets bash complete the words of `elman`; installed as
# share/bash-completion/completions/elman.
#
# Commands, options and choices are those that the program itself lists in
# --help.  Where a file is wanted, or nothing is known, bash completes files.

# The program that the line calls, asked for its help.
_elman_help() {
    "${COMP_WORDS[0]/#\~/$HOME}" "$@" --help 2>/dev/null </dev/null
}

# A row of the help for every option: its name, its letter, what it takes.
_elman_options() {
    local line
    while IFS= read -r line; do
        if [[ $line =~ ^\ \ (-(.),\ )?--([a-z0-9-]+)(\ ([^ ]+))?(\ \ .*)?$ ]]
        then
            printf -- '--%s|%s|%s\n' "${BASH_REMATCH[3]}" \
                "${BASH_REMATCH[2]:+-${BASH_REMATCH[2]}}" "${BASH_REMATCH[5]}"
        fi
    done < <(_elman_help "$1")
}

_elman_commands() {
    local line
    while IFS= read -r line; do
        if [[ $line =~ ^\ \ ([a-z]+)\ \ +[a-z] ]]; then
            echo "${BASH_REMATCH[1]}"
        fi
    done < <(_elman_help)
}

# No files are offered: what stands here is none.
_elman_no_files() {
    compopt +o default 2>/dev/null
}

# _elman_offer WORD... : those that begin with what was typed, $cur.
_elman_offer() {
    local word
    for word; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$before$word")
    done
    _elman_no_files
}

_elman_value() {
    local words
    case $1 in
    *'|'*)
        IFS='|' read -ra words <<<"$1"
        _elman_offer "${words[@]}"
        ;;
    LEVEL)
        read -ra words < <("${COMP_WORDS[0]/#\~/$HOME}" info 2>/dev/null |
            sed -n 's/^levels *\([^(]*\).*/\1/p')
        _elman_offer "${words[@]}"
        ;;
    FILE | LIST) ;;
    *) _elman_no_files ;;
    esac
}

_elman() {
    local cur=${COMP_WORDS[COMP_CWORD]} before='' option
    local i row rows names name letter takes
    COMPREPLY=()
    if ((COMP_CWORD == 1)) || [[ ${COMP_WORDS[1]} == help ]]; then
        mapfile -t names < <(_elman_commands)
        ((COMP_CWORD == 1)) && names+=(help --help --version)
        ((COMP_CWORD <= 2)) && _elman_offer "${names[@]}"
        return
    fi

    # --name value, --name=value; readline makes one word of the latter or three.
    if [[ $cur == --*=* ]]; then
        option=${cur%%=*}
        before=$option=
        cur=${cur#*=}
    elif [[ $cur == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 1]}
        cur=
    elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    else
        option=${COMP_WORDS[COMP_CWORD - 1]}
    fi
    # After -- all words are operands.
    for ((i = 2; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -- ]] && return
    done

    mapfile -t rows < <(_elman_options "${COMP_WORDS[1]}")
    for row in "${rows[@]}"; do
        IFS='|' read -r name letter takes <<<"$row"
        names+=("$name")
        if [[ -n $takes && ($option == "$name" || $option == "$letter") ]]
        then
            _elman_value "$takes"
            return
        fi
    done
    if [[ $cur == -* && -z $before ]]; then
        _elman_offer "${names[@]}"
    fi
}

complete -o default -F _elman elman
