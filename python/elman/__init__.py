# SPDX-License-Identifier: MIT
"""Recurrent networks on CPUs: RNN, LSTM and GRU on NumPy arrays, and language
models, by the C library elman.

    import elman
    rnn = elman.LSTM(20, 50, num_layers=2)
    output, (h_n, c_n) = rnn(x)                # x [T,B,20], as torch.nn.LSTM
    grad_x, (grad_h_0, grad_c_0) = rnn.backward(grad_output)

    model = elman.LanguageModel.train("book.txt", hidden=256)
    print(model.sample("It was ", length=200))

elman.torch, which is imported by itself, has modules for PyTorch.
"""

from ._language import LanguageModel, Report
from ._learner import Learner
from ._learning import Optimizer, cross_entropy
from ._library import (
    Error,
    FileError,
    FormatError,
    InvalidError,
    MismatchError,
    NonfiniteError,
    OutOfMemoryError,
    TextError,
    UnsupportedError,
    __version__,
    get_num_threads,
    machine,
    set_num_threads,
)
from ._models import Network, NetworkState, read_tensors, read_torch
from ._recurrent import GRU, LSTM, RNN
from ._state import State
from ._texts import Score

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Error",
    "FileError",
    "FormatError",
    "InvalidError",
    "LanguageModel",
    "Learner",
    "MismatchError",
    "Network",
    "NetworkState",
    "NonfiniteError",
    "Optimizer",
    "OutOfMemoryError",
    "Report",
    "Score",
    "State",
    "TextError",
    "UnsupportedError",
    "__version__",
    "cross_entropy",
    "get_num_threads",
    "machine",
    "read_tensors",
    "read_torch",
    "set_num_threads",
]
