#include "config.h"

#include <sys/queue.h>
#include <sys/time.h>

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "relay/entry.h"

/* Clients are spread over so many phases of the clock, so that not all are served in one burst: thousands at once would hold up the loop. */
#define PHASES 64
/* A timer cannot do less. With short intervals it serves several phases at each tick, and below this one each client several cells at once, so much less often. */
#define STEP_MIN_US 1000
/* A client that does not read gets nothing more queued behind so many cells, and those of one beat; its link will time out. */
#define LINK_QUEUE_MAX 8
/*
 * What a client may send: a multiple of its clock's mean rate, from a stock that begins with so many packets and grows to so many, or to what comes
 * together in so long, whichever is more. At twice the rate a Poisson clock leaves the first stock once in half a billion links, and then waits a little;
 * what the network held up for a while, time has earned.
 */
#define STOCK_FIRST 16
#define STOCK_MOST 64
#define STOCK_MOST_MS 30000
#define IDLE_TICKS 40 /* no Poisson clock is silent for so many mean times */
#define NONE UINT32_MAX

struct session {
  LIST_ENTRY(session) entry; /* of its phase, or free */
  struct tm_link *link;      /* NULL: free */
  uint32_t chain;            /* next session of the bucket */
  uint32_t first, last;      /* replies that wait, a list through the items */
  uint32_t waiting;
  TAILQ_ENTRY(session) quiet_entry;
  uint64_t heard_ms;         /* when its last packet came, or itself */
  bool asked;                /* wants the document */
  uint32_t offset;           /* bytes of it that were sent */
  uint8_t digest[TM_CELL_DIGEST_LEN]; /* of the text that it has */
  uint8_t handle[TM_SPHINX_HANDLE_LEN];
};

LIST_HEAD(session_list, session);
TAILQ_HEAD(session_queue, session);

struct tm_entry {
  struct tm_entry_config config;
  const struct tm_document *doc;
  struct event *timer;
  uint32_t interval_us; /* 0: no clock yet */
  uint32_t at_once;     /* cells for a client at each of its ticks */
  uint32_t tick_us;     /* of the document */
  uint64_t doc_ms;      /* since when there is one */
  size_t waiting;       /* replies, of all sessions */
  unsigned phase;
  unsigned phases_a_tick;
  struct session *sessions;
  struct session_list unused;
  struct session_list phases[PHASES];
  struct session_queue quiet; /* who sent a packet least lately first */
  uint32_t *buckets; /* by handle, which is random and ours */
  size_t bucket_mask;
  size_t clients;
};

/* ---- sessions by handle ---- */

static uint32_t *bucket_of(struct tm_entry *e, const uint8_t *handle)
{
  uint64_t h;

  memcpy(&h, handle, sizeof h);
  return &e->buckets[h & e->bucket_mask];
}

static struct session *find(struct tm_entry *e, const uint8_t *handle)
{
  for (uint32_t i = *bucket_of(e, handle); i != NONE; i = e->sessions[i].chain)
    if (memcmp(e->sessions[i].handle, handle, TM_SPHINX_HANDLE_LEN) == 0)
      return &e->sessions[i];
  return NULL;
}

static void put_in_bucket(struct tm_entry *e, struct session *s)
{
  uint32_t *bucket = bucket_of(e, s->handle);

  s->chain = *bucket;
  *bucket = (uint32_t)(s - e->sessions);
}

static void take_from_bucket(struct tm_entry *e, struct session *s)
{
  uint32_t index = (uint32_t)(s - e->sessions);
  uint32_t *at = bucket_of(e, s->handle);

  while (*at != index)
    at = &e->sessions[*at].chain;
  *at = s->chain;
}

/* ---- the clock ---- */

static void send_piece(struct tm_entry *e, struct session *s, uint8_t cell[static TM_CELL_LEN])
{
  size_t total = 0;
  const uint8_t *bytes = e->doc == NULL ? NULL : tm_document_bytes(e->doc, &total);
  size_t n = total - s->offset < TM_CELL_DOC_DATA_MAX ? total - s->offset : TM_CELL_DOC_DATA_MAX;

  if (bytes == NULL || memcmp(s->digest, tm_document_text_digest(e->doc), sizeof s->digest) == 0) {
    n = total = 0;
    tm_cell_doc_piece(cell, s->digest, 0, 0, NULL, 0);
  } else
    tm_cell_doc_piece(cell, tm_document_digest(e->doc), (uint32_t)total, s->offset, bytes + s->offset, n);
  if (tm_link_send(s->link, cell) != TM_OK)
    return; /* next time */
  s->offset += (uint32_t)n;
  s->asked = s->offset < total;
}

static uint32_t unqueue(struct tm_entry *e, struct session *s)
{
  uint32_t index = s->first;

  s->first = tm_slab_item(e->config.slab, index)->list;
  s->waiting--;
  e->waiting--;
  if (s->waiting == 0)
    s->first = s->last = NONE;
  return index;
}

static void send_reply(struct tm_entry *e, struct session *s, uint8_t cell[static TM_CELL_LEN])
{
  const struct tm_item *item = tm_slab_item(e->config.slab, s->first);

  tm_cell_reply(cell, item->next + TM_SPHINX_HANDLE_LEN, item->packet + TM_SPHINX_HEADER_LEN);
  if (tm_link_send(s->link, cell) != TM_OK)
    return; /* next time */
  tm_slab_give(e->config.slab, unqueue(e, s));
  e->config.counters->out_client++;
}

/* One cell, always of the same length, whatever waits. */
static void serve(struct tm_entry *e, struct session *s)
{
  uint8_t cell[TM_CELL_LEN];

  if (tm_link_queued(s->link) >= LINK_QUEUE_MAX + e->at_once)
    return;
  if (s->waiting > 0)
    send_reply(e, s, cell);
  else if (s->asked)
    send_piece(e, s, cell);
  else {
    tm_cell_padding(cell);
    if (tm_link_send(s->link, cell) != TM_OK)
      return; /* closing; `down` will come */
  }
}

static void on_clock(evutil_socket_t fd, short what, void *arg)
{
  struct tm_entry *e = arg;
  struct session *s;

  (void)fd;
  (void)what;
  for (unsigned i = 0; i < e->phases_a_tick; i++) {
    e->phase = (e->phase + 1) % PHASES;
    LIST_FOREACH(s, &e->phases[e->phase], entry)
      for (uint32_t k = 0; k < e->at_once; k++)
        serve(e, s);
  }
}

static void set_clock(struct tm_entry *e, uint32_t interval_us)
{
  struct timeval tv;
  uint32_t step;

  if (interval_us == e->interval_us)
    return;
  e->interval_us = interval_us;
  event_del(e->timer);
  if (interval_us == 0)
    return;
  e->at_once = (STEP_MIN_US - 1) / interval_us + 1;
  e->phases_a_tick = PHASES;
  while (e->phases_a_tick > 1 && e->at_once * (uint64_t)interval_us * (e->phases_a_tick / 2) >= (uint64_t)PHASES * STEP_MIN_US)
    e->phases_a_tick /= 2;
  step = (uint32_t)((uint64_t)e->at_once * interval_us * e->phases_a_tick / PHASES);
  tv.tv_sec = step / 1000000;
  tv.tv_usec = step % 1000000;
  if (e->clients > 0)
    event_add(e->timer, &tv);
}

/* The clock runs while there is a client. */
static void start_clock(struct tm_entry *e)
{
  uint32_t interval_us = e->interval_us;

  if (e->clients > 1)
    return;
  e->interval_us = 0;
  event_del(e->timer);
  set_clock(e, interval_us);
}

/* ---- life ---- */

static int build(struct tm_entry *e)
{
  size_t n = e->config.max_clients > 0 ? e->config.max_clients : 1;
  size_t n_buckets = 16;

  while (n_buckets < n)
    n_buckets *= 2;
  e->sessions = calloc(n, sizeof *e->sessions);
  e->buckets = malloc(n_buckets * sizeof *e->buckets);
  e->timer = event_new(e->config.base, -1, EV_PERSIST, on_clock, e);
  if (e->sessions == NULL || e->buckets == NULL || e->timer == NULL)
    return TM_E_NOMEM;
  memset(e->buckets, 0xff, n_buckets * sizeof *e->buckets);
  e->bucket_mask = n_buckets - 1;
  for (size_t i = e->config.max_clients; i > 0; i--)
    LIST_INSERT_HEAD(&e->unused, &e->sessions[i - 1], entry);
  return TM_OK;
}

int tm_entry_new(struct tm_entry **out, const struct tm_entry_config *config)
{
  struct tm_entry *e = calloc(1, sizeof *e);

  *out = NULL;
  if (e == NULL)
    return TM_E_NOMEM;
  e->config = *config;
  TAILQ_INIT(&e->quiet);
  if (build(e) != TM_OK) {
    tm_entry_free(e);
    return TM_E_NOMEM;
  }
  *out = e;
  return TM_OK;
}

void tm_entry_free(struct tm_entry *entry)
{
  if (entry == NULL)
    return;
  if (entry->timer != NULL)
    event_free(entry->timer);
  free(entry->sessions);
  free(entry->buckets);
  free(entry);
}

static struct tm_link_rate rate_of(const struct tm_entry *e)
{
  uint64_t packet_us = (uint64_t)e->tick_us * 100 / e->config.rate_percent;
  uint64_t most_us = STOCK_MOST * packet_us, time_us = (uint64_t)STOCK_MOST_MS * 1000;

  return (struct tm_link_rate){.cell_us = packet_us > 0 ? packet_us : 1, .first_us = STOCK_FIRST * packet_us, .most_us = most_us > time_us ? most_us : time_us};
}

static void set_rates(struct tm_entry *e)
{
  struct tm_link_rate rate = rate_of(e);
  struct session *s;

  for (size_t i = 0; i < PHASES; i++)
    LIST_FOREACH(s, &e->phases[i], entry)
      tm_link_set_rate(s->link, &rate);
}

void tm_entry_set_limits(struct tm_entry *entry, uint32_t client_idle_ms, uint32_t rate_percent)
{
  entry->config.client_idle_ms = client_idle_ms;
  entry->config.rate_percent = rate_percent;
  set_rates(entry);
}

void tm_entry_set_document(struct tm_entry *entry, const struct tm_document *doc, uint64_t now_ms)
{
  struct session *s;

  if (entry->doc == NULL && doc != NULL)
    entry->doc_ms = now_ms;
  entry->doc = doc;
  if (doc != NULL) {
    set_clock(entry, tm_document_params(doc)->downlink_us);
    entry->tick_us = tm_document_params(doc)->tick_us;
    set_rates(entry);
  }
  for (size_t i = 0; i < PHASES; i++)
    LIST_FOREACH(s, &entry->phases[i], entry)
      s->offset = 0;
}

/* Whoever has sent no packet for longest, if that is longer than any client is silent that can send; else NULL. */
static struct session *idle_one(const struct tm_entry *e, uint64_t now_ms)
{
  struct session *s = TAILQ_FIRST(&e->quiet);
  uint64_t idle_ms = (uint64_t)IDLE_TICKS * e->tick_us / 1000;
  uint64_t since;

  if (s == NULL || e->doc == NULL)
    return NULL;
  if (idle_ms < e->config.client_idle_ms)
    idle_ms = e->config.client_idle_ms;
  since = s->heard_ms > e->doc_ms ? s->heard_ms : e->doc_ms;
  return now_ms >= since + idle_ms ? s : NULL;
}

bool tm_entry_has_room(const struct tm_entry *entry, uint64_t now_ms)
{
  return entry->interval_us != 0 && (!LIST_EMPTY(&entry->unused) || idle_one(entry, now_ms) != NULL);
}

/* Its link is told to go, and is nobody's until it has gone. */
static void give_up(struct tm_entry *e, struct session *s)
{
  struct tm_link *link = s->link;

  tm_entry_down(e, link);
  tm_link_set_arg(link, NULL);
  tm_link_refuse(link, TM_LINK_REFUSED_IDLE);
}

bool tm_entry_up(struct tm_entry *entry, struct tm_link *link, uint64_t now_ms)
{
  uint32_t phase = tm_rng_below(entry->config.rng, PHASES);
  struct tm_link_rate rate = rate_of(entry);
  struct session *s;

  if (!tm_entry_has_room(entry, now_ms))
    return false;
  if (LIST_EMPTY(&entry->unused))
    give_up(entry, idle_one(entry, now_ms));
  s = LIST_FIRST(&entry->unused);
  LIST_REMOVE(s, entry);
  *s = (struct session){.link = link, .first = NONE, .last = NONE, .heard_ms = now_ms};
  memcpy(s->handle, tm_link_handle(link), sizeof s->handle);
  put_in_bucket(entry, s);
  LIST_INSERT_HEAD(&entry->phases[phase], s, entry);
  TAILQ_INSERT_TAIL(&entry->quiet, s, quiet_entry);
  tm_link_set_arg(link, s);
  tm_link_set_rate(link, &rate);
  entry->clients++;
  start_clock(entry);
  return true;
}

void tm_entry_down(struct tm_entry *entry, struct tm_link *link)
{
  struct session *s = tm_link_arg(link);

  while (s->waiting > 0) {
    tm_slab_give(entry->config.slab, unqueue(entry, s));
    entry->config.counters->drop[TM_DROP_CLIENT_GONE]++;
  }
  take_from_bucket(entry, s);
  LIST_REMOVE(s, entry);
  TAILQ_REMOVE(&entry->quiet, s, quiet_entry);
  memset(s, 0, sizeof *s); /* the handle dies with its link */
  LIST_INSERT_HEAD(&entry->unused, s, entry);
  entry->clients--;
  if (entry->clients == 0)
    event_del(entry->timer);
}

void tm_entry_heard(struct tm_entry *entry, struct tm_link *link, uint64_t now_ms)
{
  struct session *s = tm_link_arg(link);

  s->heard_ms = now_ms;
  TAILQ_REMOVE(&entry->quiet, s, quiet_entry);
  TAILQ_INSERT_TAIL(&entry->quiet, s, quiet_entry);
}

void tm_entry_close_all(struct tm_entry *entry)
{
  struct session *s;

  for (size_t i = 0; i < PHASES; i++)
    LIST_FOREACH(s, &entry->phases[i], entry)
      tm_link_close(s->link);
}

void tm_entry_ask(struct tm_entry *entry, struct tm_link *link, const uint8_t digest[static TM_CELL_DIGEST_LEN])
{
  struct session *s = tm_link_arg(link);

  (void)entry;
  memcpy(s->digest, digest, sizeof s->digest);
  s->asked = true;
  s->offset = 0;
}

/*
 * Half of the places belong to everybody, the other half to each client in equal shares: those who do not read their replies cannot take the places of
 * those who do.
 */
static bool has_room(const struct tm_entry *e, const struct session *s)
{
  uint32_t half = e->config.replies_max / 2;
  uint32_t share = half / e->config.max_clients;

  if (s->waiting >= e->config.client_queue || e->waiting >= e->config.replies_max)
    return false;
  /* With more clients than places a share is less than one: then whoever has none waiting gets one while there are any. */
  return e->waiting < half || s->waiting < (share > 0 ? share : 1);
}

void tm_entry_set_queue(struct tm_entry *entry, uint32_t client_queue) { entry->config.client_queue = client_queue; }

int tm_entry_reply(struct tm_entry *entry, uint32_t index)
{
  struct tm_item *item = tm_slab_item(entry->config.slab, index);
  struct session *s = find(entry, item->next);

  if (s == NULL)
    return TM_E_NOT_FOUND;
  if (!has_room(entry, s))
    return TM_E_FULL;
  item->list = NONE;
  entry->waiting++;
  if (s->waiting++ == 0)
    s->first = index;
  else
    tm_slab_item(entry->config.slab, s->last)->list = index;
  s->last = index;
  return TM_OK;
}

/* Walked, not kept as a number: a lost item must show. */
size_t tm_entry_held(const struct tm_entry *entry)
{
  size_t n = 0;
  const struct session *s;

  for (size_t i = 0; i < PHASES; i++)
    LIST_FOREACH(s, &entry->phases[i], entry)
      for (uint32_t item = s->first; item != NONE; item = tm_slab_item(entry->config.slab, item)->list)
        n++;
  return n;
}

size_t tm_entry_clients(const struct tm_entry *entry) { return entry->clients; }
