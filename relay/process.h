/*
 * The process around the engine: who it is, how much it may keep open and locked, and that nothing of it ends in a core file. Main thread, before others
 * start. Nothing here is undone.
 */
#ifndef TM_RELAY_PROCESS_H
#define TM_RELAY_PROCESS_H

#include <stdint.h>

#include "base/err.h"
#include "relay/options.h"

#define TM_PROCESS_WHY_MAX 1024

/*
 * The user that the process is to be, as tidemill-relay(8) says: not root's own choice, but what `user` names, or the owner of state-dir. Does nothing
 * where root did not start it. Whatever was opened stays open. Errors, why then says what to do: TM_E_NOT_FOUND (no such user), TM_E_STATE (it would
 * be root and nobody said so, or would have to be somebody that it cannot become), TM_E_IO.
 */
int tm_process_become(const struct tm_relay_config *config, char why[static TM_PROCESS_WHY_MAX]) TM_MUST_CHECK;

/*
 * For keygen: makes state-dir if there is none, and becomes who shall own the keys, so that root leaves none that the relay cannot read. With
 * nobody named and nobody's directory it stays root. Errors as for tm_process_become and tm_process_check_state.
 */
int tm_process_make_state(const struct tm_relay_config *config, char why[static TM_PROCESS_WHY_MAX]) TM_MUST_CHECK;

/* state-dir is there, and ours alone. Errors, why then says what to do: TM_E_NOT_FOUND, TM_E_AUTH, TM_E_IO. */
int tm_process_check_state(const struct tm_relay_config *config, char why[static TM_PROCESS_WHY_MAX]) TM_MUST_CHECK;

/* How many files the relay may want open at once: links, and what there is besides. */
uint64_t tm_process_files(const struct tm_relay_config *config);

/*
 * Raises the limits of open files and locked memory to what the configuration needs, as far as the process may; before tm_process_become it may the
 * most. The log says what falls short. Errors, why then says what to do: TM_E_FULL (a relay could not even start with so few files).
 */
int tm_process_limits(const struct tm_relay_config *config, char why[static TM_PROCESS_WHY_MAX]) TM_MUST_CHECK;
/* Can as much memory be locked as keys and workers need? The log says it if not. After tm_process_become. */
void tm_process_check_locking(const struct tm_relay_config *config);

/* No core files, no tracing by others, no privileges from programs. Again after tm_process_become, as the kernel forgets. */
void tm_process_harden(void);

#endif
