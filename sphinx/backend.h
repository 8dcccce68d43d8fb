/*
 * The seam below which an instruction set hides: const tables of batch functions, of which a back-end is a pair, chosen
 * once per tm_sphinx, tested against known answers before its first use. Lanes are given as arrays of pointers, so that
 * nothing is copied to be batched; no lane may change another, and outputs never overlap inputs or each other.
 *
 * Every function takes 1 <= n <= TM_SPHINX_BATCH_MAX, allocates nothing, and runs in constant time in all bytes it
 * reads. Any thread.
 */
#ifndef TM_SPHINX_BACKEND_H
#define TM_SPHINX_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sphinx/sphinx.h"

/* Section 3: what is hashed (alpha | Y | s), one K(i), and how many K(i) there are. */
#define TM_KDF_INPUT_LEN 96
#define TM_KDF_LEN 64
#define TM_KDF_COUNT 5
#define TM_KDF_ALL_LEN (TM_KDF_LEN * TM_KDF_COUNT)
/* Section 1. */
#define TM_STREAM_LEN (TM_SPHINX_ROUTING_LEN + TM_SPHINX_BLOCK_LEN)

/* Multiplications on the curve. Scalars are clamped inside and may be shared by lanes. */
struct tm_curve {
  /* Makes what the others read; called once, before them, by one thread. NULL: there is nothing to make. */
  void (*prepare)(void);

  /*
   * out[i] = X25519(scalar[i], point[i]), 32 bytes each. ok[i] is 1, or 0 where the result is zero (low-order point);
   * out[i] is then zero.
   */
  void (*x25519)(uint8_t *const out[], const uint8_t *const scalar[], const uint8_t *const point[], uint8_t ok[],
                 size_t n);

  /* out[i] = X25519(scalar[i], 9), which is never zero. */
  void (*x25519_base)(uint8_t *const out[], const uint8_t *const scalar[], size_t n);
};

struct tm_symmetric {
  /* out[i] = K(first) | ... | K(first + count - 1) of the TM_KDF_INPUT_LEN bytes at in[i]. */
  void (*kdf)(uint8_t *const out[], const uint8_t *const in[], unsigned first, unsigned count, size_t n);

  /* out[i], 16 bytes, is the MAC under the 32-byte key[i] of the TM_SPHINX_ROUTING_LEN bytes at beta[i]. */
  void (*mac)(uint8_t *const out[], const uint8_t *const key[], const uint8_t *const beta[], size_t n);

  /* out[i] = STREAM(key[i], TM_STREAM_LEN). */
  void (*stream)(uint8_t *const out[], const uint8_t *const key[], size_t n);

  /* Section 4, in place on blocks of len bytes each, len > 32, with keys of 192 bytes. */
  void (*lioness_encrypt)(uint8_t *const block[], const uint8_t *const key[], size_t len, size_t n);
  void (*lioness_decrypt)(uint8_t *const block[], const uint8_t *const key[], size_t len, size_t n);
};

struct tm_sphinx_backend {
  const char *name;
  const struct tm_curve *curve;
  const struct tm_symmetric *symmetric;
};

/* On libsodium; always there. */
extern const struct tm_curve tm_curve_portable;
extern const struct tm_symmetric tm_symmetric_portable;

/* In lanes, where the compiler makes code for them. Only the table may be looked at where the processor lacks the set. */
extern const struct tm_curve tm_curve_avx2, tm_curve_avx512f, tm_curve_avx512ifma;
extern const struct tm_symmetric tm_symmetric_avx2, tm_symmetric_avx512f;

/*
 * The back-end of that name, or the best usable one for NULL; NULL if there is none of that name, this CPU lacks it,
 * or it failed its self-test. libsodium must have been started.
 */
const struct tm_sphinx_backend *tm_backend_choose(const char *name);

/* Does it give the known answers, alone and between other lanes? Its curve is prepared. */
bool tm_backend_selftest(const struct tm_sphinx_backend *b);

#endif
