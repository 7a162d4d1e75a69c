/* SPDX-License-Identifier: MIT */
/* status.h - how a failure travels: a status, and a sentence kept for the
 * thread that asked. */
#ifndef EL_STATUS_H
#define EL_STATUS_H

#include <elman.h>

/* Keeps the sentence and returns status, so that a failure is one line:
 *   return el_fail(ELMAN_EINVAL, "hidden is %d (at least 1)", n);           */
elman_status el_fail(elman_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same, for memory that could not be had. */
elman_status el_no_memory(void);

/* Puts "context: " in front of the sentence that stands. */
elman_status el_fail_in(elman_status status, const char *context);

#endif
