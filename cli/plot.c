/* SPDX-License-Identifier: MIT */
#include "plot.h"

#include "cli.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

/* The picture, and the frame in it. */
enum { WIDTH = 720, HEIGHT = 440, LEFT = 76, RIGHT = 700, TOP = 44 };
enum { BOTTOM = 384 };

/* Colours that the colour-blind can tell apart (Okabe and Ito, 2008). */
static const char *const colours[] = {"#000000", "#0072b2", "#d55e00",
                                      "#009e73", "#cc79a7", "#56b4e9",
                                      "#e69f00", "#999999"};
enum { COLOURS = sizeof colours / sizeof *colours };

typedef struct canvas {
    FILE *file;
    const plot *p;
    double x0, x1, y0, y1; /* what the frame shows; logarithms where it is so */
} canvas;

static int shows(double value)
{
    return isfinite(value) && value > 0;
}

static double place_x(const canvas *c, double x)
{
    const double v = c->p->x_log ? log10(x) : x;

    return LEFT + (v - c->x0) / (c->x1 - c->x0) * (RIGHT - LEFT);
}

static double place_y(const canvas *c, double y)
{
    return BOTTOM - (log10(y) - c->y0) / (c->y1 - c->y0) * (BOTTOM - TOP);
}

/* ---- What the frame shows ------------------------------------------------*/

static void stretch(double *least, double *most, const double *y, int64_t n)
{
    for (int64_t i = 0; y != NULL && i < n; i++) {
        if (!shows(y[i]))
            continue;
        *least = fmin(*least, y[i]);
        *most = fmax(*most, y[i]);
    }
}

/* Whole powers of ten on the vertical axis. */
static void frame(canvas *c)
{
    const plot *p = c->p;
    double least = INFINITY, most = 0;

    for (int i = 0; i < p->line_count; i++)
        stretch(&least, &most, p->lines[i].y, p->count);
    stretch(&least, &most, p->low, p->count);
    stretch(&least, &most, p->high, p->count);
    if (!(least <= most))
        least = most = 1;
    c->y0 = floor(log10(least));
    c->y1 = ceil(log10(most));
    if (c->y1 <= c->y0)
        c->y1 = c->y0 + 1;
    c->x0 = p->count > 0 ? p->x[0] : 0;
    c->x1 = p->count > 0 ? p->x[p->count - 1] : 1;
    if (p->x_log) {
        c->x0 = log10(c->x0);
        c->x1 = log10(c->x1);
    }
    if (c->x1 <= c->x0)
        c->x1 = c->x0 + 1;
}

/* ---- Words ---------------------------------------------------------------*/

static void put_text(FILE *file, const char *text)
{
    for (; *text != '\0'; text++) {
        const unsigned char b = (unsigned char)*text;
        if (b == '&')
            fputs("&amp;", file);
        else if (b == '<')
            fputs("&lt;", file);
        else if (b == '>')
            fputs("&gt;", file);
        else
            putc(b < 32 || b == 127 ? '?' : b, file);
    }
}

static void put_label(const canvas *c, double x, double y, const char *anchor,
                      const char *text)
{
    fprintf(c->file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y,
            anchor);
    put_text(c->file, text);
    fputs("</text>\n", c->file);
}

static void put_grid(const canvas *c, double x1, double y1, double x2,
                     double y2)
{
    fprintf(c->file, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"#dddddd\"/>\n",
            x1, y1, x2, y2);
}

static number_text power_of_ten(int exponent)
{
    number_text out;

    if (exponent >= -2 && exponent <= 4)
        snprintf(out.text, sizeof out.text, "%g", pow(10, exponent));
    else
        snprintf(out.text, sizeof out.text, "1e%d", exponent);
    return out;
}

/* ---- Axes ----------------------------------------------------------------*/

static void put_y_axis(const canvas *c)
{
    const int powers = (int)(c->y1 - c->y0), every = (powers + 7) / 8;

    for (int e = (int)c->y0; e <= (int)c->y1; e += every) {
        const double y =
            BOTTOM - (e - c->y0) / (c->y1 - c->y0) * (BOTTOM - TOP);
        put_grid(c, LEFT, y, RIGHT, y);
        put_label(c, LEFT - 8, y + 4, "end", power_of_ten(e).text);
    }
}

/* 1, 2 or 5 times a power of ten, five to ten of them in the range. */
static double tick_of(double range)
{
    const double power = pow(10, floor(log10(range / 5)));
    const double parts = range / 5 / power;

    return power * (parts >= 5 ? 5 : parts >= 2 ? 2 : 1);
}

static void put_x_axis(const canvas *c)
{
    const double tick = c->p->x_log ? 1 : tick_of(c->x1 - c->x0);

    for (double i = ceil(c->x0 / tick - 1e-9); i * tick <= c->x1 + 1e-9 * tick;
         i++) {
        const double x =
            LEFT + (i * tick - c->x0) / (c->x1 - c->x0) * (RIGHT - LEFT);
        number_text words;
        if (c->p->x_log)
            words = power_of_ten((int)i);
        else
            snprintf(words.text, sizeof words.text, "%g", i * tick + 0.0);
        put_grid(c, x, TOP, x, BOTTOM);
        put_label(c, x, BOTTOM + 18, "middle", words.text);
    }
}

static void put_axes(const canvas *c)
{
    const plot *p = c->p;

    put_y_axis(c);
    put_x_axis(c);
    fprintf(c->file,
            "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
            "fill=\"none\" stroke=\"#666666\"/>\n",
            LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP);
    put_label(c, (LEFT + RIGHT) / 2.0, BOTTOM + 40, "middle", p->x_label);
    fprintf(c->file,
            "<text transform=\"translate(18 %.1f) rotate(-90)\" "
            "text-anchor=\"middle\">",
            (TOP + BOTTOM) / 2.0);
    put_text(c->file, p->y_label);
    fputs("</text>\n", c->file);
}

/* ---- Lines ---------------------------------------------------------------*/

/* Between low and high, where both can be shown. */
static void put_band(const canvas *c)
{
    const plot *p = c->p;

    for (int64_t i = 0; i < p->count;) {
        int64_t end = i;
        while (end < p->count && shows(p->low[end]) && shows(p->high[end]))
            end++;
        if (end - i > 1) {
            fputs("<path fill=\"#000000\" fill-opacity=\"0.1\" d=\"M", c->file);
            for (int64_t k = i; k < end; k++)
                fprintf(c->file, "%s%.1f %.1f", k > i ? "L" : "",
                        place_x(c, p->x[k]), place_y(c, p->high[k]));
            for (int64_t k = end; k-- > i;)
                fprintf(c->file, "L%.1f %.1f", place_x(c, p->x[k]),
                        place_y(c, p->low[k]));
            fputs("Z\"/>\n", c->file);
        }
        i = end + 1;
    }
}

static void put_style(const canvas *c, int line)
{
    fprintf(c->file, "fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\"%s",
            colours[line % COLOURS],
            c->p->lines[line].dashed ? " stroke-dasharray=\"6 4\"" : "");
}

static void put_line(const canvas *c, int line)
{
    const plot *p = c->p;
    const double *y = p->lines[line].y;
    int drawing = 0;

    fputs("<path ", c->file);
    put_style(c, line);
    fputs(" d=\"", c->file);
    for (int64_t i = 0; i < p->count; i++) {
        if (shows(y[i]))
            fprintf(c->file, "%s%.1f %.1f", drawing ? "L" : "M",
                    place_x(c, p->x[i]), place_y(c, y[i]));
        drawing = shows(y[i]);
    }
    fputs("\"/>\n", c->file);
}

static void put_legend(const canvas *c)
{
    for (int i = 0; i < c->p->line_count; i++) {
        const double y = TOP + 18 + 18 * i;
        fprintf(c->file, "<path d=\"M%d %.1fh26\" ", RIGHT - 40, y - 4);
        put_style(c, i);
        fputs("/>\n", c->file);
        put_label(c, RIGHT - 48, y, "end", c->p->lines[i].label);
    }
}

static void put_plot(const canvas *c)
{
    fprintf(c->file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
            "height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
            "font-size=\"12\" role=\"img\">\n<title>",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    put_text(c->file, c->p->title);
    fprintf(c->file,
            "</title>\n<rect width=\"%d\" height=\"%d\" "
            "fill=\"#ffffff\"/>\n",
            WIDTH, HEIGHT);
    put_label(c, (LEFT + RIGHT) / 2.0, TOP - 16, "middle", c->p->title);
    put_axes(c);
    if (c->p->low != NULL && c->p->high != NULL)
        put_band(c);
    for (int i = c->p->line_count; i-- > 0;)
        put_line(c, i);
    put_legend(c);
    fputs("</svg>\n", c->file);
}

/* ---- The file ------------------------------------------------------------*/

/* What is no regular file, such as a pipe, is written to as it is. */
static int has_a_place(const char *path)
{
    struct stat info;

    return stat(path, &info) != 0 || S_ISREG(info.st_mode);
}

/* name: what sentences call it. */
static int write_to(canvas *c, const char *path, const char *name)
{
    c->file = fopen(path, "w");
    if (c->file == NULL)
        return complain("%s: cannot be written: %s", name, strerror(errno));
    put_plot(c);
    errno = 0;
    const int lost = ferror(c->file);
    if (fclose(c->file) == 0 && !lost)
        return DONE;
    return complain("%s: could not be written: %s", name,
                    errno != 0 ? strerror(errno) : "some of it was lost");
}

int plot_write(const plot *p, const char *path)
{
    canvas c = {.p = p};
    char part[4096];

    frame(&c);
    if (!has_a_place(path))
        return write_to(&c, path, path);
    if ((size_t)snprintf(part, sizeof part, "%s.part", path) >= sizeof part)
        return complain("%s: the path is too long", path);
    if (write_to(&c, part, path) == DONE) {
        if (rename(part, path) == 0)
            return DONE;
        complain("%s: cannot be written: %s", path, strerror(errno));
    }
    remove(part);
    return FAILED;
}
