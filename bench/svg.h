/* Charts as SVG: a page, text and lines. One thread. Coordinates in pixels, from the upper left. */
#ifndef TM_BENCH_SVG_H
#define TM_BENCH_SVG_H

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

#endif
