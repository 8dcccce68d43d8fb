#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

#include "tests/unit/box_support.h"

void support_bytes(void *out, size_t len, uint64_t seed)
{
  struct tm_rng_seeded s;
  struct tm_rng rng;
  uint8_t key[32] = {0};

  for (size_t i = 0; i < 8; i++)
    key[i] = (uint8_t)(seed >> 8 * i);
  rng = tm_rng_seeded_init(&s, key);
  tm_rng_fill(&rng, out, len);
}

const struct tm_rng *support_rng(void)
{
  static struct tm_rng_seeded s;
  static struct tm_rng rng;
  static const uint8_t key[32] = "tests of boxes";

  if (rng.fill == NULL)
    rng = tm_rng_seeded_init(&s, key);
  return &rng;
}

void support_pair(struct tm_box_writer *w, struct tm_box_reader *r, uint64_t seed, uint64_t index)
{
  uint8_t bytes[TM_BOX_SEED_LEN], capability[TM_BOX_CAPABILITY_LEN];

  support_bytes(bytes, sizeof bytes, seed);
  tm_box_writer_init(w, bytes, index);
  tm_box_capability(w, capability);
  assert_int_equal(tm_box_reader_init(r, capability), TM_OK);
}

void support_seal(const struct tm_box_writer *w, uint64_t seed, struct support_box *b)
{
  uint8_t random[TM_BOX_SEAL_RANDOM_LEN];

  support_bytes(random, sizeof random, seed);
  support_bytes(b->text, sizeof b->text, seed + 1);
  assert_int_equal(tm_box_seal(w, b->text, random, b->id, b->box, b->signature), TM_OK);
}
