/*
 * Loaded in front of a relay (LD_PRELOAD), for scenarios: a clock that is set forwards or back, and a disk that is full. The file named by TIDEMILL_TROUBLE
 * holds two native int64: milliseconds that are added to the wall clock, and whether files can grow (0) or not. Whoever writes there changes both at once.
 */
#include "config.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

struct trouble {
  int64_t shift_ms;
  int64_t disk_full;
};

static const struct trouble none;
static const volatile struct trouble *trouble = &none;

__attribute__((constructor)) static void start(void)
{
  const char *path = getenv("TIDEMILL_TROUBLE");
  int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  void *map;

  if (fd < 0)
    return;
  map = mmap(NULL, sizeof *trouble, PROT_READ, MAP_SHARED, fd, 0);
  if (map != MAP_FAILED)
    trouble = map;
  close(fd);
}

/* ---- the clock ---- */

EXPORT int clock_gettime(clockid_t id, struct timespec *t)
{
  int r = (int)syscall(SYS_clock_gettime, id, t);
  int64_t ms = trouble->shift_ms;

  if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
    t->tv_sec += ms / 1000;
    t->tv_nsec += ms % 1000 * 1000000;
    if (t->tv_nsec >= 1000000000 || t->tv_nsec < 0) {
      t->tv_sec += t->tv_nsec < 0 ? -1 : 1;
      t->tv_nsec += t->tv_nsec < 0 ? 1000000000 : -1000000000;
    }
  }
  return r;
}

EXPORT int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
  struct timespec t;
  int r = clock_gettime(CLOCK_REALTIME, &t);

  (void)zone;
  tv->tv_sec = t.tv_sec;
  tv->tv_usec = t.tv_nsec / 1000;
  return r;
}

EXPORT time_t time(time_t *out)
{
  struct timespec t;
  int r = clock_gettime(CLOCK_REALTIME, &t);

  if (out != NULL)
    *out = t.tv_sec;
  return r == 0 ? t.tv_sec : (time_t)-1;
}

/* ---- the disk ---- */

/* May these bytes be written? What lies in a file already may be changed; logs, which are open for appending, may grow. */
static int has_room(int fd, off_t at, size_t len)
{
  struct stat st;

  if (trouble->disk_full == 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (fcntl(fd, F_GETFL) & O_APPEND) != 0)
    return 1;
  if (at < 0)
    at = lseek(fd, 0, SEEK_CUR);
  if (at >= 0 && at + (off_t)len <= st.st_size)
    return 1;
  errno = ENOSPC;
  return 0;
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
  return has_room(fd, at, len) ? (ssize_t)syscall(SYS_pwrite64, fd, data, len, at) : -1;
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off_t at) { return pwrite(fd, data, len, at); }

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
  return has_room(fd, -1, len) ? (ssize_t)syscall(SYS_write, fd, data, len) : -1;
}

static int grow(int fd, off_t at, off_t len) { return has_room(fd, at, (size_t)len) ? 0 : errno; }

EXPORT int posix_fallocate(int fd, off_t at, off_t len)
{
  int err = grow(fd, at, len);

  return err != 0 ? err : syscall(SYS_fallocate, fd, 0, at, len) == 0 ? 0 : errno;
}

EXPORT int ftruncate(int fd, off_t len)
{
  return grow(fd, 0, len) == 0 ? (int)syscall(SYS_ftruncate, fd, len) : -1;
}

EXPORT int ftruncate64(int fd, off_t len) { return ftruncate(fd, len); }
