#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What torch.save wrote becomes a network that gives what PyTorch gives:

    python3 from_torch.py ELMAN FOLDER

Modules of every cell, with layers, directions, projections, with and without
biases, embeddings and decoders, are saved in every way that people save them,
go through `elman convert`, and `elman run` is compared with the module.  Then
files that must not be taken: what is refused, and by which sentence.
"""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile

import numpy
import torch
from torch import nn

torch.set_num_threads(1)
ELMAN, FOLDER = sys.argv[1:]


def path(name):
    return os.path.join(FOLDER, name)


def elman(*words, stdin=None):
    return subprocess.run(
        [ELMAN, *words], input=stdin, capture_output=True, text=True
    )


def done(*words):
    result = elman(*words)
    if result.returncode != 0:
        sys.exit(f"elman {' '.join(words)}: {result.stderr}")
    return result.stdout


def refused(sentence, *words):
    """One line with the sentence in it, status 1, and no file."""
    out = path("refused.safetensors")
    result = elman(*words, out)
    lines = result.stderr.splitlines()
    if result.returncode != 1 or len(lines) != 1 or sentence not in lines[0]:
        sys.exit(
            f"elman {' '.join(words)}: status {result.returncode}, "
            f"{result.stderr!r}, and not 1 and {sentence!r}"
        )
    if os.path.exists(out):
        sys.exit(f"{sentence}: something was written")


# ---- Networks --------------------------------------------------------------


class Net(nn.Module):
    """The parts in the order in which most people write them down."""

    def __init__(self, kind, I, H, V=0, O=0, decoder_bias=True, **options):
        super().__init__()
        if V > 0:
            self.embedding = nn.Embedding(V, I)
        self.rnn = getattr(nn, kind)(I, H, **options)
        S = 2 if self.rnn.bidirectional else 1
        P = self.rnn.proj_size or H
        if O > 0:
            self.fc = nn.Linear(S * P, O, bias=decoder_bias)
        self.V = V

    def forward(self, x, lengths=None):
        if self.V > 0:
            x = self.embedding(x)
        first = self.rnn.batch_first
        if lengths is not None:
            T = x.shape[1 if first else 0]
            x = nn.utils.rnn.pack_padded_sequence(
                x, torch.tensor(lengths), first, enforce_sorted=False
            )
        y, _ = self.rnn(x)
        if lengths is not None:
            y, _ = nn.utils.rnn.pad_packed_sequence(y, first, total_length=T)
        if hasattr(self, "fc"):
            y = self.fc(y)
        if lengths is not None:
            for b, n in enumerate(lengths):
                (y[b] if first else y[:, b])[n:] = 0
        return y


CASES = [
    ("RNN", dict(I=3, H=5)),
    ("RNN", dict(I=3, H=5, nonlinearity="relu", num_layers=2)),
    ("RNN", dict(I=4, H=6, num_layers=3, bidirectional=True, O=2)),
    ("RNN", dict(I=4, H=4, bias=False, V=9, O=9, decoder_bias=False)),
    ("LSTM", dict(I=1, H=1)),
    ("LSTM", dict(I=3, H=17, O=1)),
    ("LSTM", dict(I=5, H=7, num_layers=2, bidirectional=True, V=11, O=4)),
    ("LSTM", dict(I=3, H=9, proj_size=4)),
    ("LSTM", dict(I=3, H=9, proj_size=4, num_layers=3, bidirectional=True, O=6)),
    ("LSTM", dict(I=8, H=8, proj_size=1, bias=False)),
    ("LSTM", dict(I=6, H=12, batch_first=True, num_layers=2, V=30, O=5)),
    ("GRU", dict(I=2, H=3)),
    ("GRU", dict(I=5, H=5, num_layers=2, bidirectional=True, bias=False)),
    ("GRU", dict(I=7, H=33, batch_first=True, O=3, decoder_bias=False)),
    ("GRU", dict(I=7, H=7, V=13, O=13, num_layers=2)),
]


def make_input(net, T, B, generator):
    if net.V > 0:
        x = torch.randint(0, net.V, (T, B), generator=generator)
    else:
        x = torch.randn(T, B, net.rnn.input_size, generator=generator)
    return x.transpose(0, 1).contiguous() if net.rnn.batch_first else x


def compare(what, net, model, tolerance, lengths=None, T=9, B=3):
    generator = torch.Generator().manual_seed(7)
    x = make_input(net, T, B, generator)
    weight = net.rnn.weight_hh_l0
    if not net.V:
        x = x.to(weight.dtype)
    with torch.no_grad():
        theirs = net(x, lengths).double().numpy()
    numpy.save(path("x.npy"), x.numpy())
    words = []
    if net.rnn.batch_first:
        words.append("--batch-first")
    if lengths is not None:
        words += ["--lengths", ",".join(map(str, lengths))]
    done("run", model, path("x.npy"), path("y.npy"), *words)
    ours = numpy.load(path("y.npy"))
    if ours.shape != theirs.shape:
        sys.exit(f"{what}: shape {ours.shape}, not {theirs.shape}")
    error = numpy.abs(ours - theirs).max()
    if not error <= tolerance:
        sys.exit(f"{what}: error {error}, more than {tolerance}")
    return error


def beside_a_model():
    """Numbers and arrays of NumPy, as loops of training keep them."""
    return {
        "epoch": numpy.int64(3),
        "best": numpy.float32(0.25),
        "on": numpy.bool_(True),
        "name": numpy.str_("é"),
        "losses": numpy.arange(6.0).reshape(2, 3),
        "none": numpy.zeros(0),
        "few": numpy.array([1, "a", None], dtype=object),
        "digest": b"\x80",
        "random": numpy.random.get_state(),
    }


def check_case(number, kind, options):
    torch.manual_seed(number)
    net = Net(kind, **options)
    words = []
    if options.get("nonlinearity") == "relu":
        words = ["--activation", "relu"]
    saved, model = path("net.pt"), path("net.safetensors")
    torch.save(net.state_dict(), saved)
    done("convert", saved, model, *words)
    errors = [
        compare(kind, net, model, 1e-5),
        compare(kind, net, model, 1e-5, lengths=[4, 9, 1]),
        compare(kind, net, model, 1e-5, T=1, B=1),
    ]
    # The bytes do not depend on how it was saved.
    with open(model, "rb") as file:
        bytes_of_it = file.read()

    def same(what, value, *more, **how):
        torch.save(value, saved, **how)
        done("convert", saved, path("other.safetensors"), *more)
        with open(path("other.safetensors"), "rb") as file:
            if file.read() != bytes_of_it:
                sys.exit(f"{kind} {options}: {what} becomes another file")

    same("a dict", dict(net.state_dict()), *words)
    for protocol in (2, 3, 4):
        same(f"protocol {protocol}", net.state_dict(), *words,
             pickle_protocol=protocol)
    # A module says itself what its activation is, and which part is which.
    same("a whole module", net)
    same("a parallel one", nn.DataParallel(net).state_dict(), *words)
    same("a checkpoint", {"epoch": 3, "loss": 0.25, "best": None,
                          "name": "é", "big": 1 << 80, "net": net.state_dict()},
         *words)
    for protocol in (2, 3, 4):
        same(f"a checkpoint with NumPy in it, protocol {protocol}",
             {**beside_a_model(), "net": net.state_dict()}, *words,
             pickle_protocol=protocol)
    print(f"{kind} {options}: error {max(errors):.1e}")


def check_numpy():
    """NumPy 1 and 2 differ in a module's name; an array is no tensor."""
    net = Net("GRU", I=2, H=3)
    torch.save({**beside_a_model(), "net": net.state_dict()}, path("one.pt"))
    swap = (b"numpy.core.", b"numpy._core.")
    if numpy.lib.NumpyVersion(numpy.__version__) >= "2.0.0":
        swap = swap[::-1]
    with zipfile.ZipFile(path("one.pt")) as given:
        with zipfile.ZipFile(path("other.pt"), "w") as turned:
            for name in given.namelist():
                data = given.read(name)
                if name.endswith("data.pkl"):
                    if swap[0] not in data:
                        sys.exit("NumPy has other names than this test knows")
                    data = data.replace(*swap)
                turned.writestr(name, data)
    written = []
    for name in ("one", "other"):
        done("convert", path(name + ".pt"), path("net.safetensors"))
        with open(path("net.safetensors"), "rb") as file:
            written.append(file.read())
    if written[0] != written[1]:
        sys.exit("what NumPy 1 and 2 stand beside becomes two files")
    arrays = {name: t.numpy() for name, t in net.state_dict().items()}
    torch.save(arrays, path("arrays.pt"))
    refused("no tensor in it, but arrays of NumPy", "convert",
            path("arrays.pt"))


# ---- Numbers and storages --------------------------------------------------


def check_dtypes():
    torch.manual_seed(0)
    for dtype, tolerance in (
        (torch.float64, 1e-12),
        (torch.float16, 1e-5),
        (torch.bfloat16, 1e-5),
    ):
        net = Net("GRU", I=3, H=6, O=2).to(dtype)
        torch.save(net.state_dict(), path("net.pt"))
        done("convert", path("net.pt"), path("net.safetensors"))
        # What PyTorch cannot compute with here is compared in float32.
        wide = net if dtype == torch.float64 else net.float()
        error = compare(str(dtype), wide, path("net.safetensors"), tolerance)
        print(f"{dtype}: error {error:.1e}")
    # Half has its own smallest numbers, infinities and NaN.
    every = torch.arange(65536, dtype=torch.int32).to(torch.int16)
    for dtype in (torch.float16, torch.bfloat16):
        halves = torch.from_numpy(every.numpy()).view(dtype).reshape(256, 256)
        check_tensor(halves, halves.float())


def read_tensors(name):
    with open(name, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    return {
        key: torch.frombuffer(
            bytearray(data[8 + size :][slice(*t["data_offsets"])]),
            dtype={"F32": torch.float32, "F64": torch.float64}[t["dtype"]],
        ).reshape(t["shape"])
        for key, t in header.items()
    }


def check_tensor(saved, wanted):
    """As the embedding of a network, through the file and back."""
    V, E = saved.shape
    parts = nn.RNN(E, 1).state_dict()
    parts = {"rnn." + key: value.to(wanted.dtype) for key, value in parts.items()}
    torch.save({"emb.weight": saved, **parts}, path("one.pt"))
    done("convert", path("one.pt"), path("one.safetensors"))
    got = read_tensors(path("one.safetensors"))["embedding.weight"]
    same = (got == wanted) | (got.isnan() & wanted.isnan())
    if got.shape != wanted.shape or not same.all():
        sys.exit("a tensor is not what was saved")


def check_views():
    base = torch.randn(40, 30)
    for view in (
        base.t(),
        base[3:20, 4:9],
        base[::3, ::2],
        base.t()[5:, 1:2],
        base.as_strided((5, 4), (1, 2), 17),
        base[:1].expand(6, 30),
        base.double()[7:, 3:],
    ):
        check_tensor(view, view.contiguous())
    # Two names for one tensor, and a decoder that is the embedding.
    net = Net("LSTM", I=6, H=6, V=10, O=10)
    net.fc.weight = net.embedding.weight
    torch.save(net.state_dict(), path("net.pt"))
    done("convert", path("net.pt"), path("net.safetensors"))
    if "decoder.weight" in read_tensors(path("net.safetensors")):
        sys.exit("a tied weight is there twice")
    compare("tied", net, path("net.safetensors"), 1e-5)
    # Weights that are all parts of one storage.
    flat = nn.LSTM(4, 5, 2)
    flat.flatten_parameters()
    block = torch.cat([p.detach().reshape(-1) for p in flat.parameters()])
    shared, at = {}, 0
    for name, p in flat.named_parameters():
        shared["rnn." + name] = block[at : at + p.numel()].view(p.shape)
        at += p.numel()
    torch.save(shared, path("net.pt"))
    done("convert", path("net.pt"), path("net.safetensors"))
    for name, value in read_tensors(path("net.safetensors")).items():
        if not torch.equal(value, shared[name]):
            sys.exit(f"{name} of a shared storage is not what was saved")


# ---- Names, options, cells of one's own ------------------------------------


def check_names():
    torch.manual_seed(3)
    # A cell by itself is a network of one layer.
    for cell in (nn.RNNCell(3, 4, nonlinearity="relu"), nn.LSTMCell(3, 4),
                 nn.GRUCell(3, 4)):
        torch.save(cell, path("net.pt"))
        done("convert", path("net.pt"), path("net.safetensors"))
        x = torch.randn(5, 3)
        numpy.save(path("x.npy"), x.numpy())
        done("run", path("net.safetensors"), path("x.npy"), path("y.npy"))
        state, rows = None, []
        for row in x:
            state = cell(row[None], state)
            rows.append(state[0] if isinstance(state, tuple) else state)
        error = numpy.abs(
            numpy.load(path("y.npy")) - torch.cat(rows).detach().numpy()
        ).max()
        if not error < 1e-6:
            sys.exit(f"{cell}: error {error}")

    two = nn.ModuleDict({"a": nn.GRU(3, 4), "b": nn.ModuleDict(
        {"rnn": nn.LSTM(3, 4)})})
    torch.save(two.state_dict(), path("two.pt"))
    refused("several recurrent networks (--rnn PREFIX picks one: a., b.rnn.)",
            "convert", path("two.pt"))
    refused("the network has no place for b.rnn.weight_ih_l0, "
            "b.rnn.weight_hh_l0, b.rnn.bias_ih_l0, b.rnn.bias_hh_l0 (--allow",
            "convert", path("two.pt"), "--rnn", "a")
    refused("there is no tensor c.weight_hh_l0", "convert", path("two.pt"),
            "--rnn", "c")
    done("convert", path("two.pt"), path("net.safetensors"), "--rnn", "b.rnn",
         "--allow-unused")

    net = Net("GRU", I=4, H=5, num_layers=2, V=6, O=3)
    parts = net.state_dict()
    del parts["rnn.bias_ih_l1"], parts["fc.bias"]
    parts["steps"] = torch.tensor(7)
    torch.save(parts, path("part.pt"))
    refused("it has no rnn.bias_ih_l1 (--allow-missing", "convert",
            path("part.pt"))
    refused("no place for steps (--allow-unused", "convert", path("part.pt"),
            "--allow-missing")
    done("convert", path("part.pt"), path("net.safetensors"),
         "--allow-missing", "--allow-unused")
    refused("of a cell gru (not --cell lstm)", "convert", path("part.pt"),
            "--cell", "lstm")
    refused("--activation is of an Elman cell", "convert", path("part.pt"),
            "--activation", "relu")
    torch.save(nn.RNN(2, 3, nonlinearity="relu"), path("relu.pt"))
    refused("its activation is relu (not --activation tanh)", "convert",
            path("relu.pt"), "--activation", "tanh")
    torch.save({"rnn." + k: v for k, v in nn.RNN(4, 4).state_dict().items()} |
               {"U.weight": torch.zeros(8, 4)}, path("doubt.pt"))
    refused("U may be the embedding or not (--embedding U", "convert",
            path("doubt.pt"))
    torch.save(nn.Linear(2, 3).state_dict(), path("linear.pt"))
    refused("no tensor is called weight_hh_l0", "convert", path("linear.pt"))
    torch.save({"a": 1}, path("nothing.pt"))
    refused("there is no tensor in it", "convert", path("nothing.pt"))


def check_lm():
    """A vocabulary makes it a language model, which elman eval measures as
    PyTorch does; and without its metadata it comes back the same."""
    torch.manual_seed(5)
    tokens = ["<unk>", *"abcdefgh \n"]
    V = len(tokens)
    net = Net("LSTM", I=6, H=8, V=V, O=V, num_layers=2)
    torch.save(net.state_dict(), path("lm.pt"))
    with open(path("vocab.json"), "w", encoding="utf-8") as file:
        json.dump(tokens, file)
    done("convert", path("lm.pt"), path("lm.safetensors"),
         "--vocab", path("vocab.json"))
    text = "abba cafe\nbad hag\n" * 5
    with open(path("text"), "w", encoding="utf-8") as file:
        file.write(text)
    ids = torch.tensor([tokens.index(c) for c in text])
    with torch.no_grad():
        theirs = nn.functional.cross_entropy(net(ids[:-1]), ids[1:]).item()
    ours = json.loads(done("eval", path("lm.safetensors"), path("text"),
                           "--json"))["nats_per_token"]
    if not abs(ours - theirs) < 1e-5 * theirs:
        sys.exit(f"the language model: {ours}, and PyTorch {theirs}")
    numpy.save(path("x.npy"), ids.numpy())
    done("run", path("lm.safetensors"), path("x.npy"), path("y.npy"))
    error = numpy.abs(numpy.load(path("y.npy")) - net(ids).detach().numpy())
    if not error.max() < 1e-5:
        sys.exit("the language model's logits differ")
    # Back: a state dict of those tensors is the same model again.
    torch.save(read_tensors(path("lm.safetensors")), path("back.pt"))
    done("convert", path("back.pt"), path("back.safetensors"),
         "--vocab", path("vocab.json"))
    with open(path("lm.safetensors"), "rb") as a:
        with open(path("back.safetensors"), "rb") as b:
            if a.read() != b.read():
                sys.exit("the language model is not the same after a way back")
    with open(path("short.json"), "w", encoding="utf-8") as file:
        json.dump(tokens[:-1], file)
    refused("gives 11, and", "convert", path("lm.pt"), "--vocab",
            path("short.json"))


# ---- What is refused -------------------------------------------------------


def forge(name, code, storages=None, **more):
    """An archive as torch.save writes it, around any pickle."""
    with zipfile.ZipFile(path(name), "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("x/data.pkl", code)
        for key, value in (storages or {}).items():
            archive.writestr(f"x/data/{key}", value)
        for key, value in more.items():
            archive.writestr(f"x/{key}", value)
    return path(name)


def text(word):
    return b"X" + struct.pack("<I", len(word)) + word.encode()


def integer(n):
    return b"\x8a\x08" + struct.pack("<q", n)


def a_tensor(shape, stride, offset=0, numbers=4, key="0", kind="FloatStorage"):
    """{'weight_hh_l0': tensor}, by hand."""
    return (
        b"\x80\x02}" + text("weight_hh_l0") +
        b"ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") +
        b"ctorch\n" + kind.encode() + b"\n" + text(key) + text("cpu") +
        integer(numbers) + b"tQ" + integer(offset) +
        b"(" + b"".join(map(integer, shape)) + b"t" +
        b"(" + b"".join(map(integer, stride)) + b"t" +
        b"\x89ccollections\nOrderedDict\n)RtRs."
    )


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def check_refused():
    def no(sentence, code, storages=None, **more):
        refused(sentence, "convert", forge("evil.pt", code, storages, **more))

    for value, sentence in (
        (Call(os.system, "touch " + path("pwned")), "system, which is refused"),
        (Call(eval, "1"), "eval, which is refused"),
        (Call(exec, "1"), "exec, which is refused"),
        (Call(subprocess.Popen, ["true"]), "Popen, which is refused"),
        (Call(numpy.zeros, 3), "numpy.zeros, which is refused"),
        (Call(torch.load, "x"), "torch.serialization.load, which is refused"),
        (os.system, "system, which is refused"),
    ):
        for protocol in (2, 4):
            no(sentence, pickle.dumps({"a": value}, protocol))
            no(sentence, pickle.dumps([[value]], protocol))
    if os.path.exists(path("pwned")):
        sys.exit("a pickle was run")
    no("opcode INT, which is refused", b"I1\n.")
    no("opcode PUT, which is refused", pickle.dumps([1], 0))
    no("opcode EXT1, which is refused", b"\x80\x02\x82\x01.")
    no("opcode BYTEARRAY8, which is refused", pickle.dumps(bytearray(3), 5))
    no("byte 0x0a is no opcode", b"\x80\x02\n.")
    no("of protocol 9", b"\x80\x09N.")
    no("ends within an opcode", b"")
    no("ends within an opcode", b"\x80\x02X\xff\xff\xff\xffabc")
    no("ends within an opcode", b"\x80\x02\x8d" + b"\xff" * 8 + b"abc.")
    no("ends within an opcode", b"\x80\x02\x8b\xff\xff\xff\xff.")
    no("ends within an opcode", b"\x80\x02cos\nsystem")
    no("bytes are left", b"\x80\x02N.N.")
    no("from an empty stack", b"\x80\x02.")
    no("from an empty stack", b"\x80\x02N(\x85.")
    no("from an empty stack", b"\x80\x02(R.")
    no("no mark where it needs one", b"\x80\x02Nt.")
    no("has no value", b"\x80\x02(Nd.")
    no("takes none", b"\x80\x02NNa.")
    no("calls something that is no global", b"\x80\x02N)R.")
    no("remembers number 4294967295", b"\x80\x02Nr\xff\xff\xff\xff.")
    no("remembers 0", b"\x80\x02h\x00.")
    no("gives a state", b"\x80\x02N}b.")
    # A list that holds itself, one that is deep, and one that doubles.
    no("nested more than 64 deep", b"\x80\x02]q\x00h\x00a.")
    no("nested more than 64 deep", b"\x80\x02" + b"]" * 5000 + b"a" * 4999 +
       b".")
    bomb = b"\x80\x02]q\x00"
    for i in range(60):
        bomb += b"](h%ch%ceq%c" % (i, i, i + 1)
    no("there is too much in it", bomb + b".")

    four = {"0": b"\0" * 16}
    no("reaches beyond its storage", a_tensor([5], [1]), four)
    no("reaches beyond its storage", a_tensor([4], [1], offset=1), four)
    no("reaches beyond its storage", a_tensor([2, 2], [3, 1]), four)
    no("its shape or strides are no numbers from 0", a_tensor([-1], [1]), four)
    no("its shape or strides are no numbers from 0", a_tensor([1], [-1]), four)
    no("its offset is no number", a_tensor([1], [1], offset=-4), four)
    no("its shape is too large", a_tensor([1 << 62, 4], [0, 0]), four)
    no("its strides are too large", a_tensor([9, 9], [1 << 62, 1 << 62]), four)
    no("much larger than the file", a_tensor([1 << 40], [0]), four)
    no("different lengths", a_tensor([1, 1], [1]), four)
    no("9 dimensions", a_tensor([1] * 9, [1] * 9), four)
    no("has not the size",
       a_tensor([5], [1], numbers=5), four)
    no("has not the size", a_tensor([1], [1], numbers=1 << 40), four)
    no("what torch.save writes", a_tensor([1], [1], numbers=-1), four)
    no("is not in the file", a_tensor([1], [1], key="7"), four)
    no("is not in the file", a_tensor([1], [1], key="../data.pkl"), four)
    no("ComplexFloatStorage, which is not read",
       a_tensor([1], [1], kind="ComplexFloatStorage"), four)
    no("neither little nor big", a_tensor([1], [1]), four, byteorder="middle")
    no("TorchScript", a_tensor([1], [1]), four, **{"constants.pkl": "x"})
    no("no matrix of numbers", a_tensor([4], [1]), four)

    # Archives that are none.
    whole = forge("good.pt", a_tensor([2, 2], [2, 1]), four)
    refused("there is no matrix weight_ih_l0", "convert", whole)
    with open(whole, "rb") as file:
        data = file.read()
    with open(path("cut.pt"), "wb") as file:
        file.write(data[: len(data) // 2])
    refused("no zip archive that can be read", "convert", path("cut.pt"))
    with open(path("bad.pt"), "wb") as file:
        file.write(data.replace(b"torch._utils", b"torch._utilz", 1))
    refused("is damaged", "convert", path("bad.pt"))
    with zipfile.ZipFile(path("deflated.pt"), "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("x/data.pkl", a_tensor([2, 2], [2, 1]))
    refused("is compressed", "convert", path("deflated.pt"))
    with zipfile.ZipFile(path("empty.pt"), "w") as z:
        z.writestr("x/readme", "x")
    refused("there is no data.pkl in it", "convert", path("empty.pt"))
    os.mkdir(path("folder.pt"))
    refused("folder.pt", "convert", path("folder.pt"))
    torch.save(nn.RNN(2, 2).state_dict(), path("old.pt"),
               _use_new_zipfile_serialization=False)
    refused("PyTorch before 1.6 (write it anew", "convert", path("old.pt"))
    torch.jit.script(nn.Linear(2, 2)).save(path("script.pt"))
    refused("TorchScript", "convert", path("script.pt"))


def check_byte_order():
    """A machine that has the highest byte first wrote the storages."""
    net = nn.GRU(2, 3)
    buffer = io.BytesIO()
    torch.save(net.state_dict(), buffer)
    with zipfile.ZipFile(buffer) as given:
        with zipfile.ZipFile(path("big.pt"), "w") as turned:
            for name in given.namelist():
                data = given.read(name)
                if "/data/" in name:
                    data = numpy.frombuffer(data, "<f4").astype(">f4").tobytes()
                turned.writestr(name, data)
            turned.writestr("archive/byteorder", "big")
    done("convert", path("big.pt"), path("big.safetensors"))
    for name, value in read_tensors(path("big.safetensors")).items():
        if not torch.equal(value, net.state_dict()[name.replace("rnn.", "")]):
            sys.exit(f"{name}: bytes were not turned")


def main():
    for number, (kind, options) in enumerate(CASES):
        check_case(number, kind, options)
    check_numpy()
    check_dtypes()
    check_views()
    check_names()
    check_lm()
    check_byte_order()
    check_refused()


if __name__ == "__main__":
    main()
