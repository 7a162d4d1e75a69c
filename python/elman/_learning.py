# SPDX-License-Identifier: MIT
"""Optimizers, and a loss with its gradient."""

from __future__ import annotations

from ctypes import byref, c_double
from typing import Any, Tuple, Union

import numpy as np

from . import _abi
from ._arrays import Array, address, dense, dtype_number, dtype_of, shaped
from ._library import check, choice, context, create, lib
from ._recurrent import GRU, LSTM, RNN


class Optimizer:
    """One of elman's on a network: step() follows its gradients.

    kind is "sgd", "momentum", "adam", "adamw" or "rmsprop", with torch.optim's
    formulas and defaults; clip, where it is not 0, limits the norm of the whole
    gradient.
    """

    def __init__(
        self,
        rnn: Union[RNN, LSTM, GRU],
        kind: str = "adam",
        lr: float = 0.001,
        *,
        momentum: float = 0.9,
        betas: Tuple[float, float] = (0.9, 0.999),
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        clip: float = 0.0,
    ) -> None:
        self.lr = lr
        self._rnn = rnn
        desc = _abi.OptimizerDesc(
            kind=choice("kind", kind, _abi.OPTIMIZERS),
            dtype=dtype_number(rnn.dtype),
            momentum=momentum,
            beta1=betas[0],
            beta2=betas[1],
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            clip=clip,
        )
        owner = context(*rnn._machine)
        self._handle = create(
            lib.elman_optimizer_create,
            lib.elman_optimizer_destroy,
            owner.pointer,
            byref(desc),
            rnn.num_parameters(),
            owners=(owner,),
        )

    def step(self) -> float:
        """One update; returns the gradient's norm before clipping."""
        norm = c_double()
        with self._rnn._written() as flat:
            check(
                lib.elman_optimizer_step(
                    self._handle.pointer,
                    self.lr,
                    address(flat),
                    address(self._rnn._gradient()),
                    byref(norm),
                )
            )
        return norm.value


def cross_entropy(
    logits: Any,
    targets: Any,
    *,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    weight: Any = None,
) -> Tuple[float, Array]:
    """torch.nn.functional.cross_entropy of logits [..., V] and targets [...],
    -100 where there is none: the loss, and its gradient by the logits."""
    array = np.asarray(logits)
    dtype = dtype_of(1 if array.dtype == np.float64 else 0)
    array = dense("logits", array, dtype)
    if array.ndim == 0:
        raise ValueError("logits is one number (classes are its last index)")
    ids = shaped("targets", targets, np.int64, array.shape[:-1])
    classes = array.shape[-1]
    if weight is not None:
        weight = shaped("weight", weight, dtype, (classes,))
    desc = _abi.XentDesc(
        dtype=dtype_number(dtype),
        rows=ids.size,
        classes=classes,
        reduction=choice("reduction", reduction, _abi.REDUCTIONS),
        label_smoothing=float(label_smoothing),
        class_weight=address(weight),
    )
    gradient = np.empty_like(array)
    loss = c_double()
    check(
        lib.elman_cross_entropy(
            context(None, None).pointer,
            byref(desc),
            address(array),
            address(ids),
            None,
            address(gradient),
            byref(loss),
        )
    )
    return loss.value, gradient
