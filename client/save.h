/*
 * Saves a received file under the name its sender gave it, made safe: no path, no hidden file, no control characters, and never over a
 * file that is there: a number is put in front of the ending instead. Blocking; any thread.
 */
#ifndef TM_CLIENT_SAVE_H
#define TM_CLIENT_SAVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TM_SAVE_NAME_LEN 256 /* with the NUL */
#define TM_SAVE_TRIES 1000

/* What a file of that name is called in our directory. Never empty. */
void tm_save_name(const char *name, char safe[static TM_SAVE_NAME_LEN]);

/*
 * Writes dir/NAME with mode 0600, synced, under its name only when it is whole. *path: where, malloc'ed. Errors: TM_E_IO (errno),
 * TM_E_NOMEM, TM_E_FULL (every name is taken).
 */
int tm_save_file(const char *dir, const char *name, const void *data, size_t len, char **path) TM_MUST_CHECK;

#endif
