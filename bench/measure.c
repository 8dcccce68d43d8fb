#include "config.h"

#include <sched.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sphinx/sphinx.h"

#include "bench/measure.h"

double tm_bench_now_ns(void)
{
  struct timespec t;

  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int tm_bench_pin(void)
{
  int cpu = sched_getcpu();
  cpu_set_t set;

  if (cpu < 0 || cpu >= CPU_SETSIZE)
    return -1;
  CPU_ZERO(&set);
  CPU_SET((size_t)cpu, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0 ? cpu : -1;
}

void tm_bench_cpu_name(char name[static TM_BENCH_CPU_NAME_LEN])
{
  FILE *f = fopen("/proc/cpuinfo", "re");
  char line[256];

  strcpy(name, "unknown");
  if (f == NULL)
    return;
  while (fgets(line, sizeof line, f) != NULL) {
    const char *value = strchr(line, ':');

    if (strncmp(line, "model name", 10) != 0 || value == NULL)
      continue;
    value += 1 + strspn(value + 1, " \t");
    snprintf(name, TM_BENCH_CPU_NAME_LEN, "%.*s", (int)strcspn(value, "\n"), value);
    break;
  }
  fclose(f);
}

static int compare(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

/* Between the two nearest samples, as far as the share says. */
static double percentile(const double sorted[], size_t n, double share)
{
  double at = share * (double)(n - 1);
  size_t below = (size_t)at;
  size_t above = below + 1 < n ? below + 1 : below;

  return sorted[below] + (sorted[above] - sorted[below]) * (at - floor(at));
}

struct tm_bench_value tm_bench_reduce(double samples[], size_t n)
{
  qsort(samples, n, sizeof samples[0], compare);
  return (struct tm_bench_value){
    .median = percentile(samples, n, 0.5), .low = percentile(samples, n, 0.1), .high = percentile(samples, n, 0.9)};
}

const char *tm_bench_backend(const char *arg, const struct argp_state *state)
{
  char all[256] = "";

  for (const char *const *name = tm_sphinx_backends(); *name != NULL; name++) {
    size_t at = strlen(all);

    if (strcmp(*name, arg) == 0)
      return *name;
    snprintf(all + at, sizeof all - at, " %s", *name);
  }
  argp_error(state, "--backend: there is no \"%s\"; there are:%s", arg, all);
  return NULL;
}

void tm_bench_percentiles(double samples[], size_t n, const double shares[], double out[], size_t count)
{
  qsort(samples, n, sizeof samples[0], compare);
  for (size_t i = 0; i < count; i++)
    out[i] = percentile(samples, n, shares[i]);
}
