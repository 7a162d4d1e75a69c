# SPDX-License-Identifier: MIT
"""What a network carries from step to step."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np

from ._arrays import Array, address, shaped
from ._library import Handle, check, create, integer, lib
from ._network import Network


class State:
    """What a network of one direction carries from step to step.

    One thread's at a time.  h is [L,B,P], and c, of an LSTM, [L,B,H]; [L,P] and
    [L,H] without a batch.
    """

    def __init__(
        self, net: Network, dtype: Any, lstm: bool, batch: Optional[int]
    ) -> None:
        self.batch = batch
        self._net = net
        self._dtype = dtype
        self._lstm = lstm
        size = 1 if batch is None else integer("batch", batch)
        self._lead: Tuple[int, ...] = () if batch is None else (size,)
        self._handle: Handle = create(
            lib.elman_state_create,
            lib.elman_state_destroy,
            net.handle.pointer,
            size,
            owners=(net.handle,),
        )

    def _read(self, read: Any, size: int) -> Array:
        out = np.empty((self._net.rows, *self._lead, size), self._dtype)
        read(self._handle.pointer, address(out))
        return out

    def _checked(self, name: str, value: Any, size: int) -> Array:
        shape = (self._net.rows, *self._lead, size)
        return shaped(name, value, self._dtype, shape)

    @property
    def h(self) -> Array:
        """A copy of h; what is assigned is copied."""
        return self._read(lib.elman_state_read, self._net.out)

    @h.setter
    def h(self, value: Any) -> None:
        array = self._checked("h", value, self._net.out)
        lib.elman_state_write(self._handle.pointer, address(array))

    @property
    def c(self) -> Array:
        """A copy of an LSTM's c; what is assigned is copied."""
        self._need_c()
        return self._read(lib.elman_state_read_c, int(self._net.desc.hidden))

    @c.setter
    def c(self, value: Any) -> None:
        self._need_c()
        array = self._checked("c", value, int(self._net.desc.hidden))
        lib.elman_state_write_c(self._handle.pointer, address(array))

    def _need_c(self) -> None:
        if not self._lstm:
            raise AttributeError("only an LSTM's state has c")

    def save(self) -> Dict[str, Array]:
        """Copies of all that is carried, to be kept (numpy.savez takes it)."""
        return {"h": self.h, "c": self.c} if self._lstm else {"h": self.h}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Puts back what save gave."""
        names = {"h", "c"} if self._lstm else {"h"}
        if set(saved) != names:
            raise ValueError(
                f"the saved state has {sorted(saved)} (not {sorted(names)})"
            )
        if self._lstm:
            self._checked("c", saved["c"], int(self._net.desc.hidden))
        self.h = saved["h"]
        if self._lstm:
            self.c = saved["c"]

    def copy(self) -> State:
        """Another state that stands where this one does."""
        other = State(self._net, self._dtype, self._lstm, self.batch)
        check(
            lib.elman_state_copy(other._handle.pointer, self._handle.pointer)
        )
        return other

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> State:
        return self.copy()

    def zero(self) -> None:
        """Back to zeros."""
        lib.elman_state_zero(self._handle.pointer)

    def random(self, stddev: float, seed: int) -> None:
        """Draws h from a normal distribution, and sets c to 0."""
        lib.elman_state_random(
            self._handle.pointer, float(stddev), integer("seed", seed, 64)
        )
