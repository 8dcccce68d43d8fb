/*
 * One value of one option: from text into its field, and its range in words. Used inside base/config only.
 */
#ifndef TM_BASE_CONFIG_VALUE_H
#define TM_BASE_CONFIG_VALUE_H

#include "base/config/options.h"

#define TM_OPTION_WHY_MAX 512

/*
 * Puts text into the option's field in values; path: of the configuration file; first: nothing was put there before.
 * Errors: TM_E_SYNTAX, why then says what is wrong and what to do; TM_E_NOMEM.
 */
int tm_option_set(const struct tm_option *option, const char *path, const char *text, bool first, void *values,
                  char why[static TM_OPTION_WHY_MAX]) __attribute__((warn_unused_result));

/* "an integer from 1 to 64 (threads)"; written to text. */
void tm_option_range(const struct tm_option *option, char *text, size_t cap);

/* Is the field a char * of its own? */
bool tm_option_is_text(const struct tm_option *option);

#endif
