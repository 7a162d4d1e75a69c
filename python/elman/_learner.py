# SPDX-License-Identifier: MIT
"""A language model that goes on learning from the stream that it foretells."""

from __future__ import annotations

from ctypes import byref
from typing import Any, Optional

import numpy as np

from . import _abi
from ._arrays import Array, address, dtype_of, tokens
from ._library import Handle, check, choice, create, integer, lib, path_bytes
from ._texts import PathLike, Score, Texts, encode, measure

# The command's learning rates.
_RATES = {"sgd": 0.1, "momentum": 0.01}
_RATE = 0.0002


class Learner:
    """A model that learns from one stream of tokens, always behind what it has
    foretold (docs/dynamic.md).  One thread's at a time.

    It is a copy: the model that it was made from stays as it is.
    """

    def __init__(
        self,
        handle: Handle,
        owner: Handle,
        *,
        lr: Optional[float],
        steps: int,
        optimizer: str,
        clip: float,
        pull: float,
    ) -> None:
        """Use LanguageModel.learner."""
        kind = choice("optimizer", optimizer, _abi.OPTIMIZERS)
        model = _abi.LmDesc()
        lib.elman_lm_describe(handle.pointer, byref(model))
        desc = _abi.LearnerDesc(
            lr=_RATES.get(optimizer, _RATE) if lr is None else float(lr),
            pull=float(pull),
            steps=integer("steps", steps),
        )
        desc.optimizer.kind = kind
        desc.optimizer.clip = float(clip)
        self._owner = owner
        self._model = handle
        self._vocab: int = lib.elman_lm_vocab(handle.pointer)
        self._dtype = dtype_of(model.dtype)
        self._handle = create(
            lib.elman_learner_create,
            lib.elman_learner_destroy,
            handle.pointer,
            byref(desc),
            owners=(handle,),
        )

    @property
    def updates(self) -> int:
        """Made since it was created or reset."""
        return int(lib.elman_learner_updates(self._handle.pointer))

    def read(self, stream: Any) -> Array:
        """The next tokens of the stream, ids or a str: -ln p of each, given all
        before it; 0 for the first of all, which nothing foretells."""
        if isinstance(stream, str):
            ids = encode(self._vocab, stream)
        else:
            ids = tokens(stream)
            if ids.ndim > 1:
                raise ValueError(f"ids have shape {ids.shape} (one stream's)")
        nats = np.empty(ids.size, np.float64)
        check(
            lib.elman_learner_read(
                self._handle.pointer, address(ids), ids.size, address(nats)
            )
        )
        return nats

    def next(self) -> Array:
        """Logits [V] of what comes next; nothing changes."""
        size = lib.elman_vocab_size(self._vocab)
        logits = np.empty(size, self._dtype)
        check(lib.elman_learner_next(self._handle.pointer, address(logits)))
        return logits

    def begin(self) -> None:
        """Another stream; what has been learned stays."""
        lib.elman_learner_begin(self._handle.pointer)

    def reset(self) -> None:
        """Another stream, and weights and moments as at the beginning."""
        lib.elman_learner_reset(self._handle.pointer)

    def evaluate(self, texts: Texts, *, max_tokens: int = 0) -> Score:
        """What `elman eval --dynamic` says: begins a stream of the text files'
        tokens, and reads it."""
        return measure(
            lib.elman_learner_eval,
            self._handle,
            self._owner,
            self._vocab,
            texts,
            max_tokens,
        )

    def save(self, path: PathLike) -> None:
        """Writes a model file, with what has been learned."""
        check(lib.elman_lm_save(self._model.pointer, path_bytes(path)))
