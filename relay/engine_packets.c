/* A packet's way through the engine: in from a link, to a worker, into the mix, out again. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#include "relay/internal.h"

#define CHUNK 64          /* items moved at a time */
#define CHUNKS_A_TURN 64  /* then other events have their turn */
#define TICKET_POLL_MS 1
#define READ_CELLS 128       /* no less than one read of a link may bring */
#define DELAY_FACTOR 20   /* times the mean: an exponential delay is longer once in 485 million draws */

void tm_engine_drop(struct tm_engine *e, uint32_t index, enum tm_drop reason)
{
  e->counters.drop[reason]++;
  tm_slab_give(e->slab, index);
}

/* ---- in ---- */

/* Runs of packets go to one worker, so that its batches fill; a full one is passed over. */
static void to_workers(struct tm_engine *e, const uint32_t *items, size_t n)
{
  size_t tried = 0;

  while (n > 0 && tried < e->n_workers) {
    size_t some = CHUNK - e->run < n ? CHUNK - e->run : n;
    size_t pushed = tm_worker_push(e->worker[e->turn], items, some);
    items += pushed;
    n -= pushed;
    e->run += pushed;
    tried = pushed > 0 ? 0 : tried + 1;
    if (pushed < some || e->run >= CHUNK) {
      e->turn = (e->turn + 1) % e->n_workers;
      e->run = 0;
    }
  }
  for (size_t i = 0; i < n; i++)
    tm_engine_drop(e, items[i], TM_DROP_INGRESS_FULL);
}

/*
 * Reading stops before the workers' queues are full and goes on when half of them is free: what has no place waits in the kernel, then at the peers, and
 * is not opened by TLS to be dropped.
 */
static void hold_or_read(struct tm_engine *e)
{
  size_t all = e->n_workers * e->config->ingress_queue;
  size_t low = all / 8 > READ_CELLS ? all / 8 : READ_CELLS;
  size_t room = 0;
  bool hold;

  for (size_t i = 0; i < e->n_workers; i++)
    room += tm_worker_room(e->worker[i]);
  hold = e->holding ? room < all / 2 : room < (low < all / 2 ? low : all / 2);
  if (hold == e->holding)
    return;
  e->holding = hold;
  tm_network_hold(e->net, hold);
}

/* Why this relay takes no packets now; TM_DROP_NONE: it does. */
static enum tm_drop closed_for(const struct tm_engine *e)
{
  if (e->draining)
    return TM_DROP_SHUTDOWN;
  return e->valid ? TM_DROP_NONE : TM_DROP_NO_DOCUMENT;
}

/* client: NULL for a relay's link. */
static uint32_t take_in(struct tm_engine *e, const uint8_t *packet, struct tm_link *client)
{
  enum tm_drop reason = closed_for(e);
  uint32_t index;

  if (client != NULL)
    tm_entry_heard(e->entry, client, tm_clock_mono_ms(e->clock));
  e->counters.in_link++;
  index = reason == TM_DROP_NONE ? tm_slab_take(e->slab) : TM_SLAB_NONE;
  if (index == TM_SLAB_NONE)
    e->counters.drop[reason == TM_DROP_NONE ? TM_DROP_INGRESS_FULL : reason]++;
  else
    memcpy(tm_slab_item(e->slab, index)->packet, packet, TM_SPHINX_PACKET_LEN);
  return index;
}

/* Takes the packets out of cells. Whatever else is in them is not for relays: false. */
static bool packets_in(struct tm_engine *e, const uint8_t *cells, size_t n, struct tm_link *client)
{
  uint32_t items[CHUNK];
  size_t have = 0;
  bool good = true;

  for (size_t i = 0; i < n && good; i++) {
    struct tm_cell_view view;
    if (tm_cell_parse(cells + i * TM_CELL_LEN, &view) != TM_OK)
      good = false;
    else if (view.type == TM_CELL_PACKET) {
      items[have] = take_in(e, view.packet, client);
      have += items[have] != TM_SLAB_NONE;
    } else if (view.type == TM_CELL_DOC_REQUEST && client != NULL)
      tm_entry_ask(e->entry, client, view.digest);
    else
      good = false;
    if (have == CHUNK) {
      to_workers(e, items, have);
      have = 0;
    }
  }
  to_workers(e, items, have);
  hold_or_read(e);
  return good;
}

/* A relay's link carries packets only; link/ sees to that. */
static void relay_cells(void *arg, const uint8_t *cells, size_t n) { (void)packets_in(arg, cells, n, NULL); }

static bool client_room(void *arg)
{
  const struct tm_engine *e = arg;

  return e->entry != NULL && !e->draining && tm_entry_has_room(e->entry, tm_clock_mono_ms(e->clock));
}

static bool client_up(void *arg, struct tm_link *link)
{
  struct tm_engine *e = arg;

  return e->entry != NULL && tm_entry_up(e->entry, link, tm_clock_mono_ms(e->clock));
}

static void client_cells(void *arg, struct tm_link *link, const uint8_t *cells, size_t n)
{
  if (!packets_in(arg, cells, n, link))
    tm_link_close(link);
}

static void client_down(void *arg, struct tm_link *link) { tm_entry_down(((struct tm_engine *)arg)->entry, link); }

const struct tm_network_events tm_engine_network_events = {
  .relay_cells = relay_cells,
  .client_room = client_room,
  .client_up = client_up,
  .client_cells = client_cells,
  .client_down = client_down,
};

/* ---- out ---- */

static void to_self(struct tm_engine *e, uint32_t index)
{
  e->counters.out_link++;
  e->counters.in_link++;
  if (e->draining)
    tm_engine_drop(e, index, TM_DROP_SHUTDOWN);
  else
    to_workers(e, &index, 1);
}

static void forward(struct tm_engine *e, uint32_t index)
{
  const struct tm_item *item = tm_slab_item(e->slab, index);

  if (tm_network_is_loopback(e->net, item->next)) {
    to_self(e, index);
    return;
  }
  switch (tm_network_send(e->net, item->next, item->packet)) {
  case TM_OK:
    e->counters.out_link++;
    tm_slab_give(e->slab, index);
    break;
  case TM_E_FULL:
    tm_engine_drop(e, index, TM_DROP_EGRESS_FULL);
    break;
  case TM_E_NOT_FOUND:
    tm_engine_drop(e, index, TM_DROP_UNKNOWN_NEXT);
    break;
  default:
    tm_engine_drop(e, index, TM_DROP_NO_LINK);
    break;
  }
}

static void reply(struct tm_engine *e, uint32_t index)
{
  int err = tm_entry_reply(e->entry, index);

  if (err != TM_OK)
    tm_engine_drop(e, index, err == TM_E_FULL ? TM_DROP_DOWNLINK_FULL : TM_DROP_UNKNOWN_SESSION);
}

/* Does the document still give this relay the part that the packet asks for? */
static bool has_part(const struct tm_engine *e, uint8_t command)
{
  if (command == TM_SPHINX_DELIVER)
    return (tm_network_roles(e->net) & TM_ROLE_STORE) != 0;
  return command != TM_SPHINX_REPLY || (tm_network_roles(e->net) & TM_ROLE_ENTRY) != 0;
}

/* Its time has come and its tag is on disk. */
static void leave(struct tm_engine *e, uint32_t index)
{
  uint8_t command = tm_slab_item(e->slab, index)->command;

  if (!e->valid)
    tm_engine_drop(e, index, TM_DROP_NO_DOCUMENT);
  else if (!has_part(e, command)) /* the document changed meanwhile */
    tm_engine_drop(e, index, TM_DROP_ROLE);
  else if (command == TM_SPHINX_DELIVER) {
    if (tm_store_push(e->store, &index, 1) != 1)
      tm_engine_drop(e, index, TM_DROP_STORE_FULL);
  } else if (command == TM_SPHINX_REPLY)
    reply(e, index);
  else
    forward(e, index);
}

void tm_engine_set_timer(struct event *timer, uint64_t ms)
{
  struct timeval tv = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000) * 1000};

  event_add(timer, &tv);
}

/* False: it has to wait for the journal. */
static bool leave_if_durable(struct tm_engine *e, uint32_t index)
{
  uint64_t ticket = tm_slab_item(e->slab, index)->ticket;

  if (tm_replay_durable(e->replay, ticket))
    leave(e, index);
  else if (tm_replay_lost(e->replay, ticket))
    tm_engine_drop(e, index, TM_DROP_REPLAY_JOURNAL);
  else
    return false;
  return true;
}

static void leave_when_durable(struct tm_engine *e, uint32_t index)
{
  if (leave_if_durable(e, index))
    return;
  if (e->n_waiting == 0)
    tm_engine_set_timer(e->ticket_timer, TICKET_POLL_MS);
  e->waiting[e->n_waiting++] = index; /* as many places as the slab has items */
}

void tm_engine_on_ticket(evutil_socket_t fd, short what, void *arg)
{
  struct tm_engine *e = arg;
  size_t kept = 0;

  (void)fd;
  (void)what;
  for (size_t i = 0; i < e->n_waiting; i++) {
    uint32_t index = e->waiting[i];
    if (!leave_if_durable(e, index))
      e->waiting[kept++] = index;
  }
  e->n_waiting = kept;
  if (kept > 0)
    tm_engine_set_timer(e->ticket_timer, TICKET_POLL_MS);
}

void tm_engine_release(struct tm_engine *e)
{
  uint64_t now = tm_clock_mono_ms(e->clock);
  uint32_t items[CHUNK];
  uint64_t next;
  size_t n;

  if (e->mix == NULL)
    return;
  do {
    n = tm_mix_release(e->mix, now, items, CHUNK);
    for (size_t i = 0; i < n; i++)
      leave_when_durable(e, items[i]);
  } while (n == CHUNK);
  next = tm_mix_next_ms(e->mix);
  if (next == TM_MIX_NEVER)
    event_del(e->mix_timer);
  else
    tm_engine_set_timer(e->mix_timer, next > now ? next - now : 0);
}

void tm_engine_on_mix(evutil_socket_t fd, short what, void *arg)
{
  (void)fd;
  (void)what;
  tm_engine_release(arg);
}

/* ---- between: opened packets and answers go into the mix ---- */

void tm_engine_into_mix(struct tm_engine *e, uint32_t index)
{
  const struct tm_item *item = tm_slab_item(e->slab, index);

  if (e->mix == NULL || tm_mix_add(e->mix, index, tm_clock_mono_ms(e->clock), item->delay_ms) != TM_OK)
    tm_engine_drop(e, index, e->mix == NULL ? TM_DROP_NO_DOCUMENT : TM_DROP_MIX_FULL);
}

/* Honest senders draw delays around the network's mean. Others could fill the mix with packets that stay for a day. */
static bool stays_too_long(const struct tm_engine *e, uint32_t delay_ms)
{
  return e->params.strategy == TM_STRATEGY_POISSON && delay_ms > (uint64_t)DELAY_FACTOR * e->params.mean_delay_ms;
}

/* The header was good and the payload was not: no accident does that. */
static void note_tagging(struct tm_engine *e)
{
  if (tm_tagging_failed(&e->tagging, tm_clock_mono_ms(e->clock)))
    tm_log(TM_LOG_WARN, "relay", "packets were changed on their way: somebody marks them, or a sender makes bad ones",
           TM_KV_INT("packets", e->tagging.failures), TM_KV_END);
}

static void opened(struct tm_engine *e, uint32_t index)
{
  const struct tm_item *item = tm_slab_item(e->slab, index);

  if (item->drop == TM_DROP_TAG)
    note_tagging(e);
  if (item->drop != TM_DROP_NONE)
    tm_engine_drop(e, index, (enum tm_drop)item->drop);
  else if (item->command == TM_SPHINX_REPLY && tm_engine_loop_is_home(e, index))
    return;
  else if (!has_part(e, item->command))
    tm_engine_drop(e, index, TM_DROP_ROLE);
  else if (stays_too_long(e, item->delay_ms))
    tm_engine_drop(e, index, TM_DROP_DELAY);
  else
    tm_engine_into_mix(e, index);
}

static void on_worker(evutil_socket_t fd, short what, void *arg)
{
  struct tm_engine *e = arg;
  uint32_t items[CHUNK];

  (void)what;
  for (size_t w = 0; w < e->n_workers; w++) {
    size_t chunks = 0, n;
    if (tm_worker_fd(e->worker[w]) != fd)
      continue;
    tm_worker_rearm(e->worker[w]);
    while (chunks++ < CHUNKS_A_TURN && (n = tm_worker_pop(e->worker[w], items, CHUNK)) > 0)
      for (size_t i = 0; i < n; i++)
        opened(e, items[i]);
    if (chunks > CHUNKS_A_TURN)
      event_active(e->worker_event[w], EV_READ, 0);
  }
  hold_or_read(e);
  tm_engine_release(e);
}

/* The request went out to the store; its answer comes in. */
static void answered(struct tm_engine *e, uint32_t index)
{
  struct tm_item *item = tm_slab_item(e->slab, index);

  if (item->drop != TM_DROP_NONE) {
    tm_engine_drop(e, index, (enum tm_drop)item->drop);
    return;
  }
  e->counters.out_store++;
  e->counters.in_reply++;
  item->ticket = 0;
  tm_engine_into_mix(e, index);
}

static void on_store(evutil_socket_t fd, short what, void *arg)
{
  struct tm_engine *e = arg;
  uint32_t items[CHUNK];
  size_t n;

  (void)fd;
  (void)what;
  tm_store_rearm(e->store);
  while ((n = tm_store_pop(e->store, items, CHUNK)) > 0)
    for (size_t i = 0; i < n; i++)
      answered(e, items[i]);
  tm_engine_release(e);
}

int tm_engine_watch_threads(struct tm_engine *e)
{
  for (size_t i = 0; i < e->n_workers; i++) {
    e->worker_event[i] = event_new(e->base, tm_worker_fd(e->worker[i]), EV_READ | EV_PERSIST, on_worker, e);
    if (e->worker_event[i] == NULL || event_add(e->worker_event[i], NULL) != 0)
      return TM_E_NOMEM;
    tm_worker_rearm(e->worker[i]);
  }
  if (e->store == NULL)
    return TM_OK;
  e->store_event = event_new(e->base, tm_store_fd(e->store), EV_READ | EV_PERSIST, on_store, e);
  if (e->store_event == NULL || event_add(e->store_event, NULL) != 0)
    return TM_E_NOMEM;
  tm_store_rearm(e->store);
  return TM_OK;
}

/* ---- the mix ---- */

/* Packets under one strategy's care go over to the next one's; those of a pool get a delay drawn here. */
static void move_over(struct tm_engine *e, struct tm_mix *from, struct tm_mix *to, const struct tm_params *params)
{
  uint64_t now = tm_clock_mono_ms(e->clock);
  uint32_t items[CHUNK];
  size_t n;

  tm_mix_drain(from);
  while ((n = tm_mix_release(from, TM_MIX_NEVER, items, CHUNK)) > 0)
    for (size_t i = 0; i < n; i++) {
      uint32_t delay = (uint32_t)tm_rng_exponential(e->rng, (double)params->mean_delay_ms);
      if (tm_mix_add(to, items[i], now, delay) != TM_OK)
        tm_engine_drop(e, items[i], TM_DROP_MIX_FULL);
    }
}

static bool same_mix(const struct tm_params *a, const struct tm_params *b)
{
  return a->strategy == b->strategy &&
         (a->strategy == TM_STRATEGY_POISSON ||
          (a->pool_interval_ms == b->pool_interval_ms && a->pool_min == b->pool_min &&
           a->pool_share_permille == b->pool_share_permille && a->pool_floor == b->pool_floor));
}

int tm_engine_set_mix(struct tm_engine *e, const struct tm_params *params)
{
  const struct tm_mix_strategy *strategy = tm_mix_strategy(params->strategy);
  struct tm_mix_config config = {
    .capacity = e->config->mix_max < e->config->packets_max ? e->config->mix_max : e->config->packets_max,
    .rng = &e->mix_rng,
    .pool_interval_ms = params->pool_interval_ms,
    .pool_min = params->pool_min,
    .pool_share_permille = params->pool_share_permille,
    .pool_floor = params->pool_floor,
    .dummies = tm_engine_make_dummies,
    .dummies_arg = e,
  };
  struct tm_mix *mix;

  if (e->mix != NULL && same_mix(&e->params, params))
    return TM_OK;
  if (strategy == NULL)
    return TM_E_UNKNOWN;
  if (tm_mix_new(&mix, strategy, &config, tm_clock_mono_ms(e->clock)) != TM_OK)
    return TM_E_NOMEM;
  tm_mix_hold(mix, tm_cover_holds(&e->cover, tm_clock_mono_ms(e->clock)));
  if (e->mix != NULL)
    move_over(e, e->mix, mix, params);
  tm_mix_free(e->mix);
  e->mix = mix;
  tm_log(TM_LOG_INFO, "relay", "mixing", TM_KV_NAME("strategy", strategy->name), TM_KV_END);
  tm_engine_release(e);
  return TM_OK;
}

void tm_engine_drop_rest(struct tm_engine *e)
{
  uint32_t items[CHUNK];
  size_t n;

  for (size_t i = 0; i < e->n_waiting; i++)
    tm_engine_drop(e, e->waiting[i], TM_DROP_SHUTDOWN);
  e->n_waiting = 0;
  if (e->mix == NULL)
    return;
  tm_mix_drain(e->mix);
  while ((n = tm_mix_release(e->mix, TM_MIX_NEVER, items, CHUNK)) > 0)
    for (size_t i = 0; i < n; i++)
      tm_engine_drop(e, items[i], TM_DROP_SHUTDOWN);
}
