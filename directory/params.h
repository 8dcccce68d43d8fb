/*
 * The network parameters: one table gives names, ranges, defaults, the parser, the writer, the sample file and the
 * specification's table. No state; any thread.
 */
#ifndef TM_DIRECTORY_PARAMS_H
#define TM_DIRECTORY_PARAMS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "directory/document.h"
#include "directory/text.h"

#define TM_PARAM_VALUE_MAX 16 /* characters of any value, with the final NUL */

struct tm_param {
  const char *name;         /* as in documents and in struct tm_params */
  size_t offset;            /* in struct tm_params */
  uint32_t min, max;
  uint32_t standard;        /* the default network's */
  const char *const *words; /* names of min, min + 1, ...; NULL: a decimal */
  const char *unit;
  const char *help;
};

size_t tm_params_count(void);
const struct tm_param *tm_params_at(size_t i);
/* Index of that name; tm_params_count() if there is none. */
size_t tm_params_find(struct tm_span name);

/* Sets parameter i. Errors: TM_E_SYNTAX (not a value of its range). */
int tm_params_set(struct tm_params *params, size_t i, struct tm_span value) TM_MUST_CHECK;
/* Value of parameter i as documents have it. */
void tm_params_format(const struct tm_params *params, size_t i, char text[static TM_PARAM_VALUE_MAX]);
void tm_params_standard(struct tm_params *params);

/* What must hold between parameters. NULL: all is well; else a sentence that says what does not fit. */
const char *tm_params_conflict(const struct tm_params *params);

/* The default parameters as a file for `assemble`, with comments; and the table of the specification. */
void tm_params_print_sample(FILE *out);
void tm_params_print_table(FILE *out);

#endif
