/* SPDX-License-Identifier: MIT */
/* watch.h - whether an update leaves weights and moments finite. */
#ifndef EL_WATCH_H
#define EL_WATCH_H

#include "optimizer.h"

/* Says so before the update is made, and carries the watch on to behind it; the
 * gradient's norm is finite.  False: an element would become infinite, and
 * watch->place is the first one. */
bool el_watch_allows(el_watch *watch, const elman_optimizer *o,
                     const el_update *update, double norm, const void *weights,
                     const void *grad);

#endif
