#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "sphinx/bytes.h"
#include "sphinx/ct.h"
#include "sphinx/sphinx.h"

#include "sphinx/context.h"

const char *tm_sphinx_strerror(int error)
{
  static const char *const text[] = {
    [-TM_SPHINX_OK] = "no error",
    [-TM_SPHINX_E_LENGTH] = "wrong packet length",
    [-TM_SPHINX_E_NONCANONICAL] = "group element is not canonical",
    [-TM_SPHINX_E_LOW_ORDER] = "group element of low order",
    [-TM_SPHINX_E_MAC] = "header forged or for another key",
    [-TM_SPHINX_E_COMMAND] = "unknown command or delay over the limit",
    [-TM_SPHINX_E_REPLAY] = "packet seen before",
    [-TM_SPHINX_E_TAG] = "payload changed on its way",
    [-TM_SPHINX_E_PATH] = "path empty, too long, or delay over the limit",
    [-TM_SPHINX_E_POINT] = "mix key is not a canonical point of the prime-order subgroup",
    [-TM_SPHINX_E_NOMEM] = "out of memory or of locked memory",
    [-TM_SPHINX_E_BACKEND] = "no such back-end, or it does not work on this machine",
    [-TM_SPHINX_E_BODY_LEN] = "body length outside the limits",
  };

  if (error > 0 || error <= -(int)(sizeof text / sizeof text[0]))
    return "unknown error";
  return text[-error];
}

/* sodium_malloc places the end of the block at a page's end: a multiple of 64 keeps its start aligned. */
static void *locked_new(size_t len)
{
  void *p = sodium_malloc((len + 63) / 64 * 64);

  if (p != NULL)
    memset(p, 0, len);
  return p;
}

int tm_sphinx_new(tm_sphinx **out, const char *backend, size_t body_len)
{
  const struct tm_sphinx_backend *b;

  *out = NULL;
  if (body_len < TM_SPHINX_BODY_MIN || body_len > TM_SPHINX_BODY_MAX)
    return TM_SPHINX_E_BODY_LEN;
  if (sodium_init() < 0)
    return TM_SPHINX_E_NOMEM;
  if (backend == NULL)
    backend = secure_getenv("TIDEMILL_SPHINX_BACKEND");
  if (backend != NULL && backend[0] == '\0')
    backend = NULL;
  b = tm_backend_choose(backend);
  if (b == NULL)
    return TM_SPHINX_E_BACKEND;
  *out = locked_new(sizeof **out);
  if (*out == NULL)
    return TM_SPHINX_E_NOMEM;
  (*out)->backend = b;
  (*out)->body_len = body_len;
  return TM_SPHINX_OK;
}

void tm_sphinx_free(tm_sphinx *ctx) { sodium_free(ctx); }
const char *tm_sphinx_backend_name(const tm_sphinx *ctx) { return ctx->backend->name; }
size_t tm_sphinx_body_len(const tm_sphinx *ctx) { return ctx->body_len; }
size_t tm_sphinx_packet_len(const tm_sphinx *ctx) { return TM_SPHINX_HEADER_LEN + tm_payload_len(ctx); }

int tm_sphinx_key_new(tm_sphinx_key **out, const uint8_t *secret)
{
  tm_sphinx_key *k;

  *out = NULL;
  if (sodium_init() < 0)
    return TM_SPHINX_E_NOMEM;
  k = locked_new(sizeof *k);
  if (k == NULL)
    return TM_SPHINX_E_NOMEM;
  memcpy(k->secret, secret, sizeof k->secret);
  tm_bytes_clamp(k->secret);
  TM_CT_SECRET(k->secret, sizeof k->secret);
  /* Neither can fail: a clamped scalar is not a multiple of the group order. */
  (void)!crypto_scalarmult_curve25519_base(k->y, k->secret);
  /* libsodium branches on whether the scalar is zero or the point the identity; neither is ever so here. */
  TM_CT_TRUST();
  (void)!crypto_scalarmult_ed25519_base(k->point, k->secret);
  TM_CT_CHECK();
  /* The public halves of the pair. */
  TM_CT_PUBLIC(k->y, sizeof k->y);
  TM_CT_PUBLIC(k->point, sizeof k->point);
  (void)sodium_mprotect_readonly(k);
  *out = k;
  return TM_SPHINX_OK;
}

void tm_sphinx_key_free(tm_sphinx_key *key) { sodium_free(key); }
void tm_sphinx_key_point(const tm_sphinx_key *key, uint8_t *point) { memcpy(point, key->point, sizeof key->point); }
