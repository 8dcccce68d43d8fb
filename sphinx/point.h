/*
 * Mix keys as points (section 2): checking, and the X25519 form. All inputs are public. Any thread.
 */
#ifndef TM_SPHINX_POINT_H
#define TM_SPHINX_POINT_H

#include <stdbool.h>
#include <stdint.h>

/* Is it an integer below 2^255 - 19, with the top bit clear: the one encoding of a field element? */
bool tm_field_is_canonical(const uint8_t e[static 32]);

/*
 * Is it a point without a part of small order: is it an eighth of eight times itself? Needs nothing of libsodium's own
 * subgroup check. False for what is not a point at all.
 */
bool tm_point_is_torsion_free(const uint8_t point[static 32]);

/*
 * Does libsodium's subgroup check refuse a point of mixed order? Versions before 1.0.20 may not (CVE-2025-69277);
 * then the check above runs as well.
 */
bool tm_point_library_is_sound(void);

/* The X25519 form of a mix key. Errors: TM_SPHINX_E_POINT (it is not as section 2 wants it); y is then zero. */
int tm_point_to_x25519(uint8_t y[static 32], const uint8_t point[static 32]) __attribute__((warn_unused_result));

/*
 * Points found good, with their X25519 form: checking costs more than the sender's work on a hop, and relays come
 * again. A point's first byte names its set, in which a later one replaces the one that came in first: a network's
 * relays fit, whatever their keys. What was used recently can be read from it, and from the time a lookup takes by
 * somebody on the same machine; who can do that also sees the caller read its list of relays.
 */
#define TM_POINT_CACHE_SETS 128
#define TM_POINT_CACHE_WAYS 4

struct tm_point_cache {
  struct {
    struct {
      uint8_t point[32];
      uint8_t y[32]; /* never zero in a used entry */
    } way[TM_POINT_CACHE_WAYS];
    unsigned next; /* the way to replace */
  } set[TM_POINT_CACHE_SETS];
};

/* tm_point_to_x25519 through the cache. Errors: the same. */
int tm_point_lookup(struct tm_point_cache *cache, uint8_t y[static 32], const uint8_t point[static 32])
  __attribute__((warn_unused_result));

#endif
