# SPDX-License-Identifier: MIT
"""Networks that come from files, and tensors by name."""

from __future__ import annotations

from ctypes import byref, c_void_p, string_at
from os import PathLike
from typing import Any, Dict, Optional, Tuple, Union

import numpy as np

from . import _abi
from ._arrays import (
    Array,
    address,
    dense,
    dtype_of,
    memory,
    part,
    shaped,
    tokens,
)
from ._library import Handle, check, context, create, integer, lib, path_bytes
from ._network import views_of

Path = Union[str, "PathLike[str]"]
States = Union[Array, Tuple[Array, Array]]

_TENSOR_TYPES = {
    _abi.DTYPES.index(name): np.dtype(kind)
    for name, kind in (
        ("f32", "<f4"),
        ("f64", "<f8"),
        ("i64", "<i8"),
        ("i32", "<i4"),
        ("u8", "u1"),
        ("i8", "i1"),
    )
}


def _read(function: Any, path: Path) -> Dict[str, Array]:
    owner = context(None, None)
    file = create(
        function,
        lib.elman_tensors_destroy,
        owner.pointer,
        path_bytes(path),
        owners=(owner,),
    )
    tensors = {}
    for i in range(lib.elman_tensors_count(file.pointer)):
        t = _abi.Tensor()
        check(lib.elman_tensors_at(file.pointer, i, byref(t)))
        dtype = _TENSOR_TYPES[t.dtype]
        data = string_at(t.data, t.count * dtype.itemsize)
        array = np.frombuffer(bytearray(data), dtype)
        tensors[t.name.decode()] = array.reshape(tuple(t.shape[: t.rank]))
    return tensors


def read_torch(path: Path) -> Dict[str, Array]:
    """The tensors in what torch.save wrote, by name.  PyTorch is not needed,
    and nothing in the file is run; float16 and bfloat16 become float32."""
    return _read(lib.elman_tensors_read_torch, path)


def read_tensors(path: Path) -> Dict[str, Array]:
    """The tensors in a .safetensors file, by name."""
    return _read(lib.elman_tensors_read, path)


class Network:
    """A network as `elman convert` makes it, for inference: perhaps an
    embedding, recurrent layers, perhaps a linear layer on them.

    Letters as in elman.h: what enters is x [T,B,I], or ids [T,B] where there is
    an embedding, and O numbers come out, of all steps or, where decode is
    "last" or "final", once a sequence.
    """

    def __init__(self, handle: Handle, owner: Handle) -> None:
        """Use load."""
        self._handle = handle
        self._owner = owner
        desc = _abi.NetworkDesc()
        lib.elman_network_describe(handle.pointer, byref(desc))
        rnn = desc.rnn
        self.dtype = dtype_of(rnn.dtype)
        self.cell = _abi.CELLS[rnn.cell]
        self.input_size: int = rnn.input
        self.hidden_size: int = rnn.hidden
        self.num_layers: int = max(rnn.layers, 1)
        self.proj_size: int = rnn.proj
        self.bidirectional = bool(rnn.bidirectional)
        self.num_embeddings: int = desc.vocab
        self.decode = _abi.DECODES[desc.decode]
        self.output_size: int = lib.elman_network_width(handle.pointer)

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        threads: Optional[int] = None,
        isa: Optional[str] = None,
    ) -> Network:
        """Reads a model file of a network, or a .onnx graph."""
        owner = context(threads, isa)
        name = path_bytes(path)
        if name.endswith(b".onnx"):
            pointer = c_void_p()
            check(
                lib.elman_onnx_read(owner.pointer, name, None, byref(pointer))
            )
            assert pointer.value is not None
            handle = Handle(pointer.value, lib.elman_network_destroy, owner)
        else:
            handle = create(
                lib.elman_network_load,
                lib.elman_network_destroy,
                owner.pointer,
                name,
                owners=(owner,),
            )
        return cls(handle, owner)

    def save(self, path: Path) -> None:
        """Writes a model file, whole or not at all."""
        check(lib.elman_network_save(self._handle.pointer, path_bytes(path)))

    def __reduce__(self) -> Any:
        raise TypeError("a network cannot be copied or pickled (save it)")

    def __repr__(self) -> str:
        ways = "both directions, " if self.bidirectional else ""
        return (
            f"<elman.Network: {self.cell}, {self.num_layers} x "
            f"{self.hidden_size}, {ways}{self.input_size} numbers in, "
            f"{self.output_size} out>"
        )

    def num_parameters(self) -> int:
        """How many weights and biases there are."""
        return int(lib.elman_network_parameters(self._handle.pointer))

    def state_dict(self) -> Dict[str, Array]:
        """Every weight by its name in the model file, to be read."""
        flat = memory(
            self._handle,
            lib.elman_network_weights(self._handle.pointer),
            self.num_parameters(),
            self.dtype,
            False,
        )
        views = views_of(
            self._handle, lib.elman_network_view_count, lib.elman_network_view
        )
        return {v.name: part(flat, v.offset, v.shape) for v in views}

    # ---- Running ------------------------------------------------------------

    def _sizes(self) -> Tuple[int, int, int]:
        """L*S, P and H."""
        rows = self.num_layers * (2 if self.bidirectional else 1)
        return rows, self.proj_size or self.hidden_size, self.hidden_size

    def _entering(self, x: Any, lead: int) -> Array:
        """Tokens with `lead` dimensions, or numbers with one more."""
        if self.num_embeddings > 0:
            array = tokens(x)
            wanted = array.ndim == lead
        else:
            array = dense("x", x, self.dtype)
            wanted = array.ndim == lead + 1
            wanted = wanted and array.shape[-1] == self.input_size
        if not wanted:
            what = "tokens" if self.num_embeddings else "numbers, input_size "
            size = "" if self.num_embeddings else str(self.input_size)
            raise ValueError(
                f"what enters has shape {array.shape} (the network takes "
                f"{what}{size})"
            )
        return array

    def __call__(
        self,
        x: Any,
        hx: Any = None,
        *,
        lengths: Any = None,
        batch_first: bool = False,
    ) -> Tuple[Array, States]:
        """(output, h_n), of an LSTM (output, (h_n, c_n)).  x is [T,B,I], or ids
        [T,B], and the output [T,B,O], or [B,O] of the last step; batch_first:
        [B,T,...] of both; lengths [B]: each sequence's own."""
        lstm, (rows, out, hidden) = self.cell == "lstm", self._sizes()
        array = self._entering(x, 2)
        batch, steps = array.shape[:2] if batch_first else array.shape[1::-1]
        h0, c0 = hx if lstm and hx is not None else (hx, None)
        h0 = self._row("h_0", h0, (rows, batch, out))
        c0 = self._row("c_0", c0, (rows, batch, hidden))
        if lengths is not None:
            lengths = shaped("lengths", lengths, np.int64, (batch,))
        lead: Tuple[int, ...] = (batch,)
        if self.decode == "all":
            lead = (batch, steps) if batch_first else (steps, batch)
        y = np.empty((*lead, self.output_size), self.dtype)
        h_n = np.empty((rows, batch, out), self.dtype)
        c_n = np.empty((rows, batch, hidden), self.dtype) if lstm else None
        ids = self.num_embeddings > 0
        tape = create(
            lib.elman_network_tape_create,
            lib.elman_network_tape_destroy,
            self._handle.pointer,
            steps,
            batch,
            owners=(self._handle,),
        )
        sequences = _abi.Sequences(
            steps=steps,
            batch=batch,
            lengths=address(lengths),
            batch_first=batch_first,
            x=None if ids else address(array),
            ids=address(array) if ids else None,
            h0=address(h0),
            c0=address(c0),
            y=address(y),
            hT=address(h_n),
            cT=address(c_n),
        )
        check(
            lib.elman_network_run(
                self._handle.pointer, tape.pointer, byref(sequences)
            )
        )
        return y, (h_n if c_n is None else (h_n, c_n))

    def _row(
        self, name: str, value: Any, shape: Tuple[int, ...]
    ) -> Optional[Array]:
        if value is None:
            return None
        return shaped(name, value, self.dtype, shape)

    def state(self, batch: int = 1) -> NetworkState:
        """A state of zeros for step."""
        return NetworkState(self, batch)

    def step(self, x: Any, state: NetworkState) -> Array:
        """One step: x [B,I], or ids [B], in, [B,O] out: what the network would
        give if it were the last one."""
        if state._network is not self._handle:
            raise ValueError("the state was made for another network")
        array = self._entering(x, 1)
        if array.shape[0] != state.batch:
            raise ValueError(
                f"what enters is of {array.shape[0]} sequences (the state is "
                f"of {state.batch})"
            )
        y = np.empty((state.batch, self.output_size), self.dtype)
        ids = self.num_embeddings > 0
        check(
            lib.elman_network_step(
                self._handle.pointer,
                state._handle.pointer,
                None if ids else address(array),
                address(array) if ids else None,
                address(y),
            )
        )
        return y


class NetworkState:
    """What a network of one direction carries from step to step; one thread's
    at a time."""

    def __init__(self, network: Network, batch: int) -> None:
        self._network = network._handle
        self.batch = integer("batch", batch)
        self._handle = create(
            lib.elman_network_state_create,
            lib.elman_network_state_destroy,
            self._network.pointer,
            self.batch,
            owners=(self._network,),
        )

    def zero(self) -> None:
        """Back to zeros."""
        lib.elman_network_state_zero(self._handle.pointer)
