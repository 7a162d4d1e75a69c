#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A model file is PyTorch's as much as ours, both ways:

    python3 torch_roundtrip.py ELMAN FOLDER

What `elman train` wrote goes into torch.nn modules by
load_state_dict(strict=True), and predicts a text as well as `elman eval` says;
and modules with random weights, written as such a file, are evaluated by
elman as PyTorch evaluates them.  So for every cell, and for what can be made of
it: layers, embeddings, projections, a tied decoder.
"""

import json
import os
import random
import re
import struct
import subprocess
import sys

import torch
from torch import nn

torch.set_num_threads(1)
DTYPES = {"F32": torch.float32, "F64": torch.float64}


# ---- safetensors -----------------------------------------------------------


def read(path):
    """Metadata, and tensors by name."""
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    meta = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        raw = bytearray(data[8 + size + begin : 8 + size + end])
        flat = torch.frombuffer(raw, dtype=DTYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return meta, tensors


def write(path, meta, tensors):
    header, data = {"__metadata__": meta}, b""
    for name, value in tensors.items():
        raw = value.contiguous().numpy().tobytes()
        header[name] = {
            "dtype": "F64" if value.dtype == torch.float64 else "F32",
            "shape": list(value.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


# ---- The model, as a PyTorch user would write it ---------------------------


class ResetBefore(nn.GRU):
    """A GRU whose reset gate stands before the product, as PyTorch has none."""

    def forward(self, x):
        for n in range(self.num_layers):
            w = {
                key: getattr(self, f"{key}_l{n}")
                for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            }
            W_r, W_z, W_n = w["weight_hh"].chunk(3)
            b_r, b_z, b_n = w["bias_hh"].chunk(3)
            h, outputs = x.new_zeros(x.shape[1], self.hidden_size), []
            for t in range(len(x)):
                a = x[t] @ w["weight_ih"].T + w["bias_ih"]
                a_r, a_z, a_n = a.chunk(3, 1)
                r = torch.sigmoid(a_r + h @ W_r.T + b_r)
                z = torch.sigmoid(a_z + h @ W_z.T + b_z)
                new = torch.tanh(a_n + (r * h) @ W_n.T + b_n)
                h = (1 - z) * new + z * h
                outputs.append(h)
            x = torch.stack(outputs)
        return x, None


def recurrent_layers(meta, width):
    H, L = int(meta["hidden_size"]), int(meta["num_layers"])
    if meta["cell"] == "lstm":
        return nn.LSTM(width, H, L, proj_size=int(meta["proj_size"]))
    if meta["cell"] == "gru":
        kind = nn.GRU if meta["reset"] == "after" else ResetBefore
        return kind(width, H, L)
    return nn.RNN(width, H, L, nonlinearity=meta["activation"])


class Model(nn.Module):
    def __init__(self, meta):
        super().__init__()
        self.V = len(json.loads(meta["vocabulary"]))
        H, E = int(meta["hidden_size"]), int(meta["embedding_size"])
        self.n = int(meta["context_size"])
        self.phi = getattr(torch, meta["activation"])
        if E > 0:
            self.embedding = nn.Embedding(self.V, E)
        width = E or self.V
        if meta["cell"] == "none":
            self.hidden = nn.Linear(self.n * width, H)
        else:
            self.rnn = recurrent_layers(meta, width)
        self.decoder = nn.Linear(int(meta["proj_size"]) or H, self.V)
        self.tied = meta["tied"] == "yes"
        if self.tied:
            self.decoder.weight = self.embedding.weight

    def forward(self, ids):
        """Logits [T,V] of ids [T]."""
        if hasattr(self, "embedding"):
            x = self.embedding(ids)
        else:
            x = nn.functional.one_hot(ids, self.V)
            x = x.to(self.decoder.weight.dtype)
        if hasattr(self, "rnn"):
            h, _ = self.rnn(x.unsqueeze(1))
            h = h.squeeze(1)
        else:
            # The last n tokens side by side, the oldest first; before the
            # text there is nothing.
            nothing = x.new_zeros(self.n - 1, x.shape[1])
            x = torch.cat([nothing, x])
            T = len(ids)
            rows = [x[i : i + T] for i in range(self.n)]
            h = self.phi(self.hidden(torch.cat(rows, 1)))
        return self.decoder(h)

    def take(self, tensors):
        """What a file has: the weight that two modules share is there once."""
        if self.tied:
            tensors = tensors | {"decoder.weight": tensors["embedding.weight"]}
        self.load_state_dict(tensors, strict=True)

    def give(self):
        tensors = self.state_dict()
        if self.tied:
            del tensors["decoder.weight"]
        return tensors


def encode(meta, text):
    if meta["normalize"] == "letters":
        text = re.sub("[^A-Za-z]+", " ", text).lower()
    ids = {c: i for i, c in enumerate(json.loads(meta["vocabulary"]))}
    return torch.tensor([ids.get(c, 0) for c in text])


def nats_per_token(model, ids):
    with torch.no_grad():
        logits = model(ids[:-1])
        return nn.functional.cross_entropy(logits.double(), ids[1:]).item()


# ---- The comparison --------------------------------------------------------


def make_text(seed, lines):
    generator = random.Random(seed)
    nouns = "time machine traveller garden evening Morlock lamp café".split()
    verbs = "saw left found heard was".split()
    pick = generator.choice
    return "".join(
        f"The {pick(nouns)} {pick(verbs)} {pick(['a', 'this'])} {pick(nouns)}.\n"
        for _ in range(lines)
    )


def run(*command):
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}: {result.stderr}")
    return result.stdout


def evaluate(elman, path, text, tokens):
    figures = json.loads(run(elman, "eval", path, text, "--json"))
    if figures["tokens"] != tokens:
        sys.exit(f"{figures['tokens']} tokens, not {tokens}")
    return figures["nats_per_token"]


def compare(what, ours, theirs, tolerance):
    error = abs(ours - theirs) / theirs
    line = f"{what}: elman {ours:.9f}, PyTorch {theirs:.9f}, error {error:.1e}"
    print(line)
    if not error <= tolerance:
        sys.exit(f"more than {tolerance}: {line}")


def check(elman, folder, options, seed):
    learned, held = (os.path.join(folder, n) for n in ("learned", "held"))
    path = os.path.join(folder, "model.safetensors")
    tolerance = 1e-10 if "f64" in options else 1e-5
    name = " ".join(options)
    run(
        elman, "train", learned, "-o", path, "--quiet", "--updates", "60",
        "--lr", "0.02",
        "--hidden", "23", "--batch", "4", "--steps", "11", "--seed", str(seed),
        *options,
    )

    meta, tensors = read(path)
    model = Model(meta)
    model.to(tensors["decoder.bias"].dtype)
    model.take(tensors)
    with open(held, encoding="utf-8") as file:
        ids = encode(meta, file.read())
    ours = evaluate(elman, path, held, len(ids) - 1)
    theirs = nats_per_token(model, ids)
    compare(f"trained by elman, {name}", ours, theirs, tolerance)
    if theirs > 0.9 * torch.tensor(float(model.V)).log().item():
        sys.exit("the model has learned nothing")

    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    # The checksum is of the file as it was.
    meta = {k: v for k, v in meta.items() if k != "checksum"}
    path = os.path.join(folder, "by-torch.safetensors")
    write(path, meta, model.give())
    ours = evaluate(elman, path, held, len(ids) - 1)
    theirs = nats_per_token(model, ids)
    compare(f"written by PyTorch, {name}", ours, theirs, tolerance)


def main():
    elman, folder = sys.argv[1:]
    for name, seed, lines in (("learned", 1, 150), ("held", 2, 40)):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            # A letter that the model has not met becomes <unk>.
            file.write(make_text(seed, lines) + ("Zürich.\n" * (seed == 2)))
    cases = [
        "--activation tanh --layers 1 --embed 0",
        "--activation relu --layers 2 --embed 0",
        "--activation tanh --layers 2 --embed 7 --normalize letters",
        "--activation relu --layers 1 --embed 5",
        "--activation tanh --layers 1 --embed 0 --dtype f64",
        "--cell none --context 3 --activation tanh --embed 0",
        "--cell none --context 1 --activation relu --embed 0",
        "--cell none --context 2 --activation relu --embed 6",
        "--activation tanh --layers 2 --embed 23 --tie",
        "--cell none --context 1 --embed 23 --tie",
        "--cell lstm",
        "--cell lstm --layers 2 --embed 7",
        "--cell lstm --layers 2 --embed 0 --proj 9",
        "--cell lstm --layers 3 --embed 5 --proj 22",
        "--cell lstm --embed 9 --proj 9 --tie",
        "--cell lstm --layers 2 --embed 23 --tie --dtype f64",
        "--cell lstm --proj 7 --dtype f64",
        "--cell gru",
        "--cell gru --layers 3 --embed 7",
        "--cell gru --layers 2 --embed 23 --tie",
        "--cell gru --dtype f64",
        "--cell gru --reset before",
        "--cell gru --reset before --layers 2 --embed 5 --dtype f64",
    ]
    for seed, case in enumerate(cases):
        check(elman, folder, case.split(), seed)


if __name__ == "__main__":
    main()
