/* SPDX-License-Identifier: MIT */
/* plot.h - lines over a logarithmic axis, as an SVG file. */
#ifndef PLOT_H
#define PLOT_H

#include <stdint.h>

/* Points that are not finite and greater than 0 are left out, and the line is
 * broken there. */
typedef struct plot_line {
    const char *label; /* UTF-8 */
    const double *y;   /* [count] */
    int dashed;
} plot_line;

enum { PLOT_LINES_MOST = 16 };

typedef struct plot {
    const char *title, *x_label, *y_label;
    const double *x; /* [count], ascending */
    int64_t count;
    int x_log; /* 1: x is greater than 0, and its axis logarithmic as well */
    const double *low, *high; /* [count]: a band behind the lines; NULL: none */
    const plot_line *lines;
    int line_count;
} plot;

/* Writes path whole or, with the sentence written, not at all (FAILED). */
int plot_write(const plot *p, const char *path);

#endif
