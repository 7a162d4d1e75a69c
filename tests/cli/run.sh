#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh - networks and language models over sequences, as .npy and CSV.
# shellcheck source=tests/cli/support/checks.sh
. "$(dirname "$0")/support/checks.sh"

make_text book.txt 60 1
expect 0 quick book.txt -o lm.safetensors --epochs 1 --cell gru

# ---- A language model: logits of every step.
printf '1\n2\n\n3\n' >ids.csv
expect 0 "$ELMAN" run lm.safetensors ids.csv y.csv
[ "$(wc -l <y.csv)" -eq 3 ] || fail 'three steps are not three lines'
tokens=$("$ELMAN" info lm.safetensors --json | sed 's/.*"vocabulary": //')
tokens=${tokens%%,*}
[ "$(head -n 1 y.csv | tr ',' '\n' | wc -l)" -eq "$tokens" ] ||
    fail 'a line has not one number a token'
expect 0 "$ELMAN" run lm.safetensors - - <ids.csv
same y.csv out

# A line is answered before the next one comes.
mkfifo to from
"$ELMAN" run lm.safetensors - - <to >from &
exec 3>to 4<from
for id in 1 2 3; do
    echo $id >&3
    read -r line <&4 || fail 'no answer'
    echo "$line" >>answers
done
exec 3>&- 4<&-
wait
same y.csv answers

# npy FILE DESCR SHAPE NUMBERS: NUMBERS are printf's bytes.
npy() {
    header="{'descr': '$2', 'fortran_order': False, 'shape': ($3), }"
    {
        # shellcheck disable=SC2059
        printf "\\223NUMPY\\1\\0\\$(printf %o $((${#header} + 1)))\\0"
        printf '%s\n' "$header"
        # shellcheck disable=SC2059
        printf "$4"
    } >"$1"
}

# ---- The same as .npy: a sequence alone, and beside others.
npy ids.npy '|u1' '3,' '\1\2\3'
expect 0 "$ELMAN" run lm.safetensors ids.npy y.npy
expect 0 "$ELMAN" run lm.safetensors ids.npy out.csv
same y.csv out.csv
expect 0 "$ELMAN" run lm.safetensors ids.csv again.npy
same y.npy again.npy
npy two.npy '<i4' '3, 2' \
    '\1\0\0\0\5\0\0\0\2\0\0\0\377\0\0\0\3\0\0\0\377\377\377\377'
refused 1 'two.npy: token 3 is 255' run lm.safetensors two.npy y2.npy
expect 0 "$ELMAN" run lm.safetensors two.npy y2.npy --lengths 3,1
[ "$(wc -c <y2.npy)" -eq $((128 + 3 * 2 * tokens * 4)) ] || fail 'the size'
# Column 0 is the sequence alone; past its end column 1 is zeros.
row=$((tokens * 4))
for step in 0 1 2; do
    tail -c +129 y2.npy | tail -c +$((step * 2 * row + 1)) |
        head -c $row >beside
    tail -c +129 y.npy | tail -c +$((step * row + 1)) | head -c $row >alone
    same beside alone
done
tail -c $row y2.npy | tr -d '\0' | wc -c | grep -q '^ *0$' ||
    fail 'past an end are no zeros'
npy first.npy '<i8' '1, 3' \
    '\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0'
expect 0 "$ELMAN" run lm.safetensors first.npy y3.npy --batch-first
tail -c +129 y3.npy >beside
tail -c +129 y.npy >alone
same beside alone
npy lengths.npy '<i8' '2,' '\3\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0'
expect 0 "$ELMAN" run lm.safetensors two.npy y4.npy --lengths lengths.npy
same y2.npy y4.npy

# ---- A byte order mark, blank lines and Windows' ends of lines are no numbers.
printf '\357\273\2771\r\n2\r\n\r\n3' >marked.csv
expect 0 "$ELMAN" run lm.safetensors marked.csv again.csv
same y.csv again.csv
printf '\357\273\277\n1\n2\n3\n' >marked.csv
expect 0 "$ELMAN" run lm.safetensors - again.npy <marked.csv
same y.npy again.npy
printf '1\n\357\273\2772\n' >marked.csv
refused 1 'marked.csv: line 2: something is no number' \
    run lm.safetensors marked.csv y5.csv

# ---- Infinities and NaN are numbers, in text and as .npy: h = max(0, x + h).
header='{"weight_ih_l0":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},'
header=$header'"weight_hh_l0":{"dtype":"F32","shape":[1,1],"data_offsets":[4,8]}}'
{
    # shellcheck disable=SC2059
    printf "\\$(printf %o ${#header})\\0\\0\\0\\0\\0\\0\\0"
    printf '%s\0\0\200\077\0\0\200\077' "$header"
} >sums.safetensors
expect 0 "$ELMAN" convert sums.safetensors sum.safetensors --activation relu
printf '0.5\n2\ninf\n1\nnan\n1\n' >odd.csv
printf '0.5\n2.5\ninf\ninf\nnan\nnan\n' >odd_sums.csv
for dtype in f32 f64; do
    expect 0 "$ELMAN" run sum.safetensors odd.csv sums.csv --dtype $dtype
    same odd_sums.csv sums.csv
done
sed 's/nan/-NaN/; s/inf/1e999/' odd.csv >other.csv
expect 0 "$ELMAN" run sum.safetensors other.csv sums.csv
same odd_sums.csv sums.csv
npy odd.npy '<f4' '6, 1' \
    '\0\0\0\077\0\0\0\100\0\0\200\177\0\0\200\077\0\0\300\377\0\0\200\077'
expect 0 "$ELMAN" run sum.safetensors odd.npy sums.csv
same odd_sums.csv sums.csv
printf '1\nnan\n' >bad.csv
refused 1 'bad.csv: line 2: nan is no token' run lm.safetensors bad.csv y5.csv

# ---- Nothing depends on threads or levels.
for options in '--threads 1' '--threads 4' '--isa c'; do
    # shellcheck disable=SC2086
    expect 0 "$ELMAN" run lm.safetensors ids.npy again.npy $options
    same y.npy again.npy
done

# ---- What is wrong.
printf '\30\0\0\0\0\0\0\0{"__metadata__":{}}     ' >foreign.safetensors
refused 1 'it is no model of elman' run foreign.safetensors ids.npy y5.npy
refused 1 'missing.npy: ' run lm.safetensors missing.npy y5.npy
refused 1 'missing.csv: ' run lm.safetensors missing.csv y5.npy
printf 'text' >text.npy
refused 1 'text.npy: it is no .npy file' run lm.safetensors text.npy y5.npy
printf '1\nx\n' >bad.csv
refused 1 'bad.csv: line 2: something is no number (1 number' \
    run lm.safetensors bad.csv y5.npy
printf '1\n2,3\n' >bad.csv
refused 1 'bad.csv: line 2: it has more or fewer numbers' \
    run lm.safetensors bad.csv y5.npy
printf '1\n1.5\n' >bad.csv
refused 1 'bad.csv: line 2: 1.5 is no token' run lm.safetensors bad.csv y5.npy
printf '\n\n' >bad.csv
refused 1 'bad.csv: there is nothing in it' run lm.safetensors bad.csv y5.npy
npy bad.npy '<f4' '1,' '\0\0\0\0'
refused 1 'takes tokens, which are integers' run lm.safetensors bad.npy y5.npy
npy bad.npy '<i4' '1, 1, 1' '\0\0\0\0'
refused 1 'its shape is \[1,1,1\] (it should be \[T\] or \[T,B\]' \
    run lm.safetensors bad.npy y5.npy
npy bad.npy '<i4' '0,' ''
refused 1 'there is nothing to run' run lm.safetensors bad.npy y5.npy
refused 1 "lengths is '3' (it should be 2 numbers" \
    run lm.safetensors two.npy y5.npy --lengths 3
refused 1 'lengths: sequence 1 has 4 steps (0 to 3)' \
    run lm.safetensors two.npy y5.npy --lengths 3,4
refused 1 'CSV has one sequence, and there are 2' \
    run lm.safetensors two.npy y5.csv --lengths 3,1
refused 2 'x.txt: is no .npy and no .csv file' run lm.safetensors x.txt y5.npy
refused 2 'lengths means nothing with CSV' \
    run lm.safetensors ids.csv y5.npy --lengths 3
refused 1 'nowhere' run lm.safetensors ids.npy nowhere/y.npy
refused 1 'nowhere' run lm.safetensors ids.npy nowhere/y.csv
printf '1\n2\nx\n' >bad.csv
refused 1 'bad.csv: line 3' run lm.safetensors bad.csv y5.csv
for file in y5.npy y5.csv y5.csv.tmp; do
    [ ! -e $file ] || fail "$file was written"
done
# What was there stays; what is no file is written to.
cp y.csv old.csv
refused 1 'bad.csv: line 3' run lm.safetensors bad.csv old.csv
same y.csv old.csv
mkfifo pipe.csv
cat pipe.csv >piped &
expect 0 "$ELMAN" run lm.safetensors ids.csv pipe.csv
wait
same y.csv piped
exit 0
