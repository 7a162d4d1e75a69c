# SPDX-License-Identifier: MIT
"""What of elman.h this package calls: structures, enumerations, functions.

Fields and parameters stand in the header's order and have its types.
tests/python/abi.py compares every size, offset, default, enumerator and
prototype with the header, by way of the C compiler.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    POINTER,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_int64,
    c_size_t,
    c_uint64,
    c_void_p,
)
from typing import Any, ClassVar, Dict, List, Tuple

# Major and minor: below 1.0 a minor version may change what stands here.
VERSION = "0.1"

# ---- Enumerations: the values are places in these tuples -------------------

STATUSES = (
    "ELMAN_OK",
    "ELMAN_EINVAL",
    "ELMAN_ENOMEM",
    "ELMAN_EIO",
    "ELMAN_EFORMAT",
    "ELMAN_ETEXT",
    "ELMAN_EMISMATCH",
    "ELMAN_EUNSUPPORTED",
    "ELMAN_ENONFINITE",
)
DTYPES = ("f32", "f64", "i64", "i32", "u8", "bf16", "int8", "i8")
COMPUTED = ("f32", "f64", "bf16", "int8")  # what networks compute in
F64 = DTYPES.index("f64")
BF16 = DTYPES.index("bf16")
INT8 = DTYPES.index("int8")
DTYPE_OWN = -1  # of load_inference: what the file says
CELLS = ("elman", "none", "lstm", "gru")
ACTIVATIONS = ("tanh", "relu")
REDUCTIONS = ("mean", "sum")
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw", "rmsprop")
SCHEDULES = ("constant", "step", "cosine", "halve")
LEVELS = ("char", "word", "byte")
NORMALIZES = ("none", "letters")
SAMPLINGS = ("sequential", "random")
NONFINITES = ("stop", "skip")
TRUNCATIONS = ("regular", "random", "none")
DECODES = ("all", "last", "final")


# ---- Structures ------------------------------------------------------------


class Struct(ctypes.Structure):
    """One of elman.h's, which starts as its macro does."""

    _defaults_: ClassVar[Dict[str, Any]] = {}

    def __init__(self, **fields: Any) -> None:
        super().__init__()
        for name, kind in self._fields_:
            if name == "struct_size":
                self.struct_size = ctypes.sizeof(self)
            elif isinstance(kind, type) and issubclass(kind, Struct):
                setattr(self, name, kind())
        for name, value in {**self._defaults_, **fields}.items():
            setattr(self, name, value)


_Fields = List[Any]


class Allocator(Struct):
    _fields_: _Fields = [
        ("alloc", c_void_p),
        ("free", c_void_p),
        ("user", c_void_p),
    ]


class Executor(Struct):
    _fields_: _Fields = [
        ("threads", c_int),
        ("run", c_void_p),
        ("user", c_void_p),
    ]


class ContextDesc(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("allocator", Allocator),
        ("executor", Executor),
        ("threads", c_int),
        ("isa", c_char_p),
    ]


class Machine(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("isa", c_char_p),
        ("isa_all", c_char_p),
        ("cpu", c_char_p),
        ("threads", c_int),
        ("cores", c_int),
        ("l1d", c_int64),
        ("l2", c_int64),
        ("l3", c_int64),
        ("bf16", c_char_p),
    ]


class View(Struct):
    _fields_: _Fields = [
        ("name", c_char_p),
        ("rank", c_int),
        ("shape", c_int64 * 4),
        ("offset", c_int64),
        ("count", c_int64),
    ]


class RnnDesc(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("cell", c_int),
        ("activation", c_int),
        ("dtype", c_int),
        ("input", c_int64),
        ("hidden", c_int64),
        ("layers", c_int),
        ("no_bias", c_int),
        ("inference_only", c_int),
        ("proj", c_int64),
        ("bidirectional", c_int),
        ("reset_before", c_int),
        ("single", c_int),
        ("dropout", c_double),
        ("locked", c_int),
        ("weight_drop", c_double),
    ]


class TapeDesc(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("steps", c_int64),
        ("batch", c_int64),
        ("inference_only", c_int),
        ("memory", c_int64),
    ]


class Sequences(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("steps", c_int64),
        ("batch", c_int64),
        ("lengths", c_void_p),
        ("batch_first", c_int),
        ("x", c_void_p),
        ("h0", c_void_p),
        ("c0", c_void_p),
        ("y", c_void_p),
        ("hT", c_void_p),
        ("cT", c_void_p),
        ("train", c_int),
        ("seed", c_uint64),
        ("draw", c_uint64),
        ("ids", c_void_p),
    ]


class Gradients(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("dy", c_void_p),
        ("dhT", c_void_p),
        ("dcT", c_void_p),
        ("dx", c_void_p),
        ("dh0", c_void_p),
        ("dc0", c_void_p),
        ("grad", c_void_p),
    ]


class XentDesc(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("dtype", c_int),
        ("rows", c_int64),
        ("classes", c_int64),
        ("reduction", c_int),
        ("scale", c_double),
        ("label_smoothing", c_double),
        ("class_weight", c_void_p),
    ]


class OptimizerDesc(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("kind", c_int),
        ("dtype", c_int),
        ("momentum", c_double),
        ("beta1", c_double),
        ("beta2", c_double),
        ("alpha", c_double),
        ("eps", c_double),
        ("weight_decay", c_double),
        ("clip", c_double),
    ]
    _defaults_ = {
        "momentum": 0.9,
        "beta1": 0.9,
        "beta2": 0.999,
        "alpha": 0.99,
        "eps": 1e-8,
    }


class Schedule(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("kind", c_int),
        ("lr", c_double),
        ("gamma", c_double),
        ("every", c_int64),
        ("warmup", c_int64),
        ("total", c_int64),
        ("floor", c_double),
        ("patience", c_int64),
    ]


class TextDesc(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("paths", POINTER(c_char_p)),
        ("path_count", c_int),
        ("level", c_int),
        ("normalize", c_int),
        ("max_tokens", c_int64),
        ("vocab", c_void_p),
        ("held_out", c_double),
        ("min_count", c_int64),
        ("vocab_size", c_int64),
    ]


class LmDesc(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("cell", c_int),
        ("activation", c_int),
        ("dtype", c_int),
        ("hidden", c_int64),
        ("layers", c_int),
        ("embed", c_int64),
        ("context", c_int64),
        ("proj", c_int64),
        ("reset_before", c_int),
        ("tie", c_int),
        ("dropout", c_double),
        ("locked", c_int),
        ("weight_drop", c_double),
        ("inference_only", c_int),
    ]


class NetworkDesc(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("rnn", RnnDesc),
        ("vocab", c_int64),
        ("embed", c_int64),
        ("outputs", c_int64),
        ("no_decoder_bias", c_int),
        ("tie", c_int),
        ("decode", c_int),
    ]


class Tensor(Struct):
    _fields_: _Fields = [
        ("name", c_char_p),
        ("dtype", c_int),
        ("rank", c_int),
        ("shape", c_int64 * 8),
        ("count", c_int64),
        ("data", c_void_p),
    ]


class LmScore(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("tokens", c_int64),
        ("unknown", c_int64),
        ("nats", c_double),
        ("chars", c_double),
    ]


class Sampler(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("temperature", c_double),
        ("top_k", c_int64),
        ("top_p", c_double),
        ("greedy", c_int),
    ]
    _defaults_ = {"temperature": 1.0}


class TrainDesc(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("model", LmDesc),
        ("optimizer", OptimizerDesc),
        ("schedule", Schedule),
        ("loss", c_int),
        ("sampling", c_int),
        ("batch", c_int64),
        ("steps", c_int64),
        ("epochs", c_int64),
        ("updates", c_int64),
        ("seed", c_uint64),
        ("valid_fraction", c_double),
        ("stop_after", c_int64),
        ("average", c_double),
        ("shards", c_int64),
        ("on_nonfinite", c_int),
        ("ranks", c_void_p),
        ("truncation", c_int),
        ("back", c_int64),
        ("cut", c_double),
        ("memory", c_int64),
        ("from", c_void_p),
    ]
    _defaults_ = {"cut": 0.5}


class TrainReport(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("done", c_int),
        ("epoch_end", c_int),
        ("update", c_int64),
        ("epoch", c_int64),
        ("tokens", c_int64),
        ("loss", c_double),
        ("epoch_loss", c_double),
        ("grad_norm", c_double),
        ("lr", c_double),
        ("valid_loss", c_double),
        ("best_valid_loss", c_double),
        ("best_epoch", c_int64),
        ("nonfinite", c_char_p),
        ("skipped", c_int),
        ("skipped_updates", c_int64),
    ]


class LearnerDesc(Struct):
    _fields_: _Fields = [
        ("struct_size", c_size_t),
        ("optimizer", OptimizerDesc),
        ("lr", c_double),
        ("pull", c_double),
        ("steps", c_int64),
    ]
    _defaults_ = {
        "optimizer": OptimizerDesc(
            kind=OPTIMIZERS.index("rmsprop"), clip=1.0
        ),
        "lr": 2e-4,
        "pull": 1e-3,
        "steps": 32,
    }


# ---- Functions -------------------------------------------------------------

# A parameter of any pointer type, but for strings, is c_void_p; an enumeration
# is c_int.
_p, _s, _i, _n = c_void_p, c_char_p, c_int, c_int64

FUNCTIONS: Dict[str, Tuple[Any, Tuple[Any, ...]]] = {
    "elman_status_name": (_s, (_i,)),
    "elman_message": (_s, ()),
    "elman_version": (_s, ()),
    "elman_context_create": (_i, (_p, _p)),
    "elman_context_destroy": (None, (_p,)),
    "elman_context_machine": (None, (_p, _p)),
    "elman_random_uniform": (c_float, (c_uint64, c_uint64, c_uint64)),
    "elman_rnn_create": (_i, (_p, _p, _p)),
    "elman_rnn_destroy": (None, (_p,)),
    "elman_rnn_parameters": (_n, (_p,)),
    "elman_rnn_view_count": (_i, (_p,)),
    "elman_rnn_view": (_i, (_p, _i, _p)),
    "elman_rnn_weights": (_p, (_p,)),
    "elman_rnn_weights_begin": (_p, (_p,)),
    "elman_rnn_weights_end": (None, (_p,)),
    "elman_rnn_init": (None, (_p, c_uint64)),
    "elman_tape_create": (_i, (_p, _p, _p)),
    "elman_tape_destroy": (None, (_p,)),
    "elman_tape_bytes": (_n, (_p, _p)),
    "elman_rnn_run": (_i, (_p, _p, _p)),
    "elman_rnn_run_back": (_i, (_p, _p, _p)),
    "elman_state_create": (_i, (_p, _n, _p)),
    "elman_state_destroy": (None, (_p,)),
    "elman_rnn_step": (_i, (_p, _p, _p, _p)),
    "elman_rnn_steps": (_i, (_p, _p, _n, _p, _p)),
    "elman_state_read": (None, (_p, _p)),
    "elman_state_write": (None, (_p, _p)),
    "elman_state_read_c": (None, (_p, _p)),
    "elman_state_write_c": (None, (_p, _p)),
    "elman_state_copy": (_i, (_p, _p)),
    "elman_state_zero": (None, (_p,)),
    "elman_state_random": (None, (_p, c_double, c_uint64)),
    "elman_cross_entropy": (_i, (_p, _p, _p, _p, _p, _p, _p)),
    "elman_optimizer_create": (_i, (_p, _p, _n, _p)),
    "elman_optimizer_destroy": (None, (_p,)),
    "elman_optimizer_step": (_i, (_p, c_double, _p, _p, _p)),
    "elman_vocab_size": (_n, (_p,)),
    "elman_vocab_level": (_i, (_p,)),
    "elman_vocab_normalize": (_i, (_p,)),
    "elman_vocab_token": (_p, (_p, ctypes.c_int32, _p)),
    "elman_vocab_encode": (_i, (_p, _s, c_size_t, _p, _n, _p)),
    "elman_vocab_destroy": (None, (_p,)),
    "elman_text_open": (_i, (_p, _p, _p)),
    "elman_text_close": (None, (_p,)),
    "elman_text_tokens": (_n, (_p,)),
    "elman_text_vocab": (_p, (_p,)),
    "elman_lm_load": (_i, (_p, _s, _p)),
    "elman_lm_load_inference": (_i, (_p, _s, _i, _p)),
    "elman_lm_save": (_i, (_p, _s)),
    "elman_lm_destroy": (None, (_p,)),
    "elman_lm_describe": (None, (_p, _p)),
    "elman_lm_vocab": (_p, (_p,)),
    "elman_lm_history": (_s, (_p,)),
    "elman_lm_parameters": (_n, (_p,)),
    "elman_lm_view_count": (_i, (_p,)),
    "elman_lm_view": (_i, (_p, _i, _p)),
    "elman_lm_weights": (_p, (_p,)),
    "elman_lm_weights_begin": (_p, (_p,)),
    "elman_lm_weights_end": (None, (_p,)),
    "elman_lm_state_create": (_i, (_p, _n, _p)),
    "elman_lm_state_destroy": (None, (_p,)),
    "elman_lm_step": (_i, (_p, _p, _p, _p)),
    "elman_lm_eval": (_i, (_p, _p, _n, _n, _p)),
    "elman_lm_choose": (_i, (_p, _p, _p, c_double, _p)),
    "elman_network_load": (_i, (_p, _s, _p)),
    "elman_network_save": (_i, (_p, _s)),
    "elman_network_destroy": (None, (_p,)),
    "elman_network_describe": (None, (_p, _p)),
    "elman_network_width": (_n, (_p,)),
    "elman_network_parameters": (_n, (_p,)),
    "elman_network_view_count": (_i, (_p,)),
    "elman_network_view": (_i, (_p, _i, _p)),
    "elman_network_weights": (_p, (_p,)),
    "elman_network_tape_create": (_i, (_p, _n, _n, _p)),
    "elman_network_tape_destroy": (None, (_p,)),
    "elman_network_run": (_i, (_p, _p, _p)),
    "elman_network_state_create": (_i, (_p, _n, _p)),
    "elman_network_state_destroy": (None, (_p,)),
    "elman_network_state_zero": (None, (_p,)),
    "elman_network_step": (_i, (_p, _p, _p, _p, _p)),
    "elman_onnx_read": (_i, (_p, _s, _p, _p)),
    "elman_tensors_read": (_i, (_p, _s, _p)),
    "elman_tensors_read_torch": (_i, (_p, _s, _p)),
    "elman_tensors_destroy": (None, (_p,)),
    "elman_tensors_count": (_i, (_p,)),
    "elman_tensors_at": (_i, (_p, _i, _p)),
    "elman_trainer_create": (_i, (_p, _p, _p, _p, _p)),
    "elman_trainer_destroy": (None, (_p,)),
    "elman_trainer_step": (_i, (_p, _p)),
    "elman_trainer_total_updates": (_n, (_p,)),
    "elman_trainer_save": (_i, (_p, _s)),
    "elman_trainer_checkpoint": (_i, (_p, _s, _n)),
    "elman_trainer_resume": (
        _i,
        (_p, _p, _p, _p, _s, _p, _p, c_size_t, _p),
    ),
    "elman_checkpoint_describe": (_i, (_p, _s, _p, _p)),
    "elman_learner_create": (_i, (_p, _p, _p)),
    "elman_learner_destroy": (None, (_p,)),
    "elman_learner_read": (_i, (_p, _p, _n, _p)),
    "elman_learner_next": (_i, (_p, _p)),
    "elman_learner_begin": (None, (_p,)),
    "elman_learner_reset": (None, (_p,)),
    "elman_learner_updates": (_n, (_p,)),
    "elman_learner_eval": (_i, (_p, _p, _n, _n, _p)),
}
