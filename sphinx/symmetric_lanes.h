/*
 * The symmetric half of a vector back-end: BLAKE2b and ChaCha20 in lanes, and on them key derivation, header MAC,
 * header stream and LIONESS (doc/spec/packet.md, sections 1, 3 and 4). Written once for all widths: it is included behind the
 * header of the vectors.
 *
 * In BLAKE2b each lane is a message of its own; lanes that nobody needs do the work of the last one again. In ChaCha20
 * each lane is a block, of one key stream or of several. Where there is work enough, two vectors of lanes go side by side
 * through each step: one alone waits for its own results, because there are four chains in it and each step of a chain
 * takes two cycles on some processors. `groups` says how many go, and is a constant wherever it is inlined.
 */
#ifndef TM_SPHINX_SYMMETRIC_LANES_H
#define TM_SPHINX_SYMMETRIC_LANES_H

#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#include "sphinx/backend.h"
#include "sphinx/lanes.h"

#define BLAKE2B_BLOCK 128
#define CHACHA_BLOCK 64
#define WIDE 2 /* groups at most */
/* More than any function leaves on the stack in arrays and spilled vectors; a test looks. */
#define SPILL_HASH_LEN 24576

/* The statement for g = 0, and for g = 1 if there are two groups: no loop, so that each compiler keeps arrays in registers. */
#define GROUPS(...) \
  do { \
    { \
      const int g = 0; \
      __VA_ARGS__; \
    } \
    if (groups > 1) { \
      const int g = 1; \
      __VA_ARGS__; \
    } \
  } while (0)

/* What all of a batch of hashes have in common; lengths in bytes. */
struct hash_job {
  size_t out_len, key_len, in_len;
  const char *personal; /* 16 bytes, or NULL */
};

/* ---- BLAKE2b, RFC 7693 ---- */

static const uint64_t blake2b_iv[8] = {
  UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b), UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1),
  UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f), UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179),
};

/* Which words of the message a round takes, as offsets in bytes: without a multiplication, or the shift for one, at each. */
#define ROUND(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) \
  {WORD(a), WORD(b), WORD(c), WORD(d), WORD(e), WORD(f), WORD(g), WORD(h), \
   WORD(i), WORD(j), WORD(k), WORD(l), WORD(m), WORD(n), WORD(o), WORD(p)}
#define WORD(i) ((i) * sizeof(vec))
static const uint16_t blake2b_sigma[12][16] = {
  ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
  ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
  ROUND(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
  ROUND(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
  ROUND(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
  ROUND(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
  ROUND(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
  ROUND(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
  ROUND(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
  ROUND(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
  ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
  ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
};

VEC_INLINE vec word_at(const vec m[16], size_t offset) { return vec_load((const uint8_t *)m + offset); }

VEC_INLINE void blake2b_mix(vec v[][16], int a, int b, int c, int d, vec m[][16], size_t x, size_t y, int groups)
{
  GROUPS(v[g][a] = vec64_add(vec64_add(v[g][a], v[g][b]), word_at(m[g], x)));
  GROUPS(v[g][d] = vec64_ror(vec_xor(v[g][d], v[g][a]), 32));
  GROUPS(v[g][c] = vec64_add(v[g][c], v[g][d]));
  GROUPS(v[g][b] = vec64_ror(vec_xor(v[g][b], v[g][c]), 24));
  GROUPS(v[g][a] = vec64_add(vec64_add(v[g][a], v[g][b]), word_at(m[g], y)));
  GROUPS(v[g][d] = vec64_ror(vec_xor(v[g][d], v[g][a]), 16));
  GROUPS(v[g][c] = vec64_add(v[g][c], v[g][d]));
  GROUPS(v[g][b] = vec64_ror(vec_xor(v[g][b], v[g][c]), 63));
}

VEC_INLINE void blake2b_begin(vec v[16], const vec h[8], uint64_t counted, bool last)
{
  EACH (i, 0, 8) {
    v[i] = h[i];
    v[i + 8] = vec64_all(blake2b_iv[i]);
  }
  v[12] = vec_xor(v[12], vec64_all(counted));
  if (last)
    v[14] = vec_xor(v[14], vec64_all(UINT64_MAX));
}

VEC_INLINE void blake2b_end(vec h[8], const vec v[16])
{
  EACH (i, 0, 8)
    h[i] = vec_xor(h[i], vec_xor(v[i], v[i + 8]));
}

/* One block of every lane; counted: bytes so far, this block's included. */
VEC_INLINE void blake2b_compress(vec h[][8], const uint8_t *const at[], uint64_t counted, bool last, int groups)
{
  vec m[WIDE][16], v[WIDE][16];

  GROUPS(vec64_gather_block(m[g], at + g * LANES64));
  GROUPS(blake2b_begin(v[g], h[g], counted, last));
#pragma GCC unroll 1
  for (int round = 0; round < 12; round++) {
    const uint16_t *s = blake2b_sigma[round];

    blake2b_mix(v, 0, 4, 8, 12, m, s[0], s[1], groups);
    blake2b_mix(v, 1, 5, 9, 13, m, s[2], s[3], groups);
    blake2b_mix(v, 2, 6, 10, 14, m, s[4], s[5], groups);
    blake2b_mix(v, 3, 7, 11, 15, m, s[6], s[7], groups);
    blake2b_mix(v, 0, 5, 10, 15, m, s[8], s[9], groups);
    blake2b_mix(v, 1, 6, 11, 12, m, s[10], s[11], groups);
    blake2b_mix(v, 2, 7, 8, 13, m, s[12], s[13], groups);
    blake2b_mix(v, 3, 4, 9, 14, m, s[14], s[15], groups);
  }
  GROUPS(blake2b_end(h[g], v[g]));
}

/* The parameter block: lengths, fan-out and depth 1, salt (only its first byte is ever used), personalisation. */
VEC_INLINE void blake2b_start(vec h[8], const struct hash_job *job, const uint64_t salt[LANES64])
{
  uint64_t words[2] = {0, 0};

  EACH (i, 0, 8)
    h[i] = vec64_all(blake2b_iv[i]);
  h[0] = vec_xor(h[0], vec64_all(UINT64_C(0x01010000) | job->key_len << 8 | job->out_len));
  h[4] = vec_xor(h[4], vec_load(salt));
  if (job->personal != NULL)
    memcpy(words, job->personal, sizeof words);
  h[6] = vec_xor(h[6], vec64_all(words[0]));
  h[7] = vec_xor(h[7], vec64_all(words[1]));
}

/* The digests of up to LANES64 lanes; n more are wanted in all. */
VEC_INLINE void blake2b_store(uint8_t *const out[], const vec h[8], size_t n, size_t out_len)
{
  uint64_t digest[8][LANES64];

  EACH (i, 0, 8)
    vec_store(digest[i], h[i]);
  for (size_t l = 0; l < at_most(n, LANES64); l++)
    for (size_t i = 0; i < out_len; i += 8)
      memcpy(out[l] + i, &digest[i / 8][l], at_most(out_len - i, 8));
  sodium_memzero(digest, sizeof digest);
}

/* A block with zeros behind what there is for it; len is a multiple of 16 wherever it is short of time. */
VEC_INLINE const uint8_t *fill_block(uint8_t block[BLAKE2B_BLOCK], const uint8_t *from, size_t len)
{
  size_t i = 0;

  for (; i + 16 <= len; i += 16)
    _mm_storeu_si128((__m128i *)(block + i), _mm_loadu_si128((const __m128i *)(from + i)));
  memset(block + i, 0, BLAKE2B_BLOCK - i);
  memcpy(block + i, from + i, len - i);
  return block;
}

/* Up to groups * LANES64 hashes; salt: its first byte, for every lane. */
VEC_INLINE void blake2b_lanes(uint8_t *const out[], const uint8_t *const key[], const uint8_t *const in[],
                              const uint64_t salt[], size_t n, const struct hash_job *job, int groups)
{
  uint8_t block[WIDE * LANES64][BLAKE2B_BLOCK];
  const uint8_t *at[WIDE * LANES64];
  vec h[WIDE][8];
  size_t lanes = (size_t)groups * LANES64, done = 0, counted = 0;

  GROUPS(blake2b_start(h[g], job, salt + g * LANES64));
  if (job->key_len > 0) {
    for (size_t l = 0; l < lanes; l++)
      at[l] = fill_block(block[l], key[l < n ? l : n - 1], job->key_len);
    counted = BLAKE2B_BLOCK;
    blake2b_compress(h, at, counted, false, groups);
  }
  for (; job->in_len - done > BLAKE2B_BLOCK; done += BLAKE2B_BLOCK) {
    for (size_t l = 0; l < lanes; l++)
      at[l] = in[l < n ? l : n - 1] + done;
    counted += BLAKE2B_BLOCK;
    blake2b_compress(h, at, counted, false, groups);
  }
  for (size_t l = 0; l < lanes; l++)
    at[l] = fill_block(block[l], in[l < n ? l : n - 1] + done, job->in_len - done);
  blake2b_compress(h, at, counted + job->in_len - done, true, groups);
  GROUPS(blake2b_store(out + g * LANES64, h[g], n - at_most(n, (size_t)g * LANES64), job->out_len));
  sodium_memzero(block, sizeof block);
}

#define HASHES (WIDE * LANES64) /* in one call of these */

__attribute__((noinline)) static void blake2b_wide(uint8_t *const out[], const uint8_t *const key[],
                                                   const uint8_t *const in[], const uint64_t salt[HASHES], size_t n,
                                                   const struct hash_job *job)
{
  blake2b_lanes(out, key, in, salt, n, job, WIDE);
}

__attribute__((noinline)) static void blake2b_narrow(uint8_t *const out[], const uint8_t *const key[],
                                                     const uint8_t *const in[], const uint64_t salt[HASHES], size_t n,
                                                     const struct hash_job *job)
{
  blake2b_lanes(out, key, in, salt, n, job, 1);
}

static void blake2b(uint8_t *const out[], const uint8_t *const key[], const uint8_t *const in[],
                    const uint64_t salt[HASHES], size_t n, const struct hash_job *job)
{
  if (n > LANES64)
    blake2b_wide(out, key, in, salt, n, job);
  else
    blake2b_narrow(out, key, in, salt, n, job);
}

/* Any number of hashes without salt. */
static void hash_all(uint8_t *const out[], const uint8_t *const key[], const uint8_t *const in[], size_t n,
                     const struct hash_job *job)
{
  static const uint64_t no_salt[HASHES];

  for (size_t i = 0; i < n; i += HASHES)
    blake2b(out + i, key + i, in + i, no_salt, at_most(n - i, HASHES), job);
}

__attribute__((noinline)) static void kdf_all(uint8_t *const out[], const uint8_t *const in[], unsigned first,
                                              unsigned count, size_t n)
{
  const struct hash_job job = {.out_len = TM_KDF_LEN, .in_len = TM_KDF_INPUT_LEN, .personal = "tidemill.sphinx1"};

  for (size_t i = 0; i < n * count; i += HASHES) {
    size_t m = at_most(n * count - i, HASHES);
    const uint8_t *from[HASHES];
    uint8_t *to[HASHES];
    uint64_t salt[HASHES];

    for (size_t l = 0; l < HASHES; l++) {
      size_t j = i + at_most(l, m - 1);

      from[l] = in[j / count];
      to[l] = out[j / count] + j % count * TM_KDF_LEN;
      salt[l] = first + j % count;
    }
    blake2b(to, NULL, from, salt, m, &job);
  }
}

__attribute__((noinline)) static void mac_all(uint8_t *const out[], const uint8_t *const key[],
                                              const uint8_t *const beta[], size_t n)
{
  const struct hash_job job = {.out_len = TM_SPHINX_MAC_LEN, .key_len = 32, .in_len = TM_SPHINX_ROUTING_LEN};

  hash_all(out, key, beta, n, &job);
}

/* ---- ChaCha20 with a nonce of 8 zero bytes ---- */

VEC_INLINE void chacha_quarter(vec x[][16], int a, int b, int c, int d, int groups)
{
  GROUPS(x[g][a] = vec32_add(x[g][a], x[g][b]));
  GROUPS(x[g][d] = vec32_rol(vec_xor(x[g][d], x[g][a]), 16));
  GROUPS(x[g][c] = vec32_add(x[g][c], x[g][d]));
  GROUPS(x[g][b] = vec32_rol(vec_xor(x[g][b], x[g][c]), 12));
  GROUPS(x[g][a] = vec32_add(x[g][a], x[g][b]));
  GROUPS(x[g][d] = vec32_rol(vec_xor(x[g][d], x[g][a]), 8));
  GROUPS(x[g][c] = vec32_add(x[g][c], x[g][d]));
  GROUPS(x[g][b] = vec32_rol(vec_xor(x[g][b], x[g][c]), 7));
}

/* The state before the rounds. */
VEC_INLINE void chacha_begin(vec x[16], const vec key[8], const uint32_t counter[LANES32])
{
  x[0] = vec32_all(0x61707865);
  x[1] = vec32_all(0x3320646e);
  x[2] = vec32_all(0x79622d32);
  x[3] = vec32_all(0x6b206574);
  EACH (i, 0, 8)
    x[4 + i] = key[i];
  x[12] = vec_load(counter);
  EACH (i, 13, 16)
    x[i] = vec32_all(0);
}

/* Adds it again. */
VEC_INLINE void chacha_end(uint8_t *out, vec x[16], const vec key[8], const uint32_t counter[LANES32])
{
  vec start[16];

  chacha_begin(start, key, counter);
  EACH (i, 0, 16)
    x[i] = vec32_add(x[i], start[i]);
  vec32_xor_blocks(out, x);
}

/* XORs groups * LANES32 blocks into out, from key words and counters by lane. */
VEC_INLINE void chacha_lanes(uint8_t *out, vec key[][8], const uint32_t counter[], int groups)
{
  vec x[WIDE][16];

  GROUPS(chacha_begin(x[g], key[g], counter + g * LANES32));
#pragma GCC unroll 1
  for (int round = 0; round < 10; round++) {
    chacha_quarter(x, 0, 4, 8, 12, groups);
    chacha_quarter(x, 1, 5, 9, 13, groups);
    chacha_quarter(x, 2, 6, 10, 14, groups);
    chacha_quarter(x, 3, 7, 11, 15, groups);
    chacha_quarter(x, 0, 5, 10, 15, groups);
    chacha_quarter(x, 1, 6, 11, 12, groups);
    chacha_quarter(x, 2, 7, 8, 13, groups);
    chacha_quarter(x, 3, 4, 9, 14, groups);
  }
  GROUPS(chacha_end(out + g * LANES32 * CHACHA_BLOCK, x[g], key[g], counter + g * LANES32));
}

#define BLOCKS (WIDE * LANES32) /* in one call of these */

__attribute__((noinline)) static void chacha_wide(uint8_t *out, vec key[WIDE][8], const uint32_t counter[BLOCKS])
{
  chacha_lanes(out, key, counter, WIDE);
}

__attribute__((noinline)) static void chacha_narrow(uint8_t *out, vec key[WIDE][8], const uint32_t counter[BLOCKS])
{
  chacha_lanes(out, key, counter, 1);
}

/* At least n <= BLOCKS blocks, XORed into out. */
static void chacha(uint8_t out[BLOCKS * CHACHA_BLOCK], vec key[WIDE][8], const uint32_t counter[BLOCKS], size_t n)
{
  if (n > LANES32)
    chacha_wide(out, key, counter);
  else
    chacha_narrow(out, key, counter);
}

/* The end of what a stream is XORed to, as whole blocks, and the words of its key; wiped by whoever owns it. */
struct stream {
  uint8_t bytes[BLOCKS * CHACHA_BLOCK];
  vec key[WIDE][8];
};

/* data ^= STREAM(key, len) */
static void chacha_xor(uint8_t *data, size_t len, const uint8_t key[static 32], struct stream *s)
{
  uint32_t counter[BLOCKS];

  EACH (i, 0, 8) {
    uint32_t w;

    memcpy(&w, key + 4 * i, sizeof w);
    EACH (g, 0, WIDE)
      s->key[g][i] = vec32_all(w);
  }
  for (size_t done = 0; done < len; done += sizeof s->bytes) {
    size_t part = at_most(len - done, sizeof s->bytes);
    uint8_t *at = data + done;

    for (uint32_t l = 0; l < BLOCKS; l++)
      counter[l] = (uint32_t)(done / CHACHA_BLOCK) + l;
    if (part < sizeof s->bytes)
      at = memcpy(s->bytes, at, part);
    chacha(at, s->key, counter, (part + CHACHA_BLOCK - 1) / CHACHA_BLOCK);
    if (part < sizeof s->bytes)
      memcpy(data + done, at, part);
  }
}

#define STREAM_BLOCKS ((TM_STREAM_LEN + CHACHA_BLOCK - 1) / CHACHA_BLOCK)

/* The streams of many headers are short: each lane is any block of any of them. */
__attribute__((noinline)) static void stream_all(uint8_t *const out[], const uint8_t *const key[], size_t n)
{
  size_t blocks = n * STREAM_BLOCKS;
  uint32_t counter[BLOCKS], words[8][BLOCKS];
  struct stream s;

  for (size_t at = 0; at < blocks; at += BLOCKS) {
    size_t m = at_most(blocks - at, BLOCKS);

    for (size_t l = 0; l < BLOCKS; l++) {
      size_t j = at + at_most(l, m - 1);

      counter[l] = (uint32_t)(j % STREAM_BLOCKS);
      for (size_t i = 0; i < 8; i++)
        memcpy(&words[i][l], key[j / STREAM_BLOCKS] + 4 * i, 4);
    }
    EACH (g, 0, WIDE)
      EACH (i, 0, 8)
        s.key[g][i] = vec_load(words[i] + g * LANES32);
    memset(s.bytes, 0, sizeof s.bytes);
    chacha(s.bytes, s.key, counter, m);
    for (size_t l = 0; l < m; l++) {
      size_t from = (at + l) % STREAM_BLOCKS * CHACHA_BLOCK;

      memcpy(out[(at + l) / STREAM_BLOCKS] + from, s.bytes + l * CHACHA_BLOCK, at_most(TM_STREAM_LEN - from, CHACHA_BLOCK));
    }
  }
  sodium_memzero(&s, sizeof s);
  sodium_memzero(words, sizeof words);
}

/* ---- LIONESS ---- */

#define K1 0
#define K2 32
#define K3 96
#define K4 128

/* R ^= STREAM(L ^ key, len R) in each block. */
static void rounds_stream(uint8_t *const block[], const uint8_t *const key[], size_t offset, size_t len, size_t n)
{
  struct stream s = {0};
  uint8_t k[32];

  for (size_t i = 0; i < n; i++) {
    for (size_t b = 0; b < sizeof k; b++)
      k[b] = block[i][b] ^ key[i][offset + b];
    chacha_xor(block[i] + 32, len - 32, k, &s);
  }
  sodium_memzero(&s, sizeof s);
  sodium_memzero(k, sizeof k);
}

/* L ^= H(key, R) in each block. */
static void rounds_hash(uint8_t *const block[], const uint8_t *const key[], size_t offset, size_t len, size_t n)
{
  const struct hash_job job = {.out_len = 32, .key_len = 64, .in_len = len - 32};
  uint8_t h[HASHES][32];

  for (size_t i = 0; i < n; i += HASHES) {
    size_t m = at_most(n - i, HASHES);
    const uint8_t *by[HASHES], *from[HASHES];
    uint8_t *to[HASHES];

    for (size_t l = 0; l < m; l++) {
      by[l] = key[i + l] + offset;
      from[l] = block[i + l] + 32;
      to[l] = h[l];
    }
    hash_all(to, by, from, m, &job);
    for (size_t l = 0; l < m; l++)
      for (size_t b = 0; b < 32; b++)
        block[i + l][b] ^= h[l][b];
  }
  sodium_memzero(h, sizeof h);
}

__attribute__((noinline)) static void encrypt_all(uint8_t *const block[], const uint8_t *const key[], size_t len, size_t n)
{
  rounds_stream(block, key, K1, len, n);
  rounds_hash(block, key, K2, len, n);
  rounds_stream(block, key, K3, len, n);
  rounds_hash(block, key, K4, len, n);
}

__attribute__((noinline)) static void decrypt_all(uint8_t *const block[], const uint8_t *const key[], size_t len, size_t n)
{
  rounds_hash(block, key, K4, len, n);
  rounds_stream(block, key, K3, len, n);
  rounds_hash(block, key, K2, len, n);
  rounds_stream(block, key, K1, len, n);
}

/* ---- what the table names; see backend.h ---- */

static void lanes_kdf(uint8_t *const out[], const uint8_t *const in[], unsigned first, unsigned count, size_t n)
{
  kdf_all(out, in, first, count, n);
  forget(SPILL_HASH_LEN);
}

static void lanes_mac(uint8_t *const out[], const uint8_t *const key[], const uint8_t *const beta[], size_t n)
{
  mac_all(out, key, beta, n);
  forget(SPILL_HASH_LEN);
}

static void lanes_stream(uint8_t *const out[], const uint8_t *const key[], size_t n)
{
  stream_all(out, key, n);
  forget(SPILL_HASH_LEN);
}

static void lanes_lioness_encrypt(uint8_t *const block[], const uint8_t *const key[], size_t len, size_t n)
{
  encrypt_all(block, key, len, n);
  forget(SPILL_HASH_LEN);
}

static void lanes_lioness_decrypt(uint8_t *const block[], const uint8_t *const key[], size_t len, size_t n)
{
  decrypt_all(block, key, len, n);
  forget(SPILL_HASH_LEN);
}

#define SYMMETRIC_LANES \
  { \
    .kdf = lanes_kdf, .mac = lanes_mac, .stream = lanes_stream, .lioness_encrypt = lanes_lioness_encrypt, \
    .lioness_decrypt = lanes_lioness_decrypt \
  }

#endif
