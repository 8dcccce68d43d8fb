#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/err.h"

#include "bench/svg.h"

const char *tm_bench_svg_colour(size_t i)
{
  static const char *const colours[] = {"#0b6e99", "#3aa17e", "#d98e04", "#8a8f98", "#7a4fa3", "#b0413e"};

  return colours[i % (sizeof colours / sizeof colours[0])];
}

void tm_bench_svg_text(FILE *f, double x, double y, const char *anchor, const char *what)
{
  fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, what);
}

void tm_bench_svg_line(FILE *f, double x1, double y1, double x2, double y2)
{
  fprintf(f, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#d5d9de\"/>\n", x1, y1, x2, y2);
}

void tm_bench_svg_box(FILE *f, double x, double y, double width, double height, const char *colour)
{
  fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", x, y, width, height, colour);
}

/* ---- charts ---- */

static double along(const struct tm_bench_svg_axis *a, double v)
{
  return a->logarithmic ? log(v / a->low) / log(a->high / a->low) : (v - a->low) / (a->high - a->low);
}

double tm_bench_svg_x(const struct tm_bench_svg_chart *c, double x) { return c->left + (c->right - c->left) * along(&c->x, x); }
double tm_bench_svg_y(const struct tm_bench_svg_chart *c, double y) { return c->bottom - (c->bottom - c->top) * along(&c->y, y); }

void tm_bench_svg_tick_x(FILE *f, const struct tm_bench_svg_chart *c, double x, const char *label)
{
  tm_bench_svg_text(f, tm_bench_svg_x(c, x), c->bottom + 18, "middle", label);
}

void tm_bench_svg_tick_y(FILE *f, const struct tm_bench_svg_chart *c, double y, const char *label)
{
  tm_bench_svg_line(f, c->left, tm_bench_svg_y(c, y), c->right, tm_bench_svg_y(c, y));
  tm_bench_svg_text(f, c->left - 8, tm_bench_svg_y(c, y) + 4, "end", label);
}

void tm_bench_svg_curve(FILE *f, const struct tm_bench_svg_chart *c, size_t i, double width, const char *name, const double *x,
                        const double *y, size_t n)
{
  fprintf(f, "<polyline fill=\"none\" stroke-width=\"%.1f\" stroke=\"%s\" points=\"", width, tm_bench_svg_colour(i));
  for (size_t k = 0; k < n; k++)
    fprintf(f, "%s%.1f,%.1f", k > 0 ? " " : "", tm_bench_svg_x(c, x[k]), tm_bench_svg_y(c, y[k]));
  if (name != NULL)
    fprintf(f, "\"><title>%s</title></polyline>\n", name);
  else
    fprintf(f, "\"/>\n");
}

/* Of a size of 1 and around 0, 0. */
static const char *const marks[] = {
  "M-1,0a1,1 0 1 0 2,0a1,1 0 1 0 -2,0z", "M-1,-1h2v2h-2z", "M0,-1.3l1.3,1.3l-1.3,1.3l-1.3,-1.3z", "M0,-1.2l1.2,2.1h-2.4z",
  "M0,1.2l1.2,-2.1h-2.4z",
};

void tm_bench_svg_mark(FILE *f, double x, double y, size_t i, double size)
{
  fprintf(f, "<path fill=\"%s\" stroke=\"#ffffff\" stroke-width=\"0.2\" transform=\"translate(%.1f,%.1f) scale(%.1f)\" d=\"%s\"/>\n",
          tm_bench_svg_colour(i), x, y, size, marks[i % (sizeof marks / sizeof marks[0])]);
}

void tm_bench_svg_marks(FILE *f, const struct tm_bench_svg_chart *c, size_t i, double size, const double *x, const double *y, size_t n)
{
  for (size_t k = 0; k < n; k++)
    tm_bench_svg_mark(f, tm_bench_svg_x(c, x[k]), tm_bench_svg_y(c, y[k]), i, size);
}

/* ---- the page ---- */

FILE *tm_bench_svg_open(const char *path, int width, int height, double title_x, const char *title)
{
  FILE *f = fopen(path, "we");

  if (f == NULL)
    return NULL;
  fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n", width, height, width,
          height);
  fprintf(f, "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
             "<g font-family=\"sans-serif\" font-size=\"12\" fill=\"#24292f\">\n<g font-size=\"15\">");
  tm_bench_svg_text(f, title_x, 26, "start", title);
  fprintf(f, "</g>\n");
  return f;
}

int tm_bench_svg_close(FILE *f)
{
  int failed;

  fprintf(f, "</g>\n</svg>\n");
  failed = ferror(f);
  if (fclose(f) == 0 && !failed)
    return TM_OK;
  if (errno == 0)
    errno = EIO;
  return TM_E_IO;
}
