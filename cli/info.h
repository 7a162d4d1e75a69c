/* SPDX-License-Identifier: MIT */
/* info.h - what the files of `elman info` share. */
#ifndef INFO_H
#define INFO_H

#include "cli.h"

/* The shape of a run that is asked about; 0: as the model was trained, or as
 * `elman train` would by default. */
typedef struct info_shape {
    int64_t batch, steps;
    int64_t memory; /* of `elman train`; 0: no limit */
} info_shape;

/* What a model takes: as lines, or where j is not NULL as a member of an
 * object. */
int tell_lm_memory(const elman_lm *lm, const info_shape *shape, json *j);
int tell_network_memory(const elman_network *network, const info_shape *shape,
                        json *j);

#endif
