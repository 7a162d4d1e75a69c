/* SPDX-License-Identifier: MIT */
/* int8_avx2.c - weights of one byte at level avx2. */
#include "../../base/cpu.h"
#include "../int8.h"

#include <string.h>

#include "bytes_avx2.h"

#include "../tmpl/int8_tmpl.h"
