/* The file epoch-length of keys.h: what the numbers in the names of mix keys mean. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#include "relay/keys.h"

#define LENGTH_NAME "epoch-length"
#define LENGTH_MAX 16 /* bytes of the file */

static char *path_of(const char *dir)
{
  size_t cap = strlen(dir) + 1 + sizeof LENGTH_NAME;
  char *path = malloc(cap);

  if (path != NULL)
    snprintf(path, cap, "%s/" LENGTH_NAME, dir);
  return path;
}

/* Exactly what write_length writes. */
static int read_length(const char *path, uint32_t *length)
{
  char again[LENGTH_MAX];
  uint8_t *text;
  size_t len;
  int err = tm_file_read(path, LENGTH_MAX, &text, &len);

  *length = 0;
  if (err == TM_E_TOO_BIG)
    return TM_E_SYNTAX;
  if (err != TM_OK)
    return err;
  *length = (uint32_t)strtoul((const char *)text, NULL, 10);
  snprintf(again, sizeof again, "%" PRIu32 "\n", *length);
  if (*length == 0 || strlen(again) != len || memcmp(again, text, len) != 0) {
    *length = 0;
    err = TM_E_SYNTAX;
  }
  tm_file_free(text, len);
  return err;
}

static int write_length(const char *path, uint32_t length)
{
  char text[LENGTH_MAX];
  int n = snprintf(text, sizeof text, "%" PRIu32 "\n", length);

  return tm_file_write(path, 0600, text, (size_t)n);
}

int tm_epoch_length_keep(const char *state_dir, uint32_t epoch_s, uint32_t *noted)
{
  char *path = path_of(state_dir);
  uint32_t length = 0;
  int err = path == NULL ? TM_E_NOMEM : read_length(path, &length);

  if (err == TM_E_NOT_FOUND)
    err = write_length(path, epoch_s);
  else if (err == TM_OK && length != epoch_s)
    err = TM_E_CONFLICT;
  if (noted != NULL)
    *noted = err == TM_OK ? epoch_s : length;
  free(path);
  return err;
}

uint32_t tm_epoch_length(const char *state_dir)
{
  char *path = path_of(state_dir);
  uint32_t length = 0;

  if (path == NULL || read_length(path, &length) != TM_OK)
    length = 0;
  free(path);
  return length;
}

int tm_epoch_length_forget(const char *state_dir)
{
  char *path;
  uint64_t *epochs;
  size_t n;
  int err = tm_mix_keys_list(state_dir, &epochs, &n);

  if (err != TM_OK)
    return err;
  free(epochs);
  if (n > 0)
    return TM_E_STATE;
  path = path_of(state_dir);
  if (path == NULL)
    return TM_E_NOMEM;
  err = unlink(path) == 0 || errno == ENOENT ? TM_OK : TM_E_IO;
  free(path);
  return err;
}
