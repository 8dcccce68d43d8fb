#include "config.h"

#include <sys/resource.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/metrics.h"

#define PREFIX "tidemill_relay_"
#define HALF_BITS 2.0 /* steps of the entropy, a bit */

/* What follows belongs to that metric, until the next one. */
static void family(FILE *f, const char *name, const char *type, const char *help)
{
  fprintf(f, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

static void one(FILE *f, const char *name, uint64_t value) { fprintf(f, PREFIX "%s %" PRIu64 "\n", name, value); }

static void labelled(FILE *f, const char *name, const char *label, const char *is, uint64_t value)
{
  fprintf(f, PREFIX "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, is, value);
}

static void gauge(FILE *f, const char *name, const char *help, uint64_t value)
{
  family(f, name, "gauge", help);
  one(f, name, value);
}

static uint64_t coarse(uint64_t n) { return n - n % TM_METRICS_STEP; }

/* ---- the relay ---- */

static void put_process(FILE *f, const struct tm_status *s)
{
  struct rusage usage = {.ru_utime = {0}};
  uint64_t ms = 0;

  if (getrusage(RUSAGE_SELF, &usage) == 0)
    ms = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
  family(f, "build_info", "gauge", "Which program this is; always 1.");
  labelled(f, "build_info", "version", PACKAGE_VERSION, 1);
  gauge(f, "start_time_seconds", "When the relay was started, as Unix time.", s->now_s - s->uptime_s);
  family(f, "cpu_seconds_total", "counter", "Processor time that the relay has used.");
  fprintf(f, PREFIX "cpu_seconds_total %" PRIu64 ".%03" PRIu64 "\n", ms / 1000, ms % 1000);
  if (s->resident > 0) {
    gauge(f, "memory_allocated_bytes", "Memory in use, by jemalloc.", s->allocated);
    gauge(f, "memory_resident_bytes", "Memory that the system has given for it, by jemalloc.", s->resident);
  }
}

static void put_state(FILE *f, const struct tm_status *s)
{
  static const char *const roles[] = {"entry", "mix", "store"};

  family(f, "state", "gauge", "1 for the state that the relay is in.");
  for (int i = TM_STATE_RUNNING; i <= TM_STATE_DRAINING; i++)
    labelled(f, "state", "state", tm_relay_state_name((enum tm_relay_state)i), s->state == (enum tm_relay_state)i);
  family(f, "role", "gauge", "1 for each role that document and configuration give the relay.");
  for (unsigned i = 0; i < 3; i++)
    labelled(f, "role", "role", roles[i], s->document_roles >> i & 1);
  gauge(f, "document_valid", "1 while there is a valid document.", s->valid);
  if (s->has_document)
    gauge(f, "document_end_timestamp_seconds", "Until when the document is valid, as Unix time.", tm_document_valid_until(s->document));
}

/* ---- packets ---- */

static void put_packets(FILE *f, const struct tm_status *s)
{
  const struct tm_counters *t = &s->totals.totals;

  family(f, "packets_in_total", "counter", "Packets that came in, or that the relay made.");
  labelled(f, "packets_in_total", "source", "link", coarse(t->in_link));
  labelled(f, "packets_in_total", "source", "own", coarse(t->in_own));
  labelled(f, "packets_in_total", "source", "reply", coarse(t->in_reply));
  family(f, "packets_out_total", "counter", "Packets that went on, or reached where they were to go.");
  labelled(f, "packets_out_total", "to", "link", coarse(t->out_link));
  labelled(f, "packets_out_total", "to", "store", coarse(t->out_store));
  labelled(f, "packets_out_total", "to", "client", coarse(t->out_client));
  labelled(f, "packets_out_total", "to", "loop", coarse(t->out_loop));
  family(f, "packets_dropped_total", "counter", "Packets that went no further, by reason.");
  for (int i = TM_DROP_NONE + 1; i < TM_DROPS; i++)
    labelled(f, "packets_dropped_total", "reason", tm_drop_name((enum tm_drop)i), coarse(t->drop[i]));
  gauge(f, "packets_held", "Packets in the relay, wherever they wait.", coarse(s->totals.held));
  gauge(f, "accounting_balanced", "1 while every packet that came in is accounted for; 0 is a bug.", tm_snapshot_balanced(&s->totals));
}

static void put_mix(FILE *f, const struct tm_status *s)
{
  gauge(f, "mix_packets", "Packets in the mix.", coarse(s->mix_packets));
  gauge(f, "mix_packets_max", "Packets that the mix may hold.", s->mix_max);
  gauge(f, "mix_anonymity_set_size", "2 to the power of the mix's entropy estimate in bits, which is rounded to halves.",
        (uint64_t)(exp2(round(s->entropy_bits * HALF_BITS) / HALF_BITS) + 0.5));
  gauge(f, "mix_held", "1 while the mix lets nothing go, as an alarm has been raised.", s->totals.cover.held);
}

static void put_links(FILE *f, const struct tm_status *s)
{
  family(f, "links", "gauge", "Links that are up.");
  labelled(f, "links", "peer", "relay", s->totals.relay_links);
  labelled(f, "links", "peer", "client", s->totals.client_links);
  gauge(f, "relay_links_expected", "Links with relays while all that the document names are up.", s->relay_links_expected);
  gauge(f, "client_links_max", "Clients that may be linked; 0: not an entry.", s->clients_max);
  family(f, "cells_total", "counter", "Cells on all links, padding and all.");
  labelled(f, "cells_total", "direction", "in", coarse(s->io.cells_in));
  labelled(f, "cells_total", "direction", "out", coarse(s->io.cells_out));
}

static void put_cover(FILE *f, const struct tm_status *s)
{
  const struct tm_cover_totals *c = &s->totals.cover;

  family(f, "loops_total", "counter", "Packets of the relay to itself: sent, and come home in time or late.");
  labelled(f, "loops_total", "event", "sent", coarse(c->loops));
  labelled(f, "loops_total", "event", "home", coarse(c->home));
  labelled(f, "loops_total", "event", "late", coarse(c->late));
  family(f, "dummies_total", "counter", "Dummies that the relay has sent.");
  one(f, "dummies_total", coarse(c->dummies));
  family(f, "alarm", "gauge", "1 while that alarm is raised: own loops do not come home; packets are changed on their way.");
  labelled(f, "alarm", "alarm", "loops", c->alarm);
  labelled(f, "alarm", "alarm", "tag_failures", s->totals.tagging.alarm);
  family(f, "alarms_total", "counter", "How often that alarm was raised.");
  labelled(f, "alarms_total", "alarm", "loops", c->alarms);
  labelled(f, "alarms_total", "alarm", "tag_failures", s->totals.tagging.alarms);
}

/* ---- keys and boxes ---- */

static void put_keys(FILE *f, const struct tm_status *s)
{
  static const char *const names[] = {"present", "last"};

  family(f, "key_tags", "gauge", "Packets that a live mix key has opened, all remembered.");
  for (size_t i = 0; i < s->n_keys; i++)
    labelled(f, "key_tags", "key", names[s->key[i].epoch != s->epoch], coarse(s->key[i].tags));
  gauge(f, "key_tags_max", "Packets that a mix key may open.", s->tags_max);
  family(f, "key_end_timestamp_seconds", "gauge", "When a live mix key is erased, as Unix time.");
  for (size_t i = 0; i < s->n_keys; i++)
    labelled(f, "key_end_timestamp_seconds", "key", names[s->key[i].epoch != s->epoch], s->key[i].ends_s);
  if (s->has_document && s->keys_made > 0)
    gauge(f, "made_keys_end_timestamp_seconds", "When the last epoch ends for which keygen has made a key, as Unix time.",
          (s->last_key_epoch + 1) * s->epoch_s);
  if (s->document_keys > 0)
    gauge(f, "document_keys_end_timestamp_seconds", "When the last epoch ends for which the document has a key of this relay, as Unix time.",
          (s->document_last_epoch + 1) * s->epoch_s);
}

static void put_store(FILE *f, const struct tm_status *s)
{
  const struct tm_store_totals *t = &s->totals.store;

  if (s->store_max == 0)
    return;
  gauge(f, "store_boxes", "Boxes that are kept.", coarse(t->boxes));
  gauge(f, "store_boxes_max", "Boxes that may be kept.", s->store_max);
  family(f, "store_answers_total", "counter", "Requests that the store has answered, by answer.");
  labelled(f, "store_answers_total", "answer", "stored", coarse(t->put));
  labelled(f, "store_answers_total", "answer", "found", coarse(t->get_hit));
  labelled(f, "store_answers_total", "answer", "missing", coarse(t->get_miss));
  labelled(f, "store_answers_total", "answer", "conflict", coarse(t->conflict));
  labelled(f, "store_answers_total", "answer", "refused", coarse(t->refused));
  labelled(f, "store_answers_total", "answer", "full", coarse(t->full));
  labelled(f, "store_answers_total", "answer", "failed", coarse(t->failed));
  labelled(f, "store_answers_total", "answer", "work", coarse(t->work));
  family(f, "store_expired_total", "counter", "Boxes that were deleted at the end of their time.");
  one(f, "store_expired_total", coarse(t->expired));
}

char *tm_metrics_text(const struct tm_status *status, size_t *len)
{
  char *text = NULL;
  FILE *f = open_memstream(&text, len);
  bool good;

  if (f == NULL)
    return NULL;
  put_process(f, status);
  put_state(f, status);
  put_packets(f, status);
  put_mix(f, status);
  put_links(f, status);
  put_cover(f, status);
  put_keys(f, status);
  put_store(f, status);
  good = ferror(f) == 0;
  if (fclose(f) == 0 && good)
    return text;
  free(text);
  return NULL;
}
