#include "config.h"

#include <stdatomic.h>
#include <string.h>

#include <sodium.h>

#include "sphinx/blinding.h"
#include "sphinx/sphinx.h"

#include "sphinx/point.h"

enum library { UNTESTED, SOUND, UNSOUND };

static atomic_int library = UNTESTED;

bool tm_field_is_canonical(const uint8_t e[static 32])
{
  if (e[31] != 0x7f)
    return e[31] < 0x7f;
  for (size_t i = 30; i > 0; i--)
    if (e[i] != 0xff)
      return true;
  return e[0] < 0xed;
}

bool tm_point_is_torsion_free(const uint8_t point[static 32])
{
  uint8_t p[32], q[32];

  memcpy(p, point, sizeof p);
  for (int i = 0; i < 3; i++) {
    if (crypto_core_ed25519_add(q, p, p) != 0)
      return false;
    memcpy(p, q, sizeof p);
  }
  return crypto_scalarmult_ed25519_noclamp(q, tm_blinding_eighth, p) == 0 && memcmp(q, point, sizeof q) == 0;
}

bool tm_point_library_is_sound(void)
{
  /* The base point plus the point (0, -1) of order two. */
  static const uint8_t mixed[32] = {
    0x95, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99,
    0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99,
  };

  if (atomic_load(&library) == UNTESTED)
    atomic_store(&library, crypto_core_ed25519_is_valid_point(mixed) == 0 ? SOUND : UNSOUND);
  return atomic_load(&library) == SOUND;
}

/* The conditions that libsodium's own checks leave out or may get wrong. */
static bool passes_own_checks(const uint8_t point[static 32])
{
  uint8_t y[32];

  memcpy(y, point, sizeof y);
  y[31] &= 0x7f; /* the sign of x */
  if (!tm_field_is_canonical(y))
    return false;
  return tm_point_library_is_sound() || tm_point_is_torsion_free(point);
}

int tm_sphinx_point_check(const uint8_t *point)
{
  if (!passes_own_checks(point) || crypto_core_ed25519_is_valid_point(point) != 1)
    return TM_SPHINX_E_POINT;
  return TM_SPHINX_OK;
}

int tm_point_to_x25519(uint8_t y[static 32], const uint8_t point[static 32])
{
  /* The conversion makes the subgroup and small-order checks of crypto_core_ed25519_is_valid_point by itself. */
  if (passes_own_checks(point) && crypto_sign_ed25519_pk_to_curve25519(y, point) == 0)
    return TM_SPHINX_OK;
  memset(y, 0, 32);
  return TM_SPHINX_E_POINT;
}

int tm_point_lookup(struct tm_point_cache *cache, uint8_t y[static 32], const uint8_t point[static 32])
{
  size_t set = point[0] % TM_POINT_CACHE_SETS;
  unsigned way;
  int rc;

  for (way = 0; way < TM_POINT_CACHE_WAYS; way++)
    if (memcmp(cache->set[set].way[way].point, point, 32) == 0 && !sodium_is_zero(cache->set[set].way[way].y, 32)) {
      memcpy(y, cache->set[set].way[way].y, 32);
      return TM_SPHINX_OK;
    }
  rc = tm_point_to_x25519(y, point);
  if (rc == TM_SPHINX_OK) {
    way = cache->set[set].next;
    cache->set[set].next = (way + 1) % TM_POINT_CACHE_WAYS;
    memcpy(cache->set[set].way[way].point, point, 32);
    memcpy(cache->set[set].way[way].y, y, 32);
  }
  return rc;
}
