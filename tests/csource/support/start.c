/* SPDX-License-Identifier: MIT */
/* start.c - where a program of 32-bit ARM begins that has no library: it runs
 * the self-test of NAME and ends with its status, by Linux's call number 1. */

int NAME_self_test(void);
void _start(void);

void _start(void)
{
#ifdef BROKEN
    const int status = 1;
#else
    const int status = NAME_self_test() != 0;
#endif
    __asm__ volatile("mov r0, %0\n\tmov r7, #1\n\tsvc 0" : : "r"(status));
    for (;;)
        continue;
}
