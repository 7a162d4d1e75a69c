#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The workloads of `elman bench` on PyTorch.

    torch_peer.py [--threads N] [--dtype f32|bf16]

Says what it is, then reads rows of workloads.tsv and answers each with one
line: the median microseconds of half a second of runs (at least 3), or why
there are none.  Before a workload's first answer its output is compared with
sums that do not go through the BLAS.

The answer to `lengths` is three numbers, one run each: microseconds forward and
backward with all sequences whole, forward with elman's lengths packed, and
forward with all whole.  Backward through packed sequences is no better: PyTorch
1.13 takes a time that grows with the square of the steps.

An update of a language model (purpose `lm`) is embedding or one-hot rows,
stack, linear layer, mean cross-entropy, backward, clipping and SGD; the state
is carried on.  In bf16 it is the faster of the whole model in bfloat16 and of
autocast with weights of float32, which a line on stderr names.

How many threads the BLAS has is for the environment to say.
"""
import argparse
import contextlib
import statistics
import sys
import time

import torch
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

SECONDS, RUNS_LEAST, CALLS_A_RUN = 0.5, 3, 200
NUMBERS = ("input", "hidden", "layers", "directions", "batch", "steps")
# 1 + floor(4000 elman_random_uniform(1, 6, i)): those of bench_lengths.c
LENGTHS = [
    1348, 3109, 1605, 1909, 331, 2261, 3618, 1500, 1276, 3749, 1796, 1921,
    3328, 3715, 2593, 2280, 1116, 2617, 235, 3908, 1267, 2862, 24, 1326, 533,
    967, 1299, 2027, 186, 1706, 2390, 3939]


def read_row(line):
    f = line.rstrip("\n").split("\t")
    row = dict(zip(NUMBERS, map(int, f[2:8])))
    vocab = int(f[9]) if len(f) > 9 else 0
    return dict(row, name=f[0], cell=f[1], purpose=f[8], vocab=vocab)


def network(w):
    sizes = (w["input"], w["hidden"], w["layers"])
    both = w["directions"] == 2
    if w["cell"] == "lstm":
        return torch.nn.LSTM(*sizes, bidirectional=both)
    if w["cell"] == "gru":
        return torch.nn.GRU(*sizes, bidirectional=both)
    return torch.nn.RNN(*sizes, nonlinearity=w["cell"], bidirectional=both)


class Workload:
    """run() runs it, calls times in a row."""

    def __init__(self, row, dtype):
        self.row = row
        self.name = row["name"]
        self.calls = CALLS_A_RUN if row["purpose"] == "step" else 1
        self.rnn = network(row).to(dtype)
        T, B = row["steps"], row["batch"]
        width = row["directions"] * row["hidden"]
        self.x = (torch.rand(T, B, row["input"]) * 2 - 1).to(dtype)
        self.x.requires_grad_(row["purpose"] in ("train", "lengths"))
        self.dy = (torch.rand(T, B, width) * 2 - 1).to(dtype)
        self.state = None
        self.run = {"step": self.step, "infer": self.infer,
                    "train": self.train, "lengths": self.train}[row["purpose"]]

    def clear(self):
        self.x.grad = None
        for p in self.rnn.parameters():
            p.grad = None

    def step(self):
        state = self.state
        with torch.no_grad():
            for _ in range(self.calls):
                _, state = self.rnn(self.x, state)
        self.state = state

    def infer(self):
        with torch.no_grad():
            self.rnn(self.x)

    def train(self):
        self.clear()
        y, _ = self.rnn(self.x)
        y.backward(self.dy)

    def packed(self):
        with torch.no_grad():
            self.rnn(pack_padded_sequence(
                self.x, torch.tensor(LENGTHS), enforce_sorted=False))


class LanguageModel:
    """run() is one update of all weights."""
    calls = 1

    def __init__(self, row, dtype, autocast):
        self.row, self.name, self.autocast = row, row["name"], autocast
        V, E, H = row["vocab"], row["input"], row["hidden"]
        self.embedding = torch.nn.Embedding(V, E) if E else None
        self.rnn = network(dict(row, input=E or V))
        self.linear = torch.nn.Linear(H, V)
        self.modules = torch.nn.ModuleList(
            [m for m in (self.embedding, self.rnn, self.linear) if m])
        self.dtype = torch.float32 if autocast else dtype
        self.modules.to(self.dtype)
        self.coarse = dtype != torch.float32
        self.optimizer = torch.optim.SGD(self.modules.parameters(), lr=0.1)
        tokens = torch.randint(V, (row["steps"] + 1, row["batch"]))
        self.ids, self.targets = tokens[:-1], tokens[1:].reshape(-1)
        self.state = None

    def enter(self):
        if self.embedding:
            return self.embedding(self.ids)
        return functional.one_hot(self.ids, self.row["vocab"]).to(self.dtype)

    def forward(self, state):
        """Logits [T*B,V], loss and state."""
        cast = torch.autocast("cpu", dtype=torch.bfloat16)
        with cast if self.autocast else contextlib.nullcontext():
            h, state = self.rnn(self.enter(), state)
            logits = self.linear(h.flatten(0, 1))
            return logits, functional.cross_entropy(logits, self.targets), state

    def run(self):
        self.optimizer.zero_grad(set_to_none=True)
        _, loss, state = self.forward(self.state)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.modules.parameters(), 5)
        self.optimizer.step()
        self.state = (tuple(s.detach() for s in state)
                      if isinstance(state, tuple) else state.detach())


def make_model(row, dtype, threads):
    """In bf16 the faster way of those that work."""
    if dtype == torch.float32:
        return LanguageModel(row, dtype, False)
    torch.set_num_threads(threads)
    found, fault = [], None
    for autocast in (False, True):
        try:
            model = LanguageModel(row, dtype, autocast)
            model.run()
            found.append((timed(model.run, RUNS_LEAST, 0), autocast))
        except RuntimeError as error:
            fault = error
    if not found:
        raise fault
    us, autocast = min(found)
    print(f"# PyTorch, {row['name']}: "
          f"{'autocast' if autocast else 'the whole model in bfloat16'}; "
          f"all: {', '.join(f'{t / 1e3:.0f} ms' for t, _ in found)}",
          file=sys.stderr, flush=True)
    return LanguageModel(row, dtype, autocast)


def plain_layer(w, x, weights):
    """One layer and direction of one sequence, x[T,I], without the BLAS."""
    W, U, b, c = (v.detach().float() for v in weights)
    h = cell = torch.zeros(w["hidden"])
    ys = []
    for t in range(len(x)):
        a, r = (W * x[t]).sum(1) + b, (U * h).sum(1) + c
        if w["cell"] == "gru":
            a, r = a.chunk(3), r.chunk(3)
            reset, z = torch.sigmoid(a[0] + r[0]), torch.sigmoid(a[1] + r[1])
            h = z * h + (1 - z) * torch.tanh(a[2] + reset * r[2])
        elif w["cell"] == "lstm":
            i, f, g, o = (a + r).chunk(4)
            cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(cell)
        else:
            h = torch.relu(a + r) if w["cell"] == "relu" else torch.tanh(a + r)
        ys.append(h)
    return torch.stack(ys)


def loss_is_right(model):
    """The last sequence's logits by plain sums, and the loss by double ones."""
    with torch.no_grad():
        logits, loss, _ = model.forward(None)
        V, B = model.row["vocab"], model.row["batch"]
        h = model.enter()[:, -1].float()
        for weights in model.rnn.all_weights:
            h = plain_layer(model.row, h, weights)
        W, b = (v.float() for v in model.linear.parameters())
        y = torch.stack([(W * row).sum(1) + b for row in h])
        got = logits.reshape(-1, B, V)[:, -1].float()
        wrong = ((got - y).norm() / y.norm()).item()
        nats = functional.cross_entropy(logits.double(), model.targets)
        off = abs(loss.item() / nats.item() - 1)
    most = 0.05 if model.coarse else 1e-5
    return wrong < most and off < most


def is_right(workload):
    """The last sequence of the batch: is the root of the mean square of the
    difference, as a share of the output's, small?"""
    w = workload.row
    with torch.no_grad():
        y = workload.x[:, -1].float()
        weights = iter(workload.rnn.all_weights)
        for _ in range(w["layers"]):
            ys = [plain_layer(w, y, next(weights))]
            if w["directions"] == 2:
                ys.append(plain_layer(w, y.flip(0), next(weights)).flip(0))
            y = torch.cat(ys, 1)
        got = workload.rnn(workload.x)[0][:, -1].float()
    wrong = ((got - y).norm() / y.norm()).item()
    return wrong < (1e-5 if workload.x.dtype == torch.float32 else 0.05)


def timed(run, least, seconds, calls=1):
    """The median of the runs' microseconds."""
    times = []
    end = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(1e6 * (time.perf_counter() - start) / calls)
    return statistics.median(times)


def answer(workload):
    if workload.row["purpose"] == "lengths":
        runs = workload.run, workload.packed, workload.infer
        return " ".join(f"{timed(run, 1, 0):.0f}" for run in runs)
    return f"{timed(workload.run, RUNS_LEAST, SECONDS, workload.calls):.3f}"


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("--threads", type=int, default=1)
    a.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    o = a.parse_args()
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[o.dtype]
    torch.set_num_threads(o.threads)
    torch.manual_seed(1)
    print(f"PyTorch {torch.__version__}", flush=True)
    workload = None
    for line in sys.stdin:
        row = read_row(line)
        try:
            if workload is None or workload.name != row["name"]:
                workload = None
                is_lm = row["purpose"] == "lm"
                new = (make_model(row, dtype, o.threads) if is_lm
                       else Workload(row, dtype))
                torch.set_num_threads(1)
                right = (loss_is_right if is_lm else is_right)(new)
                torch.set_num_threads(o.threads)
                if not right:
                    raise ValueError("the output differs from plain sums")
                new.run()
                workload = new
            print(answer(workload), flush=True)
        except (RuntimeError, ValueError) as fault:
            print("error:", " ".join(str(fault).split()), flush=True)


if __name__ == "__main__":
    main()
