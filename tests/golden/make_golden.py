#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/vectors: reference numbers by PyTorch, in double.

    python3 tests/golden/make_golden.py [FOLDER]

README.md says what the files hold.  Only seeds go in, so that the same
PyTorch writes the same files, on a machine that has AVX-512: elsewhere OpenBLAS
adds up in another order, and the last bits differ.
"""

import json
import os
import struct
import sys

# Said before OpenBLAS is loaded, so that it does not choose by the processor.
with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
    if "avx512vl" in cpuinfo.read():
        os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"

import torch  # noqa: E402
from torch import nn  # noqa: E402

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


# ---- Files -----------------------------------------------------------------


def write(folder, name, meta, tensors):
    """One safetensors file; a real tensor also goes in as NAME.f32."""
    parts = []  # bytes an element, name, dtype, tensor
    for key, value in tensors.items():
        value = value.detach().contiguous()
        if value.dtype == torch.int64:
            parts.append((8, key, "I64", value))
        else:
            parts.append((8, key, "F64", value))
            parts.append((4, key + ".f32", "F32", value.float()))
    parts.sort(key=lambda part: -part[0])
    meta = {"case": name, "generator": "torch " + torch.__version__, **meta}
    header = {"__metadata__": {k: str(v) for k, v in meta.items()}}
    data = b""
    for _, key, dtype, value in parts:
        raw = value.numpy().tobytes()
        header[key] = {
            "dtype": dtype,
            "shape": list(value.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = os.path.join(folder, name + ".safetensors")
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


# ---- Drawing: everything that goes in is exact in float32 ------------------


class Draw:
    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def uniform(self, *shape, bound=1.0):
        x = torch.rand(*shape, generator=self.generator)
        return ((2 * x - 1) * bound).float().double()

    def normal(self, *shape, scale=1.0):
        x = torch.randn(*shape, generator=self.generator)
        return (x * scale).float().double()

    def below(self, n, *shape):
        return torch.randint(0, n, shape, generator=self.generator)

    def fill(self, module, gain=1.0):
        """PyTorch's own start for a recurrent layer of that size."""
        bound = gain / module.hidden_size**0.5
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(self.uniform(*parameter.shape, bound=bound))


def yes(flag):
    return int(bool(flag))


# ---- kind = recurrent ------------------------------------------------------


def make_layers(kind, D, H, L, **options):
    """Recurrent layers of a kind: tanh, relu, lstm or gru."""
    if kind == "lstm":
        return nn.LSTM(D, H, L, **options)
    if kind == "gru":
        return nn.GRU(D, H, L, **options)
    return nn.RNN(D, H, L, nonlinearity=kind, **options)


def cell_name(kind):
    return kind if kind in ("lstm", "gru") else "rnn_" + kind


def nearest_to_kink(rnn, x, h0, lengths):
    """The smallest magnitude of all that relu is applied to."""
    nearest, p = float("inf"), dict(rnn.named_parameters())
    directions = ["", "_reverse"] if rnn.bidirectional else [""]
    for b, length in enumerate(lengths):
        below = x[:length, b]
        for n in range(rnn.num_layers):
            halves = []
            for s, suffix in enumerate(directions):
                end = f"_l{n}{suffix}"
                h, outputs = h0[n * len(directions) + s, b], {}
                times = range(length) if s == 0 else reversed(range(length))
                for t in times:
                    a = p["weight_ih" + end] @ below[t]
                    a = a + p["weight_hh" + end] @ h
                    if rnn.bias:
                        a = a + p["bias_ih" + end] + p["bias_hh" + end]
                    nearest = min(nearest, a.abs().min().item())
                    h = outputs[t] = torch.relu(a)
                halves.append(torch.stack([outputs[t] for t in range(length)]))
            below = torch.cat(halves, 1)
    return nearest


def run_layers(rnn, x, state, lengths):
    """y and the last state; lengths: None, or those of the sequences."""
    if lengths is None:
        return rnn(x, state)
    packed = nn.utils.rnn.pack_padded_sequence(
        x, lengths, enforce_sorted=False
    )
    y, state = rnn(packed, state)
    y, _ = nn.utils.rnn.pad_packed_sequence(y, total_length=len(x))
    return y, state


def there_and_back(rnn, given, lengths, dtype):
    """All that comes out, in arithmetic of that dtype."""
    rnn.to(dtype).zero_grad()
    inputs = {
        key: value.detach().to(dtype, copy=True) for key, value in given.items()
    }
    starts = [inputs[key] for key in ("x", "h0", "c0") if key in inputs]
    x, *state = [start.requires_grad_() for start in starts]
    lstm = len(state) == 2
    y, last = run_layers(rnn, x, tuple(state) if lstm else state[0], lengths)
    hn, cn = last if lstm else (last, None)
    dy = inputs["dy"]
    if lengths is not None:
        # What stands past an end is no part of the sum, not even times 0.
        inside = torch.arange(len(x))[:, None] < lengths
        dy = torch.where(inside[:, :, None], dy, torch.zeros_like(dy))
    objective = (y * dy).sum() + (hn * inputs["dhn"]).sum()
    if lstm:
        objective = objective + (cn * inputs["dcn"]).sum()
    objective.backward()
    out = {"y": y, "hn": hn, "objective": objective.reshape(1)}
    out |= {"grad.x": x.grad, "grad.h0": state[0].grad}
    if lstm:
        out |= {"cn": cn, "grad.c0": state[1].grad}
    for key, parameter in rnn.named_parameters():
        out["grad." + key] = parameter.grad.clone()
    rnn.to(torch.float64)
    return out


def well_conditioned(exact, rounded):
    """A sum that happens to cancel says nothing about who rounded it."""
    for key, value in exact.items():
        largest = value.abs().max()
        error = (rounded[key].double() - value).abs().max()
        if key != "objective" and error > 2e-6 * (largest or 1.0):
            return False
    return True


def draw_lengths(draw, T, B):
    """Of all kinds: 1 where there are three or more, and the longest is T."""
    lengths = 1 + draw.below(T, B)
    if B > 2:
        lengths[0] = 1
    lengths[-1] = T
    return lengths[torch.randperm(B, generator=draw.generator)]


def spoil(draw, value, lengths):
    """What must not be read: large numbers and, here and there, NaN."""
    junk = draw.normal(*value.shape, scale=1000.0)
    junk[draw.below(3, *value.shape) == 0] = float("nan")
    inside = torch.arange(len(value))[:, None] < lengths
    return torch.where(inside[:, :, None], value, junk)


def draw_inputs(draw, c, rnn):
    """Tensors that go in, and lengths or None."""
    T, B, H, P = c["T"], c["B"], c["H"], c["P"] or c["H"]
    S = 2 if c["two"] else 1
    rows = c["L"] * S
    x = draw.uniform(T, B, c["D"], bound=2.0)
    h0 = draw.uniform(rows, B, P) if c["given"] else torch.zeros(rows, B, P)
    dy, dhn = draw.normal(T, B, S * P), draw.normal(rows, B, P)
    given, lengths = {"x": x, "h0": h0, "dy": dy, "dhn": dhn}, None
    if c["kind"] == "lstm":
        c0 = draw.uniform(rows, B, H) if c["given"] else torch.zeros(rows, B, H)
        given |= {"c0": c0, "dcn": draw.normal(rows, B, H)}
    if c["past"] is not None:
        lengths = draw_lengths(draw, T - c["past"], B)
        for key in ("x", "dy"):
            given[key] = spoil(draw, given[key], lengths)
    return given, lengths


def recurrent(folder, name, c, seed):
    kind = c["kind"]
    for attempt in range(100):
        draw = Draw(1000 * seed + attempt)
        options = {"bias": c["bias"], "bidirectional": c["two"]}
        if c["P"] > 0:
            options["proj_size"] = c["P"]
        rnn = make_layers(kind, c["D"], c["H"], c["L"], **options)
        draw.fill(rnn, 1.0 if kind == "relu" else 1.5)
        given, lengths = draw_inputs(draw, c, rnn)
        # Rounding must not carry a float32 across relu's kink.
        if kind == "relu":
            each = [c["T"]] * c["B"] if lengths is None else lengths.tolist()
            if nearest_to_kink(rnn, given["x"], given["h0"], each) < 1e-4:
                continue
        out = there_and_back(rnn, given, lengths, torch.float64)
        if well_conditioned(
            out, there_and_back(rnn, given, lengths, torch.float32)
        ):
            break
    else:
        raise SystemExit(name + ": no draw is well-conditioned")
    tensors = {"x": given["x"], "dy": given["dy"], "dhn": given["dhn"], **out}
    for key in ("h0", "c0"):
        if c["given"] and key in given:
            tensors[key] = given[key]
        else:
            tensors.pop("grad." + key, None)
    if kind == "lstm":
        tensors["dcn"] = given["dcn"]
    if lengths is not None:
        tensors["lengths"] = lengths
    for key, parameter in rnn.named_parameters():
        tensors["param." + key] = parameter
    meta = {
        "kind": "recurrent",
        "cell": cell_name(kind),
        "input_size": c["D"],
        "hidden_size": c["H"],
        "proj_size": c["P"],
        "num_layers": c["L"],
        "bidirectional": yes(c["two"]),
        "bias": yes(c["bias"]),
        "seq_len": c["T"],
        "batch": c["B"],
        "packed": yes(lengths is not None),
        "init_state": "given" if c["given"] else "zero",
        "seed": seed,
    }
    write(folder, name, meta, tensors)


def recurrent_name(c):
    name = cell_name(c["kind"])
    name += "_t{T}_b{B}_d{D}_h{H}_l{L}".format(**c)
    name += f"_p{c['P']}" if c["P"] else ""
    name += "_bi" if c["two"] else ""
    return name + ("_packed" if c["past"] is not None else "")


def all_recurrent(folder):
    # P: the projection; two: directions; past: packed, and T is by so much
    # longer than the longest sequence.  A case's seed is its place, so that new
    # ones go to the end.
    base = dict(P=0, two=False, past=None)
    bi, packed = dict(two=True), dict(past=2)
    #      kind    T    B   D   H  L  bias   given  more
    cases = [
        ("tanh", 1, 1, 1, 1, 1, True, False),
        ("relu", 1, 1, 3, 2, 1, True, True),
        ("tanh", 1, 9, 5, 16, 2, False, True),
        ("tanh", 7, 1, 2, 1, 3, True, True),
        ("relu", 6, 3, 5, 9, 3, False, False),
        ("tanh", 5, 7, 13, 17, 2, True, True),
        ("tanh", 3, 33, 4, 19, 1, True, False),
        ("relu", 4, 2, 1, 33, 1, True, True),
        ("tanh", 2, 3, 21, 49, 1, False, True),
        ("relu", 64, 1, 3, 7, 1, True, False),
        ("tanh", 65, 2, 3, 4, 3, True, True),
        ("tanh", 130, 2, 3, 5, 1, True, True),
        ("relu", 130, 1, 2, 3, 2, False, True),
        ("tanh", 129, 3, 1, 3, 2, True, False),
        ("tanh", 5, 2, 3, 7, 1, True, True, bi),
        ("tanh", 8, 4, 2, 3, 2, False, True, bi | packed),
        ("relu", 7, 3, 4, 7, 2, True, False, packed),
        ("relu", 68, 2, 1, 2, 1, True, True, bi | packed),
        ("lstm", 1, 1, 1, 1, 1, True, False),
        ("lstm", 6, 3, 4, 7, 1, True, True),
        ("lstm", 3, 2, 1, 17, 1, False, True),
        ("lstm", 65, 1, 2, 3, 2, True, True),
        ("lstm", 130, 1, 1, 3, 1, True, False),
        ("lstm", 9, 4, 2, 3, 3, True, False, packed),
        ("lstm", 3, 9, 2, 1, 2, True, True, packed),
        ("lstm", 5, 2, 3, 4, 1, True, True, bi),
        ("lstm", 9, 3, 2, 3, 2, False, True, bi | dict(past=1)),
        ("lstm", 70, 2, 1, 3, 1, True, False, bi | packed),
        ("lstm", 5, 3, 4, 7, 1, True, True, dict(P=3)),
        ("lstm", 3, 2, 1, 33, 1, False, False, dict(P=5)),
        ("lstm", 129, 1, 1, 3, 2, True, True, dict(P=1)),
        ("lstm", 6, 3, 2, 4, 2, True, True, bi | packed | dict(P=3)),
        ("gru", 1, 1, 1, 1, 1, True, True),
        ("gru", 6, 3, 4, 7, 1, True, True),
        ("gru", 3, 2, 1, 17, 1, False, False),
        ("gru", 3, 2, 1, 33, 1, False, True),
        ("gru", 65, 1, 2, 3, 2, True, True),
        ("gru", 130, 1, 1, 3, 1, True, False),
        ("gru", 9, 4, 2, 3, 3, True, True, packed),
        ("gru", 5, 2, 3, 4, 1, True, True, bi),
        ("gru", 9, 3, 2, 3, 2, False, False, bi | dict(past=0)),
        ("gru", 133, 2, 1, 2, 1, True, True, bi | packed),
    ]
    keys = "kind T B D H L bias given".split()
    for i, case in enumerate(cases):
        c = {**base, **dict(zip(keys, case))}
        if len(case) > len(keys):
            c |= case[-1]
        recurrent(folder, recurrent_name(c), c, i + 1)


# ---- kind = cross_entropy --------------------------------------------------


def cross_entropy(folder, name, N, V, seed, scale, ignored, weighted, smooth):
    draw = Draw(seed)
    logits = draw.normal(N, V, scale=scale).requires_grad_()
    targets = draw.below(V, N)
    targets[:ignored] = -100
    targets = targets[torch.randperm(N, generator=draw.generator)]
    weight = draw.uniform(V).abs() if weighted else None
    tensors = {"logits": logits, "targets": targets}
    if weighted:
        tensors["class_weight"] = weight

    def loss(reduction):
        logits.grad = None
        return nn.functional.cross_entropy(
            logits,
            targets,
            weight=weight,
            reduction=reduction,
            label_smoothing=smooth,
        )

    tensors["loss_each"] = loss("none")
    for reduction in ("sum", "mean"):
        value = loss(reduction)
        value.backward()
        tensors["loss_" + reduction] = value.reshape(1)
        tensors[f"grad_{reduction}.logits"] = logits.grad
    if tensors["loss_mean"] < 50:
        tensors["perplexity"] = tensors["loss_mean"].exp()
    meta = {
        "kind": "cross_entropy",
        "rows": N,
        "classes": V,
        "ignore_index": -100,
        "weighted": yes(weighted),
        "label_smoothing": smooth,
        "seed": seed,
    }
    write(folder, name, meta, tensors)


def all_cross_entropy(folder):
    #       name                 N   V  scale  ignored weighted smooth
    cases = [
        ("xent_plain", 11, 7, 2.0, 0, False, 0.0),
        ("xent_one_class", 3, 1, 2.0, 1, False, 0.0),
        ("xent_ignored", 13, 33, 2.0, 6, False, 0.0),
        ("xent_large", 9, 17, 60.0, 2, False, 0.0),
        ("xent_weighted", 12, 9, 2.0, 3, True, 0.0),
        ("xent_smooth", 10, 20, 2.0, 2, False, 0.1),
        ("xent_weighted_smooth", 14, 19, 3.0, 4, True, 0.3),
        ("xent_weighted_smooth_large", 8, 5, 40.0, 1, True, 0.05),
        ("xent_all_smooth", 5, 6, 2.0, 0, False, 1.0),
    ]
    for i, (name, N, V, scale, ignored, weighted, smooth) in enumerate(cases):
        cross_entropy(
            folder, name, N, V, 100 + i, scale, ignored, weighted, smooth
        )


# ---- kind = trajectory -----------------------------------------------------


class Model(nn.Module):
    def __init__(self, kind, V, H, L):
        super().__init__()
        self.V = V
        self.rnn = make_layers(kind, V, H, L)
        self.out = nn.Linear(H, V)

    def forward(self, ids, state=None):
        x = nn.functional.one_hot(ids, self.V).double()
        y, state = self.rnn(x, state)
        return self.out(y), state

    def draw(self, draw, gain=1.0, out_gain=1.0):
        draw.fill(self.rnn, gain)
        bound = out_gain / self.rnn.hidden_size**0.5
        with torch.no_grad():
            for parameter in self.out.parameters():
                parameter.copy_(draw.uniform(*parameter.shape, bound=bound))


def cut_off(state):
    """The state as it stands, without what led to it."""
    if isinstance(state, tuple):
        return tuple(part.detach() for part in state)
    return state.detach()


def make_optimizer(parameters, kind, lr, momentum, decay):
    if kind == "sgd":
        return torch.optim.SGD(
            parameters, lr=lr, momentum=momentum, weight_decay=decay
        )
    if kind == "adamw":
        return torch.optim.AdamW(parameters, lr=lr, weight_decay=decay)
    return torch.optim.Adam(parameters, lr=lr, weight_decay=decay)


def trajectory(folder, name, c, seed):
    draw = Draw(seed)
    V, T, B, steps = c["V"], c["T"], c["B"], c["steps"]
    model = Model(c["kind"], V, c["H"], c["L"])
    model.draw(draw)
    # A token is mostly its forerunner's successor, so that there is something
    # to learn.
    text = draw.below(V, B, steps * T + 1)
    keep = draw.below(4, B, steps * T + 1)
    for t in range(1, steps * T + 1):
        follows = (3 * text[:, t - 1] + 1) % V
        text[:, t] = torch.where(keep[:, t] > 0, follows, text[:, t])
    x = text[:, :-1].reshape(B, steps, T).permute(1, 2, 0).contiguous()
    y = text[:, 1:].reshape(B, steps, T).permute(1, 2, 0).contiguous()
    tensors = {"x_ids": x, "y_ids": y}
    for key, parameter in model.named_parameters():
        tensors["init." + key] = parameter.detach().clone()
    optimizer = make_optimizer(
        model.parameters(), c["optimizer"], c["lr"], c["m"], c["w"]
    )

    def loss_of(step, state):
        logits, state = model(x[step], state)
        loss = nn.functional.cross_entropy(
            logits.reshape(-1, V), y[step].reshape(-1)
        )
        return loss, cut_off(state)

    losses, norms, state = [], [], None
    for step in range(steps):
        optimizer.zero_grad()
        loss, state = loss_of(step, state if c["carry"] else None)
        loss.backward()
        if step == 0:
            for key, parameter in model.named_parameters():
                tensors["first_grad." + key] = parameter.grad.clone()
        losses.append(loss.detach())
        square = sum((p.grad**2).sum() for p in model.parameters())
        norms.append(square.sqrt())
        if c["clip"] > 0:
            factor = min(1.0, c["clip"] / (norms[-1].item() + 1e-6))
            for parameter in model.parameters():
                parameter.grad.mul_(factor)
        optimizer.step()
    tensors["losses"] = torch.stack(losses)
    tensors["grad_norms"] = torch.stack(norms)
    tensors["final_eval_loss"] = loss_of(0, None)[0].reshape(1)
    for key, parameter in model.named_parameters():
        tensors["final." + key] = parameter
    meta = {
        "kind": "trajectory",
        "cell": cell_name(c["kind"]),
        "num_layers": c["L"],
        "optimizer": c["optimizer"],
        "lr": c["lr"],
        "clip_norm": c["clip"],
        "opt_momentum": c["m"],
        "opt_weight_decay": c["w"],
        "steps": steps,
        "seq_len": T,
        "batch": B,
        "carry_state": yes(c["carry"]),
        "vocab": V,
        "hidden_size": c["H"],
        "seed": seed,
    }
    write(folder, name, meta, tensors)


def all_trajectories(folder):
    base = dict(
        kind="tanh", L=1, V=11, H=9, T=8, B=3, steps=20, carry=1, m=0, w=0
    )
    cases = {
        "train_sgd_clip": dict(optimizer="sgd", lr=0.5, clip=0.5),
        "train_sgd_two_blocks": dict(
            optimizer="sgd", lr=0.3, clip=0.0, T=70, B=2, steps=6, carry=0
        ),
        "train_sgd_decay_relu": dict(
            optimizer="sgd", lr=0.2, clip=0.0, w=0.01, kind="relu"
        ),
        "train_momentum_two_layers": dict(
            optimizer="sgd", lr=0.05, clip=1.0, m=0.9, w=0.003, L=2, V=13, H=7
        ),
        "train_adam_two_layers": dict(
            optimizer="adam", lr=0.01, clip=0.25, L=2
        ),
        "train_adam_one_sequence": dict(
            optimizer="adam", lr=0.02, clip=0.0, B=1, H=17, carry=0
        ),
        "train_adamw": dict(
            optimizer="adamw", lr=0.01, clip=1.0, w=0.1, V=28, kind="relu"
        ),
        "train_lstm_adam": dict(
            optimizer="adam", lr=0.02, clip=0.25, kind="lstm", V=7, H=5
        ),
        "train_lstm_two_blocks": dict(
            optimizer="sgd", lr=0.5, clip=0.0, kind="lstm", V=7, H=5,
            T=70, B=2, steps=3, carry=0,
        ),
        "train_gru_two_layers": dict(
            optimizer="sgd", lr=0.1, clip=1.0, m=0.9, w=0.003, kind="gru", V=7,
            H=5, L=2,
        ),
        "train_gru_adamw": dict(
            optimizer="adamw", lr=0.02, clip=0.0, w=0.1, kind="gru", V=9, H=5,
            B=1,
        ),
    }
    for i, (name, case) in enumerate(cases.items()):
        trajectory(folder, name, {**base, **case}, 200 + i)


# ---- kind = decode ---------------------------------------------------------


def choose(logits, temperature, u):
    """The id, and how far u is from the nearest other choice."""
    sums = torch.softmax(logits / temperature, 0).cumsum(0)
    return int((sums <= u).sum()), (sums - u).abs().min().item()


def run_on(model, prompt, count, pick):
    """Feeds the prompt, then what pick chooses; None if that is unclear."""
    ids, rows, state = [], [], None
    for i in range(len(prompt) + count):
        if i < len(prompt):
            feed = prompt[i]
        else:
            rows.append(logits)
            feed = pick(logits, len(ids))
            if feed is None:
                return None
            ids.append(feed)
        with torch.no_grad():
            out, state = model(torch.tensor([[int(feed)]]), state)
        logits = out[0, 0]
    return torch.tensor(ids), torch.stack(rows)


def decode(
    folder, name, kind, V, H, L, prompt_length, count, seed, gain=1.3
):
    temperature = 0.8
    for attempt in range(1000):
        draw = Draw(1000 * seed + attempt)
        model = Model(kind, V, H, L)
        model.draw(draw, gain=gain, out_gain=6.0)
        prompt = draw.below(V, prompt_length)
        uniforms = torch.zeros(count)

        def greedy(logits, k):
            best = logits.topk(2).values
            return int(logits.argmax()) if best[0] - best[1] > 1e-2 else None

        def sampled(logits, k):
            while True:
                u = draw.uniform(1).abs()
                id, margin = choose(logits, temperature, u.item())
                if margin > 1e-3:
                    uniforms[k] = u[0]
                    return id

        first = run_on(model, prompt, count, greedy)
        if first and len(set(first[0].tolist())) > 3:
            break
    else:
        raise SystemExit(name + ": no draw makes clear choices")
    second = run_on(model, prompt, count, sampled)
    tensors = {"prompt_ids": prompt, "uniforms": uniforms}
    tensors |= {"greedy_ids": first[0], "greedy_logits": first[1]}
    tensors |= {"sampled_ids": second[0], "sampled_logits": second[1]}
    for key, parameter in model.named_parameters():
        tensors["param." + key] = parameter
    meta = {
        "kind": "decode",
        "cell": cell_name(kind),
        "num_layers": L,
        "prompt": prompt_length,
        "count": count,
        "temperature": temperature,
        "vocab": V,
        "hidden_size": H,
        "seed": seed,
    }
    write(folder, name, meta, tensors)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "vectors")
    os.makedirs(folder, exist_ok=True)
    all_recurrent(folder)
    all_cross_entropy(folder)
    all_trajectories(folder)
    decode(folder, "decode_tanh", "tanh", 28, 15, 1, 5, 20, 301)
    decode(folder, "decode_relu_two_layers", "relu", 13, 9, 2, 1, 17, 302)
    # A gate that is open by half halves what comes out.
    decode(folder, "decode_lstm", "lstm", 13, 7, 1, 3, 19, 303, gain=3.0)
    decode(
        folder, "decode_gru_two_layers", "gru", 9, 5, 2, 1, 20, 304, gain=2.0
    )


if __name__ == "__main__":
    main()
