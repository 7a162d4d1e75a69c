# SPDX-License-Identifier: MIT
"""One elman_rnn with its tapes: addresses in, addresses out.

What stands above, for arrays of NumPy and for tensors of PyTorch, checks
shapes; here nothing knows of either.
"""

from __future__ import annotations

import ctypes
from ctypes import byref
from typing import Any, List, Optional, Tuple

from . import _abi
from ._library import Handle, check, context, create, integer, lib

Address = Optional[int]


class ViewInfo:
    """A named part of the flat block."""

    __slots__ = ("name", "shape", "offset", "count")

    def __init__(self, view: _abi.View):
        self.name: str = view.name.decode()
        self.shape: Tuple[int, ...] = tuple(view.shape[: view.rank])
        self.offset: int = view.offset
        self.count: int = view.count


def views_of(handle: Handle, count: Any, at: Any) -> List[ViewInfo]:
    """All views of an elman_rnn or an elman_lm."""
    views = []
    for i in range(count(handle.pointer)):
        view = _abi.View()
        check(at(handle.pointer, i, byref(view)))
        views.append(ViewInfo(view))
    return views


class Config:
    """What an elman_rnn_desc says, in Python's words."""

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        activation: str = "tanh",
        dtype: int = 0,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        reset_before: bool = False,
        locked: bool = False,
        weight_drop: float = 0.0,
    ) -> None:
        layers = integer("num_layers", num_layers, 31)
        if layers < 1:
            raise ValueError(f"num_layers is {layers} (at least 1)")
        self.desc = _abi.RnnDesc(
            cell=_abi.CELLS.index(cell),
            activation=_abi.ACTIVATIONS.index(activation),
            dtype=dtype,
            input=integer("input_size", input_size),
            hidden=integer("hidden_size", hidden_size),
            layers=layers,
            no_bias=not bias,
            proj=integer("proj_size", proj_size),
            bidirectional=bool(bidirectional),
            reset_before=bool(reset_before),
            dropout=float(dropout),
            locked=bool(locked),
            weight_drop=float(weight_drop),
        )


class Tape:
    """A tape, and the sizes it was made for."""

    __slots__ = ("handle", "steps", "batch", "inference")

    def __init__(self, net: Network, steps: int, batch: int, inference: bool):
        desc = _abi.TapeDesc(
            steps=steps, batch=batch, inference_only=inference
        )
        self.handle = create(
            lib.elman_tape_create,
            lib.elman_tape_destroy,
            net.handle.pointer,
            byref(desc),
            owners=(net.handle,),
        )
        self.steps, self.batch, self.inference = steps, batch, inference


class Lease:
    """A tape that goes back to its network's shelf when nobody holds it."""

    __slots__ = ("tape", "_shelf", "kept")

    def __init__(self, tape: Tape, shelf: List[Tape]):
        self.tape = tape
        self._shelf = shelf
        self.kept: Any = None  # what the tape borrows

    def __del__(self) -> None:
        self.kept = None
        self._shelf.append(self.tape)
        while len(self._shelf) > Network.MOST_SPARE:
            try:
                self._shelf.pop(0)
            except IndexError:  # another thread was here as well
                break


class Network:
    """An elman_rnn.  It may be run by several threads at a time."""

    MOST_SPARE = 2

    def __init__(
        self, config: Config, threads: Optional[int], isa: Optional[str]
    ) -> None:
        self.desc = config.desc
        owner = context(threads, isa)
        self.handle = create(
            lib.elman_rnn_create,
            lib.elman_rnn_destroy,
            owner.pointer,
            byref(config.desc),
            owners=(owner,),
        )
        self.parameters: int = lib.elman_rnn_parameters(self.handle.pointer)
        self.views = views_of(
            self.handle, lib.elman_rnn_view_count, lib.elman_rnn_view
        )
        self._shelves: Tuple[List[Tape], List[Tape]] = ([], [])
        self.edited = False

    def check_rest(self) -> None:
        """Nothing runs while weights are written."""
        if self.edited:
            raise RuntimeError(
                "the weights are being written (nothing runs before the block "
                "of edit_weights ends)"
            )

    @property
    def rows(self) -> int:
        """L*S."""
        return int(self.desc.layers) * self.directions

    @property
    def directions(self) -> int:
        return 2 if self.desc.bidirectional else 1

    @property
    def out(self) -> int:
        """P: what one direction gives."""
        return int(self.desc.proj or self.desc.hidden)

    def lease(self, steps: int, batch: int, inference: bool) -> Lease:
        """A tape that is large enough, from the shelf if one lies there."""
        shelf = self._shelves[inference]
        for tape in list(shelf):
            if tape.steps < steps or tape.batch < batch:
                continue
            try:
                shelf.remove(tape)
            except ValueError:  # another thread took it
                continue
            return Lease(tape, shelf)
        return Lease(Tape(self, steps, batch, inference), shelf)

    def run(self, tape: Tape, **fields: Any) -> None:
        """elman_rnn_run; fields are elman_sequences'."""
        self.check_rest()
        check(
            lib.elman_rnn_run(
                self.handle.pointer,
                tape.handle.pointer,
                byref(_abi.Sequences(**fields)),
            )
        )

    def run_back(self, tape: Tape, **fields: Any) -> None:
        """elman_rnn_run_back; fields are elman_gradients'."""
        self.check_rest()
        check(
            lib.elman_rnn_run_back(
                self.handle.pointer,
                tape.handle.pointer,
                byref(_abi.Gradients(**fields)),
            )
        )

    def weights(self) -> int:
        """Where the flat block lies, to be read."""
        return int(lib.elman_rnn_weights(self.handle.pointer))

    def weights_begin(self) -> int:
        """The same, to be written until weights_end."""
        return int(lib.elman_rnn_weights_begin(self.handle.pointer))

    def weights_end(self) -> None:
        lib.elman_rnn_weights_end(self.handle.pointer)

    def weight_bytes(self) -> int:
        size = ctypes.sizeof(
            ctypes.c_double
            if self.desc.dtype == _abi.F64
            else ctypes.c_float
        )
        return self.parameters * size
