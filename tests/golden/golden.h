/* SPDX-License-Identifier: MIT */
/* golden.h - one golden case: reading its file, and judging what the library
 * makes of it.  A case is gone through once in float32, with the tensors
 * NAME.f32, and once in float64, with the tensors NAME. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <elman.h>
#include <stdbool.h>

typedef enum verdict { GOLDEN_OK, GOLDEN_FAIL, GOLDEN_SKIP } verdict;

typedef struct golden {
    elman_context *context;
    elman_tensors *file;
    elman_dtype dtype; /* of the pass at hand */
    verdict verdict;
    char why[512]; /* it failed or was skipped: the first reason */
    struct {       /* of each pass, the error nearest to its tolerance */
        double share, error;
        char name[64];
    } worst[2];
    struct room *rooms;
} golden;

/* The kinds; each returns true if all was as it should be, and otherwise has
 * said why not. */
bool golden_recurrent(golden *g);
bool golden_cross_entropy(golden *g);
bool golden_trajectory(golden *g);
bool golden_decode(golden *g);

/* ---- Verdicts: both return false, so that one can return them ------------*/

bool golden_fail(golden *g, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool golden_skip(golden *g, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* False, with the library's sentence, unless the call succeeded. */
bool golden_called(golden *g, const char *what, elman_status status);

/* ---- Memory that lives as long as the case -------------------------------*/

/* Cleared; NULL with a verdict if there is none. */
void *golden_room(golden *g, int64_t count, size_t size);
/* Elements of the pass's dtype. */
void *golden_reals(golden *g, int64_t count);
void golden_free(golden *g);

/* ---- Metadata: false with a verdict if it is missing or out of range ------*/

bool golden_word(golden *g, const char *key, const char **out);
bool golden_int(golden *g, const char *key, int64_t low, int64_t high,
                int64_t *out);
/* A missing key means 0. */
bool golden_real(golden *g, const char *key, double *out);

/* ---- Tensors --------------------------------------------------------------*/

#define SHAPE(...)                                                             \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                 \
        (const int64_t[])                                                      \
    {                                                                          \
        __VA_ARGS__                                                            \
    }

bool golden_has(golden *g, const char *name);
/* The tensor in the pass's dtype, or the integers of that name; NULL with a
 * verdict if it is not there in that shape. */
const void *golden_input(golden *g, const char *name, int rank,
                         const int64_t *shape);
const int64_t *golden_integers(golden *g, const char *name, int rank,
                               const int64_t *shape, int64_t low, int64_t high);
/* The same integers as ids; -100 is kept. */
int32_t *golden_ids(golden *g, const char *name, int rank, const int64_t *shape,
                    int64_t classes);

/* 1e-5 of the tensor's largest entry in float32, 1e-10 in float64. */
double golden_usual(const golden *g);
/* got, elements of the pass's dtype, differ from the tensor by at most
 * tolerance times its largest entry; of a tensor of zeros, by at most
 * tolerance. */
bool golden_close(golden *g, const char *name, int rank, const int64_t *shape,
                  const void *got, double tolerance);
/* Numbers that are doubles in every pass; absolute: tolerance is not relative
 * to anything. */
bool golden_close_doubles(golden *g, const char *name, int64_t count,
                          const double *got, double tolerance, bool absolute);
/* The same bits as got before. */
bool golden_same(golden *g, const char *what, const void *a, const void *b,
                 int64_t count);

#endif
