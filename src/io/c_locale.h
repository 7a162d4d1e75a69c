/* SPDX-License-Identifier: MIT */
/* c_locale.h - numbers are written and read with a point, whatever the caller's
 * locale says. */
#ifndef EL_C_LOCALE_H
#define EL_C_LOCALE_H

#include <locale.h>

/* The C locale for this thread, so that no caller's locale writes 1.5 as 1,5;
 * 0 if it cannot be had. */
static inline locale_t el_c_locale_enter(locale_t *before)
{
    const locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c)
        *before = uselocale(c);
    return c;
}

static inline void el_c_locale_leave(locale_t c, locale_t before)
{
    uselocale(before);
    freelocale(c);
}

#endif
