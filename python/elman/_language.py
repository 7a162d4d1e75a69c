# SPDX-License-Identifier: MIT
"""Language models: what `elman train`, `eval` and `sample` do, from Python."""

from __future__ import annotations

import ctypes
import json
import math
import os
import tempfile
import warnings
from ctypes import byref, c_int32
from dataclasses import dataclass
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np

from . import _abi
from ._arrays import Array, address, dtype_of, memory, part
from ._library import (
    Error,
    Handle,
    MismatchError,
    NonfiniteError,
    check,
    choice,
    create,
    integer,
    lib,
    path_bytes,
)
from ._library import context as _context
from ._learner import Learner
from ._network import views_of
from ._texts import (
    PathLike,
    Score,
    Texts,
    encode,
    exp,
    measure,
    open_text,
    paths_of,
    token_bytes,
)

# Random numbers of different purposes come from different streams; the
# command's samples come from this one.
_SAMPLE_STREAM = 5 << 32


@dataclass(frozen=True)
class Report:
    """What one update of a training came to.  Losses are mean nats a token."""

    update: int
    epoch: int
    epoch_end: bool
    tokens: int
    loss: float
    epoch_loss: float
    grad_norm: float
    lr: float
    valid_loss: Optional[float]
    best_valid_loss: Optional[float]
    best_epoch: Optional[int]
    total_updates: int
    nonfinite: Optional[str] = None
    skipped: bool = False

    @property
    def perplexity(self) -> float:
        """exp(loss)."""
        return exp(self.loss)


def _known(x: float) -> Optional[float]:
    return None if math.isnan(x) else x


# ---- Options of a training -------------------------------------------------

# Options, and what they set: a path of fields, and how a value is taken.
_Taken = Callable[[str, Any], Any]


def _one_of(choices: Tuple[str, ...]) -> _Taken:
    return lambda name, value: choice(name, value, choices)


def _dtype(name: str, value: Any) -> int:
    chosen = choice(name, value, _abi.COMPUTED)
    return _abi.DTYPES.index(_abi.COMPUTED[chosen])


def _small(name: str, value: Any) -> int:
    return integer(name, value, 31)


def _seed(name: str, value: Any) -> int:
    return integer(name, value, 64)


def _real(name: str, value: Any) -> float:
    return float(value)


def _flag(name: str, value: Any) -> int:
    return int(bool(value))


_SETS: Dict[str, Tuple[Tuple[str, ...], _Taken]] = {
    "cell": (("model", "cell"), _one_of(_abi.CELLS)),
    "context": (("model", "context"), integer),
    "activation": (("model", "activation"), _one_of(_abi.ACTIVATIONS)),
    "reset": (("model", "reset_before"), _one_of(("after", "before"))),
    "hidden": (("model", "hidden"), integer),
    "layers": (("model", "layers"), _small),
    "embed": (("model", "embed"), integer),
    "dtype": (("model", "dtype"), _dtype),
    "proj": (("model", "proj"), integer),
    "tie": (("model", "tie"), _flag),
    "dropout": (("model", "dropout"), _real),
    "locked": (("model", "locked"), _flag),
    "weight_drop": (("model", "weight_drop"), _real),
    "epochs": (("epochs",), integer),
    "updates": (("updates",), integer),
    "batch": (("batch",), integer),
    "shards": (("shards",), integer),
    "steps": (("steps",), integer),
    "sampling": (("sampling",), _one_of(_abi.SAMPLINGS)),
    "truncation": (("truncation",), _one_of(_abi.TRUNCATIONS)),
    "back": (("back",), integer),
    "cut": (("cut",), _real),
    "loss": (("loss",), _one_of(_abi.REDUCTIONS)),
    "seed": (("seed",), _seed),
    "valid_fraction": (("valid_fraction",), _real),
    "stop_after": (("stop_after",), integer),
    "average": (("average",), _real),
    "on_nonfinite": (("on_nonfinite",), _one_of(_abi.NONFINITES)),
    "memory": (("memory",), integer),
    "optimizer": (("optimizer", "kind"), _one_of(_abi.OPTIMIZERS)),
    "momentum": (("optimizer", "momentum"), _real),
    "weight_decay": (("optimizer", "weight_decay"), _real),
    "clip": (("optimizer", "clip"), _real),
    "schedule": (("schedule", "kind"), _one_of(_abi.SCHEDULES)),
    "lr": (("schedule", "lr"), _real),
    "gamma": (("schedule", "gamma"), _real),
    "every": (("schedule", "every"), integer),
    "warmup": (("schedule", "warmup"), integer),
    "floor": (("schedule", "floor"), _real),
    "patience": (("schedule", "patience"), integer),
}

# The command's defaults, but for those that depend on other options.
_DEFAULTS: Dict[str, Any] = {
    "cell": "elman",
    "hidden": 256,
    "layers": 1,
    "epochs": 20,
    "batch": 32,
    "steps": 35,
    "truncation": "regular",
    "optimizer": "adam",
    "clip": 1.0,
    "schedule": "cosine",
}
_RATES = {
    "sgd": 1.0,
    "momentum": 0.1,
    "adam": 0.005,
    "adamw": 0.005,
    "rmsprop": 0.001,
}

# The first option means something only where the second has this value; and
# what it is there, if it is not given.
_OWNED: Tuple[Tuple[str, str, str, Any], ...] = (
    ("context", "cell", "none", 4),
    ("proj", "cell", "lstm", 0),
    ("reset", "cell", "gru", "after"),
    ("back", "truncation", "regular", 0),
    ("cut", "truncation", "random", 0.5),
    ("momentum", "optimizer", "momentum", 0.9),
    ("gamma", "schedule", "step", 0.1),
    ("every", "schedule", "step", 1000),
    ("warmup", "schedule", "cosine", 0),
    ("floor", "schedule", "cosine", 0.0),
    ("patience", "schedule", "halve", 1),
)


# What a model that is gone on from says itself.
_INHERITED = (
    "cell",
    "context",
    "activation",
    "reset",
    "hidden",
    "layers",
    "embed",
    "proj",
    "tie",
)
_OF_VOCABULARY = ("level", "normalize", "min_count", "vocab_size")


def _completed(
    given: Dict[str, Any], level: str, *, network: bool = True
) -> Dict[str, Any]:
    """The options of a new run: what was given, and the command's defaults;
    without a network's where a model says those."""
    usual_ones = {
        name: value
        for name, value in _DEFAULTS.items()
        if network or name not in _INHERITED
    }
    options = {**usual_ones, **given}
    if given.get("updates") and "epochs" not in given:
        options["epochs"] = 0
    for name, owner, value, usual in _OWNED:
        if owner not in options:
            continue
        if options[owner] == value:
            options.setdefault(name, usual)
        elif name in given:
            raise ValueError(
                f"{name} means nothing with {owner}={options[owner]!r} (it "
                f"needs {owner}={value!r})"
            )
    if given.get("locked") and not given.get("dropout"):
        raise ValueError("locked says nothing without dropout")
    choice("optimizer", options["optimizer"], _abi.OPTIMIZERS)
    options.setdefault("lr", _RATES[options["optimizer"]])
    if network and "embed" not in given:
        width = options.get("proj") or options["hidden"]
        words = 128 if level == "word" else 0
        options["embed"] = width if options.get("tie") else words
    return options


def _describe(desc: _abi.TrainDesc, options: Dict[str, Any]) -> None:
    """Writes options into a descriptor."""
    for name, value in options.items():
        (*path, field), take = _SETS[name]
        target: Any = desc
        for step in path:
            target = getattr(target, step)
        setattr(target, field, take(name, value))
    desc.optimizer.dtype = desc.model.dtype


# ---- Training --------------------------------------------------------------


def _check_places(
    places: Sequence[Optional[PathLike]], texts: Sequence[bytes]
) -> None:
    """What is to be written, later on, must not be a text, and must look as if
    it could be written."""
    for place in places:
        if place is None:
            continue
        path = path_bytes(place)
        folder = os.path.dirname(path) or b"."
        if os.path.isdir(path) or not os.access(folder, os.W_OK | os.X_OK):
            raise OSError(f"{os.fsdecode(path)}: cannot be written")
        for text in texts:
            if os.path.exists(path) and os.path.exists(text):
                if os.path.samefile(path, text):
                    raise ValueError(
                        f"{os.fsdecode(path)}: is one of the texts, and would "
                        "be overwritten"
                    )


class _Training:
    """A trainer, its texts, and what is written beside it."""

    def __init__(
        self,
        owner: Handle,
        texts: Texts,
        given: Dict[str, Any],
        *,
        level: Optional[str],
        normalize: Optional[str],
        min_count: int,
        vocab_size: int,
        max_tokens: int,
        valid: Optional[Texts],
        resume: Optional[PathLike],
        begin: Optional[LanguageModel],
    ) -> None:
        self.owner = owner
        self.update = 0
        self.kept = 0  # the last update that a checkpoint holds
        desc = _abi.TrainDesc()
        vocab: Optional[Handle] = None
        known: Optional[int] = None  # the vocabulary that there is
        if begin is not None:
            self._adopt(begin, desc, given)
            known = begin._vocab
        elif resume is None:
            level = level or "char"
            _describe(desc, _completed(given, level))
        else:
            if min_count != 1 or vocab_size != 0:
                raise ValueError(
                    "min_count and vocab_size mean nothing with resume (the "
                    "checkpoint has the vocabulary)"
                )
            vocab = self._recall(resume, desc)
            _describe(desc, given)
            self._agree(vocab, level, normalize)
            known = vocab.pointer
        self.text = open_text(
            owner,
            texts,
            level=choice("level", level or "char", _abi.LEVELS),
            normalize=choice(
                "normalize", normalize or "none", _abi.NORMALIZES
            ),
            max_tokens=integer("max_tokens", max_tokens),
            min_count=integer("min_count", min_count),
            vocab_size=integer("vocab_size", vocab_size),
            held_out=desc.valid_fraction,
            vocab=known,
        )
        self.valid: Optional[Handle] = None
        if valid is not None:
            self.valid = open_text(
                owner,
                valid,
                vocab=lib.elman_text_vocab(self.text.pointer),
            )
        if resume is None:
            self.trainer = self._make(lib.elman_trainer_create, desc)
        else:
            self.trainer = self._go_on(path_bytes(resume), desc)
        self.total: int = lib.elman_trainer_total_updates(
            self.trainer.pointer
        )

    @staticmethod
    def _adopt(
        model: LanguageModel, desc: _abi.TrainDesc, given: Dict[str, Any]
    ) -> None:
        """The network is the model's, and the weights are to begin as its."""
        lib.elman_lm_describe(model._handle.pointer, byref(desc.model))
        desc.model.inference_only = 0
        setattr(desc, "from", model._handle.pointer)
        _describe(desc, _completed(given, model.level, network=False))

    def _recall(self, path: PathLike, desc: _abi.TrainDesc) -> Handle:
        return create(
            lib.elman_checkpoint_describe,
            lib.elman_vocab_destroy,
            self.owner.pointer,
            path_bytes(path),
            byref(desc),
            owners=(self.owner,),
        )

    @staticmethod
    def _agree(
        vocab: Handle, level: Optional[str], normalize: Optional[str]
    ) -> None:
        kept = (
            _abi.LEVELS[lib.elman_vocab_level(vocab.pointer)],
            _abi.NORMALIZES[lib.elman_vocab_normalize(vocab.pointer)],
        )
        for name, now, then in (
            ("level", level, kept[0]),
            ("normalize", normalize, kept[1]),
        ):
            if now is not None and now != then:
                raise MismatchError(
                    f"the checkpoint has {name}={then!r}, which cannot become "
                    f"{now!r}"
                )

    def _make(
        self, function: Callable[..., int], desc: _abi.TrainDesc
    ) -> Handle:
        return create(
            function,
            lib.elman_trainer_destroy,
            self.owner.pointer,
            byref(desc),
            self.text.pointer,
            self.valid.pointer if self.valid else None,
            owners=(self.owner, self.text, self.valid),
        )

    def _go_on(self, path: bytes, desc: _abi.TrainDesc) -> Handle:
        """The trainer that a checkpoint, or one of those before it, holds."""
        used = ctypes.create_string_buffer(4096)
        trainer = self._make(
            lambda *a: lib.elman_trainer_resume(
                *a[:4], path, a[4], used, len(used), None
            ),
            desc,
        )
        if used.value != path:
            why = lib.elman_message().decode("utf-8", "replace")
            warnings.warn(
                f"{why} (going on from {os.fsdecode(used.value)})",
                stacklevel=5,
            )
        return trainer

    def step(self) -> Optional[Report]:
        """One update; None: nothing was left to do."""
        r = _abi.TrainReport()
        check(lib.elman_trainer_step(self.trainer.pointer, byref(r)))
        if r.done:
            return None
        self.update = r.update
        best = _known(r.best_valid_loss)
        return Report(
            update=r.update,
            epoch=r.epoch,
            epoch_end=bool(r.epoch_end),
            tokens=r.tokens,
            loss=r.loss,
            epoch_loss=r.epoch_loss,
            grad_norm=r.grad_norm,
            lr=r.lr,
            valid_loss=_known(r.valid_loss),
            best_valid_loss=best,
            best_epoch=None if best is None else r.best_epoch,
            total_updates=self.total,
            nonfinite=r.nonfinite.decode() if r.nonfinite else None,
            skipped=bool(r.skipped),
        )

    def run(
        self,
        callback: Optional[Callable[[Report], Any]],
        checkpoint: Optional[PathLike],
        every: int,
    ) -> None:
        """Updates until the end, or until the callback returns False."""
        try:
            for report in iter(self.step, None):
                due = (
                    report.update % every == 0 if every else report.epoch_end
                )
                if due:
                    self.checkpoint(checkpoint)
                if callback is not None and callback(report) is False:
                    break
        except NonfiniteError:
            self.checkpoint(checkpoint)  # of what stood before the update
            raise
        except Error:
            raise
        except BaseException:
            self.checkpoint(checkpoint)
            raise
        self.checkpoint(checkpoint)

    def checkpoint(self, path: Optional[PathLike]) -> None:
        """Writes one, if there is a place for it and an update to keep."""
        if path is None or self.update == self.kept:
            return
        check(
            lib.elman_trainer_checkpoint(
                self.trainer.pointer, path_bytes(path), 0
            )
        )
        self.kept = self.update

    def save(self, path: PathLike) -> None:
        """The best model, if there was a validation, else the last one."""
        check(lib.elman_trainer_save(self.trainer.pointer, path_bytes(path)))


# ---- Models ----------------------------------------------------------------


class LanguageModel:
    """A model that was loaded or trained; it is not changed any more."""

    def __init__(self, handle: Handle, owner: Handle) -> None:
        """Use load or train."""
        self._handle = handle
        self._owner = owner
        desc = _abi.LmDesc()
        lib.elman_lm_describe(handle.pointer, byref(desc))
        self._vocab: int = lib.elman_lm_vocab(handle.pointer)
        self._computes: int = desc.dtype
        self.dtype = dtype_of(desc.dtype)
        self.cell = _abi.CELLS[desc.cell]
        self.activation = _abi.ACTIVATIONS[desc.activation]
        self.hidden_size: int = desc.hidden
        self.num_layers: int = max(desc.layers, 1)
        self.embedding_size: int = desc.embed
        self.context_size: int = desc.context
        self.proj_size: int = desc.proj
        self.tied = bool(desc.tie)
        self.level = _abi.LEVELS[lib.elman_vocab_level(self._vocab)]
        self.normalize = _abi.NORMALIZES[
            lib.elman_vocab_normalize(self._vocab)
        ]

    def __repr__(self) -> str:
        return (
            f"<elman.LanguageModel: {self.cell}, {self.num_layers} x "
            f"{self.hidden_size}, {len(self)} tokens ({self.level}), "
            f"{self.num_parameters()} parameters>"
        )

    def __len__(self) -> int:
        """V, the number of tokens."""
        return int(lib.elman_vocab_size(self._vocab))

    # ---- Made ---------------------------------------------------------------

    @classmethod
    def load(
        cls,
        path: PathLike,
        *,
        threads: Optional[int] = None,
        isa: Optional[str] = None,
    ) -> LanguageModel:
        """Reads a model file, or a checkpoint."""
        owner = _context(threads, isa)

        def read(function: Callable[..., int], *dtype: int) -> LanguageModel:
            handle = create(
                function,
                lib.elman_lm_destroy,
                owner.pointer,
                path_bytes(path),
                *dtype,
                owners=(owner,),
            )
            return cls(handle, owner)

        model = read(lib.elman_lm_load_inference, _abi.DTYPE_OWN)
        if model._computes == _abi.BF16:  # That could not be saved again.
            model = read(lib.elman_lm_load)
        return model

    @classmethod
    def _from_bytes(cls, data: bytes) -> LanguageModel:
        with tempfile.TemporaryDirectory(prefix="elman-") as folder:
            path = Path(folder) / "model.safetensors"
            path.write_bytes(data)
            return cls.load(path)

    def __reduce__(self) -> Any:
        """A pickle holds the model file."""
        with tempfile.TemporaryDirectory(prefix="elman-") as folder:
            path = Path(folder) / "model.safetensors"
            self.save(path)
            return (LanguageModel._from_bytes, (path.read_bytes(),))

    def save(self, path: PathLike) -> None:
        """Writes a model file, whole or not at all."""
        check(lib.elman_lm_save(self._handle.pointer, path_bytes(path)))

    @classmethod
    def train(
        cls,
        texts: Texts,
        *,
        output: Optional[PathLike] = None,
        callback: Optional[Callable[[Report], Any]] = None,
        level: Optional[str] = None,
        normalize: Optional[str] = None,
        min_count: int = 1,
        vocab_size: int = 0,
        max_tokens: int = 0,
        cell: Optional[str] = None,
        context: Optional[int] = None,
        activation: Optional[str] = None,
        reset: Optional[str] = None,
        hidden: Optional[int] = None,
        layers: Optional[int] = None,
        embed: Optional[int] = None,
        dtype: Optional[str] = None,
        proj: Optional[int] = None,
        tie: Optional[bool] = None,
        epochs: Optional[int] = None,
        updates: Optional[int] = None,
        batch: Optional[int] = None,
        shards: Optional[int] = None,
        steps: Optional[int] = None,
        sampling: Optional[str] = None,
        truncation: Optional[str] = None,
        back: Optional[int] = None,
        cut: Optional[float] = None,
        optimizer: Optional[str] = None,
        lr: Optional[float] = None,
        momentum: Optional[float] = None,
        weight_decay: Optional[float] = None,
        clip: Optional[float] = None,
        dropout: Optional[float] = None,
        locked: Optional[bool] = None,
        weight_drop: Optional[float] = None,
        average: Optional[float] = None,
        loss: Optional[str] = None,
        schedule: Optional[str] = None,
        gamma: Optional[float] = None,
        every: Optional[int] = None,
        warmup: Optional[int] = None,
        floor: Optional[float] = None,
        patience: Optional[int] = None,
        seed: Optional[int] = None,
        valid: Optional[Texts] = None,
        valid_fraction: Optional[float] = None,
        stop_after: Optional[int] = None,
        on_nonfinite: Optional[str] = None,
        memory: Optional[int] = None,
        checkpoint: Optional[PathLike] = None,
        checkpoint_every: int = 0,
        resume: Optional[PathLike] = None,
        from_: Optional[Union[PathLike, LanguageModel]] = None,
        threads: Optional[int] = None,
        isa: Optional[str] = None,
    ) -> LanguageModel:
        """Learns from text files; the options are those of `elman train`, with
        its defaults, and give the same model to the byte.

        callback is called with a Report after every update, and ends the run
        where it returns False.  With checkpoint one is also written when the
        run is left by an exception, Ctrl-C among them.  output is where the
        model file goes; without it the model is in memory alone.  With resume
        the options are the checkpoint's, and those that are given must agree
        with it, but for epochs and updates.  from_ is a model, or the path of
        one, whose weights the run begins with; the network, the vocabulary and
        by default dtype are that model's.
        """
        arguments = locals()
        given = {
            name: arguments[name]
            for name in _SETS
            if arguments[name] is not None
        }
        read = paths_of(texts) + (paths_of(valid) if valid is not None else [])
        _check_places((output, checkpoint), read)
        begin: Optional[LanguageModel] = None
        if from_ is not None:
            if resume is not None:
                raise ValueError(
                    "from_ begins a run, and resume goes on with one (the "
                    "checkpoint has the weights)"
                )
            defaults = {"min_count": 1, "vocab_size": 0}
            for name in _INHERITED + _OF_VOCABULARY:
                if arguments[name] != defaults.get(name):
                    raise ValueError(
                        f"{name} means nothing with from_, whose model says it"
                    )
            begin = (
                from_
                if isinstance(from_, LanguageModel)
                else cls.load(from_, threads=threads, isa=isa)
            )
        training = _Training(
            _context(threads, isa),
            texts,
            given,
            level=level,
            normalize=normalize,
            min_count=min_count,
            vocab_size=vocab_size,
            max_tokens=max_tokens,
            valid=valid,
            resume=resume,
            begin=begin,
        )
        every_update = integer("checkpoint_every", checkpoint_every)
        training.run(callback, checkpoint, every_update)
        if output is not None:
            training.save(output)
            return cls.load(output, threads=threads, isa=isa)
        with tempfile.TemporaryDirectory(prefix="elman-") as folder:
            path = Path(folder) / "model.safetensors"
            training.save(path)
            return cls.load(path, threads=threads, isa=isa)

    # ---- Known --------------------------------------------------------------

    def num_parameters(self) -> int:
        """How many weights there are."""
        return int(lib.elman_lm_parameters(self._handle.pointer))

    @property
    def history(self) -> Dict[str, Any]:
        """How the model was trained; empty if that is not known."""
        text = lib.elman_lm_history(self._handle.pointer).decode()
        history: Dict[str, Any] = json.loads(text) if text else {}
        return history

    @property
    def vocabulary(self) -> List[bytes]:
        """Every token's bytes, in order of id."""
        return [token_bytes(self._vocab, i) for i in range(len(self))]

    def state_dict(self) -> Dict[str, Array]:
        """Every weight by the name that it has in the file: views that can be
        read only."""
        flat = memory(
            self._handle,
            lib.elman_lm_weights(self._handle.pointer),
            self.num_parameters(),
            self.dtype,
            False,
        )
        views = views_of(
            self._handle, lib.elman_lm_view_count, lib.elman_lm_view
        )
        return {v.name: part(flat, v.offset, v.shape) for v in views}

    def encode(self, text: str) -> Array:
        """The ids of a text's tokens."""
        return encode(self._vocab, text)

    # ---- Measured -----------------------------------------------------------

    def evaluate(self, texts: Texts, *, max_tokens: int = 0) -> Score:
        """Predicts every token of the text files but the first one, each from
        all before it."""
        return measure(
            lib.elman_lm_eval,
            self._handle,
            self._owner,
            self._vocab,
            texts,
            max_tokens,
        )

    def perplexity(self, texts: Texts, *, max_tokens: int = 0) -> float:
        """evaluate, and of that the perplexity."""
        return self.evaluate(texts, max_tokens=max_tokens).perplexity

    def learner(
        self,
        *,
        lr: Optional[float] = None,
        steps: int = 32,
        optimizer: str = "rmsprop",
        clip: float = 1.0,
        pull: float = 0.001,
    ) -> Learner:
        """A copy that goes on learning from what it reads; the options are
        those of `elman eval --dynamic`, with its defaults."""
        with tempfile.TemporaryDirectory(prefix="elman-") as folder:
            path = Path(folder) / "model.safetensors"
            self.save(path)
            copy = create(
                lib.elman_lm_load,
                lib.elman_lm_destroy,
                self._owner.pointer,
                path_bytes(path),
                owners=(self._owner,),
            )
        return Learner(
            copy,
            self._owner,
            lr=lr,
            steps=steps,
            optimizer=optimizer,
            clip=clip,
            pull=pull,
        )

    # ---- Writing ------------------------------------------------------------

    def sample(
        self,
        prompt: Optional[str] = None,
        *,
        length: int = 500,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        greedy: bool = False,
        allow_unk: bool = False,
        seed: int = 0,
    ) -> str:
        """The prompt, and how the model goes on for length tokens: what
        `elman sample` prints.  Bytes that are no UTF-8 become U+FFFD."""
        return b"".join(
            self.write(
                prompt,
                length=length,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                greedy=greedy,
                allow_unk=allow_unk,
                seed=seed,
            )
        ).decode("utf-8", "replace")

    def write(
        self,
        prompt: Optional[str] = None,
        *,
        length: int = 500,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        greedy: bool = False,
        allow_unk: bool = False,
        seed: int = 0,
    ) -> Iterator[bytes]:
        """The same, piece by piece as they are chosen."""
        sampler = _abi.Sampler(
            temperature=float(temperature),
            top_k=integer("top_k", top_k),
            top_p=float(top_p),
            greedy=bool(greedy),
        )
        ids = self._default_prompt() if prompt is None else self.encode(prompt)
        if len(ids) == 0:
            raise ValueError("the prompt has no token in it")
        if integer("length", length) < 0:
            raise ValueError(f"length is {length} (0 or more)")
        return self._written(
            sampler,
            ids,
            prompt is not None,
            integer("length", length),
            allow_unk or self.level == "byte" or len(self) < 2,
            integer("seed", seed, 64),
        )

    def _written(
        self,
        sampler: _abi.Sampler,
        ids: Array,
        shown: bool,
        length: int,
        allow_unk: bool,
        seed: int,
    ) -> Iterator[bytes]:
        state = create(
            lib.elman_lm_state_create,
            lib.elman_lm_state_destroy,
            self._handle.pointer,
            1,
            owners=(self._handle,),
        )
        logits = np.empty(len(self), self.dtype)
        spoken = _Spoken(self)
        for id in ids.tolist():
            self._step(state, id, logits)
            if shown:
                yield spoken.say(id)
        chosen = c_int32()
        for k in range(length):
            if not allow_unk:
                logits[0] = -math.inf
            uniform = lib.elman_random_uniform(seed, _SAMPLE_STREAM, k)
            check(
                lib.elman_lm_choose(
                    self._handle.pointer,
                    byref(sampler),
                    address(logits),
                    uniform,
                    byref(chosen),
                )
            )
            yield spoken.say(chosen.value)
            self._step(state, chosen.value, logits)

    def _step(self, state: Handle, id: int, logits: Array) -> None:
        check(
            lib.elman_lm_step(
                self._handle.pointer,
                state.pointer,
                byref(c_int32(id)),
                address(logits),
            )
        )

    def _single(self, text: str) -> int:
        """The one token that text is; -1 if it is not one that is known."""
        ids = self.encode(text)
        if len(ids) != 1 or (self.level != "byte" and ids[0] == 0):
            return -1
        return int(ids[0])

    def _default_prompt(self) -> Array:
        """Where a line begins, or after a blank, or after the first token."""
        id = self._single("\n")
        if id < 0:
            id = self._single(" ")
        if id < 0:
            id = int(self.level != "byte" and len(self) > 1)
        return np.array([id], np.int32)


class _Spoken:
    """Tokens as text: words are set apart by blanks, lines by <eos>."""

    def __init__(self, model: LanguageModel) -> None:
        self._vocab = model._vocab
        self._words = model.level == "word"
        self._end = model._single("\n") if self._words else -1
        self._inside = False

    def say(self, id: int) -> bytes:
        token = (
            b"\n" if id == self._end else token_bytes(self._vocab, id)
        )
        blank = b" " if self._words and self._inside and token != b"\n" else b""
        if token:
            self._inside = not token.endswith(b"\n")
        return blank + token
