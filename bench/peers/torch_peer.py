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
"""
import argparse
import os
import statistics
import subprocess
import sys
import time

# name: input, hidden, layers, batch, steps, nonlinearity, training
WORKLOADS = {
    "S1": (64, 256, 1, 1, 1, "tanh", False),
    "Q4": (512, 512, 1, 32, 35, "tanh", False),
    "T1": (28, 512, 1, 32, 35, "tanh", True),
    "T5": (20, 50, 2, 32, 3, "relu", True),
}


def child(name, threads):
    """Prints PyTorch's median microseconds."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    I, H, L, B, T, phi, training = WORKLOADS[name]
    rnn = torch.nn.RNN(I, H, L, nonlinearity=phi)
    x = torch.randn(T, B, I, requires_grad=training)
    dy = torch.randn(T, B, H)
    h = torch.zeros(L, B, H)

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
    a.add_argument("--workload", default="T1", choices=WORKLOADS)
    a.add_argument("--threads", type=int, default=1)
    a.add_argument("--rounds", type=int, default=7)
    a.add_argument("--child", choices=WORKLOADS, help=argparse.SUPPRESS)
    o = a.parse_args()
    if o.child:
        child(o.child, o.threads)
        return
    try:
        import torch
    except ImportError:
        sys.exit("PyTorch is not installed (make deps-torch)")
    print(f"# PyTorch {torch.__version__}, {o.workload}, {o.threads} threads")
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
