/* How tidemill-bench relay tells what it measured. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

#include "bench/bench_relay.h"
#include "bench/json.h"
#include "bench/svg.h"

/* ---- where the time goes ---- */

static uint64_t samples(const struct tm_bench_profile *p)
{
  uint64_t n = 0;

  for (int i = 0; i < TM_BENCH_PARTS; i++)
    n += p->n[i];
  return n;
}

/* Of a packet, in microseconds. */
static double part_us(const struct tm_bench_result *r, enum tm_bench_part part)
{
  uint64_t all = samples(&r->end.profile);

  return all > 0 ? r->cpu_us * (double)r->end.profile.n[part] / (double)all : 0;
}

static void print_parts(const struct tm_bench_result *r)
{
  if (samples(&r->end.profile) == 0) {
    printf("\nwhere the time goes: no samples could be taken here\n");
    return;
  }
  printf("\nwhere the time goes, %llu samples\n", (unsigned long long)samples(&r->end.profile));
  for (int part = 0; part < TM_BENCH_PARTS; part++) {
    double us = part_us(r, (enum tm_bench_part)part);
    printf("  %-20s %6.2f us %5.1f%%  ", tm_bench_part_name((enum tm_bench_part)part), us, 100 * us / r->cpu_us);
    for (int i = 0; i < (int)(50 * us / r->cpu_us + 0.5); i++)
      putchar('#');
    putchar('\n');
  }
  printf("the relay takes %.2f times its packet crypto\n", r->cpu_us / part_us(r, TM_BENCH_PART_PACKET));
}

static double thread_cpu(const struct tm_bench_stats *s, size_t i) { return s->thread[i].cpu_us; }

static void print_threads(const struct tm_bench_result *r)
{
  printf("\nthreads, of one core each\n");
  for (size_t i = 0; i < r->end.threads && i < r->begin.threads; i++)
    printf("  %-20s %5.1f%%\n", i == 0 ? "loop" : r->end.thread[i].name,
           (thread_cpu(&r->end, i) - thread_cpu(&r->begin, i)) / r->seconds / 1e4);
}

/* ---- the table ---- */

static void print_drops(const struct tm_bench_stats *s)
{
  for (size_t i = TM_DROP_NONE + 1; i < TM_DROPS; i++)
    if (s->snapshot.totals.drop[i] > 0)
      printf("dropped    %llu: %s\n", (unsigned long long)s->snapshot.totals.drop[i], tm_drop_name((enum tm_drop)i));
}

static void print_search(const struct tm_bench_result *r)
{
  printf("sustained  %.0f packets/s for %.1f s, %llu lost; the relay used %.2f cores, %.2f us a packet (%.2f user, %.2f system)\n",
         r->rate, r->seconds, (unsigned long long)r->lost, r->cpu_share, r->cpu_us, r->user_us, r->system_us);
}

static void print_calls(const struct tm_bench_result *r)
{
  const struct tm_link_io *a = &r->begin.io, *b = &r->end.io;

  printf("calls      %.1f cells a read, %.1f cells a write\n", (double)(b->cells_in - a->cells_in) / (double)(b->reads - a->reads),
         (double)(b->cells_out - a->cells_out) / (double)(b->writes - a->writes));
}

static void print_fixed(const struct tm_bench_result *r)
{
  printf("fixed      %.0f packets/s for %.1f s\n", r->rate, r->seconds);
  printf("CPU        %.2f us a packet (%.2f user, %.2f system), %.2f cores\n", r->cpu_us, r->user_us, r->system_us, r->cpu_share);
  print_calls(r);
  printf("memory     %.1f MB at its end, %.1f MB at its start\n", r->end.rss_mb, r->begin.rss_mb);
  printf("latency    added to the mix's own delay: p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms (%llu packets)\n", tm_bench_latency_ms(r, 0.5),
         tm_bench_latency_ms(r, 0.99), tm_bench_latency_ms(r, 0.999), (unsigned long long)r->counted);
  printf("lost       %llu of %llu\n", (unsigned long long)r->lost, (unsigned long long)r->sent);
  if (r->idle_s > 0.1)
    printf("note       for %.1f s no packet was made yet: the generator cannot keep that rate\n", r->idle_s);
}

void tm_bench_relay_print_table(const struct tm_bench_relay_options *o, const struct tm_bench_relay_report *r)
{
  printf("processor  %s\n", r->cpu_name);
  if (o->clients > 0)
    printf("relay      an entry, back-end %s, %zu clients, %zu links to relays, mean delay %u ms\n", r->fixed.end.backend, o->clients,
           o->peers, o->mean_delay_ms);
  else
    printf("relay      a mix, back-end %s, %zu links in and %zu out, mean delay %u ms\n", r->fixed.end.backend, o->peers, o->peers,
           o->mean_delay_ms);
  if (r->searched)
    print_search(&r->search);
  print_fixed(&r->fixed);
  printf("accounting %llu in = %llu out + %llu held + drops: %s\n",
         (unsigned long long)(r->last.snapshot.totals.in_link + r->last.snapshot.totals.in_own + r->last.snapshot.totals.in_reply),
         (unsigned long long)(r->last.snapshot.totals.out_link + r->last.snapshot.totals.out_client),
         (unsigned long long)r->last.snapshot.held, r->last.balanced ? "balanced" : "NOT BALANCED");
  print_drops(&r->last);
  print_threads(&r->fixed);
  print_parts(&r->fixed);
}

/* ---- JSON ---- */

static json_t *number(double v) { return tm_bench_number(v, 3); }

int tm_bench_relay_print_json(const struct tm_bench_relay_report *r)
{
  const struct tm_bench_result *f = &r->fixed;
  json_t *root = json_pack("{s:o,s:o,s:o,s:{s:o,s:o,s:o},s:I,s:s}", "packets_per_second",
                           number(r->searched ? r->search.rate : f->rate), "relay_cpu_us_per_packet", number(f->cpu_us), "rss_mb",
                           number(f->end.rss_mb), "added_latency_ms", "p50", number(tm_bench_latency_ms(f, 0.5)), "p99",
                           number(tm_bench_latency_ms(f, 0.99)), "p999", number(tm_bench_latency_ms(f, 0.999)), "lost",
                           (json_int_t)f->lost, "backend", f->end.backend);

  return tm_bench_print_json(root, 12);
}

/* ---- the chart; in pixels ---- */

#define WIDTH 960
#define HEIGHT 400
#define TOP 80
#define BOTTOM 350
#define LEFT 70
#define RIGHT 430
#define BARS_LEFT 640
#define BARS_RIGHT 860
#define NINES 4 /* to 99.99% */
#define POINTS 20 /* for each */

static double most_ms(const struct tm_bench_result *r)
{
  double ms = tm_bench_latency_ms(r, 1 - pow(10, -NINES));

  return ms < 1 ? 1 : ceil(ms / 5) * 5;
}

static void draw_latency(FILE *f, const struct tm_bench_result *r)
{
  double most = most_ms(r), x[NINES * POINTS], y[NINES * POINTS];
  struct tm_bench_svg_chart c = {LEFT, RIGHT, TOP, BOTTOM, {0, NINES, false}, {0, most, false}};
  char label[32];

  for (int i = 0; i <= 5; i++) {
    snprintf(label, sizeof label, "%.1f ms", most * i / 5);
    tm_bench_svg_tick_y(f, &c, most * i / 5, label);
  }
  for (int i = 0; i <= NINES; i++) {
    snprintf(label, sizeof label, "%.*f%%", i < 2 ? 0 : i - 2, i == 0 ? 0.0 : 100 * (1 - pow(10, -i)));
    tm_bench_svg_tick_x(f, &c, i, label);
  }
  for (int i = 0; i < NINES * POINTS; i++) {
    x[i] = (i + 1) / (double)POINTS;
    y[i] = fmin(most, tm_bench_latency_ms(r, 1 - pow(10, -x[i])));
  }
  tm_bench_svg_curve(f, &c, 0, 2.5, NULL, x, y, NINES * POINTS);
}

static void draw_parts(FILE *f, const struct tm_bench_result *r)
{
  double most = 0;
  char label[32];

  for (int part = 0; part < TM_BENCH_PARTS; part++)
    most = fmax(most, part_us(r, (enum tm_bench_part)part));
  for (int part = 0; part < TM_BENCH_PARTS && most > 0; part++) {
    double us = part_us(r, (enum tm_bench_part)part);
    double y = TOP + part * 30.0, width = (BARS_RIGHT - BARS_LEFT) * us / most;

    tm_bench_svg_box(f, BARS_LEFT, y, width, 20, tm_bench_svg_colour((size_t)part));
    tm_bench_svg_text(f, BARS_LEFT - 8, y + 15, "end", tm_bench_part_name((enum tm_bench_part)part));
    snprintf(label, sizeof label, "%.2f us", us);
    tm_bench_svg_text(f, BARS_LEFT + width + 6, y + 15, "start", label);
  }
}

int tm_bench_relay_plot(const struct tm_bench_relay_options *o, const struct tm_bench_relay_report *r)
{
  char title[200];
  FILE *f;

  snprintf(title, sizeof title, "A relay at %.0f packets a second, %.1f us of CPU each, on %s", r->fixed.rate, r->fixed.cpu_us,
           r->cpu_name);
  f = tm_bench_svg_open(o->plot, WIDTH, HEIGHT, LEFT, title);
  if (f == NULL)
    return TM_E_IO;
  tm_bench_svg_text(f, LEFT, 56, "start", "added latency, by share of packets");
  tm_bench_svg_text(f, BARS_LEFT - 110, 56, "start", "where the relay's time goes, for a packet");
  draw_latency(f, &r->fixed);
  draw_parts(f, &r->fixed);
  return tm_bench_svg_close(f);
}
