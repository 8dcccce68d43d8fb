#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/disk_shim.h"

#define SUFFIX ".seen"
#define SECTOR 512
#define CHANGE_MAX (1 << 20)

/* One change in the undo file: then the old bytes, as many as the file had there, and the new ones. */
struct change {
  uint64_t at, old_size;
  uint32_t old_len, new_len;
};

atomic_uint disk_calls, disk_die_at, disk_fail_at, disk_syncs;
atomic_int disk_errno = EIO;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

#define EXPORT __attribute__((visibility("default")))

/* ---- under the program ---- */

/* By system calls, as the functions of these names are the ones here. */
static ssize_t real_pwrite(int fd, const void *data, size_t len, off_t at) { return syscall(SYS_pwrite64, fd, data, len, at); }
static int real_truncate(int fd, off_t len) { return (int)syscall(SYS_ftruncate, fd, len); }

static bool undo_name(int fd, char name[static PATH_MAX])
{
  char link[64];
  ssize_t n;

  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  n = readlink(link, name, PATH_MAX - sizeof ".undo");
  if (n < (ssize_t)strlen(SUFFIX) || memcmp(name + n - strlen(SUFFIX), SUFFIX, strlen(SUFFIX)) != 0)
    return false;
  memcpy(name + n, ".undo", sizeof ".undo");
  return true;
}

/* The change is kept before it is made. One write, so that it is there or not. */
static void keep(int fd, const char *name, const void *data, size_t len, off_t at)
{
  struct stat st;
  struct change c = {.at = (uint64_t)at, .new_len = (uint32_t)len};
  uint8_t *record = malloc(sizeof c + 2 * len);
  int undo = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ssize_t old;

  if (undo < 0 || record == NULL || len > CHANGE_MAX || fstat(fd, &st) != 0)
    abort();
  c.old_size = (uint64_t)st.st_size;
  old = pread(fd, record + sizeof c, len, at);
  c.old_len = old > 0 ? (uint32_t)old : 0;
  memcpy(record, &c, sizeof c);
  if (len > 0)
    memcpy(record + sizeof c + c.old_len, data, len);
  if (write(undo, record, sizeof c + c.old_len + len) != (ssize_t)(sizeof c + c.old_len + len))
    abort();
  close(undo);
  free(record);
}

/* 0: go on; else the call fails with that. */
static int count(bool *die)
{
  disk_calls++;
  *die = disk_die_at != 0 && disk_calls >= disk_die_at;
  return disk_fail_at != 0 && disk_calls >= disk_fail_at ? disk_errno : 0;
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
  char name[PATH_MAX];
  ssize_t n;
  bool die;
  int err;

  if (!undo_name(fd, name))
    return real_pwrite(fd, data, len, at);
  pthread_mutex_lock(&mutex);
  err = count(&die);
  if (err == 0) {
    keep(fd, name, data, len, at);
    n = real_pwrite(fd, data, die ? len / 2 : len, at);
  } else {
    errno = err;
    n = -1;
  }
  if (die)
    raise(SIGKILL);
  pthread_mutex_unlock(&mutex);
  return n;
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off_t at) { return pwrite(fd, data, len, at); }

static int sync_file(int fd, long call)
{
  char name[PATH_MAX];
  bool die;
  int err;

  if (!undo_name(fd, name))
    return (int)syscall(call, fd);
  pthread_mutex_lock(&mutex);
  err = count(&die);
  if (die)
    raise(SIGKILL);
  if (err == 0) {
    /* The real file stays in memory: a test is not about the machine's disk. */
    if (truncate(name, 0) != 0 && errno != ENOENT)
      abort();
    disk_syncs++;
  }
  pthread_mutex_unlock(&mutex);
  errno = err;
  return err == 0 ? 0 : -1;
}

EXPORT int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }
EXPORT int fsync(int fd) { return sync_file(fd, SYS_fsync); }

EXPORT int ftruncate(int fd, off_t len)
{
  char name[PATH_MAX];

  if (undo_name(fd, name))
    abort(); /* nobody shortens such a file */
  return real_truncate(fd, len);
}

/* ---- after it ---- */

static uint8_t *read_undo(const char *path, size_t *len)
{
  char name[PATH_MAX];
  struct stat st;
  uint8_t *data = NULL;
  int fd;

  *len = 0;
  snprintf(name, sizeof name, "%s.undo", path);
  fd = open(name, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return NULL;
  if (fstat(fd, &st) == 0 && st.st_size > 0 && (data = malloc((size_t)st.st_size)) != NULL && read(fd, data, (size_t)st.st_size) == st.st_size)
    *len = (size_t)st.st_size;
  close(fd);
  unlink(name);
  return data;
}

static bool put_back(int fd, const struct change *c, const uint8_t *old)
{
  struct stat st;

  if (real_pwrite(fd, old, c->old_len, (off_t)c->at) != (ssize_t)c->old_len || fstat(fd, &st) != 0)
    return false;
  return (uint64_t)st.st_size <= c->old_size || real_truncate(fd, (off_t)c->old_size) == 0;
}

static bool make_some(int fd, const struct change *c, const uint8_t *new, const struct tm_rng *rng)
{
  for (uint64_t from = 0; from < c->new_len;) {
    uint64_t to = (c->at + from) / SECTOR * SECTOR + SECTOR - c->at;
    if (to > c->new_len)
      to = c->new_len;
    if (tm_rng_below(rng, 2) == 0 && real_pwrite(fd, new + from, (size_t)(to - from), (off_t)(c->at + from)) != (ssize_t)(to - from))
      return false;
    from = to;
  }
  return true;
}

/* Backwards first, to where the last sync was; then forwards, some of it. */
static int replay_changes(int fd, const uint8_t *undo, size_t len, const struct tm_rng *rng)
{
  size_t at[4096], n = 0, next = 0;
  struct change c;

  while (n < 4096 && next + sizeof c <= len) {
    memcpy(&c, undo + next, sizeof c);
    if (next + sizeof c + c.old_len + c.new_len > len)
      break; /* killed while it was kept: not made */
    at[n++] = next;
    next += sizeof c + c.old_len + c.new_len;
  }
  for (size_t i = n; i-- > 0;) {
    memcpy(&c, undo + at[i], sizeof c);
    if (!put_back(fd, &c, undo + at[i] + sizeof c))
      return -1;
  }
  for (size_t i = 0; rng != NULL && i < n; i++) {
    memcpy(&c, undo + at[i], sizeof c);
    if (!make_some(fd, &c, undo + at[i] + sizeof c + c.old_len, rng))
      return -1;
  }
  return (int)n;
}

int disk_crash(const char *path, enum disk_crash_mode mode, const struct tm_rng *rng)
{
  size_t len;
  uint8_t *undo;
  int n = 0, fd;

  if (mode == DISK_KEEP)
    return 0; /* the changes are still not synced, and may be lost the next time */
  undo = read_undo(path, &len);
  if (undo != NULL) {
    fd = open(path, O_RDWR | O_CLOEXEC);
    n = fd < 0 ? -1 : replay_changes(fd, undo, len, mode == DISK_TEAR ? rng : NULL);
    if (fd >= 0)
      close(fd);
  }
  free(undo);
  return n;
}
