/*
 * What the relay tells the service manager that started it (sd_notify(3), tidemill-relay(8)): that it is ready, reloads, drains, and is alive.
 * Where none did (no NOTIFY_SOCKET), or without libsystemd, all of it does nothing. Totals only; no address, no identity. Loop thread.
 *
 * READY comes once, when the relay listens, its stores are open and a document holds. WATCHDOG comes while every thread makes progress (pulse.h):
 * one that has work and does none for half the interval ends the pings, and the manager then restarts the relay.
 */
#ifndef TM_RELAY_NOTIFY_H
#define TM_RELAY_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct tm_notify {
  bool ready;           /* said so */
  bool stopping;
  uint64_t interval_ms; /* within which the manager wants to hear a WATCHDOG; 0: it does not */
  uint64_t ping_ms;     /* when it is due */
  uint64_t status_ms;
};

/* What the status line says. */
struct tm_notify_totals {
  uint64_t relays, clients; /* links */
  uint64_t in, out, dropped, held;
  const char *waiting;      /* what is missing before it can be ready; NULL: nothing */
};

void tm_notify_init(struct tm_notify *notify);

bool tm_notify_wants_ping(const struct tm_notify *notify, uint64_t now_ms);
void tm_notify_ping(struct tm_notify *notify, uint64_t now_ms);

/* Says READY the first time that nothing is waited for, and the status now and then. */
bool tm_notify_wants_status(const struct tm_notify *notify, uint64_t now_ms, bool ready);
void tm_notify_status(struct tm_notify *notify, uint64_t now_ms, const struct tm_notify_totals *totals);

void tm_notify_reloading(const struct tm_notify *notify);
void tm_notify_reloaded(const struct tm_notify *notify);
void tm_notify_stopping(struct tm_notify *notify);

#endif
