#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/log.h"
#include "box/request.h"
#include "box/work.h"
#include "relay/ring.h"
#include "relay/store_db.h"

#include "relay/store.h"

#define IDLE_MS 1000           /* wakes at least so often, to expire */
#define EXPIRE_EVERY_MS 1000
#define COMPLAIN_EVERY_MS 60000

enum total { PUT, GET_HIT, GET_MISS, CONFLICT, REFUSED, FULL, FAILED, WORK, EXPIRED, BOXES, TOTALS };

/* What one request of the group came to. */
struct result {
  bool is_request;
  enum tm_box_op op;
  enum tm_box_status status;
  uint8_t signature[TM_BOX_SIGNATURE_LEN]; /* FOUND */
  uint8_t box[TM_BOX_LEN];
};

struct tm_store {
  struct tm_store_config config; /* its path is ours: */
  char *path;
  struct tm_store_db *db;
  struct tm_ring *in, *out;
  tm_sphinx *sphinx;
  pthread_t thread;
  atomic_bool stop;
  atomic_uint_least32_t expiry_s;
  atomic_uint_least64_t quota;
  atomic_uint work_bits; /* the document's */
  atomic_uint_least64_t total[TOTALS];
  atomic_uint_least64_t turns;

  pthread_mutex_t mutex; /* items move between ring and group under it */
  size_t busy;

  size_t with; /* loop thread: handed over and not taken back */

  /* The thread's own. */
  uint64_t expired_ms, complained_ms;
  uint32_t index[TM_STORE_GROUP];
  struct result result[TM_STORE_GROUP];
};

static uint64_t total(const struct tm_store *s, enum total which) { return atomic_load_explicit(&s->total[which], memory_order_relaxed); }
static void count(struct tm_store *s, enum total which, uint64_t n) { atomic_fetch_add_explicit(&s->total[which], n, memory_order_relaxed); }

static struct tm_item *item_of(struct tm_store *s, size_t i) { return tm_slab_item(s->config.slab, s->index[i]); }
static uint8_t *body_of(struct tm_item *item) { return item->packet + TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN; }

/* Says that the disk fails, but not a thousand times a second. */
static void complain(struct tm_store *s)
{
  uint64_t now = tm_clock_mono_ms(s->config.clock);

  if (s->complained_ms != 0 && now - s->complained_ms < COMPLAIN_EVERY_MS)
    return;
  s->complained_ms = now == 0 ? 1 : now;
  tm_log(TM_LOG_ERROR, "store", "the database refuses writes or reads; is the disk full?", TM_KV_NAME("file", s->path), TM_KV_END);
}

/* Work for a box that there is no room for would be wasted. */
static enum tm_box_status without_work(struct tm_store *s)
{
  return tm_store_db_boxes(s->db) >= atomic_load(&s->quota) ? TM_BOX_FULL : TM_BOX_WORK;
}

static enum tm_box_status put(struct tm_store *s, const struct tm_box_request *r, const struct tm_item *item, uint32_t expiry_s)
{
  uint64_t now_s = tm_clock_wall_ms(s->config.clock) / 1000;
  uint32_t step_s = expiry_s / TM_STORE_EXPIRY_STEPS;

  if (!item->work_good)
    return without_work(s);
  if (!item->box_good)
    return TM_BOX_REFUSED;
  switch (tm_store_db_put(s->db, r->id, r->signature, r->box, now_s + expiry_s, step_s > 0 ? step_s : 1, atomic_load(&s->quota))) {
  case TM_OK:
  case TM_E_EXISTS:
    return TM_BOX_STORED;
  case TM_E_CONFLICT:
    return TM_BOX_CONFLICT;
  case TM_E_FULL:
    return TM_BOX_FULL;
  default:
    return TM_BOX_FAILED;
  }
}

static enum tm_box_status get(struct tm_store *s, const struct tm_box_request *r, struct result *result)
{
  switch (tm_store_db_get(s->db, r->id, result->signature, result->box)) {
  case TM_OK:
    return TM_BOX_FOUND;
  case TM_E_NOT_FOUND:
    return TM_BOX_MISSING;
  default:
    return TM_BOX_FAILED;
  }
}

/* Everything of a group stands or falls together. Without `writes` PUTs are passed over and keep their status. */
static int serve_group(struct tm_store *s, size_t n, bool writes)
{
  uint32_t expiry_s = atomic_load(&s->expiry_s);

  if (expiry_s == 0 || tm_store_db_begin(s->db) != TM_OK)
    return TM_E_IO;
  for (size_t i = 0; i < n; i++) {
    struct result *result = &s->result[i];
    struct tm_box_request r;
    if (!result->is_request || tm_box_request_parse(body_of(item_of(s, i)), &r) != TM_OK)
      continue;
    if (r.op == TM_BOX_PUT && !writes)
      continue;
    result->status = r.op == TM_BOX_PUT ? put(s, &r, item_of(s, i), expiry_s) : get(s, &r, result);
    if (result->status == TM_BOX_FAILED) {
      tm_store_db_rollback(s->db);
      return TM_E_IO;
    }
  }
  return tm_store_db_commit(s->db);
}

static void tally(struct tm_store *s, const struct result *r)
{
  static const enum total of_status[] = {
    [TM_BOX_STORED] = PUT,        [TM_BOX_FOUND] = GET_HIT, [TM_BOX_MISSING] = GET_MISS, [TM_BOX_REFUSED] = REFUSED,
    [TM_BOX_CONFLICT] = CONFLICT, [TM_BOX_FULL] = FULL,     [TM_BOX_FAILED] = FAILED,
    [TM_BOX_WORK] = WORK,
  };

  count(s, of_status[r->status], 1);
}

static unsigned work_asked(const struct tm_store *s)
{
  unsigned bits = atomic_load_explicit(&s->work_bits, memory_order_relaxed) + tm_box_work_asked(total(s, BOXES), atomic_load(&s->quota));

  return bits > 0 ? bits : 1; /* the document has changed meanwhile */
}

/* Turns a request's item into the packet that carries the answer. */
static void answer(struct tm_store *s, size_t i)
{
  struct tm_item *item = item_of(s, i);
  struct result *result = &s->result[i];
  bool found = result->status == TM_BOX_FOUND;
  struct tm_box_request r;
  uint8_t surb[TM_SPHINX_SURB_LEN];
  uint8_t body[TM_SPHINX_BODY_LEN];

  if (!result->is_request || tm_box_request_parse(body_of(item), &r) != TM_OK) {
    item->drop = TM_DROP_STORE_MALFORMED;
    return;
  }
  memcpy(surb, r.surb, sizeof surb);
  if (result->status == TM_BOX_WORK)
    tm_box_answer_work_write(body, r.id, work_asked(s));
  else
    tm_box_answer_write(body, r.op, result->status, r.id, found ? result->signature : NULL, found ? result->box : NULL);
  tm_sphinx_surb_use(s->sphinx, surb, body, item->packet, item->next);
  item->command = TM_SPHINX_FORWARD;
  item->delay_ms = 0;
  tally(s, result);
  sodium_memzero(surb, sizeof surb);
  sodium_memzero(body, sizeof body);
}

static size_t take_group(struct tm_store *s)
{
  size_t n;

  pthread_mutex_lock(&s->mutex);
  n = tm_ring_pop(s->in, s->index, TM_STORE_GROUP);
  s->busy = n;
  pthread_mutex_unlock(&s->mutex);
  return n;
}

static void give_group(struct tm_store *s, size_t n)
{
  pthread_mutex_lock(&s->mutex);
  if (tm_ring_push(s->out, s->index, n) != n)
    abort(); /* `with` keeps the ring from ever being full */
  s->busy = 0;
  pthread_mutex_unlock(&s->mutex);
}

static void all_failed(struct tm_store *s, size_t n)
{
  for (size_t i = 0; i < n; i++)
    s->result[i].status = TM_BOX_FAILED;
}

static void serve(struct tm_store *s, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    struct tm_box_request r;
    s->result[i].is_request = tm_box_request_parse(body_of(item_of(s, i)), &r) == TM_OK;
  }
  all_failed(s, n);
  if (serve_group(s, n, true) != TM_OK) {
    complain(s);
    /* A full disk still reads. What was read in the group that failed may never have been written, so it is read again. */
    all_failed(s, n);
    if (serve_group(s, n, false) != TM_OK)
      all_failed(s, n);
  }
  for (size_t i = 0; i < n; i++)
    answer(s, i);
  sodium_memzero(s->result, n * sizeof s->result[0]);
  atomic_store(&s->total[BOXES], tm_store_db_boxes(s->db));
}

static void expire(struct tm_store *s)
{
  uint64_t now = tm_clock_mono_ms(s->config.clock);
  size_t n = 0;

  if (now - s->expired_ms < EXPIRE_EVERY_MS)
    return;
  if (tm_store_db_expire(s->db, tm_clock_wall_ms(s->config.clock) / 1000, &n) != TM_OK)
    complain(s);
  /* More of them wait: go on after the next group, not a second later. */
  if (n < TM_STORE_EXPIRE_ROWS)
    s->expired_ms = now;
  count(s, EXPIRED, n);
  atomic_store(&s->total[BOXES], tm_store_db_boxes(s->db));
}

static void *run(void *arg)
{
  struct tm_store *s = arg;
  size_t n;

  while (!atomic_load(&s->stop) || tm_ring_count(s->in) > 0) {
    n = tm_ring_wait(s->in, 1, IDLE_MS);
    if (n > 0 && n < TM_STORE_GROUP && !atomic_load(&s->stop))
      tm_ring_wait(s->in, TM_STORE_GROUP, TM_STORE_GROUP_MS);
    n = take_group(s);
    if (n > 0) {
      serve(s, n);
      give_group(s, n);
    }
    expire(s);
    tm_store_db_checkpoint(s->db);
    atomic_fetch_add_explicit(&s->turns, 1, memory_order_relaxed);
  }
  return NULL;
}

static int build(struct tm_store *s)
{
  int err;

  s->path = strdup(s->config.path);
  s->config.path = s->path;
  if (s->path == NULL)
    return TM_E_NOMEM;
  if (tm_sphinx_new(&s->sphinx, NULL, TM_SPHINX_BODY_LEN) != TM_SPHINX_OK)
    return TM_E_STATE;
  err = tm_ring_new(&s->in, s->config.queue);
  if (err == TM_OK)
    err = tm_ring_new(&s->out, s->config.queue);
  if (err == TM_OK)
    err = tm_store_db_open(&s->db, s->path);
  if (err == TM_OK)
    atomic_store(&s->total[BOXES], tm_store_db_boxes(s->db));
  return err;
}

static void dismantle(struct tm_store *s)
{
  tm_ring_free(s->in);
  tm_ring_free(s->out);
  tm_sphinx_free(s->sphinx);
  tm_store_db_close(s->db);
  pthread_mutex_destroy(&s->mutex);
  free(s->path);
  free(s);
}

int tm_store_new(struct tm_store **out, const struct tm_store_config *config)
{
  struct tm_store *s = calloc(1, sizeof *s);
  int err;

  *out = NULL;
  if (s == NULL)
    return TM_E_NOMEM;
  s->config = *config;
  atomic_store(&s->quota, config->quota);
  if (pthread_mutex_init(&s->mutex, NULL) != 0) {
    free(s);
    return TM_E_NOMEM;
  }
  err = build(s);
  if (err == TM_OK && pthread_create(&s->thread, NULL, run, s) != 0)
    err = TM_E_IO;
  if (err != TM_OK) {
    dismantle(s);
    return err;
  }
  (void)pthread_setname_np(s->thread, "store"); /* for top */
  *out = s;
  return TM_OK;
}

void tm_store_free(struct tm_store *store)
{
  if (store == NULL)
    return;
  atomic_store(&store->stop, true);
  tm_ring_kick(store->in);
  pthread_join(store->thread, NULL);
  dismantle(store);
}

void tm_store_set_expiry(struct tm_store *store, uint32_t expiry_s) { atomic_store(&store->expiry_s, expiry_s); }
void tm_store_set_quota(struct tm_store *store, uint64_t quota) { atomic_store(&store->quota, quota); }
void tm_store_set_work(struct tm_store *store, uint32_t work_bits) { atomic_store(&store->work_bits, work_bits); }

unsigned tm_store_work_taken(const struct tm_store *store)
{
  return atomic_load_explicit(&store->work_bits, memory_order_relaxed) + tm_box_work_taken(total(store, BOXES), atomic_load(&store->quota));
}

size_t tm_store_push(struct tm_store *store, const uint32_t *items, size_t n)
{
  size_t room = store->config.queue - store->with;
  size_t pushed = tm_ring_push(store->in, items, n < room ? n : room);

  store->with += pushed;
  return pushed;
}

size_t tm_store_pop(struct tm_store *store, uint32_t *items, size_t cap)
{
  size_t n = tm_ring_pop(store->out, items, cap);

  store->with -= n;
  return n;
}

int tm_store_fd(const struct tm_store *store) { return tm_ring_fd(store->out); }
void tm_store_rearm(struct tm_store *store) { tm_ring_rearm(store->out); }

size_t tm_store_held(struct tm_store *store)
{
  size_t n;

  pthread_mutex_lock(&store->mutex);
  n = tm_ring_count(store->in) + store->busy + tm_ring_count(store->out);
  pthread_mutex_unlock(&store->mutex);
  return n;
}

struct tm_turns tm_store_turns(struct tm_store *store)
{
  struct tm_turns turns = {.n = atomic_load_explicit(&store->turns, memory_order_relaxed)};

  pthread_mutex_lock(&store->mutex);
  turns.work = store->busy > 0 || tm_ring_count(store->in) > 0;
  pthread_mutex_unlock(&store->mutex);
  return turns;
}

struct tm_store_totals tm_store_totals(const struct tm_store *store)
{
  return (struct tm_store_totals){
    .boxes = total(store, BOXES),       .put = total(store, PUT),         .get_hit = total(store, GET_HIT),
    .get_miss = total(store, GET_MISS), .conflict = total(store, CONFLICT), .refused = total(store, REFUSED),
    .full = total(store, FULL),         .failed = total(store, FAILED),   .expired = total(store, EXPIRED),
    .work = total(store, WORK),
  };
}

struct tm_store_db *tm_store_db_of(struct tm_store *store) { return store->db; }
