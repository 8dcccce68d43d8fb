/* What benchmarks with --json share. */
#ifndef TM_BENCH_JSON_H
#define TM_BENCH_JSON_H

#include <stddef.h>

#include <jansson.h>

#include "base/err.h"

/* A number with no more decimals than anybody can measure; null: it is none. NULL: no memory. */
json_t *tm_bench_number(double v, unsigned decimals);

/* Prints root, which is used up, with so many digits a number. Errors: TM_E_NOMEM (root is NULL), TM_E_IO. */
int tm_bench_print_json(json_t *root, size_t digits) TM_MUST_CHECK;

#endif
