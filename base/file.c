#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"

#include "base/file.h"

static int read_all(int fd, uint8_t *data, size_t want, size_t *got)
{
  *got = 0;
  while (*got < want) {
    ssize_t n = read(fd, data + *got, want - *got);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return TM_E_IO;
    if (n == 0)
      break;
    *got += (size_t)n;
  }
  return TM_OK;
}

int tm_file_read(const char *path, size_t max, uint8_t **data, size_t *len)
{
  struct stat st;
  size_t want = 0;
  int err = TM_OK;
  int fd;

  *data = NULL;
  *len = 0;
  fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return errno == ENOENT ? TM_E_NOT_FOUND : TM_E_IO;
  if (fstat(fd, &st) != 0) {
    err = TM_E_IO;
  } else if (!S_ISREG(st.st_mode)) {
    errno = 0;
    err = TM_E_IO;
  } else if (st.st_size < 0 || (uint64_t)st.st_size > max) {
    err = TM_E_TOO_BIG;
  } else {
    want = (size_t)st.st_size;
    *data = malloc(want + 1);
    err = *data == NULL ? TM_E_NOMEM : read_all(fd, *data, want, len);
  }
  close(fd);
  if (err != TM_OK) {
    tm_file_free(*data, want);
    *data = NULL;
    *len = 0;
    return err;
  }
  (*data)[*len] = '\0';
  return TM_OK;
}

const char *tm_file_reason(int err)
{
  if (err != TM_E_IO && err != TM_E_NOT_FOUND)
    return tm_strerror(err);
  return errno != 0 ? strerror(errno) : "it is no regular file";
}

void tm_file_free(uint8_t *data, size_t len)
{
  if (data == NULL)
    return;
  sodium_memzero(data, len);
  free(data);
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
  while (len > 0) {
    ssize_t n = write(fd, data, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return TM_E_IO;
    data += n;
    len -= (size_t)n;
  }
  return fsync(fd) == 0 ? TM_OK : TM_E_IO;
}

static int sync_parent(const char *path)
{
  char *copy = strdup(path);
  int fd;
  int err = TM_OK;

  if (copy == NULL)
    return TM_E_NOMEM;
  fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0)
    err = TM_E_IO;
  if (fd >= 0)
    close(fd);
  free(copy);
  return err;
}

int tm_file_write(const char *path, mode_t mode, const void *data, size_t len)
{
  size_t cap = strlen(path) + sizeof ".XXXXXX";
  char *temp = malloc(cap);
  int err = TM_E_IO;
  int fd;

  if (temp == NULL)
    return TM_E_NOMEM;
  snprintf(temp, cap, "%s.XXXXXX", path);
  fd = mkostemp(temp, O_CLOEXEC);
  if (fd < 0) {
    free(temp);
    return TM_E_IO;
  }
  if (fchmod(fd, mode) == 0)
    err = write_all(fd, data, len);
  if (close(fd) != 0)
    err = TM_E_IO;
  if (err == TM_OK && rename(temp, path) != 0)
    err = TM_E_IO;
  if (err != TM_OK)
    unlink(temp);
  else
    err = sync_parent(path);
  free(temp);
  return err;
}

int tm_dir_make(const char *path)
{
  struct stat st;

  if (mkdir(path, 0700) == 0)
    return TM_OK;
  if (errno != EEXIST || stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
    return TM_E_IO;
  return TM_OK;
}
