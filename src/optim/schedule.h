/* SPDX-License-Identifier: MIT */
#ifndef EL_SCHEDULE_H
#define EL_SCHEDULE_H

#include <elman.h>

double el_schedule_rate(const elman_schedule *s, int64_t update,
                        int64_t halvings);

#endif
