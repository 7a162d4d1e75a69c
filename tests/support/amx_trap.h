/* SPDX-License-Identifier: MIT */
/* amx_trap.h - AMX's instructions on a processor that has none.
 *
 * There they are illegal, and raise SIGILL.  Its handler decodes the
 * instruction (Intel's Software Developer's Manual, volume 2: VEX, ModRM, SIB),
 * calls what does its work, and goes on behind it.  So code that was compiled
 * for AMX runs, with the order of its loads and stores that the compiler gave
 * it. */
#ifndef TEST_AMX_TRAP_H
#define TEST_AMX_TRAP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct amx_tiles {
    void (*begin)(const void *config); /* LDTILECFG */
    void (*end)(void);                 /* TILERELEASE */
    void (*zero)(int t);
    void (*load)(int t, const void *from, int64_t stride);
    void (*store)(int t, void *to, int64_t stride);
    void (*dot)(int c, int a, int b); /* TDPBF16PS c, a, b */
} amx_tiles;

/* From now on, for the whole process; any other illegal instruction ends it as
 * ever.  False: not on this machine. */
bool amx_trap(const amx_tiles *tiles);
/* Instructions that were trapped so far. */
long amx_trapped(void);

#endif
