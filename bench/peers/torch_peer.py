#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times a workload of `elman bench` on elman and on PyTorch, in turn.

    bench/peers/torch_peer.py [--elman build/release/elman] [--workload T1]
                              [--threads N] [--rounds 7]

Every round runs elman and then PyTorch, so that drift of the machine hits
both alike; the last line is the median of the rounds' ratios.  PyTorch runs at
its best setting for these sizes: its own threads, and a BLAS that does not
fight them (OPENBLAS_NUM_THREADS=1 where PyTorch has threads of its own is
tried against N, and the faster one is taken).

Workload `lengths` is that of `elman bench --workload lengths`, forward and
backward: PyTorch runs the same lengths packed, and all sequences whole.
"""
import argparse
import os
import statistics
import subprocess
import sys
import time

# name: cell, input, hidden, layers, directions, batch, steps, training
WORKLOADS = {
    "S1": ("tanh", 64, 256, 1, 1, 1, 1, False),
    "S2": ("gru", 64, 128, 1, 1, 1, 1, False),
    "S3": ("lstm", 128, 512, 2, 1, 1, 1, False),
    "S4": ("lstm", 1, 32, 1, 1, 1, 1, False),
    "Q1": ("lstm", 512, 512, 1, 1, 1, 100, False),
    "Q2": ("lstm", 650, 650, 2, 1, 20, 35, False),
    "Q3": ("gru", 1024, 1024, 1, 1, 64, 50, False),
    "Q4": ("tanh", 512, 512, 1, 1, 32, 35, False),
    "Q5": ("lstm", 128, 256, 2, 2, 16, 100, False),
    "T1": ("tanh", 28, 512, 1, 1, 32, 35, True),
    "T2": ("lstm", 65, 512, 2, 1, 50, 50, True),
    "T3": ("lstm", 650, 650, 2, 1, 20, 35, True),
    "T4": ("gru", 1024, 1024, 1, 1, 64, 50, True),
    "T5": ("relu", 20, 50, 2, 1, 32, 3, True),
    "T6": ("lstm", 256, 256, 1, 1, 64, 1000, True),
}
LENGTHS = "lengths"


def network(cell, I, H, L, S):
    import torch

    if cell == "lstm":
        return torch.nn.LSTM(I, H, L, bidirectional=S == 2)
    if cell == "gru":
        return torch.nn.GRU(I, H, L, bidirectional=S == 2)
    return torch.nn.RNN(I, H, L, nonlinearity=cell, bidirectional=S == 2)


def lengths_child(threads):
    """Prints PyTorch's microseconds, packed and whole, of one run each."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    T, B, H = 4000, 32, 256
    rnn = torch.nn.LSTM(H, H)
    lengths = torch.randint(1, T + 1, (B,))
    x = torch.rand(T, B, H) * 2 - 1
    x.requires_grad_()
    dy = torch.rand(T, B, H) * 2 - 1

    def packed():
        y, _ = rnn(pack_padded_sequence(x, lengths, enforce_sorted=False))
        rows = y.data.shape[0]
        y.data.backward(dy.view(-1, H)[:rows])

    def whole():
        y, _ = rnn(x)
        y.backward(dy)

    times = []
    for run in (packed, whole):
        start = time.perf_counter()
        run()
        times.append(1e6 * (time.perf_counter() - start))
    share = lengths.sum().item() / (T * B)
    print(times[0], times[1], share)


def child(name, threads):
    """Prints PyTorch's median microseconds."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    cell, I, H, L, S, B, T, training = WORKLOADS[name]
    rnn = network(cell, I, H, L, S)
    x = torch.randn(T, B, I, requires_grad=training)
    dy = torch.randn(T, B, S * H)
    h = torch.zeros(L * S, B, H)
    h = (h, h) if cell == "lstm" else h

    def train():
        x.grad = None
        for p in rnn.parameters():
            p.grad = None
        y, _ = rnn(x)
        y.backward(dy)

    def infer():
        with torch.no_grad():
            rnn(x, h)

    run = train if training else infer
    times = []
    end = time.perf_counter() + 1.5
    for _ in range(3):
        run()
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    print(1e6 * statistics.median(times))


def torch_time(name, threads, blas):
    env = dict(os.environ, OMP_NUM_THREADS=str(threads),
               OPENBLAS_NUM_THREADS=str(blas), MKL_NUM_THREADS=str(blas))
    out = subprocess.run(
        [sys.executable, __file__, "--child", name, "--threads", str(threads)],
        env=env, check=True, capture_output=True, text=True).stdout
    return float(out)


def compare_lengths(program, threads):
    env = dict(os.environ, OMP_NUM_THREADS=str(threads),
               OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    out = subprocess.run(
        [sys.executable, __file__, "--child", LENGTHS,
         "--threads", str(threads)],
        env=env, check=True, capture_output=True, text=True).stdout
    packed, whole, share = map(float, out.split())
    print("# us\tus, all lengths T\tratio\tsum of lengths / (B T)")
    print(f"PyTorch\t{packed:.0f}\t{whole:.0f}\t{packed / whole:.3f}"
          f"\t{share:.3f}")
    out = subprocess.run(
        [program, "bench", "--tsv", "--workload", LENGTHS,
         "--threads", str(threads)],
        check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        f = line.split("\t")
        if f[0] == "lengths-training":
            print(f"elman\t{float(f[3]):.0f}\t{float(f[6]):.0f}"
                  f"\t{float(f[7]):.3f}\t{float(f[8]):.3f}")


def elman_time(program, name, threads):
    out = subprocess.run(
        [program, "bench", "--tsv", "--workload", name,
         "--threads", str(threads)],
        check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        fields = line.split("\t")
        if fields[0] == name:
            return float(fields[3]), float(fields[5])
    sys.exit(f"{program} bench printed no line for {name}")


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("--elman", default="build/release/elman")
    a.add_argument("--workload", default="T1", choices=[*WORKLOADS, LENGTHS])
    a.add_argument("--threads", type=int, default=1)
    a.add_argument("--rounds", type=int, default=7)
    a.add_argument("--child", choices=[*WORKLOADS, LENGTHS], help=argparse.SUPPRESS)
    o = a.parse_args()
    if o.child == LENGTHS:
        lengths_child(o.threads)
        return
    if o.child:
        child(o.child, o.threads)
        return
    try:
        import torch
    except ImportError:
        sys.exit("PyTorch is not installed (make deps-torch)")
    print(f"# PyTorch {torch.__version__}, {o.workload}, {o.threads} threads")
    if o.workload == LENGTHS:
        compare_lengths(o.elman, o.threads)
        return
    blas = {1, o.threads}
    print("# elman us\tPyTorch us\tPyTorch/elman\telman % of ceiling")
    ratios = []
    for _ in range(o.rounds):
        ours, share = elman_time(o.elman, o.workload, o.threads)
        theirs = min(torch_time(o.workload, o.threads, b) for b in blas)
        ratios.append(theirs / ours)
        print(f"{ours:.1f}\t{theirs:.1f}\t{ratios[-1]:.2f}\t{share:.1f}",
              flush=True)
    print(f"# median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
