#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "relay/notify.h"

#define STATUS_EVERY_MS 10000
#define PINGS 4 /* in an interval */

/* What cannot be sent is lost. sd_notify blocks while the manager reads nothing at all; then nobody is there who could serve this unit. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
#ifdef HAVE_SYSTEMD
  char text[512];
  va_list ap;

  va_start(ap, format);
  vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  (void)sd_notify(0, text);
#else
  (void)format;
#endif
}

void tm_notify_init(struct tm_notify *notify)
{
  *notify = (struct tm_notify){.ready = false};
#ifdef HAVE_SYSTEMD
  uint64_t us = 0;
  if (sd_watchdog_enabled(0, &us) > 0)
    notify->interval_ms = us / 1000;
#endif
}

bool tm_notify_wants_ping(const struct tm_notify *notify, uint64_t now_ms)
{
  return notify->interval_ms > 0 && now_ms >= notify->ping_ms;
}

void tm_notify_ping(struct tm_notify *notify, uint64_t now_ms)
{
  notify->ping_ms = now_ms + notify->interval_ms / PINGS;
  say("WATCHDOG=1");
}

bool tm_notify_wants_status(const struct tm_notify *notify, uint64_t now_ms, bool ready)
{
  return !notify->stopping && (now_ms >= notify->status_ms || (ready && !notify->ready));
}

void tm_notify_status(struct tm_notify *notify, uint64_t now_ms, const struct tm_notify_totals *totals)
{
  const char *ready = "";

  if (notify->stopping)
    return;
  if (totals->waiting == NULL && !notify->ready) {
    notify->ready = true;
    ready = "READY=1\n";
  }
  notify->status_ms = now_ms + STATUS_EVERY_MS;
  say("%sSTATUS=%s%s%" PRIu64 " relay links, %" PRIu64 " clients; packets: %" PRIu64 " in, %" PRIu64 " out, %" PRIu64 " dropped, %" PRIu64
      " held",
      ready, totals->waiting != NULL ? totals->waiting : "", totals->waiting != NULL ? "; " : "", totals->relays, totals->clients, totals->in,
      totals->out, totals->dropped, totals->held);
}

/* The time is what managers from systemd 253 on want to see. */
void tm_notify_reloading(const struct tm_notify *notify)
{
  struct timespec now = {.tv_sec = 0};

  if (!notify->ready || notify->stopping)
    return;
  clock_gettime(CLOCK_MONOTONIC, &now);
  say("RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading", (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void tm_notify_reloaded(const struct tm_notify *notify)
{
  if (notify->ready && !notify->stopping)
    say("READY=1\nSTATUS=reloaded");
}

void tm_notify_stopping(struct tm_notify *notify)
{
  if (notify->stopping)
    return;
  notify->stopping = true;
  say("STOPPING=1\nSTATUS=draining");
}
