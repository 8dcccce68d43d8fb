#include "config.h"

#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "link/prefix.h"

#define NONE UINT32_MAX
#define SPARE 4096     /* entries of those who are gone, for their stocks */
#define MINUTE_MS 60000
#define SWEEP 4        /* entries looked at, at each use, for those that can be forgotten */
#define WHOLE 0xff     /* instead of a level */

static const size_t v4_bytes[TM_PREFIX_LEVELS] = {4, 3};
static const size_t v6_bytes[TM_PREFIX_LEVELS] = {8, 6};

struct place {
  uint64_t hash;
  uint64_t stock_ms;  /* when the stock was reckoned */
  uint64_t missing;   /* from a full stock, in connections times MINUTE_MS */
  uint32_t next;      /* of its bucket, or of the unused */
  uint32_t links, handshakes;
  uint32_t connects;  /* the quota that missing was reckoned with */
  bool used;
};

struct tm_prefixes {
  uint8_t key[crypto_shorthash_KEYBYTES];
  struct place *places;
  uint32_t *buckets;
  uint32_t n, mask, unused, hand;
  size_t n_used;
};

int tm_prefixes_new(struct tm_prefixes **out, const struct tm_rng *rng, uint32_t links)
{
  struct tm_prefixes *t = calloc(1, sizeof *t);
  size_t n = (size_t)TM_PREFIX_LEVELS * links + SPARE;
  size_t buckets = 1;

  *out = NULL;
  if (t == NULL)
    return TM_E_NOMEM;
  while (buckets < n)
    buckets *= 2;
  t->places = calloc(n, sizeof *t->places);
  t->buckets = malloc(buckets * sizeof *t->buckets);
  if (t->places == NULL || t->buckets == NULL || n >= NONE) {
    tm_prefixes_free(t);
    return TM_E_NOMEM;
  }
  tm_rng_fill(rng, t->key, sizeof t->key);
  memset(t->buckets, 0xff, buckets * sizeof *t->buckets);
  t->n = (uint32_t)n;
  t->mask = (uint32_t)(buckets - 1);
  for (uint32_t i = 0; i < t->n; i++)
    t->places[i].next = i + 1 < t->n ? i + 1 : NONE;
  *out = t;
  return TM_OK;
}

void tm_prefixes_free(struct tm_prefixes *table)
{
  if (table == NULL)
    return;
  free(table->places);
  free(table->buckets);
  sodium_memzero(table->key, sizeof table->key);
  free(table);
}

static uint64_t hash_of(const struct tm_prefixes *t, uint8_t family, uint8_t level, const void *bytes, size_t len)
{
  uint8_t message[2 + 16] = {family, level}, hash[crypto_shorthash_BYTES];
  uint64_t h;

  memcpy(message + 2, bytes, len);
  crypto_shorthash(hash, message, 2 + len, t->key);
  memcpy(&h, hash, sizeof h);
  return h;
}

struct tm_prefix tm_prefix_of(const struct tm_prefixes *table, const struct sockaddr *addr)
{
  bool v6 = addr->sa_family == AF_INET6;
  const void *bytes = v6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr
                         : (const void *)&((const struct sockaddr_in *)(const void *)addr)->sin_addr;
  uint8_t family = v6 ? 6 : 4;
  struct tm_prefix p;

  for (uint8_t i = 0; i < TM_PREFIX_LEVELS; i++)
    p.level[i] = hash_of(table, family, i, bytes, v6 ? v6_bytes[i] : v4_bytes[i]);
  p.whole = hash_of(table, family, WHOLE, bytes, v6 ? 16 : 4);
  return p;
}

/* ---- entries ---- */

static struct place *find(const struct tm_prefixes *t, uint64_t hash)
{
  for (uint32_t i = t->buckets[hash & t->mask]; i != NONE; i = t->places[i].next)
    if (t->places[i].hash == hash)
      return &t->places[i];
  return NULL;
}

static void forget(struct tm_prefixes *t, struct place *p)
{
  uint32_t index = (uint32_t)(p - t->places);
  uint32_t *at = &t->buckets[p->hash & t->mask];

  while (*at != index)
    at = &t->places[*at].next;
  *at = p->next;
  *p = (struct place){.next = t->unused};
  t->unused = index;
  t->n_used--;
}

static void refill(struct place *p, uint64_t now_ms)
{
  uint64_t since = now_ms - p->stock_ms;

  p->missing = p->connects == 0 || since >= p->missing / p->connects + 1 ? 0 : p->missing - since * p->connects;
  p->stock_ms = now_ms;
}

static bool is_idle(const struct place *p) { return p->used && p->links == 0 && p->handshakes == 0; }

/* Looks at some entries, each in its turn, and forgets those that say nothing any more. */
static void sweep(struct tm_prefixes *t, uint64_t now_ms)
{
  for (int i = 0; i < SWEEP; i++) {
    struct place *p = &t->places[t->hand];
    t->hand = (t->hand + 1) % t->n;
    if (!is_idle(p))
      continue;
    refill(p, now_ms);
    if (p->missing == 0)
      forget(t, p);
  }
}

/* There are more entries than links can count in, so some are idle if too few are unused: the next ones in turn give way. */
static void make_room(struct tm_prefixes *t)
{
  while (t->n - t->n_used < TM_PREFIX_LEVELS) {
    struct place *p = &t->places[t->hand];
    t->hand = (t->hand + 1) % t->n;
    if (is_idle(p))
      forget(t, p);
  }
}

static struct place *find_or_add(struct tm_prefixes *t, uint64_t hash, uint32_t connects, uint64_t now_ms)
{
  struct place *p = find(t, hash);
  uint32_t index;

  if (p == NULL) {
    index = t->unused;
    p = &t->places[index];
    t->unused = p->next;
    *p = (struct place){.hash = hash, .used = true, .next = t->buckets[hash & t->mask], .stock_ms = now_ms};
    t->buckets[hash & t->mask] = index;
    t->n_used++;
  }
  p->connects = connects;
  refill(p, now_ms);
  return p;
}

/* ---- counting ---- */

static bool is_over(uint64_t n, uint32_t most) { return most != 0 && n >= most; }

int tm_prefix_connect(struct tm_prefixes *table, const struct tm_prefix *prefix, const struct tm_link_quota *quotas, uint64_t now_ms)
{
  struct place *p[TM_PREFIX_LEVELS];

  sweep(table, now_ms);
  make_room(table);
  for (int i = 0; i < TM_PREFIX_LEVELS; i++) {
    const struct tm_link_quota *q = &quotas[i];
    p[i] = find_or_add(table, prefix->level[i], q->connects, now_ms);
    if (is_over((uint64_t)p[i]->links + p[i]->handshakes, q->links) || is_over(p[i]->handshakes, q->handshakes) ||
        (q->connects != 0 && p[i]->missing + MINUTE_MS > (uint64_t)q->connects * MINUTE_MS))
      return i;
  }
  for (int i = 0; i < TM_PREFIX_LEVELS; i++) {
    p[i]->handshakes++;
    p[i]->missing += quotas[i].connects != 0 ? MINUTE_MS : 0;
  }
  return -1;
}

void tm_prefix_handshake_over(struct tm_prefixes *table, const struct tm_prefix *prefix)
{
  for (int i = 0; i < TM_PREFIX_LEVELS; i++)
    find(table, prefix->level[i])->handshakes--; /* counted, so it is there */
}

int tm_prefix_link(struct tm_prefixes *table, const struct tm_prefix *prefix, const struct tm_link_quota *quotas, uint64_t now_ms)
{
  struct place *p[TM_PREFIX_LEVELS];

  make_room(table);
  for (int i = 0; i < TM_PREFIX_LEVELS; i++) {
    p[i] = find_or_add(table, prefix->level[i], quotas[i].connects, now_ms);
    if (is_over(p[i]->links, quotas[i].links))
      return i;
  }
  for (int i = 0; i < TM_PREFIX_LEVELS; i++)
    p[i]->links++;
  return -1;
}

void tm_prefix_link_over(struct tm_prefixes *table, const struct tm_prefix *prefix)
{
  for (int i = 0; i < TM_PREFIX_LEVELS; i++)
    find(table, prefix->level[i])->links--;
}

size_t tm_prefixes_used(const struct tm_prefixes *table) { return table->n_used; }
