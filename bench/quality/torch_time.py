#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""PyTorch's seconds for the recipes of run.sh, from 200 updates scaled up.

    bench/quality/torch_time.py tinyshakespeare|wikitext2 [--threads N]

The same network, minibatches, optimiser and clipping on random tokens; no
validation is counted.
"""
import argparse
import time

# name: V, embedding, hidden, layers, tied, dropout, batch, steps, lr, updates
RECIPES = {
    "tinyshakespeare": (66, 128, 512, 2, False, 0.4, 64, 64, 0.002, 14 * 258),
    "wikitext2": (10000, 200, 200, 2, True, 0.2, 20, 35, 0.002, 10 * 2983),
}


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("recipe", choices=RECIPES)
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--timed", type=int, default=200, help="updates")
    o = a.parse_args()
    import torch

    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    V, E, H, L, tied, p, B, T, lr, updates = RECIPES[o.recipe]
    embed = torch.nn.Embedding(V, E)
    rnn = torch.nn.LSTM(E, H, L, dropout=p)
    out = torch.nn.Linear(H, V)
    if tied:
        out.weight = embed.weight
    drop = torch.nn.Dropout(p)
    weights = list({id(w): w for m in (embed, rnn, out)
                    for w in m.parameters()}.values())
    adam = torch.optim.Adam(weights, lr)
    state = (torch.zeros(L, B, H), torch.zeros(L, B, H))
    begin = 0
    for i in range(o.timed + 5):
        if i == 5:
            begin = time.perf_counter()
        x, y = torch.randint(0, V, (2, T, B))
        h, state = rnn(embed(x), tuple(s.detach() for s in state))
        loss = torch.nn.functional.cross_entropy(
            out(drop(h)).view(-1, V), y.view(-1))
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()
    each = (time.perf_counter() - begin) / o.timed
    print(f"PyTorch {torch.__version__}, {o.threads} threads: "
          f"{1e3 * each:.1f} ms an update, {each * updates:.0f} s for "
          f"{updates} updates")


if __name__ == "__main__":
    main()
