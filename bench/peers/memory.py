#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The memory that workloads of `elman bench` take, on elman and on PyTorch.

    bench/peers/memory.py [--elman PROGRAM] [--threads N] WORKLOAD...
    bench/peers/memory.py [...] --model MODEL.safetensors TEXT

Prints, for each, the largest resident set of a process that runs it less that
of `elman info` (elman), or less what was resident once PyTorch had run a layer
of 8 (PyTorch): inputs, outputs and their gradients included on both sides.

A MODEL is a language model of LSTM layers, not tied: the two evaluate it on the
first 300 tokens of TEXT, PyTorch from a state dict that torch.save wrote, 128
tokens at a time.
"""
import argparse
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1024  # of ru_maxrss, which counts KiB


def largest(command):
    """The largest resident set of a command, in MiB.  The set of a process
    begins with that of the one that started it: not Python, but time."""
    with tempfile.NamedTemporaryFile("r") as file:
        done = subprocess.run(
            ["/usr/bin/time", "-o", file.name, "-f", "%M", *command],
            stdout=subprocess.DEVNULL)
        if done.returncode != 0:
            sys.exit(f"{command[0]} failed")
        return int(file.read()) / MIB


def elman(program, threads, *command):
    return (largest([program, *command, "--threads", str(threads)]) -
            largest([program, "info"]))


def resident():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB


def torch_child(line, threads):
    """Runs the workload four times and prints what it took."""
    import torch
    import torch_peer
    torch.set_num_threads(threads)
    row = torch_peer.read_row(line)
    is_lm = row["purpose"] == "lm"
    small = dict(row, input=8, hidden=8, batch=2, steps=2,
                 purpose="train" if is_lm else row["purpose"])
    torch_peer.Workload(small, torch.float32).run()
    before = resident()
    if is_lm:
        workload = torch_peer.make_model(row, torch.float32, threads)
    else:
        workload = torch_peer.Workload(row, torch.float32)
    for _ in range(4):
        workload.run()
    print(resident() - before)


def torch(line, threads):
    done = subprocess.run(
        [sys.executable, __file__, "--row", line, "--threads", str(threads)],
        stdout=subprocess.PIPE, text=True)
    return float(done.stdout) if done.returncode == 0 else None


def tensors_of(path):
    """Names, shapes and numbers of a file of float32."""
    import torch
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        head = json.loads(file.read(size))
        head.pop("__metadata__", None)
        out = {}
        for name, t in head.items():
            begin, end = t["data_offsets"]
            file.seek(8 + size + begin)
            data = bytearray(file.read(end - begin))
            out[name] = torch.frombuffer(
                data, dtype=torch.float32).reshape(t["shape"])
    return out


def save_child(model, path):
    import torch
    torch.save(tensors_of(model), path)


def model_child(path, threads):
    """Loads the state dict into a model, evaluates 300 tokens, and prints what
    that took."""
    import torch
    import torch_peer
    torch.set_num_threads(threads)
    row = dict(name="", cell="lstm", input=8, hidden=8, layers=1, directions=1,
               batch=2, steps=2, purpose="infer", vocabulary=0)
    torch_peer.Workload(row, torch.float32).run()
    before = resident()

    class Model(torch.nn.Module):
        def __init__(self, state):
            super().__init__()
            width = state["rnn.weight_ih_l0"].shape[1]
            hidden = state["rnn.weight_hh_l0"].shape[1]
            layers = sum(name.startswith("rnn.weight_hh") for name in state)
            classes = state["decoder.weight"].shape[0]
            self.classes = classes
            self.embedding = (torch.nn.Embedding(classes, width)
                              if "embedding.weight" in state else None)
            self.rnn = torch.nn.LSTM(width, hidden, layers)
            self.decoder = torch.nn.Linear(hidden, classes)

        def forward(self, ids, state):
            x = (self.embedding(ids) if self.embedding else
                 torch.nn.functional.one_hot(ids, self.classes).float())
            y, state = self.rnn(x, state)
            return self.decoder(y), state

    state = torch.load(path)
    model = Model(state)
    model.load_state_dict(state)
    del state
    ids = torch.arange(300).remainder(model.classes).reshape(-1, 1)
    carried = None
    with torch.no_grad():
        for piece in ids.split(128):
            logits, carried = model(piece, carried)
            torch.nn.functional.cross_entropy(logits.squeeze(1),
                                              piece.squeeze(1))
    print(resident() - before)


def child(*arguments):
    done = subprocess.run([sys.executable, __file__, *arguments],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit("PyTorch failed")
    return done.stdout


def compare_model(o):
    size = os.path.getsize(o.model) / MIB / MIB
    ours = elman(o.elman, o.threads, "eval", o.model, o.workloads[0],
                 "--max-tokens", "300")
    with tempfile.NamedTemporaryFile() as file:
        child("--save", o.model, file.name)
        theirs = float(child("--load", file.name, "--threads",
                             str(o.threads)))
    print("file MiB\telman MiB\tPyTorch MiB\tratio")
    print(f"{size:.1f}\t{ours:.1f}\t{theirs:.1f}\t{ours / theirs:.2f}")


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("workloads", nargs="*")
    a.add_argument("--elman", default="build/release/elman")
    a.add_argument("--threads", type=int, default=1)
    a.add_argument("--model")
    a.add_argument("--row", help=argparse.SUPPRESS)
    a.add_argument("--save", help=argparse.SUPPRESS)
    a.add_argument("--load", help=argparse.SUPPRESS)
    o = a.parse_args()
    if o.save:
        save_child(o.save, o.workloads[0])
        return
    if o.load:
        model_child(o.load, o.threads)
        return
    if o.model:
        compare_model(o)
        return
    if o.row:
        torch_child(o.row, o.threads)
        return
    with open(os.path.join(HERE, "workloads.tsv"), encoding="ascii") as file:
        rows = {line.split("\t")[0]: line.rstrip("\n") for line in file}
    print("workload\telman MiB\tPyTorch MiB\tratio")
    for name in o.workloads:
        ours = elman(o.elman, o.threads, "bench", "--workload", name)
        theirs = torch(rows[name], o.threads)
        other = f"{theirs:.1f}\t{ours / theirs:.2f}" if theirs else "-\t-"
        print(f"{name}\t{ours:.1f}\t{other}", flush=True)


if __name__ == "__main__":
    main()
