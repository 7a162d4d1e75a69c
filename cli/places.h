/* SPDX-License-Identifier: MIT */
/* places.h - where `elman train` is to write, before an hour is spent. */
#ifndef PLACES_H
#define PLACES_H

#include "recipe.h"

/* Every file that a run writes must look as if it could be written, and be none
 * of those that it reads.  FAILED with the sentence written. */
int places_check(const recipe *r, const arguments *given);

#endif
