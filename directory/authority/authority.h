/*
 * The commands of tidemill-authority: keys, documents and their signatures, offline. One thread; each returns an exit
 * code of base/config/command.h and has said on standard error what went wrong and what to do.
 */
#ifndef TM_DIRECTORY_AUTHORITY_AUTHORITY_H
#define TM_DIRECTORY_AUTHORITY_AUTHORITY_H

#include "base/config/command.h"
#include "directory/document.h"
#include "directory/text.h"

int tm_authority_keygen(const struct tm_command_call *call);
int tm_authority_params(const struct tm_command_call *call);
int tm_authority_assemble(const struct tm_command_call *call);
int tm_authority_sign(const struct tm_command_call *call);
int tm_authority_verify(const struct tm_command_call *call);

/* Reads a whole file or reports why not. Returns 0, or TM_EXIT_FAILED with *data NULL. The caller frees with
 * tm_file_free. */
int tm_authority_read(const struct tm_command_call *call, const char *path, size_t max, char **data, size_t *len);
/* Writes a whole file, "-" for standard output, or reports why not. Returns 0 or TM_EXIT_FAILED. */
int tm_authority_write(const struct tm_command_call *call, const char *path, unsigned mode, const char *data,
                       size_t len);
/* Reports a fault in that file. Returns TM_EXIT_FAILED. */
int tm_authority_fault(const struct tm_command_call *call, const char *path, int err, const struct tm_fault *fault);

/*
 * Fills in the parameters from a file of "name value" lines and then from n settings "name=value". Returns 0, or
 * TM_EXIT_FAILED when it has reported what is wrong: one unknown, out of range, twice or missing.
 */
int tm_authority_read_params(const struct tm_command_call *call, const char *path, char *const settings[], size_t n,
                             struct tm_params *params);
/* The same from the text of such a file; path is for messages. */
int tm_authority_parse_params(const struct tm_command_call *call, const char *path, const char *text, size_t len,
                              struct tm_params *params);

#endif
