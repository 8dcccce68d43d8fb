/*
 * Three charts of what the strategies do: bits against mean delay, against traffic and against corrupt relays. So that they can be compared,
 * each strategy is set to the same mean delay at the same traffic; what changes along a chart is said below.
 */
#include "config.h"

#include <math.h>
#include <stdio.h>

#include "base/err.h"

#include "bench/bench_anonymity.h"
#include "bench/svg.h"

/* In pixels. */
#define WIDTH 960
#define HEIGHT 520
#define TOP 84
#define BOTTOM 420
#define LEFT 50
#define CHART_WIDTH 255
#define GAP 55
#define LEGEND 474

#define STRATEGIES 5
#define POINTS 5
#define ROUND_MAX 2000000.0 /* no run has packets for that */
#define RELAYS_WIDTH 3 /* of the network with corrupt relays, if the options have but one relay */

enum chart { BY_DELAY, BY_TRAFFIC, BY_CORRUPT, CHARTS };

static const char *const names[CHARTS] = {"delay", "traffic", "corrupt"};
static const double factors[CHARTS][POINTS] = {{0.25, 0.5, 1, 2, 4}, {0.1, 0.3, 1, 3, 10}, {0, 20, 40, 60, 80}};

struct curve {
  double x[POINTS], bits[POINTS];
};

struct plot {
  struct tm_anonymity_options base;                /* of the first two charts */
  struct tm_anonymity_options network;             /* of the third */
  struct tm_anonymity_options at[STRATEGIES];      /* base, as each strategy is set */
  struct curve curve[CHARTS][STRATEGIES];
};

/* ---- measuring ---- */

/*
 * Sets a strategy so that each relay delays by o->mean_delay on average, at o->rate. Pools keep as many as go; dynamic pools at least 45 of 100
 * that come.
 */
static void set_delay(struct tm_anonymity_options *o)
{
  double rate = o->rate / (double)o->width, in = rate * o->mean_delay / 1.5; /* half a round to come, and one in the pool */

  o->share = 0;
  if (o->strategy == &tm_mix_threshold)
    in = 2 * rate * o->mean_delay + 1;
  if (o->strategy == &tm_mix_threshold_pool)
    in = (rate * o->mean_delay + 0.5) / 1.5;
  in = fmin(in, ROUND_MAX);
  o->threshold = (uint32_t)fmax(1, round(in));
  o->pool = (uint32_t)round(in);
  o->interval = o->mean_delay / 1.5;
  if (o->strategy == &tm_mix_dynamic_pool) {
    o->interval = o->mean_delay / (0.5 + 0.35 / 0.65);
    o->pool = (uint32_t)fmin(round(0.45 * rate * o->interval), ROUND_MAX);
  }
  o->interval = fmax(o->interval, 0.001);
}

/* The options of one point. The rate of chart two changes under settings that do not. */
static struct tm_anonymity_options options_of(const struct plot *p, enum chart chart, size_t strategy, size_t point)
{
  struct tm_anonymity_options o = chart == BY_CORRUPT ? p->network : p->base;

  o.strategy = tm_mix_strategies[strategy];
  if (chart == BY_DELAY)
    o.mean_delay *= factors[chart][point];
  set_delay(&o);
  if (chart == BY_TRAFFIC)
    o.rate *= factors[chart][point];
  if (chart == BY_CORRUPT)
    o.corrupt = (unsigned)factors[chart][point];
  return o;
}

static int measure(struct plot *p, enum chart chart, size_t strategy)
{
  struct curve *c = &p->curve[chart][strategy];

  for (size_t i = 0; i < POINTS; i++) {
    struct tm_anonymity_options o = options_of(p, chart, strategy, i);
    struct tm_anonymity a;
    int err = tm_anonymity_measure(&a, &o);
    if (err != TM_OK)
      return err;
    c->bits[i] = a.bits.shannon;
    c->x[i] = chart == BY_DELAY ? a.mean_delay : chart == BY_TRAFFIC ? o.rate : tm_anonymity_corrupt(&o);
  }
  return TM_OK;
}

static void prepare(struct plot *p, const struct tm_anonymity_options *o)
{
  p->base = *o;
  p->base.corrupt = 0;
  p->network = p->base;
  if (o->layers * o->width == 1) {
    p->network.layers = p->network.width = RELAYS_WIDTH;
    p->network.rate *= RELAYS_WIDTH; /* as much for each relay */
  }
  for (size_t i = 0; i < STRATEGIES; i++) {
    p->at[i] = p->base;
    p->at[i].strategy = tm_mix_strategies[i];
    set_delay(&p->at[i]);
  }
}

/* ---- drawing ---- */

static void set_axes(struct tm_bench_svg_chart *c, const struct plot *p, enum chart chart)
{
  double least = INFINITY, most = 0, first = INFINITY, last = 0;

  for (size_t s = 0; s < STRATEGIES; s++)
    for (size_t i = 0; i < POINTS; i++) {
      const struct curve *curve = &p->curve[chart][s];
      least = fmin(least, curve->bits[i]);
      most = fmax(most, curve->bits[i]);
      first = fmin(first, curve->x[i]);
      last = fmax(last, curve->x[i]);
    }
  c->left = LEFT + (CHART_WIDTH + GAP) * (double)chart;
  c->right = c->left + CHART_WIDTH;
  c->top = TOP;
  c->bottom = BOTTOM;
  c->y = (struct tm_bench_svg_axis){floor(least), fmax(ceil(most), floor(least) + 1), false};
  c->x = (struct tm_bench_svg_axis){first / 1.1, last * 1.1, true};
  if (chart == BY_CORRUPT)
    c->x = (struct tm_bench_svg_axis){0, factors[chart][POINTS - 1], false};
}

static void draw_ticks(FILE *f, const struct tm_bench_svg_chart *c, const struct plot *p, enum chart chart)
{
  double layers = (double)p->base.layers, base = chart == BY_DELAY ? p->base.mean_delay * layers : p->base.rate;
  double step = c->y.high - c->y.low > 8 ? 2 : 1;
  char label[32];

  for (double bits = c->y.low; bits <= c->y.high; bits += step) {
    snprintf(label, sizeof label, "%.0f", bits);
    tm_bench_svg_tick_y(f, c, bits, label);
  }
  for (size_t i = 0; i < POINTS; i++) {
    double at = chart == BY_CORRUPT ? factors[chart][i] : factors[chart][i] * base;
    snprintf(label, sizeof label, chart == BY_CORRUPT ? "%.3g%%" : chart == BY_DELAY ? "%.3g s" : "%.4g", at);
    tm_bench_svg_tick_x(f, c, at, label);
  }
}

/* Where strategies do the same, wider lines and marks show under narrower ones. */
static double width_of(size_t strategy) { return 1.5 + 1.2 * (double)(STRATEGIES - 1 - strategy); }
static double mark_of(size_t strategy) { return 3 + (double)(STRATEGIES - 1 - strategy); }

static void draw_chart(FILE *f, const struct plot *p, enum chart chart)
{
  struct tm_bench_svg_chart c;

  set_axes(&c, p, chart);
  fprintf(f, "<g id=\"%s\">\n", names[chart]);
  draw_ticks(f, &c, p, chart);
  for (size_t s = 0; s < STRATEGIES; s++) {
    const struct curve *curve = &p->curve[chart][s];
    tm_bench_svg_curve(f, &c, s, width_of(s), tm_mix_strategies[s]->name, curve->x, curve->bits, POINTS);
  }
  for (size_t s = 0; s < STRATEGIES; s++)
    tm_bench_svg_marks(f, &c, s, mark_of(s), p->curve[chart][s].x, p->curve[chart][s].bits, POINTS);
  fprintf(f, "</g>\n");
}

static void describe(char *out, size_t len, const struct tm_anonymity_options *o)
{
  const char *name = o->strategy->name;

  if (o->strategy == &tm_mix_threshold)
    snprintf(out, len, "%s: %u a round", name, o->threshold);
  else if (o->strategy == &tm_mix_threshold_pool)
    snprintf(out, len, "%s: %u a round, %u kept", name, o->threshold, o->pool);
  else if (o->strategy == &tm_mix_pool)
    snprintf(out, len, "%s: every %.2g s, %u kept", name, o->interval, o->pool);
  else if (o->strategy == &tm_mix_dynamic_pool)
    snprintf(out, len, "%s: every %.2g s, %u%% leave", name, o->interval, tm_anonymity_mix(o).pool_share_permille / 10);
  else
    snprintf(out, len, "%s: mean delay %.3g s", name, o->mean_delay);
}

static void draw_legend(FILE *f, const struct plot *p)
{
  char text[120];

  for (size_t s = 0; s < STRATEGIES; s++) {
    double x = LEFT + (double)(CHART_WIDTH + GAP) * (double)(s % CHARTS), y = LEGEND + 24 * (double)(s / CHARTS);
    tm_bench_svg_box(f, x, y - 4 - width_of(s) / 2, 26, width_of(s), tm_bench_svg_colour(s));
    tm_bench_svg_mark(f, x + 13, y - 4, s, mark_of(s));
    describe(text, sizeof text, &p->at[s]);
    tm_bench_svg_text(f, x + 34, y, "start", text);
  }
}

static void where(char *out, size_t len, const struct tm_anonymity_options *o)
{
  if (o->layers * o->width == 1)
    snprintf(out, len, "one relay");
  else
    snprintf(out, len, "%zu layer%s of %zu", o->layers, o->layers == 1 ? "" : "s", o->width);
}

static void draw_titles(FILE *f, const struct plot *p)
{
  char title[CHARTS][160], base[40], network[40];

  where(base, sizeof base, &p->base);
  where(network, sizeof network, &p->network);
  snprintf(title[BY_DELAY], sizeof title[0], "by mean delay: %s, %g packets/s", base, p->base.rate);
  snprintf(title[BY_TRAFFIC], sizeof title[0], "by packets/s: %s, settings for %g", base, p->base.rate);
  snprintf(title[BY_CORRUPT], sizeof title[0], "by corrupt relays: %s, %g packets/s", network, p->network.rate);
  for (int i = 0; i < CHARTS; i++)
    tm_bench_svg_text(f, LEFT + (CHART_WIDTH + GAP) * i, 62, "start", title[i]);
}

static int draw(const struct plot *p, const char *file)
{
  char title[160];
  FILE *f;

  snprintf(title, sizeof title, "Anonymity of a packet in bits (Shannon): strategies that delay it equally, %.3g s a relay at %g packets/s",
           p->base.mean_delay, p->base.rate);
  f = tm_bench_svg_open(file, WIDTH, HEIGHT, LEFT, title);
  if (f == NULL)
    return TM_E_IO;
  draw_titles(f, p);
  for (int i = 0; i < CHARTS; i++)
    draw_chart(f, p, (enum chart)i);
  draw_legend(f, p);
  return tm_bench_svg_close(f);
}

int tm_anonymity_plot(const struct tm_anonymity_options *o)
{
  struct plot p = {0};

  prepare(&p, o);
  for (int chart = 0; chart < CHARTS; chart++)
    for (size_t s = 0; s < STRATEGIES; s++) {
      int err = measure(&p, (enum chart)chart, s);
      if (err != TM_OK)
        return err;
    }
  return draw(&p, o->plot);
}
