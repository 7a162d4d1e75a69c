/* SPDX-License-Identifier: MIT */
/* safetensors_format.h - what reading and writing safetensors have in common.
 * A file is
 *
 *   8 bytes    the header's length, little-endian
 *   header     JSON, blanks at its end:
 *              {"__metadata__": {KEY: STRING, ...},
 *               NAME: {"dtype": "F32", "shape": [2, 3],
 *                      "data_offsets": [FROM, TO]}, ...}
 *   data       row-major, little-endian; the tensors' offsets, counted from
 *              here, cover it without gap or overlap
 *
 * and the header's members may come in any order. */
#ifndef EL_SAFETENSORS_FORMAT_H
#define EL_SAFETENSORS_FORMAT_H

#include <elman.h>

#define METADATA "__metadata__"
#define CHECKSUM "checksum"
#define NO_DIGITS "0000000000000000" /* in the checksum's place */

enum {
    LENGTH_SIZE = 8,
    HEADER_MAX = 100000000, /* as the format's own reader has it */
    RANK_MAX = 8,
    DIGITS = 16,  /* of the checksum */
    ALIGNMENT = 8 /* of data */
};

typedef struct el_dtype_name {
    char name[4];
    elman_dtype dtype;
} el_dtype_name;
enum { DTYPES = 6 };
extern const el_dtype_name el_dtype_names[DTYPES];

/* A name as it may stand in a sentence: 'kind "name"', not too long, and
 * without characters that a terminal would obey. */
typedef struct el_label {
    char text[96];
} el_label;
el_label el_label_of(const char *kind, const char *name);

#endif
