/*
 * The relay closes itself in: once all is set up, its threads may make those system calls that a running relay makes, and no others. Main thread, when
 * all threads run; the filter holds for all of them, cannot be taken off, and dies with the process.
 *
 * What stays allowed: its descriptors, files, memory that is never executable, connections over IPv4 and IPv6, datagrams to the service manager.
 * Not: other programs, new threads, other kinds of sockets, tracing, other identities or limits, and all that no relay ever does. A forbidden call ends
 * the process with SIGSYS; the number of the call stands in the log.
 */
#ifndef TM_RELAY_SANDBOX_H
#define TM_RELAY_SANDBOX_H

#include "base/err.h"

/*
 * A build without libseccomp, or with a sanitizer (which makes calls of its own), has no filter: the log then says so, and it returns TM_OK. Errors, in the
 * log: TM_E_IO (the kernel takes no filter), TM_E_NOMEM. Some threads may not be filtered then.
 */
int tm_sandbox_close(void) TM_MUST_CHECK;

#endif
