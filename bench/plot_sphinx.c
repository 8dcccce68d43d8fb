/* A chart of what tidemill-bench sphinx measured: two panels, colours by back-end on the left, by kind of work on the right. */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/err.h"
#include "sphinx/sphinx.h"

#include "bench/bench_sphinx.h"

/* In pixels. */
#define WIDTH 960
#define HEIGHT 430
#define TOP 70
#define BOTTOM 370
#define LEFT 70 /* first panel */
#define RIGHT 430
#define BARS_LEFT 590 /* second panel */
#define BARS_RIGHT 930

static const char *const colours[] = {"#0b6e99", "#3aa17e", "#d98e04", "#8a8f98", "#7a4fa3", "#b0413e"};
static const char *const work_colours[] = {"#0b6e99", "#d98e04", "#3aa17e"};
static const char *const work_names[] = {"curve", "key derivation and MAC", "payload"};

static const char *colour(size_t i) { return colours[i % (sizeof colours / sizeof colours[0])]; }

static void text(FILE *f, double x, double y, const char *anchor, const char *what)
{
  fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, what);
}

static void line(FILE *f, double x1, double y1, double x2, double y2)
{
  fprintf(f, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#d5d9de\"/>\n", x1, y1, x2, y2);
}

/* Batch sizes are powers of two for most, and rates differ by an order of magnitude: both axes are logarithmic. */
static double batch_x(double batch) { return LEFT + (RIGHT - LEFT) * log2(batch) / log2(TM_SPHINX_BATCH_MAX); }

static double rate_y(double rate, double least, double most)
{
  return BOTTOM - (BOTTOM - TOP) * (log2(rate) - log2(least)) / (log2(most) - log2(least));
}

static double rate(const struct tm_bench_sphinx_row *row) { return 1e9 / row->ns[TM_BENCH_UNWRAP].median; }

static void draw_rates(FILE *f, const struct tm_bench_sphinx_options *o, const struct tm_bench_sphinx_report *r)
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
  for (double at = least; at <= most * 1.01; at *= 2) {
    line(f, LEFT, rate_y(at, least, most), RIGHT, rate_y(at, least, most));
    snprintf(label, sizeof label, "%.0fk", at / 1000);
    text(f, LEFT - 8, rate_y(at, least, most) + 4, "end", label);
  }
  for (double batch = 1; batch <= TM_SPHINX_BATCH_MAX; batch *= 2) {
    snprintf(label, sizeof label, "%.0f", batch);
    text(f, batch_x(batch), BOTTOM + 18, "middle", label);
  }
  for (size_t i = 0; i < r->backends; i++) {
    const struct tm_bench_sphinx_backend *b = &r->backend[i];

    if (!b->available)
      continue;
    fprintf(f, "<polyline fill=\"none\" stroke-width=\"2.5\" stroke=\"%s\" points=\"", colour(i));
    for (size_t j = 0; j < o->batches; j++)
      fprintf(f, "%.1f,%.1f ", batch_x((double)b->row[j].batch), rate_y(rate(&b->row[j]), least, most));
    fprintf(f, "\"/>\n");
    for (size_t j = 0; j < o->batches; j++)
      fprintf(f, "<circle r=\"3\" fill=\"%s\" cx=\"%.1f\" cy=\"%.1f\"/>\n", colour(i),
              batch_x((double)b->row[j].batch), rate_y(rate(&b->row[j]), least, most));
    fprintf(f, "<g fill=\"%s\">", colour(i));
    text(f, RIGHT + 8, rate_y(rate(&b->row[o->batches - 1]), least, most) + 4, "start", b->name);
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

      fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"30\" fill=\"%s\"/>\n", x, y, width,
              work_colours[k]);
      x += width;
    }
    snprintf(label, sizeof label, "%.1f us", parts[0] + parts[1] + parts[2]);
    text(f, x + 6, y + 20, "start", label);
    text(f, BARS_LEFT - 8, y + 20, "end", r->backend[i].name);
    y += 50;
  }
  for (int k = 0; k < 3; k++) {
    fprintf(f, "<rect x=\"%d\" y=\"%.1f\" width=\"12\" height=\"12\" fill=\"%s\"/>\n", BARS_LEFT, y + 10 + 20 * k,
            work_colours[k]);
    text(f, BARS_LEFT + 20, y + 20 + 20 * k, "start", work_names[k]);
  }
}

int tm_bench_sphinx_plot(const struct tm_bench_sphinx_options *o, const struct tm_bench_sphinx_report *r)
{
  FILE *f = fopen(o->plot, "we");
  char title[160];
  int failed;

  if (f == NULL)
    return TM_E_IO;
  fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n", WIDTH, HEIGHT,
          WIDTH, HEIGHT);
  fprintf(f, "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n<g font-family=\"sans-serif\" font-size=\"12\" fill=\"#24292f\">\n");
  snprintf(title, sizeof title, "Unwrapping packets of %zu bytes on one core of %s",
           TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN + o->payload, r->cpu_name);
  fprintf(f, "<g font-size=\"15\">");
  text(f, LEFT, 26, "start", title);
  fprintf(f, "</g>\n");
  text(f, LEFT, 50, "start", "packets a second, by packets in a batch");
  snprintf(title, sizeof title, "where the time of a packet goes, in batches of %zu", o->batch[o->batches - 1]);
  text(f, BARS_LEFT, 50, "start", title);
  draw_rates(f, o, r);
  draw_parts(f, o, r);
  fprintf(f, "</g>\n</svg>\n");
  failed = ferror(f);
  if (fclose(f) != 0 || failed) {
    if (errno == 0)
      errno = EIO;
    return TM_E_IO;
  }
  return TM_OK;
}
