#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Graphs as torch.onnx.export writes them become networks that give what
PyTorch gives:

    python3 from_export.py ELMAN FOLDER

Every cell with layers, directions, embeddings and decoders, with initial states
and without, of packed sequences, with sizes free and fixed, by several opsets
and with its constants folded or not.  Classifiers, which take the last step or
the final state alone, in all the ways that people write.  Then modules that are more than a network,
and how each is refused.
"""

import contextlib
import io
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import warnings

import numpy
import torch
from torch import nn

warnings.simplefilter("ignore")
torch.set_num_threads(1)
ELMAN, FOLDER = sys.argv[1:]
TOLERANCE = 1e-5


def path(name):
    return os.path.join(FOLDER, name)


def done(*words):
    result = subprocess.run([ELMAN, *words], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"elman {' '.join(words)}: {result.stderr}")


def refused(sentence, net, *args, **options):
    """One line with the sentence in it, status 1, and no file."""
    out = path("refused.safetensors")
    torch.onnx.export(net.eval(), args, path("net.onnx"), **options)
    result = subprocess.run(
        [ELMAN, "convert", path("net.onnx"), out], capture_output=True, text=True
    )
    lines = result.stderr.splitlines()
    if result.returncode != 1 or len(lines) != 1 or sentence not in lines[0]:
        sys.exit(f"{net}: {result.returncode}, {result.stderr!r}, and not 1 and "
                 f"{sentence!r}")
    if os.path.exists(out):
        sys.exit(f"{sentence}: something was written")


class Net(nn.Module):
    def __init__(self, kind, I, H, V=0, O=0, decoder_bias=True, squeeze=False,
                 zeros=False, packed=False, **options):
        super().__init__()
        if V > 0:
            self.embedding = nn.Embedding(V, I)
        self.rnn = getattr(nn, kind)(I, H, **options)
        S = 2 if self.rnn.bidirectional else 1
        if O > 0:
            self.fc = nn.Linear(S * H, O, bias=decoder_bias)
        self.V, self.squeeze, self.zeros = V, squeeze, zeros
        self.packed = packed

    def stack(self, x, lengths, states):
        first = self.rnn.batch_first
        if self.zeros:
            # As many write it by hand.
            S = 2 if self.rnn.bidirectional else 1
            states = [torch.zeros(self.rnn.num_layers * S,
                                  x.shape[0 if first else 1],
                                  self.rnn.hidden_size)]
        if lengths is not None:
            x = nn.utils.rnn.pack_padded_sequence(x, lengths, first)
        if isinstance(self.rnn, nn.LSTM) and states:
            y, last = self.rnn(x, (states[0], states[-1]))
        else:
            y, last = self.rnn(x, *states)
        if lengths is not None:
            y, _ = nn.utils.rnn.pad_packed_sequence(y, first)
        return y, last

    def forward(self, x, *more):
        lengths = more[0] if self.packed else None
        states = more[1:] if self.packed else more
        if self.V > 0:
            x = self.embedding(x)
        y, last = self.stack(x, lengths, states)
        if hasattr(self, "fc"):
            y = self.fc(y)
        if self.squeeze:
            y = y.squeeze(-1)
        return (y, last) if states else y


CASES = [
    ("RNN", dict(I=3, H=5)),
    ("RNN", dict(I=3, H=5, nonlinearity="relu", num_layers=2)),
    ("RNN", dict(I=4, H=6, num_layers=3, bidirectional=True, O=2)),
    ("RNN", dict(I=4, H=4, bias=False, V=9, O=9, decoder_bias=False)),
    ("LSTM", dict(I=1, H=1)),
    ("LSTM", dict(I=3, H=17, O=1, batch_first=True, squeeze=True)),
    ("LSTM", dict(I=5, H=7, num_layers=2, bidirectional=True, V=11, O=4,
                  dropout=0.3)),
    ("GRU", dict(I=2, H=3)),
    ("GRU", dict(I=5, H=5, num_layers=2, bidirectional=True, bias=False,
                 batch_first=True)),
    ("GRU", dict(I=7, H=7, V=13, O=13, num_layers=2)),
]


def draw(net, T, B):
    shape = (B, T) if net.rnn.batch_first else (T, B)
    if net.V > 0:
        return torch.randint(0, net.V, shape)
    return torch.randn(*shape, net.rnn.input_size)


def export(net, T, B, free, states, opset, fold):
    rnn, S = net.rnn, 2 if net.rnn.bidirectional else 1
    x, names = draw(net, T, B), ["x"]
    args = [x]
    if net.packed:
        args.append(torch.full((B,), T))
        names.append("lengths")
    if states:
        kinds = ["h0", "c0"] if isinstance(rnn, nn.LSTM) else ["h0"]
        names += kinds
        args += [torch.randn(rnn.num_layers * S, B, rnn.hidden_size)
                 for _ in kinds]
    axes = {}
    if free:
        first = rnn.batch_first
        axes = {"x": {0: "B" if first else "T", 1: "T" if first else "B"},
                "lengths": {0: "B"}, "h0": {1: "B"}, "c0": {1: "B"}}
    torch.onnx.export(net, tuple(args), path("net.onnx"), input_names=names,
                      dynamic_axes={n: a for n, a in axes.items()
                                    if n in names},
                      opset_version=opset, do_constant_folding=fold)


def compare(what, net, T, B, lengths=None):
    x = draw(net, T, B)
    more = [torch.tensor(lengths)] if lengths else []
    with torch.no_grad():
        theirs = net(x, *more).numpy()
    numpy.save(path("x.npy"), x.numpy())
    words = ["--batch-first"] if net.rnn.batch_first else []
    if lengths:
        words += ["--lengths", ",".join(map(str, lengths))]
    done("run", path("net.safetensors"), path("x.npy"), path("y.npy"), *words)
    ours = numpy.load(path("y.npy"))
    if net.squeeze:
        ours = ours.squeeze(-1)
    if lengths and hasattr(net, "fc"):
        # Past an end a linear layer gives its bias there, and elman 0.
        for b, n in enumerate(lengths):
            (theirs[b] if net.rnn.batch_first else theirs[:, b])[n:] = 0
    error = numpy.abs(ours - theirs).max()
    if ours.shape != theirs.shape or not error <= TOLERANCE:
        sys.exit(f"{what}: {ours.shape}, {theirs.shape}, error {error}")
    return error


def check_case(number, kind, options):
    torch.manual_seed(number)
    net = Net(kind, **options).eval()
    worst, known = 0, None
    for free, states, opset, fold in itertools.product(
            (False, True), (False, True), (9, 11, 14, 16), (False, True)):
        what = (f"{kind} {options} free={free} states={states} opset={opset} "
                f"fold={fold}")
        export(net, 5, 2, free, states, opset, fold)
        done("convert", path("net.onnx"), path("net.safetensors"), "--quiet")
        with open(path("net.safetensors"), "rb") as file:
            data = file.read()
        if known is None:
            known = data
            worst = max(compare(what, net, 9, 3), compare(what, net, 1, 1))
        elif data != known:
            sys.exit(f"{what}: becomes another network")
    print(f"{kind} {options}: error {worst:.1e}")


def check_more():
    torch.manual_seed(100)
    for kind, options in itertools.product(
            ("RNN", "LSTM", "GRU"),
            (dict(packed=True), dict(packed=True, num_layers=2,
                                     bidirectional=True, O=3),
             dict(packed=True, batch_first=True, V=8, num_layers=2),
             dict(zeros=True, num_layers=2, batch_first=True),
             dict(zeros=True, bidirectional=True, O=3))):
        net = Net(kind, I=4, H=6, **options).eval()
        what = f"{kind} {options}"
        for opset in (9, 13):
            export(net, 5, 3, True, False, opset, True)
            done("convert", path("net.onnx"), path("net.safetensors"),
                 "--quiet")
            compare(what, net, 7, 3, [7, 4, 1] if net.packed else None)
    print("packed sequences and zero states: the same")
    # float64.
    net = Net("LSTM", I=3, H=5, O=2, num_layers=2).double().eval()
    torch.onnx.export(net, (torch.randn(5, 2, 3).double(),), path("net.onnx"))
    done("convert", path("net.onnx"), path("net.safetensors"), "--quiet")
    x = torch.randn(8, 3, 3).double()
    numpy.save(path("x.npy"), x.numpy())
    done("run", path("net.safetensors"), path("x.npy"), path("y.npy"))
    error = numpy.abs(numpy.load(path("y.npy")) - net(x).detach().numpy()).max()
    if not error < 1e-12:
        sys.exit(f"float64: error {error}")
    # One sequence, without a batch.
    net = nn.GRU(3, 4).eval()
    torch.onnx.export(net, (torch.randn(5, 3),), path("net.onnx"))
    done("convert", path("net.onnx"), path("net.safetensors"), "--quiet")


class Wrapped(nn.Module):
    def __init__(self, function, **parts):
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.function = function

    def forward(self, *x):
        return self.function(self.parts, *x)


# What classifiers take of a sequence; y is batch first, h is [L*S,B,H].
LAST = {
    "step": lambda y, h: y[:, -1],
    "slice": lambda y, h: y[:, -1, :],
    "kept": lambda y, h: y[:, -1:].squeeze(1),
    "state": lambda y, h: h[-1],
    "squeezed": lambda y, h: h[-1:].squeeze(0),
    "both": lambda y, h: torch.cat((h[-2], h[-1]), dim=1),
    "named": lambda y, h: torch.cat((h[-2, :, :], h[-1, :, :]), -1),
    "halves": lambda y, h: torch.cat([
        part.squeeze(0) for part in h[-2:].chunk(2, 0)], 1),
    "turned": lambda y, h: h[-2:].transpose(0, 1).reshape(h.shape[1], -1),
}


class Classifier(nn.Module):
    def __init__(self, kind, last, O, packed=False, after=False, **options):
        super().__init__()
        self.rnn = getattr(nn, kind)(4, 6, batch_first=True, **options)
        S = 2 if self.rnn.bidirectional else 1
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(S * 6, O) if O > 0 else nn.Identity()
        self.last, self.packed, self.after = last, packed, after

    def forward(self, x, lengths=None):
        if self.packed:
            x = nn.utils.rnn.pack_padded_sequence(x, lengths, True)
        y, h = self.rnn(x)
        if self.packed:
            y, _ = nn.utils.rnn.pad_packed_sequence(y, True)
        h = h[0] if isinstance(h, tuple) else h
        if self.after:
            return LAST[self.last](self.fc(y), h)
        return self.fc(self.drop(LAST[self.last](y, h)))


def decode_of(name):
    result = subprocess.run([ELMAN, "info", path(name), "--json"],
                            capture_output=True, text=True, check=True)
    return json.loads(result.stdout)["decode"]


def check_classifier(kind, last, free, opset, packed=False, **options):
    what = f"{kind} {last} free={free} opset={opset} packed={packed} {options}"
    net = Classifier(kind, last, packed=packed, **options).eval()
    x = torch.randn(3, 5, 4)
    args = (x, torch.full((3,), 5)) if packed else (x,)
    names = ["x", "lengths"][:len(args)]
    torch.onnx.export(
        net, args, path("net.onnx"), input_names=names, opset_version=opset,
        dynamic_axes={"x": {0: "B", 1: "T"}, "lengths": {0: "B"}}
        if free else {})
    done("convert", path("net.onnx"), path("net.safetensors"), "--quiet")
    final = last in ("both", "named", "halves", "turned")
    if decode_of("net.safetensors") != ("final" if final else "last"):
        sys.exit(f"{what}: {decode_of('net.safetensors')}")
    x = torch.randn(4, 9, 4)
    lengths = [9, 7, 2, 1] if packed else []
    with torch.no_grad():
        theirs = net(x, torch.tensor(lengths)).numpy() if packed else \
            net(x).numpy()
    numpy.save(path("x.npy"), x.numpy())
    done("run", path("net.safetensors"), path("x.npy"), path("y.npy"),
         "--batch-first",
         *(["--lengths", ",".join(map(str, lengths))] if packed else []))
    ours = numpy.load(path("y.npy"))
    error = numpy.abs(ours - theirs).max() if ours.shape == theirs.shape else 1
    if not error <= TOLERANCE:
        sys.exit(f"{what}: {ours.shape}, {theirs.shape}, error {error}")
    return error


def check_classifiers(kind):
    torch.manual_seed(200)
    worst = 0
    for two, L, O in itertools.product((False, True), (1, 2), (0, 3)):
        options = dict(num_layers=L, bidirectional=two, O=O)
        states = ("both", "named", "halves", "turned") if two else ("state", "squeezed")
        for last in (("step", "slice", "kept") if O > 0 else ("step",)) + states:
            if two and last == "turned" and O == 0:
                continue  # nothing says how many features there are
            # Of a step that is kept and squeezed PyTorch writes an If, where
            # sizes are free.
            for free, opset in ((True, 14), (False, 11), (True, 9)):
                worst = max(worst, check_classifier(kind, last, free, opset,
                                                    **options))
        for last in states[:1]:
            worst = max(worst, check_classifier(kind, last, True, 13,
                                                packed=True, **options))
    worst = max(worst, check_classifier(kind, "step", True, 14, O=3,
                                        after=True))
    print(f"{kind}, the last step alone: error {worst:.1e}")


def check_shape(what, function, x, put, free, opset, **parts):
    """What a module does to shapes around its layers; put says what x is for
    elman."""
    net = Wrapped(function, **parts).eval()
    torch.onnx.export(net, (x,), path("net.onnx"), input_names=["x"],
                      dynamic_axes={"x": free}, opset_version=opset)
    done("convert", path("net.onnx"), path("net.safetensors"), "--quiet")
    with torch.no_grad():
        theirs = net(x).numpy()
    numpy.save(path("x.npy"), put(x).contiguous().numpy())
    done("run", path("net.safetensors"), path("x.npy"), path("y.npy"))
    ours = numpy.load(path("y.npy")).reshape(theirs.shape)
    error = numpy.abs(ours - theirs).max()
    if not error <= TOLERANCE:
        sys.exit(f"{what}, opset {opset}: error {error}")


def check_shapes():
    torch.manual_seed(300)
    rnn, fc, one = nn.GRU(4, 6), nn.Linear(6, 3), nn.Linear(6, 1)
    ids, x = torch.randint(0, 4, (7, 3)), torch.randn(7, 3, 4)
    both = {0: "T", 1: "B"}

    def as_is(x):
        return x

    for opset in (11, 13, 16):
        # An If, whose condition is a size that the graph knows.
        for name, dense in (("features that are one", one),
                            ("features that are more", fc)):
            check_shape(name, lambda p, x: p["fc"](p["rnn"](x)[0]).reshape(
                x.shape[0], x.shape[1], -1).squeeze(2), x, as_is, both, opset,
                rnn=rnn, fc=dense)
        check_shape("a batch of one", lambda p, x: p["fc"](
            p["rnn"](x)[0].squeeze(1)), x[:, :1], as_is, {0: "T"}, opset,
            rnn=rnn, fc=fc)
        check_shape("a step", lambda p, x: p["fc"](p["rnn"](x)[0].squeeze(0)),
                    x[:1], as_is, {1: "B"}, opset, rnn=rnn, fc=fc)
        check_shape("tokens in columns", lambda p, x: p["fc"](
            p["rnn"](p["e"](x.squeeze(-1)))[0]), ids[..., None],
            lambda x: x[..., 0], both, opset, rnn=rnn, fc=fc,
            e=nn.Embedding(4, 4))
        check_shape("one number a step", lambda p, x: p["fc"](
            p["rnn"](x.unsqueeze(-1))[0]), x[..., 0], lambda x: x[..., None],
            both, opset, rnn=nn.LSTM(1, 6), fc=fc)
        check_shape("one-hot tokens", lambda p, x: p["fc"](
            p["rnn"](nn.functional.one_hot(x, 4).float())[0]), ids, as_is,
            both, opset, rnn=rnn, fc=fc)
        # Steps and sequences are one dimension of the output, or only for the
        # decoder.
        for name, rows in (
                ("rows", lambda y: y.reshape(-1, 6)),
                ("counted rows", lambda y: y.contiguous().view(
                    y.size(0) * y.size(1), y.size(2)))):
            for free in both, {}:
                check_shape(name, lambda p, x, rows=rows: p["fc"](
                    rows(p["rnn"](x)[0])), x, as_is, free, opset, rnn=rnn,
                    fc=fc)
                check_shape(name + " and back", lambda p, x, rows=rows: p["fc"](
                    rows(p["rnn"](x)[0])).view(x.size(0), x.size(1), -1), x,
                    as_is, free, opset, rnn=rnn, fc=fc)
    print("squeezed, unsqueezed, one-hot and in rows: the same")
    refused("(Slice): its starts, /Mul_output_0, are not known numbers, but "
            "come of a size that is free",
            Wrapped(lambda p, x: p["rnn"](x)[0].chunk(2, 0)[1], rnn=rnn), x,
            input_names=["x"], dynamic_axes={"x": both}, opset_version=14)
    # A size that the graph does not know decides nothing.
    refused("(If): which branch it takes, /Equal_output_0, is decided by what "
            "enters the graph",
            Wrapped(lambda p, x: p["rnn"](x)[0].squeeze(1), rnn=rnn), x,
            input_names=["x"], dynamic_axes={"x": both}, opset_version=14)


def check_refused():
    x = torch.randn(5, 2, 4)
    rnn, two = nn.GRU(4, 4), nn.GRU(4, 4)
    fc = nn.Linear(4, 4)

    def no(sentence, function, *args, **parts):
        refused(sentence, Wrapped(function, **parts), *(args or (x,)),
                input_names=["x", "z"][: max(1, len(args))],
                output_names=["y"])

    no("(Relu): the operator is not one of those that are read",
       lambda p, x: p["fc"](p["rnn"](x)[0].relu()), rnn=rnn, fc=fc)
    no("(Tanh): the operator is not one",
       lambda p, x: p["rnn"](x)[0].tanh(), rnn=rnn)
    no("(Softmax): the operator is not one of those that are read (a network "
       "gives what is before it, logits",
       lambda p, x: p["fc"](p["rnn"](x)[0]).softmax(-1), rnn=rnn, fc=fc)
    no("(MatMul): what is multiplied, x, is not",
       lambda p, x: p["rnn"](p["fc"](x))[0], rnn=rnn, fc=fc)
    no("(MatMul): what is multiplied",
       lambda p, x: p["two"](p["fc"](p["rnn"](x)[0])), rnn=rnn, fc=fc,
       two=nn.Linear(4, 2))
    no("a linear layer stands before a recurrent one",
       lambda p, x: p["two"](p["fc"](p["rnn"](x)[0]))[0], rnn=rnn, fc=fc,
       two=two)
    no("(Add): input 1", lambda p, x: p["rnn"](x)[0] + x, rnn=rnn)
    no("(Mul): the operator is not one", lambda p, x: p["rnn"](2 * x)[0],
       rnn=rnn)
    no("output y is neither", lambda p, x: p["rnn"](x)[0].reshape(5, -1),
       rnn=rnn)
    no("cannot be followed", lambda p, x: p["rnn"](x)[0][-2], rnn=rnn)
    no("are different steps",
       lambda p, x: (lambda y: (y, y[-1]))(p["rnn"](x)[0]), rnn=rnn)
    no("its layers do not stand one upon the other",
       lambda p, x: p["fc"](p["deep"](x)[1][0]), deep=nn.GRU(4, 4, 2), fc=fc)
    no("(Gemm): what is multiplied",
       lambda p, x: p["fc"](p["lstm"](x)[1][1][-1]), lstm=nn.LSTM(4, 4), fc=fc)
    no("(Gemm): what is multiplied",
       lambda p, x: p["fc"](p["both"](x)[1][-1]), fc=fc,
       both=nn.GRU(4, 4, bidirectional=True))
    no("(Gemm): what is multiplied",
       lambda p, x: (lambda h: p["fc"](torch.cat((h[1], h[0]), 1)))(
           p["both"](x)[1]),
       both=nn.GRU(4, 4, bidirectional=True), fc=nn.Linear(8, 4))
    no("they have lengths of their own",
       lambda p, x, z: nn.utils.rnn.pad_packed_sequence(
           p["rnn"](nn.utils.rnn.pack_padded_sequence(x, z))[0])[0][-1],
       x, torch.full((2,), 5), rnn=rnn)
    no("(GRU): what enters it",
       lambda p, x: p["two"](p["rnn"](x)[0][-1:])[0], rnn=rnn, two=two)
    no("(GRU): its initial state", lambda p, x: p["two"](x, p["rnn"](x)[1])[0],
       rnn=rnn, two=two)
    no("runs over other dimensions",
       lambda p, x: p["two"](p["rnn"](x)[0].transpose(0, 1))[0], rnn=rnn,
       two=two)
    no("what it joins is not one layer's output",
       lambda p, x: torch.cat([p["rnn"](x)[0], p["two"](x)[0]], -1), rnn=rnn,
       two=two)
    no("layer 1 is not like the first one",
       lambda p, x: p["two"](p["rnn"](x)[0])[0], rnn=rnn, two=nn.GRU(4, 5))
    no("layer 1 is not like the first one",
       lambda p, x: p["two"](p["rnn"](x)[0])[0], rnn=rnn, two=nn.LSTM(4, 4))
    no("there is no recurrent layer in it", lambda p, x: p["e"](x),
       torch.zeros(5, 2, dtype=torch.int64), e=nn.Embedding(4, 4))
    # An LSTM with a projection is not exported by PyTorch at all.


JOBS = [
    *((check_classifiers, kind) for kind in ("LSTM", "GRU", "RNN")),
    (check_more,),
    (check_shapes,),
    (check_refused,),
    *((check_case, number, *case) for number, case in enumerate(CASES)),
]


def work(number):
    """One job in a folder of its own: what it printed, and why it failed."""
    global FOLDER
    FOLDER = os.path.join(sys.argv[2], str(number))
    os.mkdir(FOLDER)
    function, *words = JOBS[number]
    said, why = io.StringIO(), None
    with contextlib.redirect_stdout(said):
        try:
            function(*words)
        except SystemExit as error:
            why = str(error)
    return said.getvalue(), why


def main():
    # Exporting is most of the time: a process on each core, with one PyTorch.
    count = len(os.sched_getaffinity(0))
    with multiprocessing.get_context("fork").Pool(count) as pool:
        for said, why in pool.imap(work, range(len(JOBS)), 1):
            print(said, end="", flush=True)
            if why is not None:
                sys.exit(why)


if __name__ == "__main__":
    main()
