#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/err.h"
#include "directory/document.h"
#include "link/cell.h"

#include "client/docpieces.h"

struct tm_docpieces {
  uint8_t digest[TM_CELL_DIGEST_LEN];
  uint8_t *bytes; /* total of them; NULL: no piece yet */
  size_t total;
  size_t have;
};

struct tm_docpieces *tm_docpieces_new(void) { return calloc(1, sizeof(struct tm_docpieces)); }

void tm_docpieces_reset(struct tm_docpieces *d)
{
  free(d->bytes);
  *d = (struct tm_docpieces){.bytes = NULL};
}

void tm_docpieces_free(struct tm_docpieces *d)
{
  if (d == NULL)
    return;
  tm_docpieces_reset(d);
  free(d);
}

static int begin(struct tm_docpieces *d, const uint8_t *digest, uint32_t total)
{
  tm_docpieces_reset(d);
  d->bytes = malloc(total);
  if (d->bytes == NULL)
    return TM_E_NOMEM;
  memcpy(d->digest, digest, sizeof d->digest);
  d->total = total;
  return TM_OK;
}

static bool digest_is_right(const struct tm_docpieces *d)
{
  uint8_t digest[TM_CELL_DIGEST_LEN];

  crypto_generichash(digest, sizeof digest, d->bytes, d->total, NULL, 0);
  return memcmp(digest, d->digest, sizeof digest) == 0; /* public bytes */
}

static int take(struct tm_docpieces *d, const uint8_t *digest, uint32_t total, uint32_t offset, const uint8_t *data,
                size_t data_len)
{
  if (total > TM_DOCUMENT_MAX)
    return TM_E_TOO_BIG;
  if (data_len == 0 || offset > total || data_len > total - offset)
    return TM_E_SYNTAX;
  if (offset == 0) {
    int err = begin(d, digest, total);
    if (err != TM_OK)
      return err;
  }
  if (d->bytes == NULL || offset != d->have || total != d->total || memcmp(digest, d->digest, sizeof d->digest) != 0)
    return TM_E_SYNTAX;
  memcpy(d->bytes + d->have, data, data_len);
  d->have += data_len;
  return d->have == d->total && !digest_is_right(d) ? TM_E_AUTH : TM_OK;
}

int tm_docpieces_take(struct tm_docpieces *d, const uint8_t digest[static TM_CELL_DIGEST_LEN], uint32_t total,
                      uint32_t offset, const uint8_t *data, size_t data_len, const uint8_t **document, size_t *len)
{
  int err;

  *document = NULL;
  *len = 0;
  if (total == 0)
    return TM_OK;
  err = take(d, digest, total, offset, data, data_len);
  if (err != TM_OK) {
    tm_docpieces_reset(d);
    return err;
  }
  if (d->have == d->total) {
    *document = d->bytes;
    *len = d->total;
  }
  return TM_OK;
}

void tm_docpieces_progress(const struct tm_docpieces *d, size_t *have, size_t *total)
{
  *have = d->have;
  *total = d->total;
}
