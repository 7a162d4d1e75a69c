#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Times elman and other libraries on the workloads of `elman bench`, in turn.

    bench/peers/run.py [--threads 1|2|both] [--dtype f32|bf16] [--rounds 5]
                       [--workloads Q4,T1] [--out FILE.tsv] [--svg FILE.svg]

Every round of a workload runs elman and then each peer that is installed
(`make deps-peers`), so that drift of the machine hits all alike.  The table has
the medians of the rounds, and how much longer than elman the best peer takes,
which is the median of the rounds' ratios.  The plot has those ratios.

A peer is a process that reads rows of workloads.tsv and answers each with a
line that begins with its median microseconds, or says why there are none.
PyTorch is run with a BLAS of one thread and, beside it, with one of all
threads: on some machines the one is faster, on some the other, and every round
takes the faster.
"""
import argparse
import html
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build"
COLUMNS = ("oneDNN", "ONNX Runtime", "PyTorch")
GATES = {"tanh": 1, "relu": 1, "gru": 3, "lstm": 4}
PAUSE = 0.1  # seconds, until the threads of the last one sleep


def remark(*words):
    print("#", *words, file=sys.stderr, flush=True)


def read_workloads():
    """Name to row, as the file has it."""
    lines = (HERE / "workloads.tsv").read_text().splitlines()
    return {line.split("\t")[0]: line for line in lines if line[0] != "#"}


def flops(row):
    f = row.split("\t")
    I, H, L, D, B, T = map(int, f[2:8])
    sizes = (I + H) + (L - 1) * (D * H + H)
    once = 2 * B * T * D * GATES[f[1]] * H * sizes
    if f[8] == "lm":
        once += 2 * B * T * H * int(f[9])
    return 3 * once if f[8] in ("train", "lm") else once


class Peer:
    """A process that stays alive; gone is true when it does not."""

    def __init__(self, name, argv, threads, dtype, blas):
        # These two choose slower kernels of OpenBLAS than the machine has.
        env = {k: v for k, v in os.environ.items()
               if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
        env.update(OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(blas),
                   OPENBLAS_NUM_THREADS=str(blas))
        self.name, self.gone, self.said = name, False, set()
        self.process = subprocess.Popen(
            [*argv, "--threads", str(threads), "--dtype", dtype], env=env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.greeting = self.process.stdout.readline().strip()
        if not self.greeting or self.greeting.startswith("unsupported"):
            self.end(self.greeting or "ended at its beginning")

    def end(self, why=None):
        if why:
            remark(f"{self.name} is left out: {why}")
        self.gone = True
        self.process.stdin.close()
        self.process.wait()

    def ask(self, row):
        """The numbers of its answer, or None."""
        if self.gone:
            return None
        try:
            self.process.stdin.write(row + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().strip()
        except BrokenPipeError:
            answer = ""
        try:
            if answer:
                return [float(word) for word in answer.split()]
        except ValueError:
            workload = row.split("\t")[0]
            if not answer.startswith("unsupported") and answer not in self.said:
                remark(f"{self.name}, {workload}: {answer}")
            self.said.add(answer)
            return None
        self.end("it ended")
        return None


def build_onednn():
    """Its command, or None and why not."""
    source, program = HERE / "onednn_peer.c", BUILD / "peers" / "onednn_peer"
    program.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [os.environ.get("CC", "cc"), "-std=c11", "-O2", "-Wall", "-Wextra",
         "-fopenmp", source, "-o", program, "-ldnnl", "-lm"],
        capture_output=True, text=True)
    if done.returncode != 0:
        fault = [x for x in done.stderr.splitlines() if "error" in x]
        return None, (fault or ["it cannot be built"])[0]
    return [str(program)], None


def find_ort():
    node = shutil.which("node") or shutil.which("nodejs")
    if not node:
        return None, "there is no node"
    if not (BUILD / "peers/node_modules/onnxruntime-node").is_dir():
        return None, "onnxruntime-node is not in build/peers"
    return [node, str(HERE / "ort_peer.js")], None


def find_torch():
    for python in (sys.executable, "/usr/bin/python3"):
        done = subprocess.run([python, "-c", "import torch"],
                              capture_output=True)
        if done.returncode == 0:
            return [python, str(HERE / "torch_peer.py")], None
    return None, "python3 has no torch"


def find_peers():
    """Column to command, of those that can be run."""
    found = {}
    for name, find in zip(COLUMNS, (build_onednn, find_ort, find_torch)):
        found[name], why_not = find()
        if why_not:
            remark(f"{name} is left out (make deps-peers): {why_not}")
    return {name: argv for name, argv in found.items() if argv}


def start_peers(commands, threads, dtype):
    """Column to its processes."""
    peers = {name: [Peer(name, argv, threads, dtype, blas)
                    for blas in sorted({1, threads}
                                       if name == "PyTorch" else {1})]
             for name, argv in commands.items()}
    return {name: [p for p in some if not p.gone]
            for name, some in peers.items()}


class Elman:
    def __init__(self, program, dtype):
        self.program, self.dtype = program, dtype
        self.head = self.fault = None

    def ask(self, row, threads):
        """Microseconds, % of the ceiling and what follows them, or None."""
        name = row.split("\t")[0]
        if self.fault:
            return None
        done = subprocess.run(
            [self.program, "bench", "--tsv", "--workload", name, "--threads",
             str(threads), "--dtype", self.dtype],
            capture_output=True, text=True)
        if done.returncode != 0:
            self.fault = (done.stderr.splitlines() or ["it failed"])[0]
            remark(f"elman is left out: {self.fault}")
            return None
        lines = done.stdout.splitlines()
        self.head = lines[0].lstrip("# ").rsplit(",", 1)[0]
        rows = {f[0]: list(map(float, f[3:]))
                for f in (x.split("\t") for x in lines if x[0] != "#")}
        if name == "lengths":
            us, _, share, _, whole, _, length = rows["lengths-training"]
            forward, _, _, _, forward_whole, *_ = rows["lengths-forward"]
            return [us, share, whole, forward, forward_whole, length]
        us, gflops, share = rows[name][:3]
        if abs(us * gflops * 1e3 / flops(row) - 1) > 0.02:
            sys.exit(f"workloads.tsv and elman differ about {name}")
        return [us, share]


def counted(threads):
    return f"{threads} thread" + "s" * (threads > 1)


def medians(rounds):
    """Of each number, over the rounds that have it."""
    rounds = [r for r in rounds if r]
    return [statistics.median(column) for column in zip(*rounds)]


def measure(row, threads, rounds, elman, peers):
    """One line of the table, and a sentence about `lengths` or None."""
    ours, theirs = [], {name: [] for name in peers}
    for _ in range(rounds):
        time.sleep(PAUSE)
        ours.append(elman.ask(row, threads))
        for name, processes in peers.items():
            answers = []
            for process in processes:
                time.sleep(PAUSE)
                answers.append(process.ask(row))
            theirs[name].append(min(filter(None, answers), default=None))
    us = {name: medians(them)[0] for name, them in theirs.items() if any(them)}
    best = min(us, key=us.get, default=None)
    ratios = [b[0] / a[0] for a, b in zip(ours, theirs.get(best, []))
              if a and b]
    f = row.split("\t")
    line = {"workload": f[0], "dtype": elman.dtype, "threads": threads,
            "elman us": None, "% of ceiling": None,
            **{f"{name} us": us.get(name) for name in COLUMNS},
            "best peer": best, "best peer / elman": None}
    if any(ours):
        line["elman us"], line["% of ceiling"] = medians(ours)[:2]
    if ratios:
        line["best peer / elman"] = statistics.median(ratios)
    sentence = None
    if f[0] == "lengths" and any(ours):
        sentence = lengths_sentence(ours, theirs.get("PyTorch", []), threads)
    return line, sentence


def cell(value):
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    return str(value)


def print_row(cells):
    print("|", " | ".join(cells), "|", flush=True)


def lengths_sentence(ours, theirs, threads):
    """What sequences of unequal lengths cost beside whole ones."""
    us, _, whole, forward, forward_whole, length = medians(ours)
    sentence = (
        f"lengths, {counted(threads)}: their sum is {length:.3f} of the whole; "
        f"elman takes {us / whole:.3f} of its time for the whole, forward "
        f"{forward:,.0f} us, {forward / forward_whole:.3f} of the whole")
    if any(theirs):
        _, packed, other = medians(theirs)
        sentence += (f"; PyTorch packed, forward {packed:,.0f} us, "
                     f"{packed / other:.3f} of the whole, and cannot pack "
                     "for backward in such a time")
    return sentence


def write_tsv(path, heads, lines):
    with open(path, "w") as out:
        for head in heads:
            print("#", head, file=out)
        print("#", "\t".join(lines[0]), file=out)
        for line in lines:
            print(*("-" if v is None else f"{v:.3f}" if isinstance(v, float)
                    else v for v in line.values()), sep="\t", file=out)


BAR, GAP, LEFT, TOP, HEIGHT = 24, 16, 46, 56, 240
CUT = 4  # where a bar ends, however long it were
COLOURS = ("#7fa8d1", "#1f4e79", "#c58b3a", "#7a4b12")


def rectangle(x, y, width, height, colour):
    return (f'<rect x="{x:.0f}" y="{y:.1f}" width="{width:.0f}" '
            f'height="{height:.1f}" fill="{colour}"/>')


def text(x, y, words, size=11, anchor="middle"):
    return (f'<text x="{x:.0f}" y="{y:.1f}" font-size="{size}" '
            f'text-anchor="{anchor}" paint-order="stroke" stroke="#fff" '
            f'stroke-width="2">{html.escape(words)}</text>')


def write_svg(path, heads, lines):
    """A group of bars a workload, a bar a number of threads."""
    lines = [x for x in lines if x["best peer / elman"]]
    if not lines:
        return remark("there is no ratio to plot")
    names = list(dict.fromkeys(x["workload"] for x in lines))
    counts = sorted({x["threads"] for x in lines})
    group = BAR * len(counts) + GAP
    width = max(LEFT + group * len(names) + GAP, 640)
    most = min(CUT, max(1.5, 1.1 * max(x["best peer / elman"] for x in lines)))
    tick = 0.25 if most < 2 else 0.5
    bottom = TOP + HEIGHT

    def up(ratio):
        return bottom - HEIGHT * min(ratio, most) / most

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} '
           f'{bottom + 40}" font-family="sans-serif" fill="#222">',
           rectangle(0, 0, width, bottom + 40, "#fff"),
           text(LEFT, 18, "Time of the best peer / time of elman, "
                f"{lines[0]['dtype']}: above 1, elman is faster", 13, "start"),
           text(LEFT, bottom + 34, f"{heads[0]}; bars end at {CUT}", 9,
                "start")]
    for i in range(int(most / tick) + 1):
        y = up(i * tick)
        out += [rectangle(LEFT, y, width - LEFT - GAP, 0.5, "#bbb"),
                text(LEFT - 6, y + 4, f"{i * tick:g}", anchor="end")]
    for i, threads in enumerate(counts):
        x = LEFT + 100 * i
        out += [rectangle(x, 28, 12, 12, COLOURS[i % 4]),
                text(x + 18, 38, counted(threads), anchor="start")]
    labels = []
    for line in lines:
        ratio, k = line["best peer / elman"], counts.index(line["threads"])
        x = LEFT + GAP + names.index(line["workload"]) * group + k * BAR
        out.append(rectangle(x, up(ratio), BAR - 2, bottom - up(ratio),
                             COLOURS[k % 4]))
        labels.append(text(x + BAR / 2 - 1, up(ratio) - 3, f"{ratio:.2f}", 10))
    for i, name in enumerate(names):
        x = LEFT + GAP + i * group + (group - GAP) / 2
        out.append(text(x, bottom + 16, name))
    out += [rectangle(LEFT, up(1) - 0.5, width - LEFT - GAP, 1, "#c00"),
            *labels, "</svg>"]
    pathlib.Path(path).write_text("\n".join(out) + "\n")


def run(o, rows, commands):
    elman, heads, lines, sentences = Elman(o.elman, o.dtype), [], [], []
    for threads in [1, 2] if o.threads == "both" else [int(o.threads)]:
        peers = start_peers(commands, threads, o.dtype)
        for row in rows:
            line, more = measure(row, threads, o.rounds, elman, peers)
            sentences += [more] if more else []
            if not lines:
                heads = [elman.head or "elman: no figures",
                         *(p[0].greeting for p in peers.values() if p),
                         f"medians of rounds: {o.rounds}"]
                print(*heads, sep="; ")
                print()
                print_row(line)
                print_row("---" for _ in line)
            lines.append(line)
            print_row(map(cell, line.values()))
            if o.out:
                write_tsv(o.out, heads + sentences, lines)
        for process in (p for some in peers.values() for p in some):
            if not process.gone:
                process.end()
    for sentence in sentences:
        print(f"\n{sentence}.")
    if o.svg:
        write_svg(o.svg, heads, lines)


def main():
    workloads = read_workloads()
    a = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="workloads: " + ", ".join(workloads))
    a.add_argument("--threads", default="both", metavar="N",
                   help="1, 2 or both (default)")
    a.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    a.add_argument("--workloads", default=",".join(workloads), metavar="LIST",
                   help="names with commas between them (default: all)")
    a.add_argument("--rounds", type=int, default=5, metavar="N")
    a.add_argument("--out", metavar="FILE.tsv", help="the table")
    a.add_argument("--svg", metavar="FILE.svg", help="a plot of the ratios")
    a.add_argument("--elman", default=BUILD / "release/elman", metavar="FILE")
    o = a.parse_args()
    if o.threads != "both" and not (o.threads.isdigit() and int(o.threads)):
        a.error(f"--threads {o.threads}: is no number and not both")
    if o.rounds < 1:
        a.error("--rounds: at least 1")
    names = o.workloads.split(",")
    unknown = [name for name in names if name not in workloads]
    if unknown:
        a.error(f"--workloads {unknown[0]}: there is {', '.join(workloads)}")
    if not os.access(o.elman, os.X_OK):
        sys.exit(f"{o.elman} is not built (make)")
    run(o, [workloads[name] for name in names], find_peers())


if __name__ == "__main__":
    main()
