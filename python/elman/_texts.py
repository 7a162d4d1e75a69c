# SPDX-License-Identifier: MIT
"""Texts and their tokens, and how well a model foretells them."""

from __future__ import annotations

import ctypes
import math
import os
from ctypes import byref, c_char_p, c_int64, c_size_t
from dataclasses import dataclass
from typing import Any, Callable, List, Sequence, Union

import numpy as np

from . import _abi
from ._arrays import Array, address
from ._library import Handle, check, create, integer, lib, path_bytes

PathLike = Union[str, "os.PathLike[str]"]
Texts = Union[PathLike, Sequence[PathLike]]


@dataclass(frozen=True)
class Score:
    """How well a model foretells a text, as `elman eval --json` says it."""

    tokens: int
    nats_per_token: float
    perplexity: float
    bits_per_char: float
    unknown: int


def exp(x: float) -> float:
    """Infinite where math.exp overflows."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def paths_of(texts: Texts) -> List[bytes]:
    """One path or several, as the library takes them."""
    if isinstance(texts, (str, bytes, os.PathLike)):
        texts = [texts]
    paths = [path_bytes(text) for text in texts]
    if not paths:
        raise ValueError("no text is named")
    return paths


def open_text(owner: Handle, texts: Texts, **fields: Any) -> Handle:
    """The text of these files; fields are the descriptor's."""
    paths = paths_of(texts)
    desc = _abi.TextDesc(path_count=len(paths), **fields)
    desc.paths = (c_char_p * len(paths))(*paths)
    return create(
        lib.elman_text_open,
        lib.elman_text_close,
        owner.pointer,
        byref(desc),
        owners=(owner,),
    )


def encode(vocab: int, text: str) -> Array:
    """The ids of a text's tokens."""
    data = text.encode()
    ids = np.empty(len(data) + 2, np.int32)
    count = c_int64()
    check(
        lib.elman_vocab_encode(
            vocab, data, len(data), address(ids), ids.size, byref(count)
        )
    )
    return ids[: count.value]


def token_bytes(vocab: int, id: int) -> bytes:
    """What a token stands for."""
    size = c_size_t()
    place = lib.elman_vocab_token(vocab, id, byref(size))
    if place is None:
        raise IndexError(f"there is no token {id}")
    return ctypes.string_at(place, size.value)


def measure(
    function: Callable[..., int],
    subject: Handle,
    owner: Handle,
    vocab: int,
    texts: Texts,
    max_tokens: int,
) -> Score:
    """What function, which is elman_lm_eval or one like it, says of all tokens
    of the text files but the first one."""
    text = open_text(
        owner,
        texts,
        max_tokens=integer("max_tokens", max_tokens),
        vocab=vocab,
    )
    count = lib.elman_text_tokens(text.pointer)
    if count < 2:
        raise ValueError(
            f"{texts}: one token is nothing to foretell (two would be)"
        )
    score = _abi.LmScore()
    check(function(subject.pointer, text.pointer, 0, count, byref(score)))
    nats = score.nats / score.tokens
    return Score(
        tokens=score.tokens,
        nats_per_token=nats,
        perplexity=exp(nats),
        bits_per_char=score.nats / math.log(2) / score.chars,
        unknown=score.unknown,
    )
