# SPDX-License-Identifier: MIT
"""The shared library, its errors as exceptions, and what its handles are.

ctypes gives the interpreter's lock back for as long as a call runs, so that
Python's other threads go on.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import byref, c_void_p
from operator import index
from pathlib import Path
from threading import Lock
from typing import Any, Callable, Dict, Optional, Set, Tuple, Type

from . import _abi

# ---- Errors ----------------------------------------------------------------


class Error(Exception):
    """What the library could not do, in its own sentence.

    `status` is the status's name, such as "ELMAN_EIO".  Every error is also of
    the built-in class that Python has for its kind.
    """

    status = ""


class InvalidError(Error, ValueError):
    """ELMAN_EINVAL: an argument is wrong."""

    status = "ELMAN_EINVAL"


class OutOfMemoryError(Error, MemoryError):
    """ELMAN_ENOMEM: memory ran out."""

    status = "ELMAN_ENOMEM"


class FileError(Error, OSError):
    """ELMAN_EIO: a file could not be read or written."""

    status = "ELMAN_EIO"


class FormatError(Error, ValueError):
    """ELMAN_EFORMAT: a file is not what it should be."""

    status = "ELMAN_EFORMAT"


class TextError(Error, ValueError):
    """ELMAN_ETEXT: a text cannot be used."""

    status = "ELMAN_ETEXT"


class MismatchError(Error, ValueError):
    """ELMAN_EMISMATCH: two things that must agree do not."""

    status = "ELMAN_EMISMATCH"


class UnsupportedError(Error, NotImplementedError):
    """ELMAN_EUNSUPPORTED: this build or machine cannot do that."""

    status = "ELMAN_EUNSUPPORTED"


class NonfiniteError(Error, ArithmeticError):
    """ELMAN_ENONFINITE: a number is infinite, or is none."""

    status = "ELMAN_ENONFINITE"


_ERRORS: Dict[int, Type[Error]] = {
    _abi.STATUSES.index(kind.status): kind for kind in Error.__subclasses__()
}

# ---- The library -----------------------------------------------------------


def _candidates() -> Tuple[str, ...]:
    """Where it may lie: named by the environment, beside this file, where it
    was built, where the system has it."""
    named = os.environ.get("ELMAN_LIBRARY")
    if named:
        return (named,)
    here = Path(__file__).resolve().parent
    places = (
        here / "libelman.so",
        here.parent.parent / "build" / "release" / "libelman.so",
    )
    system = f"libelman.so.{_abi.VERSION}"
    return tuple(str(p) for p in places if p.exists()) + (system,)


def _open() -> ctypes.CDLL:
    path = _candidates()[0]
    try:
        library = ctypes.CDLL(path)
    except OSError as reason:
        raise ImportError(
            f"libelman could not be loaded: {reason} (ELMAN_LIBRARY names it)"
        ) from None
    for name, (result, parameters) in _abi.FUNCTIONS.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise ImportError(f"{path}: has no {name}") from None
        function.restype = result
        function.argtypes = parameters
    version = library.elman_version().decode()
    if version.split(".")[:2] != _abi.VERSION.split("."):
        raise ImportError(f"{path}: is elman {version} (not {_abi.VERSION})")
    return library


lib = _open()
__version__: str = lib.elman_version().decode()


def check(status: int) -> None:
    """Raises what a status means.  The sentence is this thread's own."""
    if status:
        kind = _ERRORS.get(status, Error)
        error = kind(lib.elman_message().decode("utf-8", "replace"))
        error.status = lib.elman_status_name(status).decode()
        raise error


# ---- Handles ---------------------------------------------------------------


class Handle:
    """Something of the library's that is destroyed when nobody holds it.

    What was made from an owner is destroyed before its owner is, in whatever
    order the garbage collector comes upon them.  Sets and lists are changed by
    single calls that no other thread can come between.
    """

    __slots__ = (
        "pointer",
        "_alive",
        "_destroy",
        "_owners",
        "_made",
        "_dropped",
    )

    def __init__(
        self,
        pointer: int,
        destroy: Callable[[Any], Any],
        *owners: Optional[Handle],
    ) -> None:
        self.pointer = pointer
        self._alive = [pointer]
        self._destroy = destroy
        self._owners = tuple(owner for owner in owners if owner is not None)
        self._made: Set[int] = set()
        self._dropped = False
        for owner in self._owners:
            owner._made.add(id(self))

    def __reduce__(self) -> Any:
        raise TypeError("what the library made cannot be copied or pickled")

    def __del__(self) -> None:
        self._dropped = True
        self._let_go()

    def _let_go(self) -> None:
        if self._made:
            return
        try:
            pointer = self._alive.pop()
        except IndexError:
            return
        self._destroy(byref(c_void_p(pointer)))
        for owner in self._owners:
            owner._made.discard(id(self))
            if owner._dropped:
                owner._let_go()


def create(
    function: Callable[..., int],
    destroy: Callable[[Any], Any],
    *arguments: Any,
    owners: Tuple[Optional[Handle], ...] = (),
) -> Handle:
    """Calls function(*arguments, &pointer), and keeps what it made."""
    out = c_void_p()
    check(function(*arguments, byref(out)))
    assert out.value is not None
    return Handle(out.value, destroy, *owners)


# ---- Contexts --------------------------------------------------------------

_contexts: Dict[Tuple[int, Optional[str]], Handle] = {}
_contexts_lock = Lock()
_threads = 1


def set_num_threads(threads: int) -> None:
    """How many threads what is made from now on computes with, where it is not
    told otherwise; -1: every core that the process may use.  It starts as 1.
    No result depends on it."""
    global _threads
    context(threads, None)
    _threads = threads


def get_num_threads() -> int:
    """What set_num_threads was told."""
    return _threads


def context(threads: Optional[int], isa: Optional[str]) -> Handle:
    """The context of so many threads and that cpu level; one for all."""
    number = _threads if threads is None else integer("threads", threads, 31)
    key = (number, isa)
    with _contexts_lock:
        if key not in _contexts:
            desc = _abi.ContextDesc(threads=key[0])
            if isa is not None:
                desc.isa = isa.encode()
            _contexts[key] = create(
                lib.elman_context_create,
                lib.elman_context_destroy,
                byref(desc),
            )
        return _contexts[key]


def machine(
    threads: Optional[int] = None, isa: Optional[str] = None
) -> Dict[str, Any]:
    """The cpu level and the threads that are used, and what the machine has."""
    out = _abi.Machine()
    lib.elman_context_machine(context(threads, isa).pointer, byref(out))
    return {
        "version": lib.elman_version().decode(),
        "isa": out.isa.decode(),
        "isa_all": out.isa_all.decode().split(),
        "cpu": out.cpu.decode("utf-8", "replace"),
        "threads": out.threads,
        "cores": out.cores,
        "l1d": out.l1d,
        "l2": out.l2,
        "l3": out.l3,
        "bf16": out.bf16.decode(),
    }


def integer(name: str, value: Any, bits: int = 63) -> int:
    """A whole number that fits; the library says the rest."""
    try:
        number = index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r} (a whole number)") from None
    if not -(1 << min(bits, 63)) <= number < 1 << bits:
        raise ValueError(f"{name} is {number}, which is out of range")
    return number


def choice(name: str, value: str, choices: Tuple[str, ...]) -> int:
    """The number of one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r} ({', '.join(choices)})")
    return choices.index(value)


def path_bytes(path: Any) -> bytes:
    """A path as the library takes it."""
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("a path has a NUL in it")
    return name
