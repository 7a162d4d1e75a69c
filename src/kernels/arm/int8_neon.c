/* SPDX-License-Identifier: MIT */
/* int8_neon.c - weights of one byte at level neon. */
#include "../../base/cpu.h"
#include "../int8.h"

#include <string.h>

#include "bytes_neon.h"

#include "../tmpl/int8_tmpl.h"
