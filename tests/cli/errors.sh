#!/bin/sh
# SPDX-License-Identifier: MIT
# errors.sh - files that cannot be used: one sentence, status 1, nothing left
# behind.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 60 1
expect 0 quick book.txt -o good.safetensors --epochs 1
cp good.safetensors kept

# ---- Texts
: >empty.txt
printf 'fine\nfine\nnot \377 fine\n' >invalid.txt
printf 'too short' >short.txt
mkdir folder
refused 1 'missing.txt: .*No such file' train missing.txt -o m
refused 1 'folder: ' train folder -o m
refused 1 'empty.txt: ' train empty.txt -o m
refused 1 'invalid.txt: line 3: .*UTF-8.*0xff' train invalid.txt -o m
refused 1 'short' train short.txt -o m
refused 1 'missing.txt: ' train book.txt missing.txt -o m
refused 1 'missing.txt: ' train book.txt -o m --valid missing.txt
refused 1 'invalid.txt: line 3: ' train book.txt -o m --valid invalid.txt
[ ! -e m ] || fail 'a run that failed left a model'
expect 0 "$ELMAN" train invalid.txt -o bytes.safetensors --level byte \
    --hidden 4 --batch 1 --steps 2 --epochs 1 --quiet

refused 1 'missing.txt: ' eval good.safetensors missing.txt
refused 1 'empty.txt: ' eval good.safetensors empty.txt
refused 1 'invalid.txt: line 3: ' eval good.safetensors invalid.txt
printf 't' >one.txt
refused 1 'one.txt: ' eval good.safetensors one.txt

# ---- Where the model goes
refused 1 'folder: is a folder' train book.txt -o folder
refused 1 'nowhere' train book.txt -o nowhere/m
refused 1 'book.txt: is one of the texts' train book.txt -o book.txt
refused 1 'book.txt: is one of the texts' train book.txt -o m --log book.txt
refused 1 'm: is named for two things' train book.txt -o m --checkpoint m
refused 1 'nowhere' train book.txt -o m --checkpoint nowhere/c
refused 1 'nowhere' train book.txt -o m --log nowhere/l
if [ "$(id -u)" -ne 0 ]; then
    mkdir closed
    chmod 500 closed
    refused 1 'closed' train book.txt -o closed/m
    cp book.txt secret.txt
    chmod 000 secret.txt
    refused 1 'secret.txt: .*Permission denied' train secret.txt -o m
fi

# ---- Models
head -c 300 good.safetensors >truncated
size=$(wc -c <good.safetensors)
head -c $((size - 4)) good.safetensors >short-tail
printf 'PK\003\004 this is an archive, or so it says' >foreign
printf '\002\000\000\000\000\000\000\000{}' >no-tensors
printf '\377\377\377\377\377\377\377\177{}' >huge-header
cp good.safetensors changed
printf 'X' | dd of=changed bs=1 seek=$((size - 9)) conv=notrunc 2>err
for command in 'info' 'sample' 'eval'; do
    for model in missing folder empty.txt truncated short-tail foreign \
        no-tensors huge-header changed; do
        text=
        [ $command = eval ] && text=book.txt
        # shellcheck disable=SC2086
        refused 1 "$model: " $command $model $text
    done
done

# ---- The machine
refused 1 "mmx" info --isa mmx
ELMAN_ISA=mmx refused 1 'mmx' info
refused 1 'the prompt: ' sample good.safetensors --prompt "$(printf '\377')"

# The good model is as it was, and no temporary file lies about.
same good.safetensors kept
for file in *; do
    case $file in
    book.txt | bytes.safetensors | changed | closed | \
        empty.txt | err | folder | foreign | good.safetensors | \
        huge-header | invalid.txt | kept | no-tensors | one.txt | out | \
        secret.txt | short-tail | short.txt | truncated) ;;
    *) fail "$file was left behind" ;;
    esac
done
exit 0
