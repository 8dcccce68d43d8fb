/*
 * What every benchmark needs: a clock, one CPU to stay on, and repeated runs boiled down to a median and a spread.
 * One thread.
 */
#ifndef TM_BENCH_MEASURE_H
#define TM_BENCH_MEASURE_H

#include <argp.h>
#include <stddef.h>

#define TM_BENCH_CPU_NAME_LEN 96

/*
 * Nanoseconds that this thread has spent on the CPU: what other programs took meanwhile is not in it. Waiting isn't
 * either, so it is for computing only.
 */
double tm_bench_now_ns(void);

/* Ties this thread to the CPU that it runs on. Returns that CPU's number, or -1 if the system refuses. */
int tm_bench_pin(void);

/* The processor's name as the system gives it, or "unknown". */
void tm_bench_cpu_name(char name[static TM_BENCH_CPU_NAME_LEN]);

/* Median, 10th and 90th percentile, in the unit of the samples. */
struct tm_bench_value {
  double median, low, high;
};

/* Sorts samples[0..n), n > 0. */
struct tm_bench_value tm_bench_reduce(double samples[], size_t n);

/* The argument of --backend: the name of one that is built in, or argp_error. */
const char *tm_bench_backend(const char *arg, const struct argp_state *state);

/* Sorts samples[0..n), n > 0, and writes the percentiles at the given shares, 0 to 1. */
void tm_bench_percentiles(double samples[], size_t n, const double shares[], double out[], size_t count);

#endif
