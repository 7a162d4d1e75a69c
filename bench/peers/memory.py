#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The memory that workloads of `elman bench` take, on elman and on PyTorch.

    bench/peers/memory.py [--elman PROGRAM] [--threads N] WORKLOAD...

Prints, for each, the largest resident set of a process that runs it less that
of one that runs S4 (elman), or less what was resident once PyTorch had run a
layer of 8 (PyTorch): inputs, outputs and their gradients included on both
sides.
"""
import argparse
import os
import resource
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1024  # of ru_maxrss, which counts KiB


def largest(command):
    """The largest resident set of a command, in MiB."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} failed")
    return usage.ru_maxrss / MIB


def elman(program, name, threads):
    def run(workload):
        return largest([program, "bench", "--workload", workload, "--threads",
                        str(threads)])
    return run(name) - run("S4")


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


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("workloads", nargs="*")
    a.add_argument("--elman", default="build/release/elman")
    a.add_argument("--threads", type=int, default=1)
    a.add_argument("--row", help=argparse.SUPPRESS)
    o = a.parse_args()
    if o.row:
        torch_child(o.row, o.threads)
        return
    with open(os.path.join(HERE, "workloads.tsv"), encoding="ascii") as file:
        rows = {line.split("\t")[0]: line.rstrip("\n") for line in file}
    print("workload\telman MiB\tPyTorch MiB\tratio")
    for name in o.workloads:
        ours, theirs = elman(o.elman, name, o.threads), torch(rows[name],
                                                              o.threads)
        other = f"{theirs:.1f}\t{ours / theirs:.2f}" if theirs else "-\t-"
        print(f"{name}\t{ours:.1f}\t{other}", flush=True)


if __name__ == "__main__":
    main()
