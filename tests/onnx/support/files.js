// SPDX-License-Identifier: MIT
// files.js - tensors in files, and the command, for the tests with ONNX
// Runtime.
'use strict';

const fs = require('fs');
const path = require('path');
const {spawnSync} = require('child_process');

// The package is where `make deps-onnx` puts it.
exports.runtime = require('module').createRequire(
    path.join(__dirname, '../../../build/peers/package.json'))(
    'onnxruntime-node');

exports.fail = (...words) => {
    console.log('FAILED:', ...words);
    process.exit(1);
};

// Runs it; its stdout.
exports.elman = (program, ...words) => {
    const result = spawnSync(program, words, {encoding: 'utf8'});
    if (result.status !== 0)
        exports.fail('elman', words.join(' '), '-', result.stderr);
    return result.stdout;
};

const bytesOf = (data) =>
    Buffer.from(data.buffer, data.byteOffset, data.byteLength);
const DTYPES = {F32: Float32Array, F64: Float64Array};

// tensors: name to {shape, data}, data all Float32Array or all Float64Array.
exports.writeTensors = (file, tensors) => {
    const header = {}, blocks = [];
    let at = 0;
    for (const [name, {shape, data}] of Object.entries(tensors)) {
        header[name] = {
            dtype: data instanceof Float64Array ? 'F64' : 'F32',
            shape, data_offsets: [at, at + data.byteLength]};
        at += data.byteLength;
        blocks.push(bytesOf(data));
    }
    let text = JSON.stringify(header);
    text += ' '.repeat((8 - text.length % 8) % 8);
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    fs.writeFileSync(file, Buffer.concat([size, Buffer.from(text), ...blocks]));
};

// data: Float32Array or Int32Array.
exports.writeNpy = (file, shape, data) => {
    const type = data instanceof Int32Array ? '<i4' : '<f4';
    const list = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
    let text = `{'descr': '${type}', 'fortran_order': False, ` +
        `'shape': (${list}), }`;
    text += ' '.repeat(64 - (11 + text.length) % 64) + '\n';
    const head = Buffer.from('\x93NUMPY\x01\x00\0\0', 'latin1');
    head.writeUInt16LE(text.length, 8);
    fs.writeFileSync(file,
        Buffer.concat([head, Buffer.from(text), bytesOf(data)]));
};

// What elman writes: float32.
exports.readNpy = (file) => {
    const bytes = fs.readFileSync(file), size = bytes.readUInt16LE(8);
    const text = bytes.toString('latin1', 10, 10 + size);
    const shape = /\(([^)]*)\)/.exec(text)[1].split(',')
        .filter((n) => n.trim() !== '').map(Number);
    if (!text.includes('<f4'))
        exports.fail(file, 'is not of float32');
    const data = new Float32Array(
        bytes.buffer.slice(bytes.byteOffset + 10 + size,
            bytes.byteOffset + bytes.length));
    return {shape, data};
};

let state = 1;
// Numbers uniform in [-bound, bound).
exports.draw = (count, bound, type = Float32Array) =>
    type.from({length: count}, () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return bound * (state / 2 ** 31 - 1);
    });
// Numbers 0 ... most - 1.
exports.drawIds = (count, most) =>
    Int32Array.from(exports.draw(count, 1), (x) =>
        Math.min(most - 1, Math.floor((x + 1) / 2 * most)));

exports.same = (a, b) => fs.readFileSync(a).equals(fs.readFileSync(b));
exports.DTYPES = DTYPES;
