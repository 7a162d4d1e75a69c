# SPDX-License-Identifier: MIT
"""A program as mypy --strict sees it: each name of the package with its types.
It is not run."""

from typing import Dict, Tuple

import elman
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def layers(x: Floats) -> Floats:
    h_n: Floats
    c_n: Floats
    for rnn in (elman.RNN(3, 4), elman.GRU(3, 4)):
        y, h_n = rnn(x, lengths=[4, 2])
        grad_x, grad_h = rnn.backward(np.ones_like(y))
    gru = elman.GRU(3, 4, reset_before=True)
    y, h_n = gru(x, h_n)
    gru.backward(None, h_n)
    lstm = elman.LSTM(3, 4, num_layers=2, proj_size=2, dtype="float64", seed=1)
    y, (h_n, c_n) = lstm(x, (h_n, c_n), record=True)
    grad_x, (grad_h, grad_c) = lstm.backward(y, None, c_n)
    with lstm.edit_weights() as weights:
        weights["bias_ih_l0"][...] = 0
    kept: Dict[str, Floats] = lstm.state_dict()
    lstm.load_state_dict(kept)
    state = lstm.eval().state(batch=2)
    state.restore(state.save())
    all_of_them: Floats = lstm.steps(x, state.copy())
    return lstm.step(x[0], state, out=all_of_them[0])


def learning(rnn: elman.LSTM, logits: Floats) -> float:
    loss, gradient = elman.cross_entropy(logits, np.zeros(2, np.int64))
    norm: float = elman.Optimizer(rnn, "adam", lr=0.1, clip=1).step()
    return loss + norm


def models(path: str, x: Floats) -> Tuple[str, float]:
    def report(r: elman.Report) -> bool:
        return r.update < 10

    try:
        network = elman.Network.load(path)
    except elman.Error as error:
        return error.status, 0.0
    network.step(x[0], network.state(2))
    model = elman.LanguageModel.train([path], hidden=8, callback=report)
    learner: elman.Learner = model.learner(lr=0.001)
    learner.read(learner.read("a").astype(np.int32))
    score: elman.Score = learner.evaluate([path], max_tokens=learner.updates)
    return model.sample("a", length=3), model.perplexity(path)
