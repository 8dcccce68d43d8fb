/*
 * The mistakes of one file, in the order of its lines, each once. Used inside base/config only.
 */
#ifndef TM_BASE_CONFIG_COMPLAINTS_H
#define TM_BASE_CONFIG_COMPLAINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TM_COMPLAINTS_MAX 64 /* of one file; what comes on top is counted */

struct tm_complaints {
  size_t n, more;
  struct {
    int line; /* 0: of the file as a whole */
    char *text;
  } at[TM_COMPLAINTS_MAX];
  bool no_memory; /* one could not be noted */
};

void tm_complaints_add(struct tm_complaints *complaints, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* "FILE:LINE: text" each, those of the whole file last. Leaves it empty. */
void tm_complaints_print(struct tm_complaints *complaints, const char *path, FILE *out);

#endif
