/*
 * Starts a daemon in the background: the same program, in a session of its own, that has nothing of the caller's but one end of a socket
 * pair (startup.h). Main thread of a command.
 */
#ifndef TM_CLIENT_SPAWN_H
#define TM_CLIENT_SPAWN_H

#include "client/failure.h"
#include "client/session.h"

/*
 * Returns when it answers commands, or says why it can't. Asks for the passphrase where one is needed. The caller holds the lock that keeps
 * others from doing the same. Failure "running": somebody else's daemon has the state, and does not answer yet.
 */
int tm_spawn_daemon(const struct tm_place *place, struct tm_failure *failure);

#endif
