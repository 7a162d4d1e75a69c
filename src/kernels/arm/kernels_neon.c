/* SPDX-License-Identifier: MIT */
/* kernels_neon.c - the templates at level neon. */
#include "../kernels.h"
#include "../../base/real.h"
#include "vec_neon.h"

#include <math.h>

#include "../tmpl/gates_tmpl.h"
#include "../tmpl/packing_tmpl.h"
#include "../tmpl/pointwise_tmpl.h"
#include "../tmpl/products_tmpl.h"
#include "../tmpl/overlay.h"
