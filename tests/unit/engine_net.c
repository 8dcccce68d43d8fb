#include "config.h"

#include <sys/stat.h>

#include <unistd.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "box/work.h"
#include "directory/assemble.h"
#include "directory/note.h"

#include "engine_net.h"

#define AUTHORITIES 4
#define HOP_MS 1 /* on the wire */
#define EPOCHS 3 /* from the start on */

enum kind { AT_RELAY, AT_USER };

struct event {
  uint64_t at;
  uint64_t order;
  enum kind kind;
  unsigned to;   /* relay or user */
  unsigned user; /* whose request it comes from */
  uint8_t surb_id[16];
  uint8_t bytes[TM_SPHINX_PACKET_LEN];
};

struct stored {
  uint8_t id[32];
  uint8_t signature[TM_BOX_SIGNATURE_LEN];
  uint8_t box[TM_BOX_LEN];
};

struct relay {
  uint8_t identity[32];
  tm_sphinx_key *key[EPOCHS];
  struct tm_mix_key mix_key[EPOCHS];
  bool up;
  enum net_lie lie;
  unsigned ask; /* bits of work */
  struct stored *boxes;
  size_t n_boxes, cap_boxes;
};

struct user {
  char dir[64];
  struct tm_client *client;
  struct tm_rng_seeded seeded;
  struct tm_rng rng;
  bool link;
  unsigned entry;
  uint8_t handle[16];
  double *ticks;
  size_t n_ticks, cap_ticks, n_wrote;
  void (*on_reply)(void *arg, const uint8_t *surb_id, const uint8_t *payload);
  void *arg;
};

struct net {
  struct tm_clock_virtual virtual_clock;
  struct tm_clock clock;
  struct tm_rng_seeded seeded;
  struct tm_rng rng;
  struct tm_params params;
  tm_sphinx *sphinx;
  struct relay relay[NET_RELAYS];
  struct tm_note_signer signer[AUTHORITIES];
  char trust[AUTHORITIES * TM_NOTE_VERIFIER_LEN];
  struct user user[NET_USERS];
  struct event **heap;
  size_t n_events, cap_events;
  uint64_t order;
  unsigned lose;
  bool twice;
  bool idle; /* no proofs of work are found */
  struct net_asked *asked;
  size_t n_asked, cap_asked;
  uint64_t seed;
};

/* ---- events ---- */

static bool before(const struct event *a, const struct event *b)
{
  return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void push(struct net *net, struct event *e)
{
  size_t i = net->n_events++;

  if (net->n_events > net->cap_events) {
    net->cap_events = net->cap_events * 2 + 64;
    net->heap = realloc(net->heap, net->cap_events * sizeof *net->heap);
    assert_non_null(net->heap);
  }
  e->order = net->order++;
  for (; i > 0 && before(e, net->heap[(i - 1) / 2]); i = (i - 1) / 2)
    net->heap[i] = net->heap[(i - 1) / 2];
  net->heap[i] = e;
}

static struct event *pop(struct net *net)
{
  struct event *top = net->heap[0];
  struct event *last = net->heap[--net->n_events];
  size_t i = 0;

  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= net->n_events)
      break;
    if (child + 1 < net->n_events && before(net->heap[child + 1], net->heap[child]))
      child++;
    if (!before(net->heap[child], last))
      break;
    net->heap[i] = net->heap[child];
    i = child;
  }
  net->heap[i] = last;
  return top;
}

static struct event *event_new(uint64_t at, enum kind kind, unsigned to, unsigned user)
{
  struct event *e = calloc(1, sizeof *e);

  assert_non_null(e);
  e->at = at;
  e->kind = kind;
  e->to = to;
  e->user = user;
  return e;
}

static bool lost(struct net *net) { return net->lose > 0 && tm_rng_below(&net->rng, 1000) < net->lose; }

/* ---- making ---- */

void net_params(struct tm_params *p)
{
  *p = (struct tm_params){.epoch_s = 2592000,
                          .key_grace_s = 3600,
                          .packet_hops = 5,
                          .packet_body = 2048,
                          .strategy = TM_STRATEGY_POISSON,
                          .mean_delay_ms = 50,
                          .pool_interval_ms = 1000,
                          .pool_min = 1,
                          .pool_share_permille = 600,
                          .pool_floor = 1,
                          .slot_ms = 2000,
                          .slot_lag_ms = 3000,
                          .sequences = 4,
                          .tick_us = 80000,
                          .request_permille = 800,
                          .downlink_us = 20000,
                          .decoy_write_permille = 500,
                          .request_timeout_ms = 1000,
                          .box_expiry_s = 604800,
                          .work_bits = 5};
}

static void make_relays(struct net *net)
{
  uint8_t secret[64];
  uint64_t epoch = NET_START_MS / 1000 / net->params.epoch_s;

  for (unsigned i = 0; i < NET_RELAYS; i++) {
    struct relay *r = &net->relay[i];
    tm_rng_fill(&net->rng, secret, 32);
    assert_int_equal(crypto_sign_seed_keypair(r->identity, (uint8_t[64]){0}, secret), 0);
    for (unsigned k = 0; k < EPOCHS; k++) {
      tm_rng_fill(&net->rng, secret, 32);
      assert_int_equal(tm_sphinx_key_new(&r->key[k], secret), TM_SPHINX_OK);
      r->mix_key[k].epoch = epoch + k;
      tm_sphinx_key_point(r->key[k], r->mix_key[k].point);
    }
    r->up = true;
  }
}

static void make_authorities(struct net *net)
{
  for (unsigned i = 0; i < AUTHORITIES; i++) {
    uint8_t seed[32];
    char name[16], line[TM_NOTE_VERIFIER_LEN];
    snprintf(name, sizeof name, "auth-%u.test", i);
    tm_rng_fill(&net->rng, seed, sizeof seed);
    assert_int_equal(tm_note_signer_make(&net->signer[i], name, seed), TM_OK);
    tm_note_key_format(&net->signer[i].pub, line);
    strcat(net->trust, line);
    strcat(net->trust, "\n");
  }
}

struct net *net_new(uint64_t seed, const struct tm_params *params)
{
  struct net *net = calloc(1, sizeof *net);
  uint8_t bytes[32] = {0};

  assert_non_null(net);
  assert_true(sodium_init() >= 0);
  memcpy(bytes, &seed, sizeof seed);
  net->seed = seed;
  net->rng = tm_rng_seeded_init(&net->seeded, bytes);
  net->clock = tm_clock_virtual_init(&net->virtual_clock, NET_START_MS);
  net->params = *params;
  assert_int_equal(tm_sphinx_new(&net->sphinx, NULL, TM_SPHINX_BODY_LEN), TM_SPHINX_OK);
  make_relays(net);
  make_authorities(net);
  return net;
}

static void remove_dir(const char *dir)
{
  static const char *const names[] = {"state.db", "state.db-wal", "state.db-shm", "lock"};
  char path[128];

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    snprintf(path, sizeof path, "%s/%s", dir, names[i]);
    unlink(path);
  }
  rmdir(dir);
}

void net_free(struct net *net)
{
  for (unsigned u = 0; u < NET_USERS; u++) {
    tm_client_close(net->user[u].client);
    if (net->user[u].dir[0] != '\0')
      remove_dir(net->user[u].dir);
    free(net->user[u].ticks);
  }
  while (net->n_events > 0)
    free(pop(net));
  free(net->heap);
  free(net->asked);
  for (unsigned i = 0; i < NET_RELAYS; i++) {
    free(net->relay[i].boxes);
    for (unsigned k = 0; k < EPOCHS; k++)
      tm_sphinx_key_free(net->relay[i].key[k]);
  }
  tm_sphinx_free(net->sphinx);
  free(net);
}

struct tm_clock *net_clock(struct net *net) { return &net->clock; }
uint64_t net_now(const struct net *net) { return net->virtual_clock.mono_ms; }
const char *net_trust(struct net *net) { return net->trust; }

static void fill_relay(struct net *net, unsigned i, struct tm_relay_info *info)
{
  memset(info, 0, sizeof *info);
  snprintf(info->name, sizeof info->name, "relay-%u", i);
  snprintf(info->address, sizeof info->address, "127.0.0.1:%u", 4000 + i);
  memcpy(info->identity, net->relay[i].identity, 32);
  info->roles = i < 2 ? TM_ROLE_ENTRY : i < NET_STORE0 ? TM_ROLE_MIX : TM_ROLE_STORE;
  info->layer = i >= 2 && i < NET_STORE0 ? (i - 2) / 2 + 1 : 0;
  info->keys = net->relay[i].mix_key;
  info->n_keys = EPOCHS;
}

char *net_document(struct net *net, int64_t from_s, uint64_t for_s, const struct tm_params *params, size_t *len)
{
  struct tm_relay_info info[NET_RELAYS];
  struct tm_document_draft draft = {
      .network = "test-net", .params = params == NULL ? net->params : *params, .relays = info, .n = NET_RELAYS};
  struct tm_fault fault;
  char *text, *next;

  draft.valid_from = (uint64_t)((int64_t)(tm_clock_wall_ms(&net->clock) / 1000) + from_s);
  draft.valid_until = draft.valid_from + for_s;
  for (unsigned i = 0; i < NET_RELAYS; i++)
    fill_relay(net, i, &info[i]);
  if (tm_document_assemble(&draft, &text, len, &fault) != TM_OK)
    fail_msg("document: line %u: %s", fault.line, fault.what);
  for (unsigned i = 0; i < AUTHORITIES - 1; i++) {
    assert_int_equal(tm_note_sign(&net->signer[i], text, *len, &next, len), TM_OK);
    free(text);
    text = next;
  }
  return text;
}

/* ---- users ---- */

void net_join(struct net *net, unsigned user)
{
  struct user *u = &net->user[user];
  uint8_t seed[32] = {0};
  size_t len;
  char *doc = net_document(net, 0, 20 * 86400, NULL, &len);

  memcpy(seed, &net->seed, sizeof net->seed);
  seed[31] = (uint8_t)(user + 1);
  u->rng = tm_rng_seeded_init(&u->seeded, seed);
  strcpy(u->dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/tm-engine-XXXXXX" : "/tmp/tm-engine-XXXXXX");
  assert_non_null(mkdtemp(u->dir));
  assert_int_equal(
      tm_client_create(u->dir, "", net->trust, strlen(net->trust), (const uint8_t *)doc, len, &net->clock, &u->rng),
      TM_OK);
  free(doc);
  net_open(net, user);
}

struct tm_client *net_client(struct net *net, unsigned user) { return net->user[user].client; }
const char *net_dir(struct net *net, unsigned user) { return net->user[user].dir; }
struct tm_rng *net_user_rng(struct net *net, unsigned user) { return &net->user[user].rng; }
const uint8_t *net_handle(struct net *net, unsigned user) { return net->user[user].handle; }

void net_close(struct net *net, unsigned user)
{
  tm_client_close(net->user[user].client);
  net->user[user].client = NULL;
  net->user[user].link = false;
}

void net_open(struct net *net, unsigned user)
{
  struct user *u = &net->user[user];

  assert_int_equal(tm_client_open(&u->client, u->dir, "", &net->clock, &u->rng), TM_OK);
  net_link(net, user, true);
}

static unsigned relay_number(const struct net *net, const uint8_t *identity)
{
  for (unsigned i = 0; i < NET_RELAYS; i++)
    if (memcmp(net->relay[i].identity, identity, 32) == 0)
      return i;
  return NET_RELAYS;
}

void net_link(struct net *net, unsigned user, bool up)
{
  struct user *u = &net->user[user];
  const struct tm_relay_info *entry;

  u->link = up;
  if (!up) {
    tm_client_link_down(u->client, false);
    return;
  }
  entry = tm_client_entry(u->client);
  assert_non_null(entry);
  u->entry = relay_number(net, entry->identity);
  assert_true(u->entry < 2);
  tm_rng_fill(&net->rng, u->handle, sizeof u->handle);
  tm_client_link_up(u->client, u->handle);
}

void net_attach(struct net *net, unsigned user,
                void (*on_reply)(void *arg, const uint8_t *surb_id, const uint8_t *payload), void *arg)
{
  struct user *u = &net->user[user];

  tm_rng_fill(&net->rng, u->handle, sizeof u->handle);
  u->on_reply = on_reply;
  u->arg = arg;
  u->link = true;
}

/* ---- relays ---- */

static struct stored *find_box(struct relay *r, const uint8_t *id)
{
  for (size_t i = 0; i < r->n_boxes; i++)
    if (memcmp(r->boxes[i].id, id, 32) == 0)
      return &r->boxes[i];
  return NULL;
}

/* In the present epoch, or in the last one while its key lives. */
static unsigned work_of(struct net *net, const struct relay *r, const struct tm_box_request *q)
{
  uint64_t now = tm_clock_wall_ms(&net->clock) / 1000, epoch = now / net->params.epoch_s;
  uint64_t nonce = tm_box_work_nonce(q->token);
  unsigned bits = tm_box_work_bits(r->identity, epoch, q->id, nonce), old;

  if (now >= epoch * net->params.epoch_s + net->params.key_grace_s)
    return bits;
  old = tm_box_work_bits(r->identity, epoch - 1, q->id, nonce);
  return old > bits ? old : bits;
}

static enum tm_box_status store_put(struct relay *r, const struct tm_box_request *q, unsigned work)
{
  struct stored *old = find_box(r, q->id);

  if (r->lie == NET_FULL)
    return TM_BOX_FULL;
  if (r->lie == NET_FAILED)
    return TM_BOX_FAILED;
  if (r->lie == NET_CONFLICT)
    return TM_BOX_CONFLICT;
  if (work < r->ask)
    return TM_BOX_WORK;
  if (tm_box_verify(q->id, q->box, q->signature) != TM_OK)
    return TM_BOX_REFUSED;
  if (old != NULL)
    return memcmp(old->box, q->box, TM_BOX_LEN) == 0 ? TM_BOX_STORED : TM_BOX_CONFLICT;
  if (r->n_boxes == r->cap_boxes) {
    r->cap_boxes = r->cap_boxes * 2 + 64;
    r->boxes = realloc(r->boxes, r->cap_boxes * sizeof *r->boxes);
    assert_non_null(r->boxes);
  }
  old = &r->boxes[r->n_boxes++];
  memcpy(old->id, q->id, 32);
  memcpy(old->signature, q->signature, TM_BOX_SIGNATURE_LEN);
  memcpy(old->box, q->box, TM_BOX_LEN);
  return TM_BOX_STORED;
}

static void note_asked(struct net *net, unsigned store, const struct tm_box_request *q, int status, unsigned user)
{
  struct net_asked *a;

  if (net->n_asked == net->cap_asked) {
    net->cap_asked = net->cap_asked * 2 + 256;
    net->asked = realloc(net->asked, net->cap_asked * sizeof *net->asked);
    assert_non_null(net->asked);
  }
  a = &net->asked[net->n_asked++];
  *a = (struct net_asked){.at_ms = net->virtual_clock.mono_ms,
                          .store = store,
                          .put = q->op == TM_BOX_PUT,
                          .status = status,
                          .user = user,
                          .answered = true};
  memcpy(a->id, q->id, 32);
}

static void at_store(struct net *net, unsigned relay, unsigned user, const uint8_t *body)
{
  struct relay *r = &net->relay[relay];
  struct tm_box_request q;
  struct stored *found = NULL;
  struct event *e;
  uint8_t answer[TM_SPHINX_BODY_LEN];
  uint8_t bad[TM_BOX_LEN] = {0};
  uint8_t first[32];
  enum tm_box_status status;
  unsigned work = 0;

  assert_int_equal(tm_box_request_parse(body, &q), TM_OK);
  if (!r->up) {
    note_asked(net, relay - NET_STORE0, &q, 0, user);
    net->asked[net->n_asked - 1].answered = false;
    return;
  }
  if (q.op == TM_BOX_PUT) {
    work = work_of(net, r, &q);
    if (r->ask == 0)
      assert_true(work >= net->params.work_bits);
    status = store_put(r, &q, work);
  } else {
    found = r->lie == NET_MISSING ? NULL : find_box(r, q.id);
    status = r->lie == NET_FAILED                       ? TM_BOX_FAILED
             : found != NULL || r->lie == NET_WRONG_BOX ? TM_BOX_FOUND
                                                        : TM_BOX_MISSING;
  }
  note_asked(net, relay - NET_STORE0, &q, (int)status, user);
  net->asked[net->n_asked - 1].work = work;
  if (status == TM_BOX_WORK)
    tm_box_answer_work_write(answer, q.id, r->ask);
  else
    tm_box_answer_write(answer, q.op, status, q.id,
                        status == TM_BOX_FOUND ? (found == NULL ? bad : found->signature) : NULL,
                        status == TM_BOX_FOUND ? (r->lie == NET_WRONG_BOX ? bad : found->box) : NULL);
  if (r->lie == NET_GARBAGE)
    tm_rng_fill(&net->rng, answer, sizeof answer);
  e = event_new(net->virtual_clock.mono_ms + HOP_MS, AT_RELAY, 0, user);
  tm_sphinx_surb_use(net->sphinx, q.surb, answer, e->bytes, first);
  e->to = relay_number(net, first);
  if (e->to == NET_RELAYS || lost(net)) {
    net->asked[net->n_asked - 1].answered = false;
    free(e);
    return;
  }
  push(net, e);
}

static void at_entry_reply(struct net *net, const tm_sphinx_hop *hop, const uint8_t *payload, unsigned user)
{
  for (unsigned u = 0; u < NET_USERS; u++) {
    if (memcmp(net->user[u].handle, hop->next, 16) != 0)
      continue;
    for (int i = 0; i < (net->twice ? 2 : 1); i++) {
      struct event *e = event_new(net->virtual_clock.mono_ms + hop->delay_ms + HOP_MS, AT_USER, u, user);
      memcpy(e->surb_id, hop->next + 16, 16);
      memcpy(e->bytes, payload, TM_SPHINX_PAYLOAD_LEN);
      push(net, e);
    }
  }
}

/* Takes e over. */
static void at_relay(struct net *net, struct event *e)
{
  struct relay *r = &net->relay[e->to];
  uint8_t *packet[1] = {e->bytes};
  size_t len[1] = {TM_SPHINX_PACKET_LEN};
  tm_sphinx_hop hop;
  unsigned here = e->to;

  if (!r->up && here < NET_STORE0) {
    free(e);
    return;
  }
  hop.verdict = TM_SPHINX_E_MAC;
  for (unsigned k = 0; k < EPOCHS && hop.verdict == TM_SPHINX_E_MAC; k++)
    tm_sphinx_unwrap_headers(net->sphinx, r->key[k], packet, len, &hop, 1);
  tm_sphinx_unwrap_bodies(net->sphinx, packet, &hop, 1);
  assert_int_equal(hop.verdict, TM_SPHINX_OK);
  if (hop.command == TM_SPHINX_FORWARD) {
    e->to = relay_number(net, hop.next);
    assert_true(e->to < NET_RELAYS);
    e->at = net->virtual_clock.mono_ms + hop.delay_ms + HOP_MS;
    push(net, e);
    return;
  }
  if (hop.command == TM_SPHINX_DELIVER) {
    assert_true(here >= NET_STORE0);
    if (!lost(net))
      at_store(net, here, e->user, e->bytes + TM_SPHINX_HEADER_LEN + TM_SPHINX_TAG_LEN);
  } else {
    assert_true(here < 2);
    at_entry_reply(net, &hop, e->bytes + TM_SPHINX_HEADER_LEN, e->user);
  }
  free(e);
}

static void at_user(struct net *net, struct event *e)
{
  struct user *u = &net->user[e->to];

  if (u->link && u->on_reply != NULL)
    u->on_reply(u->arg, e->surb_id, e->bytes);
  else if (u->link && u->client != NULL)
    tm_client_reply(u->client, e->surb_id, e->bytes);
  free(e);
}

void net_inject(struct net *net, unsigned user, const uint8_t *packet)
{
  struct event *e = event_new(net->virtual_clock.mono_ms + HOP_MS, AT_RELAY, net->user[user].entry, user);

  memcpy(e->bytes, packet, TM_SPHINX_PACKET_LEN);
  push(net, e);
}

/* ---- time ---- */

static off_t log_size(const struct user *u)
{
  char path[128];
  struct stat st;

  snprintf(path, sizeof path, "%s/state.db-wal", u->dir);
  return stat(path, &st) == 0 ? st.st_size : 0;
}

void net_labour(struct tm_client *c)
{
  struct tm_box_work work;

  while (tm_client_work_next(c, &work)) {
    while (!tm_box_work_search(&work, 64))
      ;
    tm_client_work_done(c, &work);
  }
}

static void tick(struct net *net, unsigned user, double at)
{
  struct user *u = &net->user[user];
  uint8_t packet[TM_SPHINX_PACKET_LEN];
  off_t size;
  int err;

  if (u->n_ticks == u->cap_ticks) {
    u->cap_ticks = u->cap_ticks * 2 + 256;
    u->ticks = realloc(u->ticks, u->cap_ticks * sizeof *u->ticks);
    assert_non_null(u->ticks);
  }
  size = log_size(u);
  err = tm_client_tick(u->client, packet);
  u->n_wrote += log_size(u) != size;

  /* The document may have expired in the millisecond that the tick was rounded up to. */
  if (err == TM_E_STATE && tm_client_next_tick(u->client) == HUGE_VAL)
    return;
  assert_int_equal(err, TM_OK);
  u->ticks[u->n_ticks++] = at;
  net_inject(net, user, packet);
  assert_int_equal(tm_client_prepare(u->client), TM_OK);
  if (!net->idle)
    net_labour(u->client);
}

static void move_to(struct net *net, uint64_t at)
{
  if (at > net->virtual_clock.mono_ms)
    tm_clock_virtual_advance(&net->virtual_clock, at - net->virtual_clock.mono_ms);
}

void net_run(struct net *net, uint64_t ms)
{
  uint64_t end = net->virtual_clock.mono_ms + ms;

  for (;;) {
    double next_tick = HUGE_VAL;
    unsigned who = 0;
    for (unsigned u = 0; u < NET_USERS; u++) {
      double t = net->user[u].client == NULL ? HUGE_VAL : tm_client_next_tick(net->user[u].client);
      if (t < next_tick) {
        next_tick = t;
        who = u;
      }
    }
    if (net->n_events > 0 && net->heap[0]->at <= end && (double)net->heap[0]->at <= next_tick) {
      struct event *e = pop(net);
      move_to(net, e->at);
      if (e->kind == AT_RELAY)
        at_relay(net, e);
      else
        at_user(net, e);
    } else if (next_tick <= (double)end) {
      move_to(net, (uint64_t)ceil(next_tick));
      tick(net, who, next_tick);
    } else {
      move_to(net, end);
      return;
    }
  }
}

bool net_until(struct net *net, uint64_t ms, bool (*f)(void *arg), void *arg)
{
  for (uint64_t t = 0; t < ms; t += 100) {
    if (f(arg))
      return true;
    net_run(net, 100);
  }
  return f(arg);
}

/* ---- trouble ---- */

void net_lose(struct net *net, unsigned permille) { net->lose = permille; }
void net_double(struct net *net, bool on) { net->twice = on; }
void net_store_up(struct net *net, unsigned store, bool up) { net->relay[NET_STORE0 + store].up = up; }
void net_store_lie(struct net *net, unsigned store, enum net_lie lie) { net->relay[NET_STORE0 + store].lie = lie; }
void net_store_ask(struct net *net, unsigned store, unsigned bits) { net->relay[NET_STORE0 + store].ask = bits; }

void net_work(struct net *net, bool on) { net->idle = !on; }

void net_store_erase(struct net *net, unsigned store) { net->relay[NET_STORE0 + store].n_boxes = 0; }

size_t net_asked_count(const struct net *net) { return net->n_asked; }
const struct net_asked *net_asked(const struct net *net, size_t i) { return &net->asked[i]; }
size_t net_store_boxes(const struct net *net, unsigned store) { return net->relay[NET_STORE0 + store].n_boxes; }

size_t net_ticks(const struct net *net, unsigned user, const double **times)
{
  *times = net->user[user].ticks;
  return net->user[user].n_ticks;
}

size_t net_ticks_that_wrote(const struct net *net, unsigned user) { return net->user[user].n_wrote; }
