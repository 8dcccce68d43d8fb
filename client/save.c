#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#include "client/save.h"

#define NAME_MAX_BYTES 200 /* room for a number, and for tm_file_write's ending */

void tm_save_name(const char *name, char safe[static TM_SAVE_NAME_LEN])
{
  size_t len = 0;

  for (; *name != '\0' && len < NAME_MAX_BYTES; name++) {
    unsigned char c = (unsigned char)*name;
    bool bad = c < ' ' || c == 0x7f || c == '/' || c == '\\' || (len == 0 && (c == '.' || c == '-' || c == '~'));
    safe[len++] = bad ? '_' : *name;
  }
  while (len > 0 && ((unsigned char)*name & 0xc0) == 0x80 && ((unsigned char)safe[len - 1] & 0xc0) == 0x80)
    len--; /* cut within a character: take its beginning away too */
  if (len > 0 && ((unsigned char)*name & 0xc0) == 0x80 && (unsigned char)safe[len - 1] >= 0xc0)
    len--;
  safe[len] = '\0';
  if (len == 0)
    memcpy(safe, "file", sizeof "file");
}

/* "report.pdf", "report-2.pdf", ... */
static char *numbered(const char *dir, const char *safe, int i)
{
  const char *dot = strrchr(safe, '.');
  size_t stem = dot != NULL && dot != safe ? (size_t)(dot - safe) : strlen(safe);
  char *path = NULL;
  int n;

  if (i == 1)
    n = asprintf(&path, "%s/%s", dir, safe);
  else
    n = asprintf(&path, "%s/%.*s-%d%s", dir, (int)stem, safe, i, safe + stem);
  return n < 0 ? NULL : path;
}

/* A whole, synced file under a name that nobody else uses; NULL: errno says why. */
static char *write_temporary(const char *dir, const void *data, size_t len)
{
  char *path = NULL;
  int fd;
  int error = 0;

  if (asprintf(&path, "%s/.tidemill-XXXXXX", dir) < 0)
    return NULL;
  fd = mkostemp(path, O_CLOEXEC);
  if (fd < 0) {
    error = errno;
    free(path);
    errno = error;
    return NULL;
  }
  for (size_t at = 0; at < len && error == 0;) {
    ssize_t n = write(fd, (const uint8_t *)data + at, len - at);
    if (n > 0)
      at += (size_t)n;
    else if (n == 0 || errno != EINTR)
      error = n == 0 ? EIO : errno;
  }
  if (error == 0 && fsync(fd) != 0)
    error = errno;
  if (close(fd) != 0 && error == 0)
    error = errno;
  if (error == 0)
    return path;
  unlink(path);
  free(path);
  errno = error;
  return NULL;
}

int tm_save_file(const char *dir, const char *name, const void *data, size_t len, char **path)
{
  char safe[TM_SAVE_NAME_LEN];
  char *temporary = write_temporary(dir, data, len);
  int err = TM_E_FULL;

  *path = NULL;
  if (temporary == NULL)
    return errno == ENOMEM ? TM_E_NOMEM : TM_E_IO;
  tm_save_name(name, safe);
  for (int i = 1; i <= TM_SAVE_TRIES && err == TM_E_FULL; i++) {
    char *to = numbered(dir, safe, i);
    if (to == NULL) {
      err = TM_E_NOMEM;
    } else if (link(temporary, to) == 0) { /* unlike rename, never over another file */
      *path = to;
      err = TM_OK;
    } else {
      if (errno != EEXIST)
        err = TM_E_IO;
      free(to);
    }
  }
  if (err == TM_E_IO) {
    int error = errno;
    unlink(temporary);
    errno = error;
  } else {
    unlink(temporary);
  }
  free(temporary);
  return err;
}
