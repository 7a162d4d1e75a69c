// SPDX-License-Identifier: MIT
// ort_peer.js - inference workloads of `elman bench` on ONNX Runtime.
//
//     node ort_peer.js [--threads N] [--dtype f32]
//
// Says what it is, then reads rows of workloads.tsv and answers each with one
// line: the median microseconds of half a second of runs (at least 3), or why
// there are none.  Before a workload's first answer its output is compared with
// a plain loop over the same weights.
//
// The model is made here, one RNN, LSTM or GRU node a layer with constant
// weights, so that the runtime packs them when it loads the model.  Runs are
// calls of the package's binding, which returns when it has run, with outputs
// that exist already.  Such a call costs microseconds by itself, which are part
// of every figure: what it takes with a model that only hands one tensor on is
// said at the beginning, and each state's tensors add to it.
'use strict';

const path = require('path');
const readline = require('readline');
const fromPeers = require('module').createRequire(
    path.join(__dirname, '../../build/peers/package.json'));

const SECONDS = 0.5, RUNS_LEAST = 3, CALLS_A_RUN = 200, STEPS_CHECKED = 3;
const OPERATORS = {tanh: 'RNN', gru: 'GRU', lstm: 'LSTM'};
const GATES = {tanh: 1, gru: 3, lstm: 4};

let runtime, Tensor; // of the package
let threads = 1;

// ---- Protocol buffers, as far as a model needs them -----------------------

function varint(n) {
    const bytes = [];
    for (; n > 127; n = Math.floor(n / 128))
        bytes.push(n % 128 + 128);
    return Buffer.from([...bytes, n]);
}

function number(field, n) {
    return Buffer.concat([varint(8 * field), varint(n)]);
}

function block(field, content) {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(content);
    return Buffer.concat([varint(8 * field + 2), varint(bytes.length), bytes]);
}

function message(field, ...parts) {
    return block(field, Buffer.concat(parts));
}

const INT64 = 7, FLOAT = 1; // TensorProto.DataType
const INT = 2, INTS = 7, STRING = 3, STRINGS = 8; // AttributeProto.Type

function attribute(name, value) {
    const list = Array.isArray(value);
    const text = typeof (list ? value[0] : value) === 'string';
    const field = list ? (text ? 9 : 8) : (text ? 4 : 3);
    const type = list ? (text ? STRINGS : INTS) : (text ? STRING : INT);
    const one = (v) => text ? block(field, v) : number(field, v);
    return message(5, block(1, name), ...[value].flat().map(one),
        number(20, type));
}

function node(operator, inputs, outputs, attributes = {}) {
    return message(1, ...inputs.map((n) => block(1, n)),
        ...outputs.map((n) => block(2, n)), block(4, operator),
        ...Object.entries(attributes).map(([k, v]) => attribute(k, v)));
}

function constant(name, dims, data) {
    const type = data instanceof BigInt64Array ? INT64 : FLOAT;
    return message(5, ...dims.map((d) => number(1, d)), number(2, type),
        block(8, name),
        block(9, Buffer.from(data.buffer, data.byteOffset, data.byteLength)));
}

function named(field, name, dims) {
    const shape = dims.map((d) => message(1, number(1, d)));
    return message(field, block(1, name), message(2, message(1,
        number(1, FLOAT), message(2, ...shape))));
}

// inputs and outputs: name to shape
function model(nodes, constants, inputs, outputs) {
    const list = (field, o) =>
        Object.entries(o).map(([name, dims]) => named(field, name, dims));
    return Buffer.concat([number(1, 8), message(7, ...nodes, block(2, 'peer'),
        ...constants, ...list(11, inputs), ...list(12, outputs)),
    message(8, number(2, 14))]);
}

// ---- A workload -----------------------------------------------------------

let state = 1;

// Numbers uniform in [-bound, bound).
function draw(count, bound) {
    return Float32Array.from({length: count}, () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return bound * (state / 2 ** 31 - 1);
    });
}

function makeLayers(w) {
    const rows = GATES[w.cell] * w.hidden, bound = 1 / Math.sqrt(w.hidden);
    return Array.from({length: w.layers}, (_, l) => {
        const input = l === 0 ? w.input : w.directions * w.hidden;
        return {
            input,
            W: draw(w.directions * rows * input, bound),
            R: draw(w.directions * rows * w.hidden, bound),
            B: draw(w.directions * rows * 2, bound),
        };
    });
}

// The states' names, h and c of every layer: the inputs, and the outputs that
// are the next step's inputs.
function stateNames(w) {
    if (w.purpose !== 'step')
        return [];
    const kinds = w.cell === 'lstm' ? ['h', 'c'] : ['h'];
    return w.layers_made.flatMap((_, l) => kinds.map((k) => `${k}${l}`));
}

function layerNodes(w, l) {
    const D = w.directions, H = w.hidden, steps = w.purpose === 'step';
    const lstm = steps && w.cell === 'lstm';
    const attributes = {hidden_size: H,
        direction: D === 2 ? 'bidirectional' : 'forward'};
    if (w.cell === 'tanh')
        attributes.activations = ['Tanh'];
    if (w.cell === 'gru')
        attributes.linear_before_reset = 1;
    const inputs = [l === 0 ? 'x' : `x${l}`, `W${l}`, `R${l}`, `B${l}`,
        ...(steps ? ['', `h${l}`] : []), ...(lstm ? [`c${l}`] : [])];
    const outputs = [`Y${l}`, ...(steps ? [`h${l}_next`] : []),
        ...(lstm ? [`c${l}_next`] : [])];
    const last = l + 1 === w.layers, out = last ? 'y' : `x${l + 1}`;
    const nodes = [node(OPERATORS[w.cell], inputs, outputs, attributes)];
    if (steps && last)
        return nodes;
    // Y is [T,D,B,H].
    if (D === 1)
        nodes.push(node('Squeeze', [`Y${l}`, 'one'], [out]));
    else
        nodes.push(node('Transpose', [`Y${l}`], [`Z${l}`],
            {perm: [0, 2, 1, 3]}), node('Reshape', [`Z${l}`, 'flat'], [out]));
    return nodes;
}

function makeModel(w) {
    const D = w.directions, H = w.hidden, G = GATES[w.cell];
    const nodes = [], constants = [
        constant('one', [1], BigInt64Array.of(1n)),
        constant('flat', [3], BigInt64Array.of(0n, 0n, -1n))];
    const inputs = {x: [w.steps, w.batch, w.input]};
    const outputs = w.purpose === 'step' ? {} :
        {y: [w.steps, w.batch, D * H]};
    w.layers_made.forEach((layer, l) => {
        constants.push(constant(`W${l}`, [D, G * H, layer.input], layer.W),
            constant(`R${l}`, [D, G * H, H], layer.R),
            constant(`B${l}`, [D, 2 * G * H], layer.B));
        nodes.push(...layerNodes(w, l));
    });
    for (const name of stateNames(w)) {
        inputs[name] = [D, w.batch, H];
        outputs[`${name}_next`] = [D, w.batch, H];
    }
    return {bytes: model(nodes, constants, inputs, outputs), inputs, outputs};
}

function tensor(dims, bound = 0) {
    const count = dims.reduce((a, b) => a * b, 1);
    return new Tensor('float32',
        bound > 0 ? draw(count, bound) : new Float32Array(count), dims);
}

// A call of it is a run.  With states there are two sets of tensors, the one's
// outputs the other's inputs; there is no output but the states, of which the
// last layer's h is one.
function load(made) {
    const session = new runtime.InferenceSession();
    session.loadModel(made.bytes.buffer, made.bytes.byteOffset,
        made.bytes.byteLength, {intraOpNumThreads: threads,
            interOpNumThreads: 1, executionMode: 'sequential',
            graphOptimizationLevel: 'all', executionProviders: ['cpu'],
            logSeverityLevel: 3});
    const feeds = [{}, {}], fetches = [{}, {}];
    for (const name of Object.keys(made.inputs)) {
        const one = tensor(made.inputs[name], name === 'x' ? 1 : 0);
        const other = name === 'x' ? one : tensor(made.inputs[name]);
        [feeds[0][name], feeds[1][name]] = [one, other];
        if (`${name}_next` in made.outputs)
            [fetches[0][`${name}_next`], fetches[1][`${name}_next`]] =
                [other, one];
    }
    if ('y' in made.outputs)
        fetches[0].y = fetches[1].y = tensor(made.outputs.y);
    let turn = 0;
    const run = () => {
        session.run(feeds[turn], fetches[turn], {});
        turn = 1 - turn;
    };
    return {run, x: feeds[0].x, fetches: fetches[0],
        dispose: () => session.dispose()};
}

function median(run, calls) {
    const times = [], start = process.hrtime.bigint();
    const limit = start + BigInt(1e9 * SECONDS);
    run();
    while (times.length < RUNS_LEAST || process.hrtime.bigint() < limit) {
        const begin = process.hrtime.bigint();
        for (let i = 0; i < calls; i++)
            run();
        times.push(Number(process.hrtime.bigint() - begin) / 1e3 / calls);
    }
    return times.sort((a, b) => a - b)[times.length >> 1];
}

// ---- Is it the same work? -------------------------------------------------

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

// row r of a matrix of so many columns, which begins at `from`, times x
function dot(matrix, from, columns, r, x) {
    let sum = 0;
    for (let i = 0, at = from + r * columns; i < columns; i++)
        sum += matrix[at + i] * x[i];
    return sum;
}

// One step of one sequence; ONNX has the gates of the LSTM as i o f c, those of
// the GRU as z r h, and biases of the input before those of the state.
function plainStep(w, layer, d, x, h, c) {
    const H = w.hidden, rows = GATES[w.cell] * H, b = d * 2 * rows;
    const a = new Float64Array(rows), r = new Float64Array(rows);
    for (let k = 0; k < rows; k++) {
        a[k] = dot(layer.W, d * rows * layer.input, layer.input, k, x) +
            layer.B[b + k];
        r[k] = dot(layer.R, d * rows * H, H, k, h) + layer.B[b + rows + k];
    }
    for (let j = 0; j < H; j++) {
        const gate = (k) => a[k * H + j] + r[k * H + j];
        if (w.cell === 'tanh') {
            h[j] = Math.tanh(gate(0));
        } else if (w.cell === 'gru') {
            const z = sigmoid(gate(0)), reset = sigmoid(gate(1));
            const fresh = Math.tanh(a[2 * H + j] + reset * r[2 * H + j]);
            h[j] = z * h[j] + (1 - z) * fresh;
        } else {
            c[j] = sigmoid(gate(2)) * c[j] +
                sigmoid(gate(0)) * Math.tanh(gate(3));
            h[j] = sigmoid(gate(1)) * Math.tanh(c[j]);
        }
    }
}

// xs: a vector a step.
function plainLayer(w, layer, xs) {
    const H = w.hidden;
    const ys = xs.map(() => new Float64Array(w.directions * H));
    for (let d = 0; d < w.directions; d++) {
        const h = new Float64Array(H), c = new Float64Array(H);
        for (let step = 0; step < xs.length; step++) {
            const t = d === 1 ? xs.length - 1 - step : step;
            plainStep(w, layer, d, xs[t], h, c);
            ys[t].set(h, d * H);
        }
    }
    return ys;
}

// The last sequence of the batch; the root of the mean square of the difference
// as a share of the output's.
function isRight(w, loaded) {
    const steps = w.purpose === 'step' ? STEPS_CHECKED : w.steps;
    const width = w.directions * w.hidden;
    const row = (data, t, size) => {
        const at = ((t % w.steps) * w.batch + w.batch - 1) * size;
        return data.subarray(at, at + size);
    };
    let ys = Array.from({length: steps},
        (_, t) => row(loaded.x.data, t, w.input));
    for (const layer of w.layers_made)
        ys = plainLayer(w, layer, ys);
    for (let i = 0; i < steps / w.steps; i++)
        loaded.run();
    const out = w.purpose === 'step' ? `h${w.layers - 1}_next` : 'y';
    const {data} = loaded.fetches[out];
    let wrong = 0, all = 0;
    for (let t = steps - w.steps; t < steps; t++)
        row(data, t, width).forEach((y, i) => {
            wrong += (y - ys[t][i]) ** 2;
            all += ys[t][i] ** 2;
        });
    return Math.sqrt(wrong / all) < 1e-5;
}

// ---- Questions and answers ------------------------------------------------

function readRow(line) {
    const f = line.split('\t');
    const [input, hidden, layers, directions, batch, steps] =
        f.slice(2, 8).map(Number);
    return {name: f[0], cell: f[1], input, hidden, layers, directions, batch,
        steps, purpose: f[8]};
}

let now = {name: ''}, loaded = null;

function answer(line) {
    const w = readRow(line);
    if (!(w.cell in OPERATORS) || !['step', 'infer'].includes(w.purpose))
        return 'unsupported: no workload of this peer';
    if (w.name !== now.name) {
        if (loaded !== null)
            loaded.dispose();
        w.layers_made = makeLayers(w);
        [now, loaded] = [w, load(makeModel(w))];
        if (!isRight(now, loaded)) {
            now = {name: ''};
            return 'error: the output differs from the plain loop\'s';
        }
    }
    return median(loaded.run, w.purpose === 'step' ? CALLS_A_RUN : 1)
        .toFixed(3);
}

// What a call costs by itself, in microseconds.
function callCost() {
    const shape = {x: [1, 1, 64]};
    const idle = load({bytes: model([node('Identity', ['x'], ['y'])], [],
        shape, {y: [1, 1, 64]}), inputs: shape, outputs: {y: [1, 1, 64]}});
    const cost = median(idle.run, CALLS_A_RUN);
    idle.dispose();
    return cost;
}

async function main() {
    const given = process.argv;
    for (let i = 2; i + 1 < given.length; i += 2)
        if (given[i] === '--threads')
            threads = Number(given[i + 1]);
        else if (given[i] === '--dtype' && given[i + 1] !== 'f32')
            return console.log(`unsupported: no ${given[i + 1]} on the CPU`);
    const binding = fromPeers('onnxruntime-node/dist/binding.js');
    binding.initOrt();
    runtime = binding.binding;
    ({Tensor} = fromPeers('onnxruntime-common'));
    const {version} = fromPeers('onnxruntime-node/package.json');
    console.log(`ONNX Runtime ${version} in node ${process.version}, ` +
        `of which a call takes ${callCost().toFixed(1)} us and more`);
    for await (const line of readline.createInterface({input: process.stdin}))
        try {
            console.log(answer(line));
        } catch (e) {
            console.log(`error: ${e.message}`);
        }
}

main();
