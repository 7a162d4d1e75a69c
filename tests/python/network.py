# SPDX-License-Identifier: MIT
"""elman.Network gives what `elman run` gives, and what its parts give; tensors
are read by name."""

import json
import os
import pickle
import struct
import subprocess
import unittest

import numpy as np

import elman
from checks import close, main, same

ELMAN = os.environ["ELMAN"]


def command(*words):
    subprocess.run([ELMAN, *words], check=True, stdout=subprocess.DEVNULL)


def write_tensors(path, tensors):
    """A .safetensors file of float32."""
    head, data = {}, b""
    for name, array in tensors.items():
        array = np.ascontiguousarray(array, "<f4")
        head[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + array.nbytes],
        }
        data += array.tobytes()
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def make(kind=elman.LSTM, tokens=0, outputs=0, options=(), **rest):
    """The recurrent layers, the decoder's weight, and the same as a network."""
    draw = np.random.default_rng(7)
    rnn = kind(3, 5, seed=1, **rest).eval()
    width = rnn.state_dict()["weight_hh_l0"].shape[1]
    width *= 2 if rnn.bidirectional else 1
    tensors = {"rnn." + k: v for k, v in rnn.state_dict().items()}
    decoder = draw.normal(size=(outputs, width)).astype(np.float32)
    table = draw.normal(size=(tokens, 3)).astype(np.float32)
    if outputs:
        tensors["decoder.weight"] = decoder
        tensors["decoder.bias"] = np.zeros(outputs)
    if tokens:
        tensors["embedding.weight"] = table
    write_tensors("raw.safetensors", tensors)
    command("convert", "raw.safetensors", "net.safetensors", *options)
    return rnn, decoder, table, elman.Network.load("net.safetensors")


class Networks(unittest.TestCase):
    def setUp(self):
        self.x = np.random.default_rng(1).normal(size=(7, 4, 3))
        self.x = self.x.astype(np.float32)

    def test_stack_alone(self):
        for kind in (elman.RNN, elman.GRU, elman.LSTM):
            rnn, _, _, net = make(kind, num_layers=2, bidirectional=True)
            y, states = net(self.x)
            wanted, wanted_states = rnn(self.x)
            same(self, y, wanted, "y")
            for a, b in zip(
                states if net.cell == "lstm" else (states,),
                wanted_states if net.cell == "lstm" else (wanted_states,),
            ):
                same(self, a, b, "states")
            y, _ = net(self.x.transpose(1, 0, 2), batch_first=True)
            same(self, y.transpose(1, 0, 2), wanted, "batch first")
            y, _ = net(self.x, wanted_states, lengths=[7, 2, 0, 5])
            wanted, _ = rnn(self.x, wanted_states, lengths=[7, 2, 0, 5])
            same(self, y, wanted, "lengths")

    def test_decoder_and_steps(self):
        rnn, decoder, _, net = make(outputs=2, proj_size=4)
        self.assertEqual(
            (net.input_size, net.output_size, net.proj_size, net.decode),
            (3, 2, 4, "all"),
        )
        y, _ = net(self.x)
        close(self, y, rnn(self.x)[0] @ decoder.T, 1e-6)
        state = net.state(batch=4)
        for t in range(7):
            same(self, net.step(self.x[t], state), y[t], "step")
        state.zero()
        same(self, net.step(self.x[0], state), y[0], "from zeros")
        np.save("x.npy", self.x)
        command("run", "net.safetensors", "x.npy", "y.npy")
        same(self, y, np.load("y.npy"), "the command")

    def test_tokens(self):
        rnn, decoder, table, net = make(elman.GRU, tokens=9, outputs=2)
        ids = np.random.default_rng(2).integers(0, 9, (7, 4))
        y, _ = net(ids)
        close(self, y, rnn(table[ids])[0] @ decoder.T, 1e-6)
        state = net.state(batch=4)
        same(self, net.step(ids[0], state), y[0], "step")
        with self.assertRaises(elman.InvalidError):
            net(ids + 9)
        with self.assertRaises(elman.InvalidError):
            net(ids + (1 << 32))
        with self.assertRaises(TypeError):
            net(self.x)

    def test_last_step(self):
        rnn, decoder, _, net = make(
            elman.GRU, outputs=2, bidirectional=True,
            options=("--decode", "final"),
        )
        self.assertEqual(net.decode, "final")
        y, h = net(self.x, lengths=[7, 2, 3, 5])
        _, wanted = rnn(self.x, lengths=[7, 2, 3, 5])
        same(self, h, wanted, "h_n")
        both = np.concatenate((wanted[-2], wanted[-1]), 1)
        close(self, y, both @ decoder.T, 1e-6)

    def test_files(self):
        rnn, _, _, net = make(outputs=2)
        weights = net.state_dict()
        same(self, weights["rnn.weight_ih_l0"],
             rnn.state_dict()["weight_ih_l0"], "weights")
        read = elman.read_tensors("net.safetensors")
        self.assertEqual(sorted(read), sorted(weights))
        for name, array in read.items():
            same(self, array, weights[name], name)
        net.save("again.safetensors")
        with open("net.safetensors", "rb") as a:
            with open("again.safetensors", "rb") as b:
                self.assertEqual(a.read(), b.read())
        self.assertEqual(net.num_parameters(),
                         sum(w.size for w in weights.values()))
        self.assertIn("lstm, 1 x 5, 3 numbers in, 2 out", repr(net))
        del net
        weights["rnn.bias_hh_l0"].sum()  # the memory is kept

    def test_onnx(self):
        _, _, _, net = make(elman.GRU, outputs=2)
        y, _ = net(self.x)
        try:
            subprocess.run([ELMAN, "convert", "net.safetensors", "net.onnx"],
                           check=True, capture_output=True)
        except subprocess.CalledProcessError as error:
            self.assertIn(b"without protobuf-c", error.stderr)
            return
        same(self, elman.Network.load("net.onnx")(self.x)[0], y, "by ONNX")

    def test_torch(self):
        try:
            import torch
        except ImportError:
            return
        lstm = torch.nn.LSTM(3, 5, 2)
        torch.save({"model": lstm.half().state_dict(), "epoch": 3}, "net.pt")
        read = elman.read_torch("net.pt")
        rnn = elman.LSTM(3, 5, 2)
        rnn.load_state_dict(
            {k[len("model."):]: v for k, v in read.items()})
        same(self, rnn.state_dict()["weight_hh_l1"],
             lstm.weight_hh_l1.detach().float().numpy(), "weights")

    def test_wrong(self):
        _, _, _, net = make()
        for x in (self.x[0], self.x[..., :2], self.x[None]):
            with self.assertRaises(ValueError):
                net(x)
        with self.assertRaises(ValueError):
            net(self.x, lengths=[1, 2])
        with self.assertRaises(elman.InvalidError):
            net(self.x, lengths=[1, 2, 3, 8])
        with self.assertRaises(ValueError):
            net.step(self.x[0], net.state(batch=3))
        with self.assertRaises(elman.FileError):
            elman.Network.load("none.safetensors")
        with self.assertRaises(elman.FormatError):
            elman.Network.load("raw.safetensors")
        with self.assertRaises(TypeError):
            pickle.dumps(net)
        _, _, _, two = make(bidirectional=True)
        with self.assertRaises(elman.InvalidError):
            two.state()


if __name__ == "__main__":
    main()
