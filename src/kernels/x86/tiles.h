/* SPDX-License-Identifier: MIT */
/* tiles.h - what bf16_amx.c needs of AMX: eight tiles of 16 rows of 64 bytes.
 * With EL_TILES_IN_C they are arrays, and the same file can be tested on
 * machines without AMX; the operations are those of Intel's Software
 * Developer's Manual, volume 2. */
#ifndef EL_TILES_H
#define EL_TILES_H

#include <stdint.h>

typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;
_Static_assert(sizeof(tile_config) == 64, "LDTILECFG reads 64 bytes");

#ifndef EL_TILES_IN_C
#include <immintrin.h>

/* Not every compiler knows that these read memory: what has been stored there
 * must have been stored before (gcc 12's are assembler that does not say so).
 */
#define TILES_MEMORY(from) __asm__ volatile("" : : "r"(from) : "memory")

#define TILES_BEGIN(config)                                                    \
    do {                                                                       \
        TILES_MEMORY(config);                                                  \
        _tile_loadconfig(config);                                              \
    } while (0)
#define TILES_END() _tile_release()
#define TILE_ZERO(t) _tile_zero(t)
#define TILE_LOAD(t, from, stride)                                             \
    do {                                                                       \
        TILES_MEMORY(from);                                                    \
        _tile_loadd(t, from, stride);                                          \
    } while (0)
#define TILE_STORE(t, to, stride)                                              \
    do {                                                                       \
        _tile_stored(t, to, stride);                                           \
        TILES_MEMORY(to);                                                      \
    } while (0)
#define TILE_DOT(c, a, b) _tile_dpbf16ps(c, a, b)

#else
void tiles_begin(const tile_config *config);
void tiles_end(void);
void tile_zero(int t);
void tile_load(int t, const void *from, int64_t stride);
void tile_store(int t, void *to, int64_t stride);
void tile_dot(int c, int a, int b);

#define TILES_BEGIN(config) tiles_begin(config)
#define TILES_END() tiles_end()
#define TILE_ZERO(t) tile_zero(t)
#define TILE_LOAD(t, from, stride) tile_load(t, from, stride)
#define TILE_STORE(t, to, stride) tile_store(t, to, stride)
#define TILE_DOT(c, a, b) tile_dot(c, a, b)
#endif

#endif
