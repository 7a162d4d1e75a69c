#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes tests/golden/vectors: reference numbers by PyTorch, in double.

    python3 tests/golden/make_golden.py [FOLDER]

README.md says what the files hold.  Only seeds go in, so that the same
PyTorch writes the same files.
"""

import json
import os
import struct
import sys

import torch
from torch import nn

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


def nearest_to_kink(rnn, x, h0):
    """The smallest magnitude of all that relu is applied to."""
    nearest, below = float("inf"), x
    for n in range(rnn.num_layers):
        p = dict(rnn.named_parameters())
        h, outputs = h0[n], []
        for t in range(len(x)):
            a = below[t] @ p[f"weight_ih_l{n}"].T + h @ p[f"weight_hh_l{n}"].T
            if rnn.bias:
                a = a + p[f"bias_ih_l{n}"] + p[f"bias_hh_l{n}"]
            nearest = min(nearest, a.abs().min().item())
            h = torch.relu(a)
            outputs.append(h)
        below = torch.stack(outputs)
    return nearest


def there_and_back(rnn, x, h0, dy, dhn, dtype):
    """All that comes out, in arithmetic of that dtype."""
    rnn.to(dtype).zero_grad()
    x = x.detach().to(dtype, copy=True).requires_grad_()
    h0 = h0.detach().to(dtype, copy=True).requires_grad_()
    y, hn = rnn(x, h0)
    objective = (y * dy.to(dtype)).sum() + (hn * dhn.to(dtype)).sum()
    objective.backward()
    out = {"y": y, "hn": hn, "objective": objective.reshape(1)}
    out |= {"grad.x": x.grad, "grad.h0": h0.grad}
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


def recurrent(folder, name, kind, T, B, D, H, L, bias, given, seed, gain=1.0):
    for attempt in range(100):
        draw = Draw(1000 * seed + attempt)
        rnn = nn.RNN(D, H, L, nonlinearity=kind, bias=bias)
        draw.fill(rnn, gain)
        x = draw.uniform(T, B, D, bound=2.0)
        h0 = draw.uniform(L, B, H) if given else torch.zeros(L, B, H)
        dy, dhn = draw.normal(T, B, H), draw.normal(L, B, H)
        # Rounding must not carry a float32 across relu's kink.
        if kind == "relu" and nearest_to_kink(rnn, x, h0) < 1e-4:
            continue
        out = there_and_back(rnn, x, h0, dy, dhn, torch.float64)
        if well_conditioned(
            out, there_and_back(rnn, x, h0, dy, dhn, torch.float32)
        ):
            break
    else:
        raise SystemExit(name + ": no draw is well-conditioned")
    tensors = {"x": x, "dy": dy, "dhn": dhn, **out}
    if given:
        tensors["h0"] = h0
    else:
        del tensors["grad.h0"]
    for key, parameter in rnn.named_parameters():
        tensors["param." + key] = parameter
    meta = {
        "kind": "recurrent",
        "cell": "rnn_" + kind,
        "input_size": D,
        "hidden_size": H,
        "proj_size": 0,
        "num_layers": L,
        "bidirectional": 0,
        "bias": yes(bias),
        "seq_len": T,
        "batch": B,
        "packed": 0,
        "init_state": "given" if given else "zero",
        "seed": seed,
    }
    write(folder, name, meta, tensors)


def all_recurrent(folder):
    #      kind    T    B   D   H  L  bias   given
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
    ]
    for i, (kind, T, B, D, H, L, bias, given) in enumerate(cases):
        name = f"rnn_{kind}_t{T}_b{B}_d{D}_h{H}_l{L}"
        gain = 1.5 if kind == "tanh" else 1.0
        recurrent(
            folder, name, kind, T, B, D, H, L, bias, given, i + 1, gain
        )


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
        self.rnn = nn.RNN(V, H, L, nonlinearity=kind)
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
        return loss, state.detach()

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
        "cell": "rnn_" + c["kind"],
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


def decode(folder, name, kind, V, H, L, prompt_length, count, seed):
    temperature = 0.8
    for attempt in range(1000):
        draw = Draw(1000 * seed + attempt)
        model = Model(kind, V, H, L)
        model.draw(draw, gain=1.3, out_gain=6.0)
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
        "cell": "rnn_" + kind,
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


if __name__ == "__main__":
    main()
