/* A chart of what tidemill-bench sphinx measured: two panels, colours by back-end on the left, by kind of work on the right. */
#include "config.h"

#include <math.h>
#include <stdio.h>

#include "base/err.h"
#include "sphinx/sphinx.h"

#include "bench/bench_sphinx.h"
#include "bench/svg.h"

/* In pixels. */
#define WIDTH 960
#define HEIGHT 430
#define TOP 70
#define BOTTOM 370
#define LEFT 70 /* first panel */
#define RIGHT 430
#define BARS_LEFT 590 /* second panel */
#define BARS_RIGHT 930

static const char *const work_colours[] = {"#0b6e99", "#d98e04", "#3aa17e"};
static const char *const work_names[] = {"curve", "key derivation and MAC", "payload"};

static double rate(const struct tm_bench_sphinx_row *row) { return 1e9 / row->ns[TM_BENCH_UNWRAP].median; }

/* Batch sizes are powers of two for most, and rates differ by an order of magnitude: both axes are logarithmic. */
static void draw_axes(FILE *f, struct tm_bench_svg_chart *c, const struct tm_bench_sphinx_options *o,
                      const struct tm_bench_sphinx_report *r)
{
  double least = INFINITY, most = 0;
  char label[32];

  for (size_t i = 0; i < r->backends; i++)
    for (size_t j = 0; r->backend[i].available && j < o->batches; j++) {
      least = fmin(least, rate(&r->backend[i].row[j]));
      most = fmax(most, rate(&r->backend[i].row[j]));
    }
  least = exp2(floor(log2(least / 1000))) * 1000;
  most = exp2(ceil(log2(most / 1000 + 0.001))) * 1000;
  *c = (struct tm_bench_svg_chart){LEFT, RIGHT, TOP, BOTTOM, {1, TM_SPHINX_BATCH_MAX, true}, {least, most, true}};
  for (double at = least; at <= most * 1.01; at *= 2) {
    snprintf(label, sizeof label, "%.0fk", at / 1000);
    tm_bench_svg_tick_y(f, c, at, label);
  }
  for (double batch = 1; batch <= TM_SPHINX_BATCH_MAX; batch *= 2) {
    snprintf(label, sizeof label, "%.0f", batch);
    tm_bench_svg_tick_x(f, c, batch, label);
  }
}

static void draw_rates(FILE *f, const struct tm_bench_sphinx_options *o, const struct tm_bench_sphinx_report *r)
{
  struct tm_bench_svg_chart c;
  double x[TM_BENCH_BATCHES_MAX], y[TM_BENCH_BATCHES_MAX];

  draw_axes(f, &c, o, r);
  for (size_t i = 0; i < r->backends; i++) {
    const struct tm_bench_sphinx_backend *b = &r->backend[i];

    if (!b->available)
      continue;
    for (size_t j = 0; j < o->batches; j++) {
      x[j] = (double)b->row[j].batch;
      y[j] = rate(&b->row[j]);
    }
    tm_bench_svg_curve(f, &c, i, 2.5, NULL, x, y, o->batches);
    tm_bench_svg_marks(f, &c, i, 3.5, x, y, o->batches);
    fprintf(f, "<g fill=\"%s\">", tm_bench_svg_colour(i));
    tm_bench_svg_text(f, RIGHT + 8, tm_bench_svg_y(&c, y[o->batches - 1]) + 4, "start", b->name);
    fprintf(f, "</g>\n");
  }
}

/* Two multiplications, what else the header step does, and the body step; microseconds. */
static void split(const struct tm_bench_sphinx_row *row, double parts[static 3])
{
  parts[0] = 2 * row->ns[TM_BENCH_X25519].median / 1e3;
  parts[1] = fmax(0, row->ns[TM_BENCH_HEADER].median / 1e3 - parts[0]);
  parts[2] = row->ns[TM_BENCH_BODY].median / 1e3;
}

static void draw_parts(FILE *f, const struct tm_bench_sphinx_options *o, const struct tm_bench_sphinx_report *r)
{
  double most = 0, parts[3], y = TOP;
  char label[64];

  for (size_t i = 0; i < r->backends; i++)
    if (r->backend[i].available)
      most = fmax(most, r->backend[i].row[o->batches - 1].ns[TM_BENCH_UNWRAP].median / 1e3);
  for (size_t i = 0; i < r->backends; i++) {
    double x = BARS_LEFT;

    if (!r->backend[i].available)
      continue;
    split(&r->backend[i].row[o->batches - 1], parts);
    for (int k = 0; k < 3; k++) {
      double width = (BARS_RIGHT - BARS_LEFT - 70) * parts[k] / most;

      tm_bench_svg_box(f, x, y, width, 30, work_colours[k]);
      x += width;
    }
    snprintf(label, sizeof label, "%.1f us", parts[0] + parts[1] + parts[2]);
    tm_bench_svg_text(f, x + 6, y + 20, "start", label);
    tm_bench_svg_text(f, BARS_LEFT - 8, y + 20, "end", r->backend[i].name);
    y += 50;
  }
  for (int k = 0; k < 3; k++) {
    tm_bench_svg_box(f, BARS_LEFT, y + 10 + 20 * k, 12, 12, work_colours[k]);
    tm_bench_svg_text(f, BARS_LEFT + 20, y + 20 + 20 * k, "start", work_names[k]);
  }
}

int tm_bench_sphinx_plot(const struct tm_bench_sphinx_options *o, const struct tm_bench_sphinx_report *r)
{
  char title[160];
  FILE *f;

  snprintf(title, sizeof title, "Unwrapping packets of %zu bytes on one core of %s",
           TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN + o->payload, r->cpu_name);
  f = tm_bench_svg_open(o->plot, WIDTH, HEIGHT, LEFT, title);
  if (f == NULL)
    return TM_E_IO;
  tm_bench_svg_text(f, LEFT, 50, "start", "packets a second, by packets in a batch");
  snprintf(title, sizeof title, "where the time of a packet goes, in batches of %zu", o->batch[o->batches - 1]);
  tm_bench_svg_text(f, BARS_LEFT, 50, "start", title);
  draw_rates(f, o, r);
  draw_parts(f, o, r);
  return tm_bench_svg_close(f);
}
