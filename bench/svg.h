/*
 * Charts as SVG: a page, text and lines, and charts with axes. One thread. Coordinates in pixels, from the upper left, except those of curves,
 * which are in the units of the axes.
 */
#ifndef TM_BENCH_SVG_H
#define TM_BENCH_SVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Begins a page with its title; NULL: it cannot be written, errno says why. */
FILE *tm_bench_svg_open(const char *path, int width, int height, double title_x, const char *title);
/* Ends it. Errors: TM_E_IO (errno says why). */
int tm_bench_svg_close(FILE *f) __attribute__((warn_unused_result));

/* anchor: "start", "middle" or "end". what: no markup in it. */
void tm_bench_svg_text(FILE *f, double x, double y, const char *anchor, const char *what);
/* A thin grey one, for grids. */
void tm_bench_svg_line(FILE *f, double x1, double y1, double x2, double y2);
void tm_bench_svg_box(FILE *f, double x, double y, double width, double height, const char *colour);
/* The i-th of six colours that can be told apart. */
const char *tm_bench_svg_colour(size_t i);

/* From low to high; logarithmic: both above 0. */
struct tm_bench_svg_axis {
  double low, high;
  bool logarithmic;
};

struct tm_bench_svg_chart {
  double left, right, top, bottom;
  struct tm_bench_svg_axis x, y;
};

double tm_bench_svg_x(const struct tm_bench_svg_chart *c, double x);
double tm_bench_svg_y(const struct tm_bench_svg_chart *c, double y);

/* A label under the chart; a label beside it and a line across. */
void tm_bench_svg_tick_x(FILE *f, const struct tm_bench_svg_chart *c, double x, const char *label);
void tm_bench_svg_tick_y(FILE *f, const struct tm_bench_svg_chart *c, double y, const char *label);

/* The i-th line, in the i-th colour, through n points. width in pixels; name: what a reader points at it for, or NULL. */
void tm_bench_svg_curve(FILE *f, const struct tm_bench_svg_chart *c, size_t i, double width, const char *name, const double *x,
                        const double *y, size_t n);
/* The i-th mark of five, in the i-th colour; size: half its width in pixels, about. */
void tm_bench_svg_mark(FILE *f, double x, double y, size_t i, double size);
/* The same at each of n points. */
void tm_bench_svg_marks(FILE *f, const struct tm_bench_svg_chart *c, size_t i, double size, const double *x, const double *y, size_t n);

#endif
