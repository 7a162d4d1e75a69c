/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* names of registers */
#include "amx_trap.h"

#if defined(__x86_64__) && defined(__linux__)

#include <signal.h>
#include <string.h>
#include <ucontext.h>

/* VEX's three bytes, the opcode, ModRM. */
typedef struct instruction {
    const uint8_t *at, *end;
    const greg_t *registers;
    int reg, rm, mod, vvvv, prefix, opcode;
    bool x, b; /* the upper bits of index and base */
} instruction;

enum { PLAIN, BY_66, BY_F3, BY_F2 }; /* instruction.prefix */

static amx_tiles tiles;
static long trapped;

/* By the numbers that instructions give them. */
static int64_t value(const instruction *i, int number)
{
    static const int order[] = {
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
        REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return i->registers[order[number]];
}

static bool decode(instruction *i)
{
    const uint8_t *const p = i->at;
    if (p[0] != 0xc4 || (p[1] & 0x1f) != 2 || (p[2] & 0x84) != 0)
        return false;
    i->x = !(p[1] & 0x40);
    i->b = !(p[1] & 0x20);
    i->vvvv = ~(p[2] >> 3) & 15;
    i->prefix = p[2] & 3;
    i->opcode = p[3];
    i->mod = p[4] >> 6;
    i->reg = p[4] >> 3 & 7;
    i->rm = p[4] & 7;
    i->end = p + 5;
    return true;
}

static int64_t displacement(instruction *i, int size)
{
    int8_t one;
    int32_t four;
    memcpy(&one, i->end, 1);
    memcpy(&four, i->end, 4);
    i->end += size;
    return size == 1 ? one : size == 4 ? four : 0;
}

/* What ModRM and SIB name; stride is the scaled index. */
static char *address(instruction *i, int64_t *stride)
{
    const bool sib = i->rm == 4;
    int base = i->rm | i->b << 3;
    *stride = 0;
    if (sib) {
        const int index = (*i->end >> 3 & 7) | i->x << 3;
        if (index != 4)
            *stride = value(i, index) * (1 << (*i->end >> 6));
        base = (*i->end & 7) | i->b << 3;
        ++i->end;
    }
    const bool absolute = i->mod == 0 && (base & 7) == 5;
    const int64_t off = displacement(i, i->mod == 1               ? 1
                                        : i->mod == 2 || absolute ? 4
                                                                  : 0);
    const int64_t from = !absolute ? value(i, base)
                         : sib     ? 0
                                   : (int64_t)(intptr_t)i->end;
    return (char *)(intptr_t)(from + off);
}

static bool configure(instruction *i)
{
    int64_t index;
    if (i->prefix == BY_F2 && i->mod == 3 && i->rm == 0)
        tiles.zero(i->reg);
    else if (i->prefix == PLAIN && i->mod == 3 && i->reg == 0 && i->rm == 0)
        tiles.end();
    else if (i->prefix == PLAIN && i->mod != 3 && i->reg == 0) {
        const char *const from = address(i, &index);
        tiles.begin(from + index);
    } else
        return false;
    return true;
}

static bool move(instruction *i)
{
    int64_t stride;
    if (i->mod == 3 || i->rm != 4 || i->prefix < BY_F3)
        return false;
    char *const at = address(i, &stride);
    if (i->prefix == BY_F2)
        tiles.load(i->reg, at, stride);
    else
        tiles.store(i->reg, at, stride);
    return true;
}

static bool dot(instruction *i)
{
    if (i->mod != 3 || i->prefix != BY_F3)
        return false;
    tiles.dot(i->reg, i->rm, i->vvvv);
    return true;
}

static void on_illegal(int number, siginfo_t *info, void *context)
{
    greg_t *const registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    instruction i = {.at = (const uint8_t *)(intptr_t)registers[REG_RIP],
                     .registers = registers};
    (void)info;
    if (decode(&i) && (i.opcode == 0x49   ? configure(&i)
                       : i.opcode == 0x4b ? move(&i)
                       : i.opcode == 0x5c ? dot(&i)
                                          : false)) {
        registers[REG_RIP] = (greg_t)(intptr_t)i.end;
        ++trapped;
        return;
    }
    signal(number, SIG_DFL); /* it is raised again */
}

bool amx_trap(const amx_tiles *how)
{
    struct sigaction action = {.sa_sigaction = on_illegal,
                               .sa_flags = SA_SIGINFO | SA_NODEFER};
    tiles = *how;
    return sigaction(SIGILL, &action, NULL) == 0;
}

long amx_trapped(void)
{
    return trapped;
}

#else

bool amx_trap(const amx_tiles *how)
{
    (void)how;
    return false;
}

long amx_trapped(void)
{
    return 0;
}

#endif
