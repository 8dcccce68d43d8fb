/*
 * "Did you mean ...?": the nearest name to a mistyped one. No state; any thread.
 */
#ifndef TM_BASE_CONFIG_SUGGEST_H
#define TM_BASE_CONFIG_SUGGEST_H

#include <stddef.h>

/* The i-th known name; NULL behind the last. */
typedef const char *tm_suggest_name(const void *table, size_t i);

/* The known name that word most likely stands for, at most a third of its letters away; NULL: none is near. */
const char *tm_suggest(const char *word, tm_suggest_name *name, const void *table);

#endif
