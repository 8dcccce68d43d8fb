#include "config.h"

#include <string.h>

#include <sodium.h>

#include "base/wire.h"

#include "client/guard.h"

#define ROW_LEN (1 + 2 * (1 + 32 + 8))

struct choice {
  bool set;
  uint8_t identity[32];
  uint64_t until_s;
};

struct tm_guard {
  struct choice choice[2]; /* first, spare */
  uint32_t failures;       /* in a row, of the one in use */
  uint64_t first_failure_ms;
  bool spare; /* is in use */
  uint64_t spare_since_ms;
};

int tm_guard_new(struct tm_guard **out)
{
  struct tm_guard *g = sodium_malloc(sizeof *g);

  *out = g;
  if (g == NULL)
    return TM_E_NOMEM;
  sodium_memzero(g, sizeof *g);
  return TM_OK;
}

void tm_guard_free(struct tm_guard *g) { sodium_free(g); }

static void store(const struct tm_guard *g, struct tm_state *s)
{
  uint8_t row[ROW_LEN];
  struct tm_writer w = tm_writer_init(row, sizeof row);

  tm_write_u8(&w, 1);
  for (int i = 0; i < 2; i++) {
    tm_write_u8(&w, g->choice[i].set);
    tm_write_bytes(&w, g->choice[i].identity, 32);
    tm_write_u64(&w, g->choice[i].until_s);
  }
  tm_state_put_meta(s, TM_META_GUARD, row, sizeof row);
  sodium_memzero(row, sizeof row);
}

int tm_guard_load(struct tm_guard *g, struct tm_state *s)
{
  uint8_t row[ROW_LEN] = {0};
  struct tm_reader r = tm_reader_init(row, sizeof row);
  int err = tm_state_get_meta_exact(s, TM_META_GUARD, row, sizeof row);

  if (err == TM_E_NOT_FOUND)
    return TM_OK;
  if (err == TM_OK && tm_read_u8(&r) != 1)
    err = TM_E_SYNTAX;
  for (int i = 0; err == TM_OK && i < 2; i++) {
    g->choice[i].set = tm_read_u8(&r) != 0;
    tm_read_bytes(&r, g->choice[i].identity, 32);
    g->choice[i].until_s = tm_read_u64(&r);
  }
  sodium_memzero(row, sizeof row);
  return err;
}

static bool is_chosen(const struct tm_guard *g, const uint8_t identity[static 32])
{
  for (int i = 0; i < 2; i++)
    if (g->choice[i].set && memcmp(g->choice[i].identity, identity, 32) == 0)
      return true;
  return false;
}

/* A uniform one of the entries that are not chosen yet. */
static bool choose(struct tm_guard *g, struct choice *slot, const struct tm_network *net, const struct tm_rng *rng,
                   uint64_t now_s)
{
  uint32_t n = 0;
  uint32_t pick;

  for (size_t i = 0; i < tm_network_entries(net); i++)
    n += !is_chosen(g, tm_network_entry(net, i)->identity);
  if (n == 0)
    return false;
  pick = tm_rng_below(rng, n);
  for (size_t i = 0; i < tm_network_entries(net); i++) {
    const struct tm_relay_info *entry = tm_network_entry(net, i);
    if (is_chosen(g, entry->identity) || pick-- != 0)
      continue;
    memcpy(slot->identity, entry->identity, 32);
    slot->until_s = now_s + TM_GUARD_LIFE_S + tm_rng_below(rng, TM_GUARD_LIFE_S / 3);
    slot->set = true;
    return true;
  }
  return false;
}

void tm_guard_update(struct tm_guard *g, struct tm_state *s, const struct tm_network *net, const struct tm_rng *rng,
                     uint64_t now_s)
{
  bool changed = false;

  for (int i = 0; i < 2; i++) {
    struct choice *choice = &g->choice[i];
    if (choice->set && (choice->until_s <= now_s || tm_network_find_entry(net, choice->identity) == NULL)) {
      sodium_memzero(choice, sizeof *choice);
      changed = true;
    }
  }
  if (!g->choice[0].set && g->choice[1].set) {
    g->choice[0] = g->choice[1];
    sodium_memzero(&g->choice[1], sizeof g->choice[1]);
    g->spare = false;
    g->failures = 0;
    changed = true;
  }
  for (int i = 0; i < 2; i++)
    if (!g->choice[i].set)
      changed |= choose(g, &g->choice[i], net, rng, now_s);
  if (!g->choice[1].set)
    g->spare = false;
  if (changed)
    store(g, s);
}

const struct tm_relay_info *tm_guard_entry(struct tm_guard *g, const struct tm_network *net, uint64_t mono_ms)
{
  /* Only a failure leads back, so that a working link to the spare is not given up for a guess. */
  if (g->spare && g->failures > 0 && mono_ms - g->spare_since_ms >= TM_GUARD_RETRY_MS) {
    g->spare = false;
    g->failures = 0;
  }
  if (!g->choice[g->spare].set)
    return NULL;
  return tm_network_find_entry(net, g->choice[g->spare].identity);
}

void tm_guard_failed(struct tm_guard *g, uint64_t mono_ms)
{
  if (g->failures++ == 0)
    g->first_failure_ms = mono_ms;
  if (g->failures < TM_GUARD_FAILURES || mono_ms - g->first_failure_ms < TM_GUARD_PATIENCE_MS || !g->choice[1].set)
    return;
  g->spare = !g->spare;
  g->spare_since_ms = mono_ms;
  g->failures = 0;
}

void tm_guard_worked(struct tm_guard *g, const uint8_t identity[static 32])
{
  if (g->choice[g->spare].set && memcmp(g->choice[g->spare].identity, identity, 32) == 0)
    g->failures = 0;
}
