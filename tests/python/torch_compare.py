# SPDX-License-Identifier: MIT
"""RNN, LSTM and GRU on NumPy arrays give what torch.nn gives, there and back:
every cell, layers, directions, projections, biases, lengths, both dtypes."""

import itertools
import unittest

import numpy as np

import elman
from checks import close, main, need_torch

torch = need_torch()
pack = torch.nn.utils.rnn.pack_padded_sequence
pad = torch.nn.utils.rnn.pad_packed_sequence

KINDS = (
    ("RNN", {"nonlinearity": "tanh"}),
    ("RNN", {"nonlinearity": "relu"}),
    ("GRU", {}),
    ("LSTM", {}),
    ("LSTM", {"proj_size": 3}),
)
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
T, B, I, H = 7, 4, 3, 5


def leaf(array):
    return torch.from_numpy(array.copy()).requires_grad_()


def flat(hx):
    return list(hx) if isinstance(hx, tuple) else [hx]


class Compared(unittest.TestCase):
    def one(self, name, arguments, dtype, lengths):
        what = f"{name} {arguments} {dtype} {lengths}"
        theirs = getattr(torch.nn, name)(I, H, **arguments)
        theirs = theirs.to(getattr(torch, dtype))
        ours = getattr(elman, name)(I, H, dtype=dtype, **arguments)
        ours.load_state_dict(theirs.state_dict())
        self.assertEqual(
            {n: v.shape for n, v in ours.state_dict().items()},
            {n: tuple(v.shape) for n, v in theirs.state_dict().items()},
        )
        first = arguments.get("batch_first", False)
        rows = arguments.get("num_layers", 1) * (
            1 + arguments.get("bidirectional", False)
        )
        draw = np.random.RandomState(1)
        x = draw.standard_normal((B, T, I) if first else (T, B, I))
        sizes = [arguments.get("proj_size") or H]
        if name == "LSTM":
            sizes.append(H)
        start = [draw.standard_normal((rows, B, n)) for n in sizes]
        x, *start = [a.astype(dtype) for a in (x, *start)]

        tx, *tstart = [leaf(a) for a in (x, *start)]
        hx = tuple(tstart) if name == "LSTM" else tstart[0]
        if lengths is None:
            ty, tend = theirs(tx, hx)
        else:
            packed = pack(
                tx, lengths, batch_first=first, enforce_sorted=False
            )
            ty, tend = theirs(packed, hx)
            ty, _ = pad(ty, batch_first=first, total_length=T)
        hx = tuple(start) if name == "LSTM" else start[0]
        y, end = ours(x, hx, lengths=lengths)
        tolerance = TOLERANCE[dtype]
        close(self, y, ty.detach(), tolerance, what)
        for a, b in zip(flat(end), flat(tend)):
            close(self, a, b.detach(), tolerance, what)

        grads = [
            draw.standard_normal(a.shape).astype(dtype)
            for a in (y, *flat(end))
        ]
        loss = sum(
            (torch.from_numpy(g) * a).sum()
            for g, a in zip(grads, (ty, *flat(tend)))
        )
        loss.backward()
        dx, back = ours.backward(*grads)
        close(self, dx, tx.grad, tolerance, what)
        for a, b in zip(flat(back), tstart):
            close(self, a, b.grad, tolerance, what)
        wanted = dict(theirs.named_parameters())
        for n, grad in ours.grad_dict().items():
            close(self, grad, wanted[n].grad, tolerance, f"{what} {n}")

    def test_all(self):
        lengths = [None, [3, 7, 1, 5]]
        for (name, more), layers, both, first, cut in itertools.product(
            KINDS, (1, 2, 3), (False, True), (False, True), lengths
        ):
            for dtype in TOLERANCE:
                arguments = {
                    "num_layers": layers,
                    "bidirectional": both,
                    "batch_first": first,
                    **more,
                }
                self.one(name, arguments, dtype, cut)

    def test_without_biases(self):
        for name, more in KINDS:
            for dtype in TOLERANCE:
                self.one(name, {"bias": False, **more}, dtype, None)

    def test_cross_entropy(self):
        draw = np.random.RandomState(2)
        logits = draw.standard_normal((3, 4, 6))
        targets = draw.randint(6, size=(3, 4))
        targets[1, 2] = -100
        weight = draw.random_sample(6)
        for dtype, reduction, smooth in itertools.product(
            TOLERANCE, ("mean", "sum"), (0.0, 0.1)
        ):
            leafy = leaf(logits.astype(dtype))
            theirs = torch.nn.functional.cross_entropy(
                leafy.reshape(12, 6),
                torch.from_numpy(targets.reshape(12)),
                torch.from_numpy(weight.astype(dtype)),
                reduction=reduction,
                label_smoothing=smooth,
            )
            theirs.backward()
            loss, gradient = elman.cross_entropy(
                logits.astype(dtype),
                targets,
                weight=weight.astype(dtype),
                reduction=reduction,
                label_smoothing=smooth,
            )
            close(self, loss, theirs.item(), TOLERANCE[dtype])
            close(self, gradient, leafy.grad, TOLERANCE[dtype])

    def test_optimizers(self):
        made = {
            "sgd": lambda p: torch.optim.SGD(p, 0.01),
            "momentum": lambda p: torch.optim.SGD(p, 0.01, momentum=0.9),
            "adam": lambda p: torch.optim.Adam(p, 0.01),
            "adamw": lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1),
            "rmsprop": lambda p: torch.optim.RMSprop(p, 0.01),
        }
        x = np.random.RandomState(3).standard_normal((T, B, I))
        for kind, make in made.items():
            theirs = torch.nn.GRU(I, H).double()
            ours = elman.GRU(I, H, dtype="float64")
            ours.load_state_dict(theirs.state_dict())
            optimizer = make(theirs.parameters())
            mine = elman.Optimizer(
                ours, kind, 0.01, weight_decay=0.1 * (kind == "adamw")
            )
            for _ in range(5):
                optimizer.zero_grad()
                y, _ = theirs(torch.from_numpy(x))
                y.pow(2).sum().backward()
                optimizer.step()
                ours.zero_grad()
                z, _ = ours(x)
                ours.backward(2 * z)
                mine.step()
            for n, v in ours.state_dict().items():
                close(self, v, theirs.state_dict()[n], 1e-10, kind)


if __name__ == "__main__":
    main()
