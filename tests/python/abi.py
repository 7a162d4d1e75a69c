# SPDX-License-Identifier: MIT
"""What python/elman/_abi.py says of elman.h is what the C compiler says.

A structure with a struct_size may be longer in the header, which is what that
field is for: the library takes what it does not get from its defaults.  Others,
and those that stand in another one, must be the same to the byte.
"""

import ctypes
import os
import re
import subprocess
import sys
import unittest

from elman import _abi, _library

HEADER = os.path.join(os.environ["ELMAN_SOURCE"], "include", "elman.h")

STRUCTS = {
    _abi.Allocator: "elman_allocator",
    _abi.Executor: "elman_executor",
    _abi.ContextDesc: "elman_context_desc",
    _abi.Machine: "elman_machine",
    _abi.View: "elman_view",
    _abi.RnnDesc: "elman_rnn_desc",
    _abi.TapeDesc: "elman_tape_desc",
    _abi.Sequences: "elman_sequences",
    _abi.Gradients: "elman_gradients",
    _abi.XentDesc: "elman_xent_desc",
    _abi.OptimizerDesc: "elman_optimizer_desc",
    _abi.Schedule: "elman_schedule",
    _abi.TextDesc: "elman_text_desc",
    _abi.LmDesc: "elman_lm_desc",
    _abi.NetworkDesc: "elman_network_desc",
    _abi.Tensor: "elman_tensor",
    _abi.LmScore: "elman_lm_score",
    _abi.Sampler: "elman_sampler",
    _abi.TrainDesc: "elman_train_desc",
    _abi.TrainReport: "elman_train_report",
    _abi.LearnerDesc: "elman_learner_desc",
}

ENUMS = (
    ("ELMAN_", _abi.DTYPES),
    ("ELMAN_CELL_", _abi.CELLS),
    ("ELMAN_", _abi.ACTIVATIONS),
    ("ELMAN_", _abi.REDUCTIONS),
    ("ELMAN_", _abi.OPTIMIZERS),
    ("ELMAN_", _abi.SCHEDULES),
    ("ELMAN_", _abi.LEVELS),
    ("ELMAN_NORMALIZE_", _abi.NORMALIZES),
    ("ELMAN_", _abi.SAMPLINGS),
    ("ELMAN_NONFINITE_", _abi.NONFINITES),
    ("ELMAN_TRUNCATION_", _abi.TRUNCATIONS),
    ("ELMAN_DECODE_", _abi.DECODES),
    ("", _abi.STATUSES),
)

VALUES = {
    "int": ctypes.c_int,
    "int32_t": ctypes.c_int32,
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "size_t": ctypes.c_size_t,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
    "void": None,
}


def header_text():
    """The header without its comments."""
    with open(HEADER, encoding="utf-8") as file:
        text = file.read()
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def program():
    """C that prints what is to be compared, a line each."""
    lines = [
        "#include <elman.h>",
        "#include <stdio.h>",
        "int main(void) {",
    ]
    for struct, name in STRUCTS.items():
        lines.append(f'printf("size {name} %zu\\n", sizeof({name}));')
        for field, _ in struct._fields_:
            lines.append(
                f'printf("field {name} {field} %zu %zu\\n", '
                f"offsetof({name}, {field}), sizeof((({name} *)0)->{field}));"
            )
        if struct._fields_[0][0] == "struct_size":
            lines.append(
                f"{{ {name} s = {name.upper()}; "
                f'printf("bytes {name} "); '
                "for (size_t i = 0; i < sizeof s; i++) "
                'printf("%02x", ((unsigned char *)&s)[i]); puts(""); }'
            )
    for prefix, names in ENUMS:
        for value, name in enumerate(names):
            full = prefix + name.upper()
            lines.append(
                f'printf("enum {full} {value} %d\\n", (int){full});'
            )
    lines.append(
        f'printf("enum statuses {len(_abi.STATUSES)} %d\\n", '
        "(int)ELMAN_STATUS_COUNT);"
    )
    lines.append(
        f'printf("version {_abi.VERSION} %d.%d\\n", ELMAN_VERSION_MAJOR, '
        "ELMAN_VERSION_MINOR);"
    )
    lines.append("return 0; }")
    return "\n".join(lines) + "\n"


class Abi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open("abi.c", "w", encoding="utf-8") as file:
            file.write(program())
        subprocess.run(
            [
                *os.environ["CC"].split(),
                "-std=c11",
                f"-I{os.path.dirname(HEADER)}",
                "-o",
                "abi",
                "abi.c",
            ],
            check=True,
        )
        cls.said = subprocess.run(
            ["./abi"], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.splitlines()

    def lines(self, kind):
        found = [x.split()[1:] for x in self.said if x.startswith(kind + " ")]
        self.assertTrue(found, kind)
        return found

    def test_sizes(self):
        structs = {n: s for s, n in STRUCTS.items()}
        inner = {
            kind
            for struct in STRUCTS
            for _, kind in struct._fields_
            if kind in STRUCTS
        }
        for name, size in self.lines("size"):
            struct = structs[name]
            ours = ctypes.sizeof(struct)
            if struct in inner or struct._fields_[0][0] != "struct_size":
                self.assertEqual(ours, int(size), name)
            else:
                self.assertLessEqual(ours, int(size), name)

    def test_every_structure_is_compared(self):
        defined = {
            kind
            for kind in vars(_abi).values()
            if isinstance(kind, type)
            and issubclass(kind, _abi.Struct)
            and kind is not _abi.Struct
        }
        self.assertEqual(defined, set(STRUCTS))

    def test_fields(self):
        structs = {n: s for s, n in STRUCTS.items()}
        for name, field, offset, size in self.lines("field"):
            ours = getattr(structs[name], field)
            self.assertEqual(
                (ours.offset, ours.size),
                (int(offset), int(size)),
                f"{name}.{field}",
            )

    def test_no_field_is_left_out_between_others(self):
        text = header_text()
        for struct, name in STRUCTS.items():
            body = re.search(
                r"typedef struct " + name + r" \{(.*?)\} " + name + ";",
                text,
                re.S,
            )[1]
            fields = []
            for member in body.split(";"):
                if "(*" in member:
                    fields.append(re.search(r"\(\*(\w+)\)", member)[1])
                elif member.strip():
                    fields += re.findall(
                        r"(\w+)(?:\[\d+\])?\s*(?:,|$)", member.strip()
                    )
            ours = [f for f, _ in struct._fields_]
            self.assertEqual(ours, fields[: len(ours)], name)

    def test_defaults(self):
        structs = {n: s for s, n in STRUCTS.items()}
        for name, wanted in self.lines("bytes"):
            ours = bytes(structs[name]())[ctypes.sizeof(ctypes.c_size_t) :]
            theirs = bytes.fromhex(wanted)[ctypes.sizeof(ctypes.c_size_t) :]
            self.assertEqual(ours, theirs[: len(ours)], name)

    def test_enumerations(self):
        for name, ours, theirs in self.lines("enum"):
            self.assertEqual(ours, theirs, name)

    def test_version(self):
        for ours, theirs in self.lines("version"):
            self.assertEqual(ours, theirs)

    def test_prototypes(self):
        text = re.sub(r"#define.*?[^\\]\n", "", header_text(), flags=re.S)
        enums = set(re.findall(r"typedef enum (\w+)", text))
        found = {
            m[2]: (m[1], m[3])
            for m in re.finditer(
                r"ELMAN_API\s+([\w\s]+?[\s*]+)(elman_\w+)\(([^;]*)\);", text
            )
        }

        def kind(declaration, named):
            declaration = declaration.strip()
            if "*" in declaration:
                star = re.sub(r"\s*\w*$", "", declaration) if named else (
                    declaration
                )
                return (
                    ctypes.c_char_p
                    if re.sub(r"\s+", "", star) == "constchar*"
                    else ctypes.c_void_p
                )
            words = declaration.replace("const ", "").split()
            word = words[0]
            return ctypes.c_int if word in enums else VALUES[word]

        for name, (result, parameters) in _abi.FUNCTIONS.items():
            self.assertIn(name, found)
            c_result, c_parameters = found[name]
            wanted = (
                ()
                if c_parameters.strip() == "void"
                else tuple(kind(p, True) for p in c_parameters.split(","))
            )
            # A token is bytes of a known number, and no string.
            if name == "elman_vocab_token":
                self.assertEqual(kind(c_result, False), ctypes.c_char_p)
                c_result = "void *"
            self.assertEqual(parameters, wanted, name)
            self.assertEqual(result, kind(c_result, False), name)

    def test_every_status_has_an_exception(self):
        self.assertEqual(
            sorted(_library._ERRORS), list(range(1, len(_abi.STATUSES)))
        )


if __name__ == "__main__":
    sys.exit(unittest.main())
