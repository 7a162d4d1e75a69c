# SPDX-License-Identifier: MIT
"""torch.nn's RNN, LSTM and GRU, computed by elman.

    import elman.torch
    lstm = elman.torch.LSTM(20, 50, num_layers=2)      # where nn.LSTM stood

Each is a subclass of PyTorch's module: parameters, names, state_dict, first
weights, shapes and packed sequences are PyTorch's, and autograd goes through
elman.  Tensors are float32 or float64 on the CPU; there is no second
derivative.  Where their layout is dense nothing of them is copied.
"""

from __future__ import annotations

import ctypes
from threading import Lock
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pad_packed_sequence,
)

from ._network import Config, Network

__all__ = ["GRU", "LSTM", "RNN"]

_DTYPES = (torch.float32, torch.float64)
_BITS = (torch.int32, torch.int64)
_CELLS = {
    "RNN_TANH": ("elman", "tanh"),
    "RNN_RELU": ("elman", "relu"),
    "LSTM": ("lstm", "tanh"),
    "GRU": ("gru", "tanh"),
}

Input = Union[Tensor, PackedSequence]


def _address(tensor: Optional[Tensor]) -> Optional[int]:
    return None if tensor is None or tensor.numel() == 0 else tensor.data_ptr()


class _Core:
    """A module's network, made when it first runs; copies of the module and
    its pickles begin without one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._network: Optional[Network] = None
        self._block: List[Tensor] = []

    def __deepcopy__(self, memo: Any) -> _Core:
        return _Core()

    def __reduce__(self) -> Any:
        return (_Core, ())

    def network(self, module: _Recurrent, dtype: torch.dtype) -> Network:
        """The network in that dtype."""
        number = _DTYPES.index(dtype)
        with self._lock:
            if self._network is None or self._network.desc.dtype != number:
                self._make(module, number)
            assert self._network is not None
            return self._network

    def _make(self, module: _Recurrent, number: int) -> None:
        cell, activation = _CELLS[module.mode]
        config = Config(
            cell,
            module.input_size,
            module.hidden_size,
            module.num_layers,
            activation=activation,
            dtype=number,
            bias=module.bias,
            dropout=module.dropout,
            bidirectional=module.bidirectional,
            proj_size=module.proj_size,
            reset_before=module.reset_before,
            locked=module.locked,
            weight_drop=module.weight_drop,
        )
        network = Network(config, module.threads, module.isa)
        size = network.weight_bytes()
        memory = (ctypes.c_char * size).from_address(network.weights())
        flat = torch.frombuffer(memory, dtype=_BITS[number])
        self._block = [
            flat[v.offset : v.offset + v.count].view(v.shape)
            for v in network.views
        ]
        self._network = network

    def refresh(self, network: Network, weights: Sequence[Tensor]) -> None:
        """Makes the network compute with these weights.  They are compared by
        their bits: nothing else tells of every way to change a tensor."""
        with self._lock:
            bits = [
                w.detach().view(b.dtype) for w, b in zip(weights, self._block)
            ]
            if all(torch.equal(w, b) for w, b in zip(bits, self._block)):
                return
            network.weights_begin()
            try:
                for w, b in zip(bits, self._block):
                    b.copy_(w)
            finally:
                network.weights_end()


class _Call(NamedTuple):
    """What a call is, but for its tensors."""

    core: _Core
    network: Network
    lengths: Optional[Tensor]  # [B] of int64
    batch_first: bool
    record: bool
    draw: Optional[int]  # where the call drops out


class _Run(torch.autograd.Function):
    """x, h_0, c_0 and weights in; output, h_n and, of an LSTM, c_n out."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        call: _Call,
        x: Tensor,
        h0: Optional[Tensor],
        c0: Optional[Tensor],
        *weights: Tensor,
    ) -> Tuple[Tensor, ...]:
        network = call.network
        call.core.refresh(network, weights)
        flipped = not x.is_contiguous() and x.transpose(0, 1).is_contiguous()
        dense = x.transpose(0, 1) if flipped else x.contiguous()
        by_batch = call.batch_first != flipped
        batch, steps = (
            (dense.shape[0], dense.shape[1])
            if by_batch
            else (dense.shape[1], dense.shape[0])
        )
        hidden = int(network.desc.hidden)
        lstm = _lstm(network)
        y = dense.new_empty(*dense.shape[:2], network.directions * network.out)
        h_n = dense.new_empty(network.rows, batch, network.out)
        c_n = dense.new_empty(network.rows, batch, hidden) if lstm else None
        h0 = None if h0 is None else h0.contiguous()
        c0 = None if c0 is None else c0.contiguous()
        training = call.record or call.draw is not None
        lease = network.lease(max(steps, 1), max(batch, 1), not training)
        network.run(
            lease.tape,
            steps=steps,
            batch=batch,
            lengths=_address(call.lengths),
            batch_first=by_batch,
            x=_address(dense),
            h0=_address(h0),
            c0=_address(c0),
            y=_address(y),
            hT=_address(h_n),
            cT=_address(c_n),
            train=call.draw is not None,
            draw=call.draw or 0,
        )
        if call.record:
            ctx.save_for_backward(dense, *weights)
            ctx.set_materialize_grads(False)
            ctx.call, ctx.lease, ctx.flipped, ctx.batch = (
                call,
                lease,
                flipped,
                batch,
            )
        if flipped:
            y = y.transpose(0, 1)
        return (y, h_n) if c_n is None else (y, h_n, c_n)

    @staticmethod
    @once_differentiable  # type: ignore[misc]
    def backward(ctx: Any, *grads: Optional[Tensor]) -> Tuple[Any, ...]:
        call, network = ctx.call, ctx.call.network
        x, *weights = ctx.saved_tensors
        needs_x, needs_h, needs_c, *needs_weights = ctx.needs_input_grad[1:]
        call.core.refresh(network, weights)
        dy, dh_n, dc_n = (*grads, None)[:3]
        if dy is not None:
            dy = (dy.transpose(0, 1) if ctx.flipped else dy).contiguous()
        dh_n = None if dh_n is None else dh_n.contiguous()
        dc_n = None if dc_n is None else dc_n.contiguous()
        rows, hidden = (network.rows, ctx.batch), int(network.desc.hidden)
        dx = torch.empty_like(x) if needs_x else None
        dh_0 = x.new_empty(*rows, network.out) if needs_h else None
        dc_0 = x.new_empty(*rows, hidden) if needs_c else None
        flat = x.new_zeros(network.parameters) if any(needs_weights) else None
        network.run_back(
            ctx.lease.tape,
            dy=_address(dy),
            dhT=_address(dh_n),
            dcT=_address(dc_n),
            dx=_address(dx),
            dh0=_address(dh_0),
            dc0=_address(dc_0),
            grad=_address(flat),
        )
        if dx is not None and ctx.flipped:
            dx = dx.transpose(0, 1)
        return (None, dx, dh_0, dc_0, *_parts(network, flat, needs_weights))


def _lstm(network: Network) -> bool:
    return bool(network.desc.cell == 2)


def _parts(
    network: Network, flat: Optional[Tensor], wanted: Sequence[bool]
) -> List[Optional[Tensor]]:
    """Each weight's part of the flat gradient."""
    if flat is None:
        return [None] * len(network.views)
    return [
        flat[v.offset : v.offset + v.count].view(v.shape) if want else None
        for v, want in zip(network.views, wanted)
    ]


class _Recurrent(nn.RNNBase):
    """What the three put in the place of PyTorch's forward.

    Beyond PyTorch's arguments: locked, one mask of dropout for all steps;
    weight_drop, dropout of the recurrent weights; threads and isa, which change
    no result.  Masks are drawn from torch.manual_seed's generator, but are not
    PyTorch's.
    """

    reset_before = False

    def __init__(
        self,
        *args: Any,
        locked: bool = False,
        weight_drop: float = 0.0,
        threads: Optional[int] = None,
        isa: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.locked = locked
        self.weight_drop = weight_drop
        self.threads = threads
        self.isa = isa
        self._core = _Core()

    def _run(
        self,
        x: Tensor,
        states: Sequence[Optional[Tensor]],
        lengths: Optional[Tensor],
        batch_first: bool,
    ) -> Tuple[Tensor, ...]:
        """One call of batched tensors; states are h_0 and c_0."""
        self._check(x, states, lengths, batch_first)
        network = self._core.network(self, x.dtype)
        weights = [getattr(self, v.name) for v in network.views]
        for weight in weights:
            if weight.dtype != x.dtype or weight.device.type != "cpu":
                raise ValueError(
                    f"the weights are of {weight.dtype} on {weight.device}, "
                    f"and input is of {x.dtype} on the CPU"
                )
        tensors = [x, *states, *weights]
        record = torch.is_grad_enabled() and any(
            t is not None and t.requires_grad for t in tensors
        )
        call = _Call(
            self._core,
            network,
            lengths,
            batch_first,
            record,
            self._draw(),
        )
        result: Tuple[Tensor, ...] = _Run.apply(call, *tensors)
        return result

    def _draw(self) -> Optional[int]:
        """A number that no other call has, where the call drops out."""
        drops = self.dropout > 0 and self.num_layers > 1
        if not self.training or not (drops or self.weight_drop > 0):
            return None
        return int(torch.randint(1 << 62, ()).item())

    def _check(
        self,
        x: Tensor,
        states: Sequence[Optional[Tensor]],
        lengths: Optional[Tensor],
        batch_first: bool,
    ) -> None:
        if x.dtype not in _DTYPES or x.device.type != "cpu":
            raise ValueError(
                f"input is of {x.dtype} on {x.device} (float32 or float64 on "
                "the CPU)"
            )
        if x.shape[-1] != self.input_size:
            raise ValueError(
                f"input has {x.shape[-1]} numbers a step (input_size is "
                f"{self.input_size})"
            )
        batch = x.shape[0 if batch_first else 1]
        rows = self.num_layers * (2 if self.bidirectional else 1)
        sizes = (self.proj_size or self.hidden_size, self.hidden_size)
        for name, value, size in zip(("h_0", "c_0"), states, sizes):
            if value is None:
                continue
            if tuple(value.shape) != (rows, batch, size):
                raise ValueError(
                    f"{name} has shape {tuple(value.shape)} (not "
                    f"{(rows, batch, size)})"
                )
            if value.dtype != x.dtype or value.device.type != "cpu":
                raise ValueError(
                    f"{name} is of {value.dtype} on {value.device} (not as "
                    "input)"
                )
        if lengths is not None and tuple(lengths.shape) != (batch,):
            raise ValueError(
                f"lengths has shape {tuple(lengths.shape)} (not {(batch,)})"
            )

    def _padded(
        self,
        x: Tensor,
        states: Sequence[Optional[Tensor]],
        lengths: Optional[Tensor],
    ) -> Tuple[Tensor, ...]:
        """[T,B,I] or [B,T,I], or [T,I] without a batch."""
        if lengths is not None:
            lengths = torch.as_tensor(lengths, dtype=torch.int64).contiguous()
        if x.dim() == 3:
            return self._run(x, states, lengths, self.batch_first)
        if x.dim() != 2:
            raise ValueError(
                f"input has {x.dim()} dimensions (3, or 2 without a batch)"
            )
        for value in states:
            if value is not None and value.dim() != 2:
                raise ValueError(
                    f"a state has {value.dim()} dimensions (2, since input "
                    "has no batch)"
                )
        lone = [s if s is None else s.unsqueeze(1) for s in states]
        y, *ends = self._run(x.unsqueeze(1), lone, lengths, False)
        return (y.squeeze(1), *(end.squeeze(1) for end in ends))

    def _packed(
        self, packed: PackedSequence, states: Sequence[Optional[Tensor]]
    ) -> Tuple[Any, ...]:
        """The sequences as they lie in the pack, the longest first."""
        data, sizes, order, back = packed
        pack: Any = PackedSequence
        x, lengths = pad_packed_sequence(pack(data, sizes))
        if order is not None:
            states = [
                s if s is None else s.index_select(1, order) for s in states
            ]
        y, *ends = self._run(x, states, lengths.contiguous(), False)
        if back is not None:
            ends = [end.index_select(1, back) for end in ends]
        y = pack_padded_sequence(y, lengths).data
        return (pack(y, sizes, order, back), *ends)

    def _call(
        self,
        input: Input,
        states: Sequence[Optional[Tensor]],
        lengths: Optional[Tensor],
    ) -> Tuple[Any, ...]:
        if not isinstance(input, PackedSequence):
            return self._padded(input, states, lengths)
        if lengths is not None:
            raise ValueError("a packed sequence has lengths of its own")
        return self._packed(input, states)


class RNN(_Recurrent, nn.RNN):
    """nn.RNN; lengths [B], each sequence's own, instead of packing."""

    def forward(
        self,
        input: Input,
        hx: Optional[Tensor] = None,
        lengths: Optional[Tensor] = None,
    ) -> Tuple[Any, Tensor]:
        y, h_n = self._call(input, (hx, None), lengths)
        return y, h_n


class GRU(_Recurrent, nn.GRU):
    """nn.GRU, or with reset_before the one whose reset gate stands before the
    product."""

    def __init__(
        self, *args: Any, reset_before: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.reset_before = reset_before

    forward = RNN.forward  # type: ignore[assignment]


class LSTM(_Recurrent, nn.LSTM):
    """nn.LSTM, with its projection."""

    def forward(
        self,
        input: Input,
        hx: Optional[Tuple[Tensor, Tensor]] = None,
        lengths: Optional[Tensor] = None,
    ) -> Tuple[Any, Tuple[Tensor, Tensor]]:
        states = (None, None) if hx is None else hx
        y, h_n, c_n = self._call(input, states, lengths)
        return y, (h_n, c_n)
