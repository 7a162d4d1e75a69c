/* SPDX-License-Identifier: MIT */
/* kernels_avx512.c - the templates at level avx512. */
#include "../kernels.h"
#include "../../base/real.h"
#include "vec_avx512.h"

#include <math.h>

#include "../tmpl/gates_tmpl.h"
#include "../tmpl/packing_tmpl.h"
#include "../tmpl/pointwise_tmpl.h"
#include "../tmpl/products_tmpl.h"
#include "../tmpl/overlay.h"
