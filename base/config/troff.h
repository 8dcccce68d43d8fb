/*
 * Text for manual pages. Used inside base/config only.
 */
#ifndef TM_BASE_CONFIG_TROFF_H
#define TM_BASE_CONFIG_TROFF_H

#include <stdio.h>

/* One line of text: it begins with no control character, hyphens stay hyphens. */
void tm_troff(FILE *out, const char *text);

#endif
