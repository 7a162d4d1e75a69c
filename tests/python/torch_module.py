# SPDX-License-Identifier: MIT
"""elman.torch in the place of torch.nn: outputs, gradients, training, packed
sequences, and what users do to modules."""

import copy
import io
import itertools
import unittest

from checks import close, main, need_torch

torch = need_torch()
nn = torch.nn
rnn_utils = nn.utils.rnn

import elman  # noqa: E402
import elman.torch  # noqa: E402

T, B, I, H = 7, 4, 3, 5
KINDS = (
    ("RNN", {"nonlinearity": "tanh"}),
    ("RNN", {"nonlinearity": "relu"}),
    ("GRU", {}),
    ("LSTM", {}),
    ("LSTM", {"proj_size": 3}),
)
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}


def pair(name, *sizes, dtype=torch.float32, **arguments):
    """PyTorch's module and ours, by the same random numbers."""
    modules = []
    for place in (nn, elman.torch):
        torch.manual_seed(1)
        modules.append(getattr(place, name)(*sizes, **arguments).to(dtype))
    return modules


def flat(result):
    """Every tensor of a call's result."""
    y, end = result
    y = y.data if isinstance(y, rnn_utils.PackedSequence) else y
    return [y, *(end if isinstance(end, tuple) else [end])]


class Same(unittest.TestCase):
    def compare(self, modules, calls, leaves, tolerance, what=""):
        """Both modules' results and gradients by all leaves."""
        results, grads = [], []
        for module, call in zip(modules, calls):
            module.zero_grad()
            result = flat(call(module))
            torch.manual_seed(3)
            loss = sum(
                (t * torch.randn(t.shape, dtype=t.dtype)).sum() for t in result
            )
            wanted = [*leaves, *module.parameters()]
            grads.append(torch.autograd.grad(loss, wanted))
            results.append(result)
        for theirs, ours in (results, grads):
            for a, b in zip(ours, theirs):
                close(self, a.detach(), b.detach(), tolerance, what)

    def start(self, name, arguments, batch, dtype):
        rows = arguments.get("num_layers", 1) * (
            1 + arguments.get("bidirectional", False)
        )
        shape = (rows,) if batch is None else (rows, batch)
        sizes = [arguments.get("proj_size") or H]
        if name == "LSTM":
            sizes.append(H)
        return [
            torch.randn(*shape, n, dtype=dtype, requires_grad=True)
            for n in sizes
        ]

    @staticmethod
    def input(kind, leaf, first):
        """What a call of that kind is given."""
        pack = rnn_utils.pack_padded_sequence
        if kind == "turned":
            return leaf.transpose(0, 1)
        if kind == "alone":
            return leaf[1] if first else leaf[:, 1]
        if kind == "packed":
            return pack(leaf, [3, 7, 1, 5], first, enforce_sorted=False)
        if kind == "sorted":
            return pack(leaf, [7, 5, 3, 1], first)
        return leaf

    def test_all(self):
        for (name, more), layers, both, first, dtype in itertools.product(
            KINDS, (1, 2), (False, True), (False, True), TOLERANCE
        ):
            arguments = {
                "num_layers": layers,
                "bidirectional": both,
                "batch_first": first,
                **more,
            }
            modules = pair(name, I, H, dtype=dtype, **arguments)
            self.assertEqual(
                [n for n, _ in modules[0].named_parameters()],
                [n for n, _ in modules[1].named_parameters()],
            )
            for a, b in zip(*(m.parameters() for m in modules)):
                self.assertTrue(torch.equal(a, b))
            self.assertIsInstance(modules[1], type(modules[0]))

            for kind in ("batch", "turned", "alone", "packed", "sorted"):
                torch.manual_seed(2)
                leaf = torch.randn(
                    *((B, T) if first else (T, B)),
                    I,
                    dtype=dtype,
                    requires_grad=True,
                )
                start = self.start(
                    name, arguments, None if kind == "alone" else B, dtype
                )
                if kind == "turned":
                    leaf = (
                        leaf.detach()
                        .transpose(0, 1)
                        .contiguous()
                        .requires_grad_()
                    )
                hx = tuple(start) if name == "LSTM" else start[0]

                def call(module, kind=kind, leaf=leaf, hx=hx, first=first):
                    return module(self.input(kind, leaf, first), hx)

                self.compare(
                    modules,
                    (call, call),
                    [leaf, *start],
                    TOLERANCE[dtype],
                    f"{name} {arguments} {dtype} {kind}",
                )

    def test_lengths(self):
        """lengths are what packing and padding do."""
        lengths = [3, 7, 1, 5]
        for name, more in KINDS:
            modules = pair(name, I, H, 2, bidirectional=True, **more)
            x = torch.randn(T, B, I, requires_grad=True)

            def packed(module, x=x):
                pack = rnn_utils.pack_padded_sequence(
                    x, lengths, enforce_sorted=False
                )
                y, end = module(pack)
                return rnn_utils.pad_packed_sequence(y)[0], end

            def padded(module, x=x):
                return module(x, lengths=lengths)

            self.compare(modules, (packed, padded), [x], 2e-5, name)

    def test_pack_of_ours_is_a_pack(self):
        a, b = pair("LSTM", I, H)
        x = rnn_utils.pack_sequence(
            [torch.randn(n, I) for n in (2, 5, 3)], enforce_sorted=False
        )
        (theirs, _), (ours, _) = a(x), b(x)
        self.assertTrue(torch.equal(theirs.batch_sizes, ours.batch_sizes))
        self.assertTrue(torch.equal(theirs.sorted_indices, ours.sorted_indices))
        self.assertTrue(
            torch.equal(theirs.unsorted_indices, ours.unsorted_indices)
        )


class Gradients(unittest.TestCase):
    def test_gradcheck(self):
        for (name, more), both in itertools.product(KINDS, (False, True)):
            torch.manual_seed(4)
            module = getattr(elman.torch, name)(
                2, 4, 2, bidirectional=both, **more
            ).double()
            rows = 2 * (1 + both)
            sizes = [more.get("proj_size", 4)]
            if name == "LSTM":
                sizes.append(4)
            x, *start = [
                torch.randn(*s, dtype=torch.float64, requires_grad=True)
                for s in ((4, 3, 2), *((rows, 3, n) for n in sizes))
            ]
            for lengths in (None, [4, 1, 3]):

                def run(x, *tensors, lengths=lengths):
                    hx = tensors[: len(sizes)]
                    hx = tuple(hx) if name == "LSTM" else hx[0]
                    return tuple(flat(module(x, hx, lengths=lengths)))

                # Its weights are changed in place while it is checked.
                self.assertTrue(
                    torch.autograd.gradcheck(
                        run, (x, *start, *module.parameters())
                    ),
                    name,
                )

    def test_reset_before(self):
        module = elman.torch.GRU(2, 3, reset_before=True).double()
        x = torch.randn(4, 3, 2, dtype=torch.float64, requires_grad=True)
        plain = elman.torch.GRU(2, 3).double()
        plain.load_state_dict(module.state_dict())
        self.assertGreater((module(x)[0] - plain(x)[0]).abs().max().item(), 0)
        self.assertTrue(
            torch.autograd.gradcheck(
                lambda x, *w: module(x)[0], (x, *module.parameters())
            )
        )

    def test_parts_of_the_graph(self):
        a, b = pair("LSTM", I, H, 2)
        x = torch.randn(T, B, I)
        for module in (a, b):
            module.weight_hh_l0.requires_grad_(False)
            y, (h, c) = module(x)
            c.sum().backward()
        self.assertIsNone(b.weight_hh_l0.grad)
        close(self, b.weight_ih_l1.grad, a.weight_ih_l1.grad, 2e-5)
        # Several calls before the way back, and one way back twice.
        for module in (a, b):
            module.zero_grad()
            first, _ = module(x)
            second, _ = module(2 * x)
            (first.sum() + second.pow(2).sum()).backward()
            third, _ = module(x)
            third.sum().backward(retain_graph=True)
            third.sum().backward()
        close(self, b.weight_ih_l1.grad, a.weight_ih_l1.grad, 2e-5)
        # A state that is carried on, and gone back through.
        for module in (a, b):
            module.zero_grad()
            _, state = module(x)
            y, _ = module(x, state)
            y.sum().backward()
        close(self, b.weight_ih_l0.grad, a.weight_ih_l0.grad, 2e-5)

    def test_no_grad(self):
        module = elman.torch.GRU(I, H)
        x = torch.randn(T, B, I)
        y, _ = module(x)
        with torch.no_grad():
            z, _ = module(x)
        self.assertFalse(z.requires_grad)
        self.assertTrue(torch.equal(y, z))

    def test_no_second_derivative(self):
        module = elman.torch.GRU(I, H)
        x = torch.randn(T, B, I, requires_grad=True)
        (grad,) = torch.autograd.grad(
            module(x)[0].pow(2).sum(), x, create_graph=True
        )
        with self.assertRaises(RuntimeError):
            grad.sum().backward()

    def test_weights_changed_before_the_way_back(self):
        module = elman.torch.GRU(I, H)
        y, _ = module(torch.randn(T, B, I))
        with torch.no_grad():
            module.weight_ih_l0.add_(1)
        with self.assertRaisesRegex(RuntimeError, "inplace"):
            y.sum().backward()


class Users(unittest.TestCase):
    def test_weights_may_be_changed_in_any_way(self):
        x = torch.randn(T, B, I)
        a, b = pair("LSTM", I, H, 2)

        def check(what):
            close(self, b(x)[0].detach(), a(x)[0].detach(), 2e-5, what)

        check("as made")
        for module in (a, b):
            module.weight_ih_l0.data.mul_(2)
        check("by .data")
        for module in (a, b):
            module.bias_hh_l1.data = torch.ones(4 * H)
        check("another tensor")
        for module in (a, b):
            with torch.no_grad():
                module.weight_hh_l1.detach().numpy()[:] *= 0.5
        check("by NumPy")
        other = nn.LSTM(I, H, 2)
        for module in (a, b):
            module.load_state_dict(other.state_dict())
        check("by load_state_dict")
        for module in (a, b):
            nn.utils.weight_norm(module, "weight_hh_l0")
            module.weight_hh_l0_g.data.mul_(3)
        check("by weight_norm")

    def test_copies(self):
        module = elman.torch.LSTM(I, H, 2, batch_first=True)
        x = torch.randn(B, T, I)
        y = module(x)[0]
        other = copy.deepcopy(module)
        self.assertTrue(torch.equal(other(x)[0], y))
        with torch.no_grad():
            other.bias_ih_l0.add_(1)
        self.assertFalse(torch.equal(other(x)[0], y))
        self.assertTrue(torch.equal(module(x)[0], y))
        file = io.BytesIO()
        torch.save(module, file)
        file.seek(0)
        # Newer versions load no class unless they are told to.
        whole = {"weights_only": False} if torch.__version__ >= "2" else {}
        self.assertTrue(torch.equal(torch.load(file, **whole)(x)[0], y))
        theirs = nn.LSTM(I, H, 2, batch_first=True)
        theirs.load_state_dict(module.state_dict())
        close(self, y.detach(), theirs(x)[0].detach(), 2e-5)
        double = module.double()
        z = double(x.double())[0]
        self.assertEqual(z.dtype, torch.float64)
        close(self, z.detach(), y.detach(), 2e-5)

    def test_dropout(self):
        module = elman.torch.GRU(I, H, 2, dropout=0.5)
        x = torch.randn(T, B, I)
        torch.manual_seed(5)
        first, second = module(x)[0], module(x)[0]
        self.assertFalse(torch.equal(first, second))
        torch.manual_seed(5)
        self.assertTrue(torch.equal(module(x)[0], first))
        with torch.no_grad():
            self.assertTrue(torch.equal(module(x)[0], second))
        module.eval()
        self.assertTrue(torch.equal(module(x)[0], module(x)[0]))
        # Its gradients go through the masks.
        module = module.train().double()
        leaf = x.double().requires_grad_()

        def run(x):
            torch.manual_seed(6)
            return module(x)[0]

        self.assertTrue(torch.autograd.gradcheck(run, (leaf,)))

    def test_mistakes(self):
        module = elman.torch.LSTM(I, H)
        x = torch.randn(T, B, I)
        h, c = torch.zeros(1, B, H), torch.zeros(1, B, H)
        for wrong in (
            (torch.randn(T, B, I + 1),),
            (torch.randn(T),),
            (x.double(),),
            (x.to(torch.int64),),
            (x, (h, c[:, :2])),
            (x, (h, c.double())),
            (x[:, 0], (h, c)),
            (x, None, [1, 2]),
            (x, None, [T + 1, 1, 1, 1]),
            (torch.randn(0, B, I),),
            (torch.empty(T, B, I, device="meta"),),
            (rnn_utils.pack_sequence([x[:, 0]]), None, [T]),
        ):
            with self.assertRaises(ValueError, msg=str(wrong)):
                module(*wrong)
        with self.assertRaises(ValueError):
            elman.torch.LSTM(I, H).half()(x.half())


class Training(unittest.TestCase):
    """A small model of text, by both: the same losses."""

    @staticmethod
    def losses(place, name, steps):
        torch.manual_seed(7)
        text = torch.randint(12, (65, 8)).cumsum(0) % 12
        embedding = nn.Embedding(12, 16)
        rnn = getattr(place, name)(16, 24, 2)
        decoder = nn.Linear(24, 12)
        parameters = [
            *embedding.parameters(),
            *rnn.parameters(),
            *decoder.parameters(),
        ]
        optimizer = torch.optim.Adam(parameters, 0.01)
        state, losses = None, []
        for step in range(steps):
            t = step % 4 * 16
            y, state = rnn(embedding(text[t : t + 16]), state)
            loss = nn.functional.cross_entropy(
                decoder(y).reshape(-1, 12), text[t + 1 : t + 17].reshape(-1)
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            state = (
                tuple(s.detach() for s in state)
                if isinstance(state, tuple)
                else state.detach()
            )
            losses.append(loss.item())
        return losses

    def test_same_losses(self):
        for name in ("RNN", "GRU", "LSTM"):
            theirs = self.losses(nn, name, 60)
            ours = self.losses(elman.torch, name, 60)
            for a, b in zip(ours, theirs):
                self.assertLess(abs(a - b), 1e-4, name)
            self.assertLess(ours[-1], ours[0] - 0.1, name)


if __name__ == "__main__":
    main()
