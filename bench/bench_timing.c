#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "bench/measure.h"
#include "sphinx/backend.h"

#include "bench/bench_timing.h"

#define LANES 8
#define SAMPLES_MAX 10000000
#define T_MAX 10.0  /* beyond it a difference is sure; dudect's own bounds */
#define T_WARN 4.5  /* below it there is no sign of one */

/* Of inputs; the last ones are for multiples of the base point, which have no other point. */
enum class { RANDOM, ZERO, SAME, LOW_ORDER, BASE_ZERO, BASE_SAME, CLASSES };

static const char *const class_names[CLASSES] = {
  "random", "scalar zero", "always the same", "point of low order", "base, scalar zero", "base, always the same"};

struct timing_options {
  const char *backend;
  uint64_t samples;
  bool planted;
};

/* A call's inputs. */
struct inputs {
  uint8_t scalar[LANES][32], point[LANES][32], out[LANES][32], ok[LANES];
};

static void choose(struct inputs *in, enum class which)
{
  randombytes_buf(in->scalar, sizeof in->scalar);
  randombytes_buf(in->point, sizeof in->point);
  for (size_t l = 0; l < LANES; l++) {
    if (which == ZERO || which == BASE_ZERO)
      memset(in->scalar[l], 0, 32);
    if (which == SAME || which == BASE_SAME)
      memset(in->scalar[l], 0x55, 32);
    if (which == SAME || which == LOW_ORDER)
      memset(in->point[l], 0, 32);
    if (which == SAME)
      in->point[l][0] = 9;
  }
}

/* What the test has to find: a branch on a bit of the scalar, of a twentieth of the time or so. */
static void leak(const struct inputs *in, uint8_t *sink)
{
  if ((in->scalar[0][5] & 1) != 0)
    for (volatile int i = 0; i < 20000; i++)
      *sink ^= (uint8_t)i;
}

static double time_one(const struct tm_sphinx_backend *b, struct inputs *in, bool base, bool planted)
{
  uint8_t *out[LANES], sink = 0;
  const uint8_t *scalar[LANES], *point[LANES];
  double start;

  for (size_t l = 0; l < LANES; l++) {
    out[l] = in->out[l];
    scalar[l] = in->scalar[l];
    point[l] = in->point[l];
  }
  start = tm_bench_now_ns();
  if (base)
    b->curve->x25519_base(out, scalar, LANES);
  else
    b->curve->x25519(out, scalar, point, in->ok, LANES);
  if (planted)
    leak(in, &sink);
  return tm_bench_now_ns() - start;
}

/* Of what lies below the bound: how many, mean and variance. */
static double moments(const double *x, size_t n, double bound, double *mean, double *variance)
{
  double sum = 0, squares = 0, m = 0;

  for (size_t i = 0; i < n; i++)
    if (x[i] <= bound) {
      sum += x[i];
      m++;
    }
  *mean = sum / m;
  for (size_t i = 0; i < n; i++)
    if (x[i] <= bound)
      squares += (x[i] - *mean) * (x[i] - *mean);
  *variance = squares / (m - 1);
  return m;
}

/* Welch's t of two classes that take turns by chance; NAN: no memory. */
static double welch(const struct tm_sphinx_backend *b, const struct timing_options *o, enum class other)
{
  double *all = calloc(2 * (size_t)o->samples, sizeof *all), *x[2] = {all, all == NULL ? NULL : all + o->samples};
  double *both = calloc(2 * (size_t)o->samples, sizeof *both), mean[2], variance[2], m[2], bound;
  size_t n[2] = {0, 0}, k = 0;
  struct inputs in;

  if (all == NULL || both == NULL) {
    free(all);
    free(both);
    return NAN;
  }
  while (n[0] < o->samples && n[1] < o->samples) {
    size_t c = randombytes_uniform(2);

    choose(&in, c == 0 ? RANDOM : other);
    x[c][n[c]++] = time_one(b, &in, other >= BASE_ZERO, o->planted);
  }
  for (size_t c = 0; c < 2; c++)
    for (size_t i = 0; i < n[c]; i++)
      both[k++] = x[c][i];
  bound = tm_bench_reduce(both, k).high; /* the slowest tenth is interrupts and the like */
  for (size_t c = 0; c < 2; c++)
    m[c] = moments(x[c], n[c], bound, &mean[c], &variance[c]);
  free(all);
  free(both);
  return (mean[0] - mean[1]) / sqrt(variance[0] / m[0] + variance[1] / m[1]);
}

static int report(const struct tm_sphinx_backend *b, const struct timing_options *o)
{
  int found = 0;

  for (enum class c = ZERO; c < CLASSES; c++) {
    double t = welch(b, o, c);
    const char *verdict = isnan(t) ? "no memory" : fabs(t) > T_MAX ? "a difference" : fabs(t) > T_WARN ? "not sure" : "none seen";

    printf("%-12s random against %-22s t = %7.2f   %s\n", b->name, class_names[c], t, verdict);
    found |= isnan(t) || fabs(t) > T_MAX;
  }
  return found;
}

/* ---- the command ---- */

static const struct argp_option options[] = {
  {"backend", 'B', "NAME", 0, "Only this back-end", 0},
  {"samples", 's', "N", 0, "Calls of each class, at least 100 (20000)", 0},
  {"planted", 'p', NULL, 0, "Add a branch on a bit of the scalar: it has to be found", 0},
  {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
  struct timing_options *o = state->input;

  switch (key) {
  case 'B':
    o->backend = arg;
    return 0;
  case 's':
    o->samples = tm_command_number(state, "--samples", arg, 100, SAMPLES_MAX);
    return 0;
  case 'p':
    o->planted = true;
    return 0;
  case ARGP_KEY_ARG:
    argp_error(state, "\"%s\" is one argument too many", arg);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

int tm_bench_timing(const struct tm_command_call *call)
{
  struct timing_options o = {.samples = 20000};
  int found = 0, ran = 0;

  tm_command_parse(call, options, parse, &o);
  if (sodium_init() < 0)
    return tm_command_fail(call, "%s", tm_strerror(TM_E_NOMEM));
  if (tm_bench_pin() < 0)
    fprintf(stderr, "%s: not tied to one CPU, the system refuses: expect a wide spread\n", call->argv[0]);
  for (const char *const *name = tm_sphinx_backends(); *name != NULL; name++) {
    const struct tm_sphinx_backend *b = o.backend == NULL || strcmp(o.backend, *name) == 0 ? tm_backend_choose(*name) : NULL;

    if (b == NULL)
      continue;
    found |= report(b, &o);
    ran++;
  }
  if (ran == 0)
    return tm_command_fail(call, "back-end %s does not work on this machine", o.backend == NULL ? "" : o.backend);
  if (fflush(stdout) != 0)
    return tm_command_fail(call, "standard output: %s", tm_strerror(TM_E_IO));
  return found ? TM_EXIT_FAILED : TM_EXIT_OK;
}
