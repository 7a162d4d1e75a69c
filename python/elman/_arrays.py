# SPDX-License-Identifier: MIT
"""NumPy arrays as the library reads them: without a copy where they already
lie as it wants them."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from . import _abi

Array = NDArray[Any]

_KINDS = {np.dtype(np.float32): 0, np.dtype(np.float64): 1}
_TYPES: Dict[int, np.dtype[Any]] = {
    0: np.dtype(np.float32),
    _abi.F64: np.dtype(np.float64),
    _abi.BF16: np.dtype(np.float32),
    _abi.INT8: np.dtype(np.float32),
}


def dtype_number(dtype: Any) -> int:
    """elman_dtype of "f32", "f64", "bf16" or "bfloat16", "int8", or what NumPy
    knows as one of the first two."""
    if isinstance(dtype, str) and dtype in (*_abi.COMPUTED, "bfloat16"):
        return _abi.DTYPES.index("bf16" if dtype == "bfloat16" else dtype)
    try:
        return _KINDS[np.dtype(dtype)]
    except (KeyError, TypeError):
        raise ValueError(
            f"dtype is {dtype!r} (float32, float64 or bfloat16)"
        ) from None


def dtype_of(number: int) -> np.dtype[Any]:
    """NumPy's name for the numbers of an elman_dtype."""
    return _TYPES[number]


def dense(name: str, value: Any, dtype: Any) -> Array:
    """The values as that dtype, aligned, the last index fastest."""
    array = np.asarray(value)
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise TypeError(f"{name} is of {array.dtype} (numbers of {dtype})")
    return np.require(array, dtype, ["C", "A"])


def shaped(
    name: str, value: Any, dtype: Any, shape: Sequence[int]
) -> Array:
    """The same, of that shape and no other."""
    array = dense(name, value, dtype)
    if array.shape != tuple(shape):
        raise ValueError(
            f"{name} has shape {array.shape} (not {tuple(shape)})"
        )
    return array


_LARGEST = (1 << 31) - 1  # no token has this number, nor -1


def tokens(value: Any) -> Array:
    """Integers as int32; what is out of range stays so."""
    array = np.asarray(value)
    if array.size == 0:
        array = array.astype(np.int32)
    elif array.dtype.kind == "u":
        array = np.minimum(array, _LARGEST)
    elif array.dtype.kind == "i":
        array = np.clip(array, -1, _LARGEST)
    return dense("ids", array, np.int32)


def address(array: Optional[Array]) -> Optional[int]:
    """Where its elements lie; None, which is NULL, for none."""
    if array is None or array.size == 0:
        return None
    place: int = array.__array_interface__["data"][0]
    return place


class _Memory:
    """Memory of the library's that stays as long as an array looks at it."""

    def __init__(
        self,
        owner: Any,
        pointer: int,
        count: int,
        dtype: Any,
        writable: bool,
    ):
        self.owner = owner
        self.__array_interface__ = {
            "version": 3,
            "shape": (count,),
            "typestr": np.dtype(dtype).str,
            "data": (pointer, not writable),
        }


def memory(
    owner: Any, pointer: int, count: int, dtype: Any, writable: bool
) -> Array:
    """A flat array over the library's memory, which keeps its owner."""
    return np.asarray(_Memory(owner, pointer, count, dtype, writable))


def part(flat: Array, offset: int, shape: Tuple[int, ...]) -> Array:
    """The view of a flat block that has this shape."""
    count = int(np.prod(shape, dtype=np.int64))
    return flat[offset : offset + count].reshape(shape)
