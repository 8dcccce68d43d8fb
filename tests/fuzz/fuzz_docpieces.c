/*
 * Pieces of a document as a hostile entry might send them: digest number (1), total (4), offset (4), length (2), data. Digest 0 is that of the
 * first 4,000 bytes of zeros; another is its number, 32 times. What comes out is what was promised, and never more than TM_DOCUMENT_MAX.
 */
#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/wire.h"
#include "client/docpieces.h"
#include "directory/document.h"

#define PROMISED_LEN 4000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool truth)
{
  if (!truth)
    abort();
}

static void take(struct tm_docpieces *d, const uint8_t promised[static 32], struct tm_reader *r)
{
  uint8_t digest[32];
  uint8_t check[32];
  uint8_t number = tm_read_u8(r);
  uint32_t total = tm_read_u32(r);
  uint32_t offset = tm_read_u32(r);
  uint16_t n = tm_read_u16(r);
  const uint8_t *piece;
  const uint8_t *document = NULL;
  size_t len = 0;
  size_t have;
  size_t whole;
  int err;

  if (n > tm_reader_left(r))
    n = (uint16_t)tm_reader_left(r);
  piece = tm_read_view(r, n);
  if (number == 0)
    memcpy(digest, promised, 32);
  else
    memset(digest, number, 32);
  err = tm_docpieces_take(d, digest, total, offset, piece != NULL ? piece : (const uint8_t *)"", n, &document, &len);
  tm_docpieces_progress(d, &have, &whole);
  require(have <= whole && whole <= TM_DOCUMENT_MAX);
  require(err == TM_OK || (document == NULL && have == 0));
  if (document != NULL) {
    crypto_generichash(check, 32, document, len, NULL, 0);
    require(len == total && memcmp(check, digest, 32) == 0);
    tm_docpieces_reset(d);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
  static const uint8_t zeros[PROMISED_LEN];
  struct tm_docpieces *d = tm_docpieces_new();
  struct tm_reader r = tm_reader_init(data, len);
  uint8_t promised[32];

  require(d != NULL);
  crypto_generichash(promised, 32, zeros, sizeof zeros, NULL, 0);
  while (tm_reader_left(&r) > 0 && !r.bad)
    take(d, promised, &r);
  tm_docpieces_free(d);
  return 0;
}
