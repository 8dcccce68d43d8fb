/* What the tests of boxes share: reproducible bytes and sequences. */
#ifndef TM_TESTS_UNIT_BOX_SUPPORT_H
#define TM_TESTS_UNIT_BOX_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "box/box.h"

/* The same bytes for the same seed. */
void support_bytes(void *out, size_t len, uint64_t seed);
/* A stream of them that lasts as long as the program; the seed is fixed. */
const struct tm_rng *support_rng(void);
/* A writer that begins at index, and its reader. */
void support_pair(struct tm_box_writer *w, struct tm_box_reader *r, uint64_t seed, uint64_t index);
/* A box with reproducible text under the writer's present index. */
struct support_box {
  uint8_t id[TM_BOX_ID_LEN], box[TM_BOX_LEN], signature[TM_BOX_SIGNATURE_LEN], text[TM_BOX_TEXT_LEN];
};
void support_seal(const struct tm_box_writer *w, uint64_t seed, struct support_box *b);

#endif
