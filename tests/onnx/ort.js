// SPDX-License-Identifier: MIT
// ort.js - networks as ONNX in ONNX Runtime: node ort.js ELMAN FOLDER
//
// Every cell with layers, directions, projections, with and without biases,
// embeddings and decoders, of all steps and of the last one, at lengths and batches that are nowhere in the file:
// the outputs are those of `elman run`; in pieces with the state carried they
// are those of the whole; sequences of several lengths; and the way back gives
// the same bytes.
'use strict';

const path = require('path');
const {runtime, fail, elman, writeTensors, writeNpy, readNpy, draw, drawIds,
    same, DTYPES} = require('./support/files.js');

const [program, folder] = process.argv.slice(2);
const MOST = 1e-5;
const GATES = {elman: 1, lstm: 4, gru: 3};
const file = (name) => path.join(folder, name);
const run = (...words) => elman(program, ...words);
let checks = 0, worst = 0;

// ---- A network --------------------------------------------------------------

// n: {cell, I, H, L, S, V, O, P, bias, decoderBias, tie, activation, reset,
//     decode}
function tensorsOf(n, type) {
    const rows = GATES[n.cell] * n.H, P = n.P || n.H, out = {};
    const add = (name, ...shape) => {
        const count = shape.reduce((a, b) => a * b, 1);
        out[name] = {shape, data: draw(count, 1 / Math.sqrt(n.H), type)};
    };
    if (n.V > 0)
        add('embedding.weight', n.V, n.I);
    for (let l = 0; l < n.L; l++)
        for (const end of ['', '_reverse'].slice(0, n.S)) {
            add(`rnn.weight_ih_l${l}${end}`, rows, l === 0 ? n.I : n.S * P);
            add(`rnn.weight_hh_l${l}${end}`, rows, P);
            if (n.bias) {
                add(`rnn.bias_ih_l${l}${end}`, rows);
                add(`rnn.bias_hh_l${l}${end}`, rows);
            }
            if (n.P > 0)
                add(`rnn.weight_hr_l${l}${end}`, P, n.H);
        }
    if (n.O > 0) {
        add('decoder.weight', n.O, n.S * P);
        if (n.tie)
            out['decoder.weight'] = out['embedding.weight'];
        if (n.decoderBias)
            add('decoder.bias', n.O);
    }
    return out;
}

function makeNetwork(n, dtype, name) {
    writeTensors(file('raw.safetensors'), tensorsOf(n, DTYPES[dtype]));
    run('convert', file('raw.safetensors'), file(name), '--quiet',
        ...(n.activation ? ['--activation', n.activation] : []),
        ...(n.reset ? ['--reset', n.reset] : []),
        ...(n.decode ? ['--decode', n.decode] : []));
}

// The way back, and that it is the same bytes every time.
function checkBack(what, name, words = []) {
    run('convert', file(name), file('net.onnx'), '--quiet', ...words);
    run('convert', file(name), file('again.onnx'), '--quiet', ...words);
    if (!same(file('net.onnx'), file('again.onnx')))
        fail(what, 'is not written the same twice');
    run('convert', file('net.onnx'), file('back.safetensors'), '--quiet');
    if (!same(file(name), file('back.safetensors')))
        fail(what, 'does not come back the same');
    checks++;
}

// ---- Running ----------------------------------------------------------------

function compare(what, ours, theirs, keep = () => true) {
    if (ours.length !== theirs.length)
        fail(what, `${theirs.length} numbers, not ${ours.length}`);
    for (let i = 0; i < ours.length; i++)
        if (keep(i)) {
            const error = Math.abs(ours[i] - theirs[i]);
            worst = Math.max(worst, error);
            if (!(error <= MOST * Math.max(1, Math.abs(ours[i]))))
                fail(what, `number ${i} is ${theirs[i]}, not ${ours[i]}`);
        }
    checks++;
}

function inputOf(n, T, B) {
    const data = n.V > 0 ? drawIds(T * B, n.V) : draw(T * B * n.I, 1);
    return {shape: n.V > 0 ? [T, B] : [T, B, n.I], data};
}

function tensorOf({shape, data}) {
    return data instanceof Int32Array
        ? new runtime.Tensor('int64', BigInt64Array.from(data, BigInt), shape)
        : new runtime.Tensor('float32', data, shape);
}

function zeroStates(n, B) {
    const P = n.P || n.H, zeros = (width) => new runtime.Tensor('float32',
        new Float32Array(n.L * n.S * B * width), [n.L * n.S, B, width]);
    return n.cell === 'lstm' ? {h0: zeros(P), c0: zeros(n.H)} : {h0: zeros(P)};
}

const nextStates = (out) => out.cT ? {h0: out.hT, c0: out.cT} : {h0: out.hT};
const nameOf = (n) => n.V > 0 ? 'ids' : 'x';

async function checkWhole(what, n, session, T, B) {
    const input = inputOf(n, T, B);
    writeNpy(file('x.npy'), input.shape, input.data);
    run('run', file('net.safetensors'), file('x.npy'), file('y.npy'));
    const ours = readNpy(file('y.npy'));
    const out = await session.run(
        {[nameOf(n)]: tensorOf(input), ...zeroStates(n, B)});
    if (String(out.y.dims) !== String(ours.shape))
        fail(what, `the shape is ${out.y.dims}, not ${ours.shape}`);
    compare(`${what}, T ${T}, B ${B}`, ours.data, out.y.data);
    if (n.S === 1)
        await checkPieces(what, n, session, input, out, T, B);
}

// Steps from ... from+count-1 of what enters.
function piece(input, from, count) {
    const row = input.data.length / input.shape[0];
    return {shape: [count, ...input.shape.slice(1)],
        data: input.data.slice(from * row, (from + count) * row)};
}

async function checkPieces(what, n, session, input, whole, T, B) {
    let states = zeroStates(n, B), out;
    const ys = [];
    for (let from = 0, count; from < T; from += count) {
        count = Math.min(T - from, 1 + ys.length % 3);
        out = await session.run(
            {[nameOf(n)]: tensorOf(piece(input, from, count)), ...states});
        ys.push(...out.y.data);
        states = nextStates(out);
    }
    compare(`${what}, in pieces`, whole.y.data, n.decode ? out.y.data : ys);
    compare(`${what}, its last state`, whole.hT.data, out.hT.data);
    if (out.cT)
        compare(`${what}, its last cells`, whole.cT.data, out.cT.data);
}

async function checkLengths(what, n, T, B) {
    const session = await runtime.InferenceSession.create(file('net.onnx'));
    const input = inputOf(n, T, B);
    const lengths = Int32Array.from({length: B}, (_, b) => T - 2 * b);
    writeNpy(file('x.npy'), input.shape, input.data);
    run('run', file('net.safetensors'), file('x.npy'), file('y.npy'),
        '--lengths', lengths.join(','));
    const out = await session.run({[nameOf(n)]: tensorOf(input),
        lengths: new runtime.Tensor('int32', lengths, [B]),
        ...zeroStates(n, B)});
    const ours = readNpy(file('y.npy')), width = ours.shape[2];
    if (String(out.y.dims) !== String(ours.shape))
        fail(what, `the shape is ${out.y.dims}, not ${ours.shape}`);
    // Past an end a decoder gives its bias there, and elman 0.
    compare(`${what}, of several lengths`, ours.data, out.y.data, (i) =>
        n.O === 0 || n.decode || Math.floor(i / width / B) <
            lengths[Math.floor(i / width) % B]);
    await session.release();
}

async function checkNetwork(n) {
    const what = JSON.stringify(n);
    makeNetwork(n, 'F64', 'wide.safetensors');
    checkBack(`${what} in float64`, 'wide.safetensors');
    makeNetwork(n, 'F32', 'net.safetensors');
    checkBack(what, 'net.safetensors');
    const session = await runtime.InferenceSession.create(file('net.onnx'));
    for (const [T, B] of [[7, 3], [1, 1], [20, 5], [2, 17]])
        await checkWhole(what, n, session, T, B);
    await session.release();
    if (n.P > 0 || (n.S === 2 && n.decode === 'last'))
        return;
    checkBack(`${what} with lengths`, 'net.safetensors', ['--lengths']);
    await checkLengths(what, n, 9, 4);
}

const PLAIN = {I: 3, H: 5, L: 1, S: 1, V: 0, O: 0, P: 0, bias: true,
    decoderBias: true};

function networks() {
    const list = [];
    for (const cell of ['elman', 'lstm', 'gru'])
        for (const L of [1, 2, 3])
            for (const S of [1, 2])
                list.push({...PLAIN, cell, L, S, I: 2 + L, H: 4 + 3 * S});
    for (const cell of ['elman', 'lstm', 'gru'])
        list.push({...PLAIN, cell, I: 1, H: 1},
            {...PLAIN, cell, bias: false, O: 1, decoderBias: false},
            {...PLAIN, cell, V: 11, O: 4, L: 2, S: 2},
            {...PLAIN, cell, I: 6, H: 6, V: 9, O: 9, tie: true},
            {...PLAIN, cell, I: 6, H: 6, V: 9, O: 9, tie: true, L: 2,
                decoderBias: false},
            {...PLAIN, cell, I: 17, H: 65, O: 3, L: 2});
    for (const S of [1, 2])
        for (const L of [1, 3])
            list.push({...PLAIN, cell: 'lstm', H: 9, P: 4, L, S, O: 6},
                {...PLAIN, cell: 'lstm', H: 8, P: 1, L, S, bias: false},
                {...PLAIN, cell: 'lstm', H: 8, P: 3, L, S, V: 7});
    for (const S of [1, 2])
        list.push(
            {...PLAIN, cell: 'elman', activation: 'relu', L: 2, S, O: 2},
            {...PLAIN, cell: 'gru', reset: 'before', L: 2, S, O: 2});
    for (const cell of ['elman', 'lstm', 'gru'])
        for (const [S, decode] of [[1, 'last'], [2, 'last'], [2, 'final']])
            for (const L of [1, 2])
                list.push({...PLAIN, cell, L, S, decode},
                    {...PLAIN, cell, L, S, decode, O: 4, V: 7 * (L - 1)});
    for (const [S, decode] of [[1, 'last'], [2, 'last'], [2, 'final']])
        list.push({...PLAIN, cell: 'lstm', H: 8, P: 3, L: 2, S, decode, O: 2},
            {...PLAIN, cell: 'lstm', H: 8, P: 3, S, decode});
    return list;
}

// ---- A language model -------------------------------------------------------

function makeText() {
    const words = ['the time', 'a machine', 'was in', 'the garden', 'and so'];
    return Array.from(drawIds(200, words.length),
        (i, k) => words[i] + (k % 7 === 6 ? '\n' : ' ')).join('');
}

// Nats a token, as the runtime's logits have it; one pass in two pieces.
async function measure(session, n, ids) {
    let states = zeroStates(n, 1), nats = 0;
    const half = ids.length >> 1;
    for (const [from, to] of [[0, half], [half, ids.length - 1]]) {
        const data = Int32Array.from(ids.slice(from, to));
        const out = await session.run({
            ids: tensorOf({shape: [data.length, 1], data}), ...states});
        states = nextStates(out);
        for (let t = 0; t < data.length; t++) {
            const row = out.y.data.subarray(t * n.V, (t + 1) * n.V);
            const top = Math.max(...row);
            const sum = row.reduce((a, x) => a + Math.exp(x - top), 0);
            nats += top + Math.log(sum) - row[ids[from + t + 1]];
        }
    }
    return nats / (ids.length - 1);
}

async function checkModel(n, options) {
    const what = `a language model, ${options.join(' ')}`;
    run('train', file('text'), '-o', file('lm.safetensors'), '--hidden',
        String(n.H), '--cell', n.cell, '--batch', '4', '--steps', '10',
        '--epochs', '2', '--threads', '1', '--quiet', ...options);
    checkBack(what, 'lm.safetensors');
    const meta = JSON.parse(run('info', file('lm.safetensors'), '--json'));
    const session = await runtime.InferenceSession.create(file('net.onnx'));
    const text = require('fs').readFileSync(file('text'), 'utf8');
    const header = readHeader(file('lm.safetensors'));
    const tokens = JSON.parse(header.vocabulary);
    const ids = [...text].map((c) => tokens.indexOf(c));
    const theirs = await measure(session, {...n, V: tokens.length}, ids);
    const ours = JSON.parse(run('eval', file('lm.safetensors'), file('text'),
        '--json')).nats_per_token;
    if (!(Math.abs(ours - theirs) <= 1e-5 * ours))
        fail(what, `${theirs} nats a token, not ${ours}`);
    if (meta.cell !== n.cell)
        fail(what, 'the cell');
    checks++;
    await session.release();
}

function readHeader(name) {
    const bytes = require('fs').readFileSync(name);
    const size = Number(bytes.readBigUInt64LE(0));
    return JSON.parse(bytes.toString('utf8', 8, 8 + size)).__metadata__;
}

// ---- All of it --------------------------------------------------------------

async function main() {
    for (const n of networks())
        await checkNetwork(n);
    require('fs').writeFileSync(file('text'), makeText());
    await checkModel({...PLAIN, cell: 'elman', H: 12}, []);
    await checkModel({...PLAIN, cell: 'lstm', H: 12}, ['--embed', '5']);
    await checkModel({...PLAIN, cell: 'gru', H: 12, L: 2},
        ['--embed', '12', '--tie', '--layers', '2']);
    console.log(`${checks} checks, the largest error ${worst.toExponential(1)}`);
}

main().catch((error) => fail(error.stack));
