/*
 * Unix sockets with a name in the file system, for one user's own programs. Paths may be longer than a socket's address can be. Blocking
 * but for what is said; any thread.
 */
#ifndef TM_BASE_LOCAL_SOCKET_H
#define TM_BASE_LOCAL_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * A non-blocking socket bound to path, mode 0600 from its first moment on, not listening yet. A socket that nobody listens on any more is
 * replaced; anything else that has the name stays. -1: errno says why (EADDRINUSE: somebody listens there; EEXIST: it is no socket).
 */
int tm_local_socket_bind(const char *path);

/* A blocking socket connected to path; never waits. -1: errno says why (ENOENT, ECONNREFUSED: nobody is there; EACCES: not for this user). */
int tm_local_socket_connect(const char *path);

/* The user of the process at the other end of a connected one; (uid_t)-1: the system does not say. */
uid_t tm_local_socket_peer(int fd);

#endif
