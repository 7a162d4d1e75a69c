/* SPDX-License-Identifier: MIT */
/* check.h - callers' mistakes end here: below, they are assertions. */
#ifndef EL_CHECK_H
#define EL_CHECK_H

#include "../base/status.h"

#include <string.h>

#define EL_REQUIRE(condition, ...)                                             \
    do {                                                                       \
        if (!(condition))                                                      \
            return el_fail(ELMAN_EINVAL, __VA_ARGS__);                         \
    } while (0)

/* Copies a caller's descriptor into ours: fields that an older caller does not
 * know are taken from ours as it stands, and fields that we do not know must
 * be zeros. */
static inline elman_status el_take_desc(void *ours, size_t our_size,
                                        const void *theirs, const char *what)
{
    size_t their_size;
    memcpy(&their_size, theirs, sizeof their_size);
    EL_REQUIRE(their_size >= sizeof(size_t) && their_size < 1 << 16,
               "struct_size of %s is not set (begin with its macro)", what);
    for (size_t i = our_size; i < their_size; ++i)
        EL_REQUIRE(((const char *)theirs)[i] == 0,
                   "%s has fields set that this version does not know", what);
    memcpy(ours, theirs, their_size < our_size ? their_size : our_size);
    memcpy(ours, &our_size, sizeof our_size);
    return ELMAN_OK;
}

/* The same the other way: fills a caller's structure as far as it reaches. */
static inline void el_give_struct(void *theirs, const void *ours,
                                  size_t our_size)
{
    size_t their_size;
    memcpy(&their_size, theirs, sizeof their_size);
    if (their_size < sizeof(size_t))
        return;
    memcpy(theirs, ours, their_size < our_size ? their_size : our_size);
    memcpy(theirs, &their_size, sizeof their_size);
}

/* Public functions that compute run in the library's own floating-point
 * modes, and give the caller's back. */
#define EL_COMPUTE(statement)                                                  \
    do {                                                                       \
        const el_fp_mode mode_ = el_fp_enter();                                \
        statement;                                                             \
        el_fp_leave(mode_);                                                    \
    } while (0)

#endif
