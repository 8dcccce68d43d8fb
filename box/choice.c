#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "box/internal.h"
#include "sphinx/ct.h"

#include "box/box.h"

#define RANK_LEN 32

/* A store's rank for an id, and its identity for the tie that never comes. */
struct rank {
  uint8_t hash[RANK_LEN];
  uint8_t identity[32];
};

static void rank_store(struct rank *rank, const uint8_t id[static TM_BOX_ID_LEN], const uint8_t identity[static 32])
{
  TM_BOX_HASH(rank->hash, RANK_LEN, "tidemill.stores1", NULL, 0, {id, TM_BOX_ID_LEN}, {identity, 32});
  /* Ranks decide to which stores an id goes, and these are about to see the id itself. */
  TM_CT_PUBLIC(rank->hash, RANK_LEN);
  memcpy(rank->identity, identity, 32);
}

static bool is_higher(const struct rank *a, const struct rank *b) { return memcmp(a, b, sizeof *a) > 0; }

void tm_box_stores(const uint8_t id[static TM_BOX_ID_LEN], const uint8_t (*identities)[32], size_t n,
                   size_t choice[static 2])
{
  struct rank best[2], rank;

  if (n == 0)
    abort();
  choice[0] = choice[1] = 0;
  rank_store(&best[0], id, identities[0]);
  for (size_t i = 1; i < n; i++) {
    rank_store(&rank, id, identities[i]);
    if (is_higher(&rank, &best[0])) {
      best[1] = best[0];
      choice[1] = choice[0];
      best[0] = rank;
      choice[0] = i;
    } else if (i == 1 || is_higher(&rank, &best[1])) {
      best[1] = rank;
      choice[1] = i;
    }
  }
}
