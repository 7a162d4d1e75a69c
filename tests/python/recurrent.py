# SPDX-License-Identifier: MIT
"""RNN, LSTM and GRU on NumPy arrays, without anybody else's numbers: shapes,
views, lengths, pieces, gradients by finite differences, copies, mistakes."""

import copy
import gc
import itertools
import pickle
import subprocess
import sys
import unittest
import weakref

import numpy as np

import elman
from checks import close, main, same

CELLS = {"RNN": elman.RNN, "LSTM": elman.LSTM, "GRU": elman.GRU}
DRAW = np.random.RandomState(0)


def numbers(*shape, dtype="float32"):
    return DRAW.standard_normal(shape).astype(dtype)


def states(result):
    """The end of a call's result as a list of arrays."""
    return list(result) if isinstance(result, tuple) else [result]


class Shapes(unittest.TestCase):
    def test_all(self):
        for (name, cell), bidirectional, layers, first in itertools.product(
            CELLS.items(), (False, True), (1, 3), (False, True)
        ):
            for proj in (0, 2) if name == "LSTM" else (0,):
                more = {"proj_size": proj} if proj else {}
                rnn = cell(
                    3,
                    5,
                    layers,
                    bidirectional=bidirectional,
                    batch_first=first,
                    **more,
                )
                S, P = 1 + bidirectional, proj or 5
                x = numbers(*((4, 6, 3) if first else (6, 4, 3)))
                y, end = rnn(x)
                self.assertEqual(y.shape, x.shape[:2] + (S * P,))
                ends = states(end)
                self.assertEqual(ends[0].shape, (layers * S, 4, P))
                if name == "LSTM":
                    self.assertEqual(ends[1].shape, (layers * S, 4, 5))
                dx, start = rnn.backward(np.ones_like(y))
                self.assertEqual(dx.shape, x.shape)
                for a, b in zip(states(start), ends):
                    self.assertEqual(a.shape, b.shape)
                # One sequence without a batch has the same bits.
                lone = x[1] if first else x[:, 1]
                z, lone_end = rnn(lone)
                same(self, z, y[1] if first else y[:, 1])
                for a, b in zip(states(lone_end), ends):
                    same(self, a, np.ascontiguousarray(b[:, 1]))
                dz, lone_start = rnn.backward(np.ones_like(z))
                self.assertEqual(dz.shape, lone.shape)
                for a, b in zip(states(lone_start), ends):
                    self.assertEqual(a.shape, b.shape[:1] + b.shape[2:])

    def test_layouts_have_the_same_bits(self):
        for cell in CELLS.values():
            rnn = cell(3, 5, 2, bidirectional=True)
            x = numbers(6, 4, 3)
            y, end = rnn(x)
            g = numbers(*y.shape)
            dx, _ = rnn.backward(g)
            grad = {n: v.copy() for n, v in rnn.grad_dict().items()}

            def again(view, g):
                rnn.zero_grad()
                z, _ = rnn(view)
                same(self, np.ascontiguousarray(z), y)
                dz, _ = rnn.backward(g)
                same(self, np.ascontiguousarray(dz), dx)
                for n, v in rnn.grad_dict().items():
                    same(self, v, grad[n], n)
                return z

            lying = np.ascontiguousarray(x.transpose(1, 0, 2))
            z = again(lying.transpose(1, 0, 2), g)
            # It was not copied: the output lies as the input does.
            self.assertTrue(z.transpose(1, 0, 2).flags.c_contiguous)
            wide = np.zeros((6, 4, 6), np.float32)
            wide[..., ::2] = x
            again(wide[..., ::2], np.asfortranarray(g))
            again(x.astype(">f4"), g)
            frozen = x.copy()
            frozen.flags.writeable = False
            again(frozen, g)
            again(x.tolist(), g.tolist())

    def test_autonomous(self):
        rnn = elman.RNN(0, 4, 2)
        y, h = rnn(np.empty((5, 2, 0), np.float32), numbers(2, 2, 4))
        self.assertEqual((y.shape, h.shape), ((5, 2, 4), (2, 2, 4)))
        self.assertGreater(np.abs(y).max(), 0)
        dx, _ = rnn.backward(np.ones_like(y))
        self.assertEqual(dx.shape, (5, 2, 0))


class Weights(unittest.TestCase):
    def test_views_follow_and_cannot_be_written(self):
        rnn = elman.LSTM(3, 5, 2, proj_size=2, bidirectional=True)
        before = rnn.state_dict()
        self.assertEqual(before["weight_hr_l1_reverse"].shape, (2, 5))
        self.assertEqual(before["weight_ih_l1"].shape, (20, 4))
        self.assertEqual(
            sum(v.size for v in before.values()), rnn.num_parameters()
        )
        with self.assertRaises(ValueError):
            before["bias_ih_l0"][0] = 1
        x = numbers(4, 2, 3)
        y, _ = rnn(x)
        with rnn.edit_weights() as w:
            w["bias_ih_l0"] += 1
        z, _ = rnn(x)
        self.assertGreater(np.abs(z - y).max(), 0)
        self.assertGreater(before["bias_ih_l0"].mean(), 0.5)

    def test_they_outlive_their_network(self):
        rnn = elman.GRU(3, 5)
        view = rnn.state_dict()["weight_hh_l0"]
        kept = view.copy()
        gone = weakref.ref(rnn)
        del rnn
        gc.collect()
        self.assertIsNone(gone())
        same(self, view, kept)

    def test_load(self):
        a, b = elman.LSTM(3, 5, seed=1), elman.LSTM(3, 5, seed=2)
        x = numbers(4, 2, 3)
        self.assertGreater(np.abs(a(x)[0] - b(x)[0]).max(), 0)
        b.load_state_dict(a.state_dict())
        same(self, a(x)[0], b(x)[0])
        good = {n: v + 1 for n, v in a.state_dict().items()}
        before = {n: v.copy() for n, v in b.state_dict().items()}
        for change in (
            {"weight_hh_l0": np.zeros((3, 3))},
            {"unknown": np.zeros(3)},
            {"bias_ih_l0": None},
        ):
            bad = {**good, **change}
            bad = {n: v for n, v in bad.items() if v is not None}
            with self.assertRaises(ValueError):
                b.load_state_dict(bad)
            for n, v in b.state_dict().items():
                same(self, v, before[n], n)
        del good["bias_ih_l0"]
        good["unknown"] = np.zeros(3)
        b.load_state_dict(good, strict=False)
        same(self, b.state_dict()["weight_hh_l0"], good["weight_hh_l0"])
        same(self, b.state_dict()["bias_ih_l0"], before["bias_ih_l0"])

    def test_copies_and_pickles(self):
        for cell in CELLS.values():
            rnn = cell(3, 5, 2, seed=3, batch_first=True)
            with rnn.edit_weights() as w:
                w["bias_hh_l1"] += 1
            x = numbers(2, 4, 3)
            y, _ = rnn(x)
            for other in (
                copy.deepcopy(rnn),
                pickle.loads(pickle.dumps(rnn)),
            ):
                same(self, other(x)[0], y)
                with other.edit_weights() as w:
                    w["bias_hh_l1"] -= 1
                same(self, rnn(x)[0], y)


class Lengths(unittest.TestCase):
    def test_each_is_as_if_it_were_alone(self):
        lengths = np.array([3, 6, 0, 5])
        for cell, both in itertools.product(CELLS.values(), (False, True)):
            rnn = cell(3, 5, 2, bidirectional=both)
            x = numbers(6, 4, 3)
            y, end = rnn(x, lengths=lengths)
            g = numbers(*y.shape)
            dx, _ = rnn.backward(g)
            grad = {n: v.copy() for n, v in rnn.grad_dict().items()}
            rnn.zero_grad()
            for b, n in enumerate(lengths):
                same(self, y[n:, b], np.zeros_like(y[n:, b]))
                same(self, dx[n:, b], np.zeros_like(dx[n:, b]))
                if n == 0:
                    continue
                z, lone = rnn(x[:n, b])
                same(self, z, y[:n, b])
                for a, e in zip(states(lone), states(end)):
                    same(self, a, np.ascontiguousarray(e[:, b]))
                dz, _ = rnn.backward(g[:n, b])
                close(self, dz, dx[:n, b], 1e-5)
            for n, v in rnn.grad_dict().items():
                close(self, v, grad[n], 1e-5, n)


class Gradients(unittest.TestCase):
    def test_finite_differences(self):
        for name, cell in CELLS.items():
            more = {"proj_size": 2} if name == "LSTM" else {}
            rnn = cell(2, 3, 2, bidirectional=True, dtype="float64", **more)
            P = 2 if name == "LSTM" else 3
            x = numbers(4, 3, 2, dtype="float64")
            start = [numbers(4, 3, P, dtype="float64")]
            if name == "LSTM":
                start.append(numbers(4, 3, 3, dtype="float64"))
            lengths = [4, 2, 3]
            y, end = self.call(rnn, x, start, lengths)
            weigh = [numbers(*a.shape, dtype="float64") for a in [y, *end]]

            def loss():
                out, last = self.call(rnn, x, start, lengths)
                return sum((a * b).sum() for a, b in zip(weigh, [out, *last]))

            loss()
            dx, back = rnn.backward(*weigh)
            for value, grad in zip([x, *start], [dx, *states(back)]):
                self.differ(loss, value, grad, name)
            for key, grad in rnn.grad_dict().items():
                self.differ_weight(rnn, loss, key, grad)

    @staticmethod
    def call(rnn, x, start, lengths):
        hx = tuple(start) if len(start) == 2 else start[0]
        y, end = rnn(x, hx, lengths=lengths)
        return y, states(end)

    def differ(self, loss, value, grad, what):
        flat, steps = value.reshape(-1), 1e-6
        for i in DRAW.choice(flat.size, min(5, flat.size), replace=False):
            kept = flat[i]
            flat[i] = kept + steps
            up = loss()
            flat[i] = kept - steps
            slope = (up - loss()) / (2 * steps)
            flat[i] = kept
            close(self, grad.reshape(-1)[i], slope, 1e-7, what)

    def differ_weight(self, rnn, loss, key, grad):
        for i in DRAW.choice(grad.size, 3, replace=False):
            slope = self.up_down(rnn, loss, key, i)
            close(self, grad.reshape(-1)[i], slope, 1e-7, key)

    @staticmethod
    def up_down(rnn, loss, key, i):
        sums = []
        for step in (1e-6, -2e-6):
            with rnn.edit_weights() as w:
                w[key].reshape(-1)[i] += step
            sums.append(loss())
        with rnn.edit_weights() as w:
            w[key].reshape(-1)[i] += 1e-6
        return (sums[0] - sums[1]) / 2e-6

    def test_they_add_up(self):
        rnn = elman.GRU(3, 5)
        x = numbers(4, 2, 3)
        y, _ = rnn(x)
        rnn.backward(np.ones_like(y))
        once = rnn.grad_dict()["weight_hh_l0"].copy()
        rnn.backward(np.ones_like(y))
        close(self, rnn.grad_dict()["weight_hh_l0"], 2 * once, 1e-6)
        rnn.zero_grad()
        self.assertEqual(np.abs(rnn.grad_dict()["weight_hh_l0"]).max(), 0)

    def test_nothing_to_go_back_through(self):
        rnn = elman.RNN(3, 5)
        with self.assertRaises(RuntimeError):
            rnn.backward()
        rnn.eval()
        y, _ = rnn(numbers(4, 2, 3))
        with self.assertRaises(RuntimeError):
            rnn.backward(np.ones_like(y))
        rnn(numbers(4, 2, 3), record=True)
        rnn.backward(np.ones_like(y))

    def test_training_follows_them(self):
        for kind, lr in (("sgd", 0.5), ("adam", 0.02), ("rmsprop", 0.01)):
            rnn = elman.LSTM(2, 8, seed=1)
            optimizer = elman.Optimizer(rnn, kind, lr, clip=1)
            x = np.zeros((6, 4, 2), np.float32)
            x[0, :, 0] = [0, 1, 2, 3]
            targets = np.array([0, 1, 2, 3])
            losses = []
            for _ in range(200):
                y, (h, _) = rnn(x)
                loss, dlogits = elman.cross_entropy(h[0], targets)
                rnn.zero_grad()
                rnn.backward(None, dlogits[None])
                norm = optimizer.step()
                self.assertTrue(np.isfinite(norm))
                losses.append(loss)
            self.assertLess(losses[-1], losses[0] * 0.8, kind)


class Dropout(unittest.TestCase):
    def test_masks(self):
        x = numbers(5, 3, 4)
        for more in ({"dropout": 0.5}, {"weight_drop": 0.5}):
            a, b = (elman.GRU(4, 6, 2, seed=5, **more) for _ in range(2))
            first, second = a(x)[0], a(x)[0]
            self.assertGreater(np.abs(first - second).max(), 0)
            same(self, b(x)[0], first)
            same(self, b(x)[0], second)
            a.eval()
            same(self, a(x)[0], a(x)[0])
            plain = elman.GRU(4, 6, 2, seed=5)
            same(self, plain(x)[0], a(x)[0])


class Pieces(unittest.TestCase):
    def test_the_bits_of_the_whole(self):
        for name, cell in CELLS.items():
            for dtype in ("float32", "float64"):
                rnn = cell(3, 5, 2, dtype=dtype)
                x = numbers(6, 4, 3, dtype=dtype)
                y, end = rnn(x)
                state = rnn.state(4)
                out = np.empty((4, 5), dtype)
                for t in range(3):
                    same(self, rnn.step(x[t], state), y[t])
                saved, other = state.save(), state.copy()
                same(self, rnn.steps(x[3:], state), y[3:])
                ends = states(end)
                same(self, state.h, ends[0])
                if name == "LSTM":
                    same(self, state.c, ends[1])
                for t in range(3, 6):
                    self.assertIs(rnn.step(x[t], other, out), out)
                    same(self, out, y[t])
                state.restore(saved)
                same(self, rnn.step(x[3].tolist(), state), y[3])
                state.zero()
                same(self, rnn.step(x[0], state), y[0])
                state.random(0.5, 7)
                self.assertGreater(np.abs(state.h).max(), 0)
                lone = rnn.state()
                self.assertEqual(lone.h.shape, (2, 5))
                for t in range(6):
                    same(self, rnn.step(x[t, 1], lone), y[t, 1])

    def test_mistakes(self):
        rnn = elman.LSTM(3, 5)
        state = rnn.state(2)
        for wrong in (numbers(2, 4), numbers(3), numbers(3, 3)):
            with self.assertRaises(ValueError):
                rnn.step(wrong, state)
        for out in (np.empty((2, 4), "f4"), np.empty((2, 5), "f8")):
            with self.assertRaises(ValueError):
                rnn.step(numbers(2, 3), state, out)
        with self.assertRaises(ValueError):
            elman.LSTM(3, 5).step(numbers(2, 3), state)
        kept = state.save()
        with self.assertRaises(ValueError):
            state.restore({"h": kept["h"]})
        with self.assertRaises(ValueError):
            state.restore({"h": kept["h"] + 1, "c": kept["c"][:, :1]})
        same(self, state.h, kept["h"])
        with self.assertRaises(AttributeError):
            elman.GRU(3, 5).state().c
        with self.assertRaises(elman.InvalidError):
            elman.GRU(3, 5, bidirectional=True).state()
        with self.assertRaises(ValueError):
            rnn.state(0)


class Mistakes(unittest.TestCase):
    def test_sentences(self):
        with self.assertRaises(ValueError) as caught:
            elman.LSTM(3, 5, proj_size=5)
        self.assertIsInstance(caught.exception, elman.Error)
        self.assertEqual(caught.exception.status, "ELMAN_EINVAL")
        self.assertIn(
            "proj is 5 (0, or less than hidden, 5)", str(caught.exception)
        )
        with self.assertRaises(MemoryError) as caught:
            elman.RNN(1, 1 << 30)
        self.assertEqual(caught.exception.status, "ELMAN_ENOMEM")
        with self.assertRaises(ValueError):
            elman.RNN(1, 2, isa="none of them")

    def test_nothing_runs_while_weights_are_edited(self):
        rnn, x = elman.LSTM(3, 5), numbers(4, 2, 3)
        before, state = rnn(x)[0], rnn.state(2)
        with rnn.edit_weights() as weights:
            for call in (
                lambda: rnn(x),
                lambda: rnn.step(x[0], state),
                lambda: rnn.steps(x, state),
            ):
                with self.assertRaisesRegex(RuntimeError, "being written"):
                    call()
            weights["bias_hh_l0"][...] += 1
        self.assertFalse((rnn(x)[0] == before).all())

    def test_empty_and_unpaired(self):
        rnn = elman.LSTM(3, 5, num_layers=2)
        for empty in (numbers(0, 2, 3), numbers(4, 0, 3), numbers(0, 3)):
            with self.assertRaisesRegex(ValueError, "at least one step"):
                rnn(empty)
        # An array of two layers is no pair, though it falls into two.
        for hx in (numbers(2, 2, 5), (numbers(2, 2, 5),), 1):
            with self.assertRaisesRegex(TypeError, "no pair"):
                rnn(numbers(4, 2, 3), hx)

    def test_arguments(self):
        for wrong in (
            {"hidden_size": 0},
            {"hidden_size": -1},
            {"hidden_size": 1 << 64},
            {"input_size": -1},
            {"num_layers": 0},
            {"num_layers": 1 << 32},
            {"dropout": 1.0},
            {"nonlinearity": "sigmoid"},
            {"dtype": "int8"},
            {"threads": 100000},
        ):
            arguments = {"input_size": 3, "hidden_size": 4, **wrong}
            with self.assertRaises(ValueError, msg=str(wrong)):
                elman.RNN(**arguments)
        with self.assertRaises(TypeError):
            elman.RNN(3, 4.5)

    def test_arrays(self):
        rnn = elman.LSTM(3, 5, 2)
        x = numbers(6, 4, 3)
        h, c = numbers(2, 4, 5), numbers(2, 4, 5)
        for wrong in (
            (numbers(6, 4, 2),),
            (numbers(6),),
            (numbers(0, 4, 3),),
            (numbers(6, 0, 3),),
            (x, (h[:1], c)),
            (x, (h, c[:, :3])),
            (x[:, 0], (h, c)),
        ):
            with self.assertRaises(ValueError):
                rnn(*wrong)
        for lengths in ([1, 2, 3], [7, 1, 1, 1], [-1, 1, 1, 1]):
            with self.assertRaises(ValueError):
                rnn(x, lengths=lengths)
        with self.assertRaises(TypeError):
            rnn(x.astype(complex))
        with self.assertRaises(TypeError):
            rnn(x, lengths=[1.5, 1, 1, 1])
        y, _ = rnn(x)
        for wrong in ((y[:3],), (y, h[:, :2]), (y, h, c[:1])):
            with self.assertRaises(ValueError):
                rnn.backward(*wrong)
        with self.assertRaises(ValueError):
            elman.cross_entropy(numbers(3, 4), [0, 1, 4])

    def test_handles_are_not_copied(self):
        state = elman.GRU(3, 5).state()
        with self.assertRaises(TypeError):
            pickle.dumps(state)
        with self.assertRaises(TypeError):
            copy.deepcopy(state._handle)
        same(self, copy.deepcopy(state).h, state.h)

    def test_the_end_is_quiet(self):
        script = (
            "import elman, numpy as np\n"
            "rnn = elman.LSTM(3, 5, threads=2)\n"
            "rnn(np.ones((4, 2, 3)))\n"
            "state, weights = rnn.state(), rnn.state_dict()\n"
            "rnn.self = rnn\n"
        )
        ended = subprocess.run(
            [sys.executable, "-c", script], stderr=subprocess.PIPE, check=False
        )
        self.assertEqual((ended.returncode, ended.stderr), (0, b""))

    def test_nothing_is_left_behind(self):
        def resident():
            with open("/proc/self/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * 4096

        x = numbers(50, 8, 64)
        # A turn takes some 5 MB, in a cycle that the collector finds.
        for turn in range(120):
            rnn = elman.LSTM(64, 128)
            rnn.self = rnn
            state = rnn.state(8)
            y, _ = rnn(x)
            rnn.backward(y)
            rnn.step(x[0], state)
            del rnn, state
            gc.collect()
            if turn == 20:
                before = resident()
        self.assertLess(resident() - before, 100e6)


if __name__ == "__main__":
    main()
