/*
 * Whole files, safely: read with a limit, write so that a crash leaves the old or the new one. Blocking; any thread.
 */
#ifndef TM_BASE_FILE_H
#define TM_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Reads a regular file of at most max bytes into *data, which the caller frees (tm_file_free wipes it) and which has a NUL
 * behind its *len bytes. Errors: TM_E_NOT_FOUND, TM_E_IO, TM_E_TOO_BIG, TM_E_NOMEM; *data is then NULL.
 */
int tm_file_read(const char *path, size_t max, uint8_t **data, size_t *len) __attribute__((warn_unused_result));
/* Why that failed, for people; right behind it, as it looks at errno. */
const char *tm_file_reason(int err);
void tm_file_free(uint8_t *data, size_t len);

/* Writes a temporary file with that mode, syncs it, renames it over path, syncs the directory. Errors: TM_E_IO, TM_E_NOMEM. */
int tm_file_write(const char *path, mode_t mode, const void *data, size_t len) __attribute__((warn_unused_result));

/* Makes a directory with mode 0700 if it is not there. Errors: TM_E_IO (also if it is something else). */
int tm_dir_make(const char *path) __attribute__((warn_unused_result));

#endif
