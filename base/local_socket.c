#include "config.h"

#include <fcntl.h>
#include <libgen.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/local_socket.h"

/* A name for path that fits into addr: itself, or by a descriptor of its directory, which the caller closes (-1: none). False: errno says why. */
static bool name_of(const char *path, struct sockaddr_un *addr, int *dir)
{
  const char *slash = strrchr(path, '/');
  char *copy = NULL;
  int n;

  *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
  *dir = -1;
  if (strlen(path) < sizeof addr->sun_path) {
    memcpy(addr->sun_path, path, strlen(path) + 1);
    return true;
  }
  errno = ENAMETOOLONG;
  if (slash != NULL && (copy = strdup(path)) != NULL)
    *dir = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
  free(copy);
  if (*dir < 0)
    return false;
  n = snprintf(addr->sun_path, sizeof addr->sun_path, "/proc/self/fd/%d/%s", *dir, slash + 1);
  if (n > 0 && (size_t)n < sizeof addr->sun_path)
    return true;
  close(*dir);
  *dir = -1;
  errno = ENAMETOOLONG;
  return false;
}

/* Closes and keeps errno. */
static void close_quietly(int fd)
{
  int error = errno;

  if (fd >= 0)
    close(fd);
  errno = error;
}

static int connect_to(const struct sockaddr_un *addr)
{
  /* Non-blocking: a listener that does not accept must not hold us up. */
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0 || connect(fd, (const struct sockaddr *)addr, sizeof *addr) == 0)
    return fd;
  close_quietly(fd);
  return -1;
}

/* Makes the name free, unless somebody needs it. */
static bool make_way(const struct sockaddr_un *addr)
{
  struct stat st;
  int fd;

  if (lstat(addr->sun_path, &st) != 0)
    return errno == ENOENT;
  if (!S_ISSOCK(st.st_mode)) {
    errno = EEXIST;
    return false;
  }
  fd = connect_to(addr);
  if (fd >= 0 || errno == EAGAIN) {
    close_quietly(fd);
    errno = EADDRINUSE;
    return false;
  }
  return errno == ECONNREFUSED && unlink(addr->sun_path) == 0;
}

int tm_local_socket_bind(const char *path)
{
  struct sockaddr_un addr;
  int dir, fd = -1;

  if (!name_of(path, &addr, &dir))
    return -1;
  if (make_way(&addr))
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  /* Before the name is there it gets its mode from the socket; a umask would be every thread's. */
  if (fd >= 0 && (fchmod(fd, 0600) != 0 || bind(fd, (const struct sockaddr *)&addr, sizeof addr) != 0)) {
    close_quietly(fd);
    fd = -1;
  }
  close_quietly(dir);
  return fd;
}

int tm_local_socket_connect(const char *path)
{
  struct sockaddr_un addr;
  int dir, fd;

  if (!name_of(path, &addr, &dir))
    return -1;
  fd = connect_to(&addr);
  if (fd >= 0 && fcntl(fd, F_SETFL, 0) != 0) {
    close_quietly(fd);
    fd = -1;
  }
  close_quietly(dir);
  return fd;
}

uid_t tm_local_socket_peer(int fd)
{
  struct ucred peer;
  socklen_t len = sizeof peer;

  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || len != sizeof peer)
    return (uid_t)-1;
  return peer.uid;
}
