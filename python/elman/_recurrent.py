# SPDX-License-Identifier: MIT
"""RNN, LSTM and GRU on NumPy arrays, as torch.nn has them on tensors.

Letters and shapes are elman.h's: T steps, B batch, I input, H hidden, L layers,
S directions, and P what one direction gives (proj_size, or H).
"""

from __future__ import annotations

from contextlib import contextmanager
from threading import local
from typing import (
    Any,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
)

import numpy as np

from . import _abi
from ._arrays import (
    Array,
    address,
    dense,
    dtype_number,
    dtype_of,
    memory,
    part,
    shaped,
)
from ._library import check, choice, integer, lib
from ._network import Config, Lease, Network
from ._state import State

StatePair = Tuple[Array, Array]


class _Call(NamedTuple):
    """What one call was, for the way back."""

    lease: Lease
    steps: int
    batch: int
    flipped: bool  # batch and time are changed round against the network's
    unbatched: bool


class _Recurrent:
    """What the three have in common."""

    _cell = ""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        *,
        activation: str = "tanh",
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int = 0,
        reset_before: bool = False,
        dtype: Any,
        locked: bool,
        weight_drop: float,
        seed: int,
        threads: Optional[int],
        isa: Optional[str],
    ) -> None:
        number = dtype_number(dtype)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bool(bias)
        self.batch_first = bool(batch_first)
        self.dropout = float(dropout)
        self.bidirectional = bool(bidirectional)
        self.proj_size = proj_size
        self.training = True
        self.dtype = dtype_of(number)
        self._config: Dict[str, Any] = {
            "input_size": input_size,
            "hidden_size": hidden_size,
            "num_layers": num_layers,
            "activation": activation,
            "dtype": number,
            "bias": bias,
            "dropout": dropout,
            "bidirectional": bidirectional,
            "proj_size": proj_size,
            "reset_before": reset_before,
            "locked": locked,
            "weight_drop": weight_drop,
        }
        self._machine = (threads, isa)
        self._seed = integer("seed", seed, 64)
        self._draws = 0
        self._build()
        lib.elman_rnn_init(self._net.handle.pointer, self._seed)

    def _build(self) -> None:
        self._net = Network(
            Config(self._cell, **self._config), *self._machine
        )
        self._masked = bool(
            self._net.desc.dropout > 0
            and self.num_layers > 1
            or self._net.desc.weight_drop > 0
        )
        self._grad: Optional[Array] = None
        self._last = local()

    def __repr__(self) -> str:
        words = [str(self.input_size), str(self.hidden_size)]
        for name, usual in (
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0.0),
            ("bidirectional", False),
            ("proj_size", 0),
        ):
            value = getattr(self, name)
            if value != usual:
                words.append(f"{name}={value}")
        if self._config["dtype"] == _abi.BF16:
            words.append("dtype=bfloat16")
        elif self.dtype != np.float32:
            words.append(f"dtype={self.dtype}")
        return f"elman.{type(self).__name__}({', '.join(words)})"

    # ---- Copies and pickles -------------------------------------------------

    def __getstate__(self) -> Dict[str, Any]:
        kept = dict(self.__dict__)
        for name in ("_net", "_last", "_grad"):
            del kept[name]
        kept["weights"] = self._flat().copy()
        return kept

    def __setstate__(self, kept: Dict[str, Any]) -> None:
        weights = kept.pop("weights")
        self.__dict__.update(kept)
        self._build()
        with self._written() as flat:
            flat[...] = weights

    # ---- Weights ------------------------------------------------------------

    def _flat(self) -> Array:
        """The flat block, to be read."""
        net = self._net
        return memory(
            net.handle, net.weights(), net.parameters, self.dtype, False
        )

    @contextmanager
    def _written(self) -> Iterator[Array]:
        """The flat block, to be written; packed anew at the end."""
        net = self._net
        flat = memory(
            net.handle,
            net.weights_begin(),
            net.parameters,
            self.dtype,
            True,
        )
        net.edited = True
        try:
            yield flat
        finally:
            net.weights_end()
            net.edited = False

    def _parts(self, flat: Array) -> Dict[str, Array]:
        return {
            v.name: part(flat, v.offset, v.shape) for v in self._net.views
        }

    def num_parameters(self) -> int:
        """How many weights and biases there are."""
        return self._net.parameters

    def state_dict(self) -> Dict[str, Array]:
        """Every weight by PyTorch's name: views that follow the weights, and
        can only be read, since the kernels compute with packed copies (see
        edit_weights and load_state_dict)."""
        return self._parts(self._flat())

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> None:
        """Copies the weights in, from arrays or PyTorch's tensors on the CPU.
        Names that are missing or not known are errors where strict is true; a
        wrong shape always is, and then nothing has been changed."""
        views = {v.name: v for v in self._net.views}
        missing = [name for name in views if name not in state_dict]
        unknown = [name for name in state_dict if name not in views]
        if strict and (missing or unknown):
            raise ValueError(
                f"state_dict lacks {missing} and has unknown {unknown}"
            )
        new = {
            name: shaped(name, value, self.dtype, views[name].shape)
            for name, value in state_dict.items()
            if name in views
        }
        with self.edit_weights() as weights:
            for name, value in new.items():
                weights[name][...] = value

    @contextmanager
    def edit_weights(self) -> Iterator[Dict[str, Array]]:
        """`with rnn.edit_weights() as w:` gives every weight to be written in
        place.  Nothing else may run on the network before the block ends, and
        nothing may be written after."""
        with self._written() as flat:
            yield self._parts(flat)

    def grad_dict(self) -> Dict[str, Array]:
        """Every gradient by its weight's name: views of the block that backward
        adds to."""
        return self._parts(self._gradient())

    def zero_grad(self) -> None:
        """Sets all gradients to 0."""
        self._gradient()[...] = 0

    def _gradient(self) -> Array:
        if self._grad is None:
            self._grad = np.zeros(self._net.parameters, self.dtype)
        return self._grad

    def train(self, mode: bool = True) -> _Recurrent:
        """Calls drop out, and keep what backward needs."""
        self.training = bool(mode)
        return self

    def eval(self) -> _Recurrent:
        """Calls do neither."""
        return self.train(False)

    # ---- Whole sequences ----------------------------------------------------

    def _input(self, x: Any) -> Tuple[Array, bool, bool]:
        """x as [T,B,I] or [B,T,I], whether it is the other way round than the
        network's, and whether it was [T,I]."""
        array = np.asarray(x)
        if array.ndim not in (2, 3) or array.shape[-1] != self.input_size:
            raise ValueError(
                f"input has shape {array.shape} (T and B, or T alone, before "
                f"input_size, {self.input_size})"
            )
        if 0 in array.shape[:-1]:
            raise ValueError(
                f"input has shape {array.shape} (at least one step and one "
                f"sequence)"
            )
        unbatched = array.ndim == 2
        if unbatched:
            array = array[None] if self.batch_first else array[:, None]
        turned = array.transpose(1, 0, 2)
        flipped = (
            array.dtype == self.dtype
            and not array.flags.c_contiguous
            and turned.flags.c_contiguous
        )
        array = dense("input", turned if flipped else array, self.dtype)
        return array, flipped, unbatched

    def _row_shape(self, size: int, batch: int, unbatched: bool) -> List[int]:
        rows = self._net.rows
        return [rows, size] if unbatched else [rows, batch, size]

    def _take_row(
        self, name: str, value: Any, size: int, batch: int, unbatched: bool
    ) -> Optional[Array]:
        """A state, or a gradient of one; None stays None."""
        if value is None:
            return None
        shape = self._row_shape(size, batch, unbatched)
        return shaped(name, value, self.dtype, shape)

    def _new_row(self, size: int, batch: int, unbatched: bool) -> Array:
        return np.empty(self._row_shape(size, batch, unbatched), self.dtype)

    def _sequence(self, call: _Call, size: int) -> Tuple[int, ...]:
        """The shape in memory of what has a row for each step."""
        if self.batch_first != call.flipped:
            return (call.batch, call.steps, size)
        return (call.steps, call.batch, size)

    def _shown(self, call: _Call, array: Array) -> Array:
        """A sequence as the caller sees it."""
        if call.flipped:
            array = array.transpose(1, 0, 2)
        if call.unbatched:
            array = array[0] if self.batch_first else array[:, 0]
        return array

    def _forward(
        self,
        x: Any,
        h0: Any,
        c0: Any,
        lengths: Any,
        record: Optional[bool],
    ) -> Tuple[Array, Array, Optional[Array]]:
        net, lstm = self._net, self._cell == "lstm"
        array, flipped, unbatched = self._input(x)
        by_batch = self.batch_first != flipped
        batch, steps = array.shape[:2] if by_batch else array.shape[1::-1]
        hidden = int(net.desc.hidden)
        h0 = self._take_row("h_0", h0, net.out, batch, unbatched)
        c0 = self._take_row("c_0", c0, hidden, batch, unbatched)
        if lengths is not None:
            lengths = shaped("lengths", lengths, np.int64, (batch,))
        drop = self.training and self._masked
        record = self.training if record is None else bool(record)

        self._last.call = None  # whose tape may serve again
        lease = net.lease(steps, batch, not (record or drop))
        call = _Call(lease, steps, batch, flipped, unbatched)
        directions = net.directions
        y = np.empty(self._sequence(call, directions * net.out), self.dtype)
        h_n = self._new_row(net.out, batch, unbatched)
        c_n = self._new_row(hidden, batch, unbatched) if lstm else None
        net.run(
            lease.tape,
            steps=steps,
            batch=batch,
            lengths=address(lengths),
            batch_first=by_batch,
            x=address(array),
            h0=address(h0),
            c0=address(c0),
            y=address(y),
            hT=address(h_n),
            cT=address(c_n),
            train=drop,
            seed=self._seed,
            draw=self._draw() if drop else 0,
        )
        lease.kept = array
        self._last.call = call if record else None
        return self._shown(call, y), h_n, c_n

    def _draw(self) -> int:
        self._draws += 1
        return self._draws

    def _backward(
        self, grad_output: Any, grad_h_n: Any, grad_c_n: Any
    ) -> Tuple[Array, Array, Optional[Array]]:
        call: Optional[_Call] = getattr(self._last, "call", None)
        if call is None:
            raise RuntimeError(
                "there is no call to go back through (call the network first, "
                "in this thread, in training mode or with record=True)"
            )
        net, lstm = self._net, self._cell == "lstm"
        hidden, flags = int(net.desc.hidden), (call.batch, call.unbatched)
        dy = self._grad_output(call, grad_output)
        dh_n = self._take_row("grad_h_n", grad_h_n, net.out, *flags)
        dc_n = self._take_row("grad_c_n", grad_c_n, hidden, *flags)
        dx = np.empty(self._sequence(call, self.input_size), self.dtype)
        dh_0 = self._new_row(net.out, *flags)
        dc_0 = self._new_row(hidden, *flags) if lstm else None
        net.run_back(
            call.lease.tape,
            dy=address(dy),
            dhT=address(dh_n),
            dcT=address(dc_n),
            dx=address(dx),
            dh0=address(dh_0),
            dc0=address(dc_0),
            grad=address(self._gradient()),
        )
        return self._shown(call, dx), dh_0, dc_0

    def _grad_output(self, call: _Call, value: Any) -> Optional[Array]:
        """dy as it lies in memory."""
        if value is None:
            return None
        size = self._net.directions * self._net.out
        array = np.asarray(value)
        if call.unbatched and array.ndim == 2:
            array = array[None] if self.batch_first else array[:, None]
        if call.flipped and array.ndim == 3:
            array = array.transpose(1, 0, 2)
        return shaped(
            "grad_output", array, self.dtype, self._sequence(call, size)
        )

    # ---- Pieces -------------------------------------------------------------

    def state(self, batch: Optional[int] = None) -> State:
        """A state of zeros for step; None: of one sequence without a batch."""
        return State(self._net, self.dtype, self._cell == "lstm", batch)

    def _check_state(self, state: State) -> None:
        if state._net is not self._net:
            raise ValueError("the state was made for another network")
        self._net.check_rest()

    def step(self, x: Any, state: State, out: Optional[Array] = None) -> Array:
        """One step: x [B,I] in, [B,P] out, or [I] and [P] without a batch.  The
        bits are those of the whole sequence.  out, where given, is written and
        returned."""
        lead = state._lead
        size = self._net.out
        self._check_state(state)
        if not (
            type(x) is np.ndarray
            and x.dtype == self.dtype
            and x.flags.carray
            and x.shape == (*lead, self.input_size)
        ):
            x = shaped("x", x, self.dtype, (*lead, self.input_size))
        if out is None:
            out = np.empty((*lead, size), self.dtype)
        elif (
            out.dtype != self.dtype
            or out.shape != (*lead, size)
            or not out.flags.carray
        ):
            raise ValueError(
                f"out is not a dense writable array of {self.dtype} and shape "
                f"{(*lead, size)}"
            )
        check(
            lib.elman_rnn_step(
                self._net.handle.pointer,
                state._handle.pointer,
                address(x),
                address(out),
            )
        )
        return out

    def steps(self, x: Any, state: State) -> Array:
        """T steps, time first: x [T,B,I] in, [T,B,P] out, or [T,I] and
        [T,P]."""
        self._check_state(state)
        array = np.asarray(x)
        count = array.shape[0] if array.ndim else 0
        shape = (count, *state._lead, self.input_size)
        array = shaped("x", array, self.dtype, shape)
        out = np.empty((count, *state._lead, self._net.out), self.dtype)
        check(
            lib.elman_rnn_steps(
                self._net.handle.pointer,
                state._handle.pointer,
                count,
                address(array),
                address(out),
            )
        )
        return out


class _WithoutCell(_Recurrent):
    """What RNN and GRU have in common: their state is h alone."""

    def __call__(
        self,
        input: Any,
        h_0: Any = None,
        *,
        lengths: Any = None,
        record: Optional[bool] = None,
    ) -> Tuple[Array, Array]:
        """(output, h_n).  lengths [B]: each sequence's own; record: whether
        backward may follow, by default where the network is in training."""
        y, h_n, _ = self._forward(input, h_0, None, lengths, record)
        return y, h_n

    def backward(
        self, grad_output: Any = None, grad_h_n: Any = None
    ) -> Tuple[Array, Array]:
        """(grad_input, grad_h_0) of this thread's last call; gradients of the
        weights are added to those in grad_dict."""
        dx, dh_0, _ = self._backward(grad_output, grad_h_n, None)
        return dx, dh_0


class RNN(_WithoutCell):
    """torch.nn.RNN: h = phi(x W_ih' + b_ih + h W_hh' + b_hh).

    Beyond PyTorch's arguments: dtype ("float32" or "float64"); locked, one mask
    of dropout for all steps; weight_drop, dropout of the recurrent weights;
    seed, of the first weights and of all masks; threads and isa, which change
    no result.
    """

    _cell = "elman"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: Any = "float32",
        locked: bool = False,
        weight_drop: float = 0.0,
        seed: int = 0,
        threads: Optional[int] = None,
        isa: Optional[str] = None,
    ) -> None:
        choice("nonlinearity", nonlinearity, _abi.ACTIVATIONS)
        self.nonlinearity = nonlinearity
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            activation=nonlinearity,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            dtype=dtype,
            locked=locked,
            weight_drop=weight_drop,
            seed=seed,
            threads=threads,
            isa=isa,
        )


class GRU(_WithoutCell):
    """torch.nn.GRU, or with reset_before the one whose reset gate stands before
    the product.  For the other arguments see RNN."""

    _cell = "gru"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        reset_before: bool = False,
        dtype: Any = "float32",
        locked: bool = False,
        weight_drop: float = 0.0,
        seed: int = 0,
        threads: Optional[int] = None,
        isa: Optional[str] = None,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            reset_before=reset_before,
            dtype=dtype,
            locked=locked,
            weight_drop=weight_drop,
            seed=seed,
            threads=threads,
            isa=isa,
        )


class LSTM(_Recurrent):
    """torch.nn.LSTM, with its projection.  For the other arguments see RNN."""

    _cell = "lstm"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        dtype: Any = "float32",
        locked: bool = False,
        weight_drop: float = 0.0,
        seed: int = 0,
        threads: Optional[int] = None,
        isa: Optional[str] = None,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias=bias,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            proj_size=proj_size,
            dtype=dtype,
            locked=locked,
            weight_drop=weight_drop,
            seed=seed,
            threads=threads,
            isa=isa,
        )

    def __call__(
        self,
        input: Any,
        hx: Optional[Tuple[Any, Any]] = None,
        *,
        lengths: Any = None,
        record: Optional[bool] = None,
    ) -> Tuple[Array, StatePair]:
        """(output, (h_n, c_n)); hx is (h_0, c_0).  For the rest see RNN."""
        if hx is None:
            hx = (None, None)
        if not isinstance(hx, (tuple, list)) or len(hx) != 2:
            raise TypeError("hx is no pair (h_0, c_0)")
        h_0, c_0 = hx
        y, h_n, c_n = self._forward(input, h_0, c_0, lengths, record)
        assert c_n is not None
        return y, (h_n, c_n)

    def backward(
        self,
        grad_output: Any = None,
        grad_h_n: Any = None,
        grad_c_n: Any = None,
    ) -> Tuple[Array, StatePair]:
        """(grad_input, (grad_h_0, grad_c_0)) of this thread's last call;
        gradients of the weights are added to those in grad_dict."""
        dx, dh_0, dc_0 = self._backward(grad_output, grad_h_n, grad_c_n)
        assert dc_0 is not None
        return dx, (dh_0, dc_0)
