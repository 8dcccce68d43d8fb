/*
 * The symmetric half of a vector back-end: BLAKE2b and ChaCha20 in lanes, and on them key derivation, header MAC,
 * header stream and LIONESS (doc/spec/packet.md, sections 1, 3 and 4). Written once for all widths; the file that
 * includes this has included the header of its vectors before, and is compiled with that set's flags.
 *
 * In BLAKE2b each lane is a message of its own; lanes that nobody needs do the work of the last one again. In ChaCha20
 * each lane is a block, of one key stream or of several.
 */
#ifndef TM_SPHINX_LANES_H
#define TM_SPHINX_LANES_H

#include <stdbool.h>
#include <string.h>

#include <sodium.h>

#include "sphinx/backend.h"

#define BLAKE2B_BLOCK 128
#define CHACHA_BLOCK 64
/* More than any function leaves on the stack in arrays and spilled vectors; a test looks. */
#define SPILL_HASH_LEN 8192
#define SPILL_CURVE_LEN 65536

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

static const uint8_t blake2b_sigma[12][16] = {
  {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
  {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
  {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
  {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
  {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
  {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
};

VEC_INLINE void blake2b_mix(vec v[16], int a, int b, int c, int d, vec x, vec y)
{
  v[a] = vec64_add(vec64_add(v[a], v[b]), x);
  v[d] = vec64_ror(vec_xor(v[d], v[a]), 32);
  v[c] = vec64_add(v[c], v[d]);
  v[b] = vec64_ror(vec_xor(v[b], v[c]), 24);
  v[a] = vec64_add(vec64_add(v[a], v[b]), y);
  v[d] = vec64_ror(vec_xor(v[d], v[a]), 16);
  v[c] = vec64_add(v[c], v[d]);
  v[b] = vec64_ror(vec_xor(v[b], v[c]), 63);
}

/* One block of every lane; counted: bytes so far, this block's included. */
VEC_INLINE void blake2b_compress(vec h[8], const uint8_t *const at[LANES64], uint64_t counted, bool last)
{
  vec m[16], v[16];

  vec64_gather_block(m, at);
  EACH (i, 0, 8) {
    v[i] = h[i];
    v[i + 8] = vec64_all(blake2b_iv[i]);
  }
  v[12] = vec_xor(v[12], vec64_all(counted));
  if (last)
    v[14] = vec_xor(v[14], vec64_all(UINT64_MAX));
#pragma GCC unroll 12
  for (int round = 0; round < 12; round++) {
    const uint8_t *s = blake2b_sigma[round];

    blake2b_mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
    blake2b_mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
    blake2b_mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
    blake2b_mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
    blake2b_mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
    blake2b_mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
    blake2b_mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
    blake2b_mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
  }
  EACH (i, 0, 8)
    h[i] = vec_xor(h[i], vec_xor(v[i], v[i + 8]));
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

/* up to LANES64 hashes; salt: its first byte. */
__attribute__((noinline)) static void blake2b_group(uint8_t *const out[], const uint8_t *const key[],
                                                    const uint8_t *const in[], const uint64_t salt[LANES64], size_t n,
                                                    const struct hash_job *job)
{
  uint8_t block[LANES64][BLAKE2B_BLOCK];
  uint64_t digest[8][LANES64];
  const uint8_t *at[LANES64];
  vec h[8];
  size_t done = 0, counted = 0;

  blake2b_start(h, job, salt);
  if (job->key_len > 0) {
    for (size_t l = 0; l < LANES64; l++) {
      memset(block[l], 0, sizeof block[l]);
      memcpy(block[l], key[l < n ? l : n - 1], job->key_len);
      at[l] = block[l];
    }
    counted = BLAKE2B_BLOCK;
    blake2b_compress(h, at, counted, false);
  }
  for (; job->in_len - done > BLAKE2B_BLOCK; done += BLAKE2B_BLOCK) {
    for (size_t l = 0; l < LANES64; l++)
      at[l] = in[l < n ? l : n - 1] + done;
    counted += BLAKE2B_BLOCK;
    blake2b_compress(h, at, counted, false);
  }
  for (size_t l = 0; l < LANES64; l++) {
    memset(block[l], 0, sizeof block[l]);
    memcpy(block[l], in[l < n ? l : n - 1] + done, job->in_len - done);
    at[l] = block[l];
  }
  blake2b_compress(h, at, counted + job->in_len - done, true);
  EACH (i, 0, 8)
    vec_store(digest[i], h[i]);
  for (size_t l = 0; l < n; l++)
    for (size_t i = 0; i < job->out_len; i += 8)
      memcpy(out[l] + i, &digest[i / 8][l], job->out_len - i < 8 ? job->out_len - i : 8);
  sodium_memzero(block, sizeof block);
  sodium_memzero(digest, sizeof digest);
}

static size_t at_most(size_t n, size_t most) { return n < most ? n : most; }

/* Any number of hashes without salt. */
static void hash_all(uint8_t *const out[], const uint8_t *const key[], const uint8_t *const in[], size_t n,
                     const struct hash_job *job)
{
  static const uint64_t no_salt[LANES64];

  for (size_t i = 0; i < n; i += LANES64)
    blake2b_group(out + i, key + i, in + i, no_salt, at_most(n - i, LANES64), job);
}

__attribute__((noinline)) static void kdf_all(uint8_t *const out[], const uint8_t *const in[], unsigned first,
                                              unsigned count, size_t n)
{
  const struct hash_job job = {.out_len = TM_KDF_LEN, .in_len = TM_KDF_INPUT_LEN, .personal = "tidemill.sphinx1"};

  for (size_t i = 0; i < n * count; i += LANES64) {
    size_t m = at_most(n * count - i, LANES64);
    const uint8_t *from[LANES64];
    uint8_t *to[LANES64];
    uint64_t salt[LANES64];

    for (size_t l = 0; l < LANES64; l++) {
      size_t j = i + at_most(l, m - 1);

      from[l] = in[j / count];
      to[l] = out[j / count] + j % count * TM_KDF_LEN;
      salt[l] = first + j % count;
    }
    blake2b_group(to, NULL, from, salt, m, &job);
  }
}

__attribute__((noinline)) static void mac_all(uint8_t *const out[], const uint8_t *const key[],
                                              const uint8_t *const beta[], size_t n)
{
  const struct hash_job job = {.out_len = TM_SPHINX_MAC_LEN, .key_len = 32, .in_len = TM_SPHINX_ROUTING_LEN};

  hash_all(out, key, beta, n, &job);
}

/* ---- ChaCha20 with a nonce of 8 zero bytes ---- */

VEC_INLINE void chacha_quarter(vec x[16], int a, int b, int c, int d)
{
  x[a] = vec32_add(x[a], x[b]);
  x[d] = vec32_rol(vec_xor(x[d], x[a]), 16);
  x[c] = vec32_add(x[c], x[d]);
  x[b] = vec32_rol(vec_xor(x[b], x[c]), 12);
  x[a] = vec32_add(x[a], x[b]);
  x[d] = vec32_rol(vec_xor(x[d], x[a]), 8);
  x[c] = vec32_add(x[c], x[d]);
  x[b] = vec32_rol(vec_xor(x[b], x[c]), 7);
}

/* LANES32 blocks to out, from key words and counters by lane. */
__attribute__((noinline)) static void chacha_blocks(uint8_t *out, const vec key[8], const uint32_t counter[LANES32])
{
  static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  vec x[16], start[16];

  EACH (i, 0, 4)
    start[i] = vec32_all(constants[i]);
  EACH (i, 0, 8)
    start[4 + i] = key[i];
  start[12] = vec_load(counter);
  EACH (i, 13, 16)
    start[i] = vec32_all(0);
  EACH (i, 0, 16)
    x[i] = start[i];
#pragma GCC unroll 12
  for (int round = 0; round < 10; round++) {
    chacha_quarter(x, 0, 4, 8, 12);
    chacha_quarter(x, 1, 5, 9, 13);
    chacha_quarter(x, 2, 6, 10, 14);
    chacha_quarter(x, 3, 7, 11, 15);
    chacha_quarter(x, 0, 5, 10, 15);
    chacha_quarter(x, 1, 6, 11, 12);
    chacha_quarter(x, 2, 7, 8, 13);
    chacha_quarter(x, 3, 4, 9, 14);
  }
  EACH (i, 0, 16)
    x[i] = vec32_add(x[i], start[i]);
  vec32_scatter_blocks(out, x);
}

/* data ^= STREAM(key, len) */
static void chacha_xor(uint8_t *data, size_t len, const uint8_t key[static 32])
{
  uint8_t stream[LANES32 * CHACHA_BLOCK];
  uint32_t counter[LANES32];
  vec words[8];

  EACH (i, 0, 8) {
    uint32_t w;

    memcpy(&w, key + 4 * i, sizeof w);
    words[i] = vec32_all(w);
  }
  for (size_t done = 0; done < len; done += sizeof stream) {
    size_t part = at_most(len - done, sizeof stream), i = 0;

    for (uint32_t l = 0; l < LANES32; l++)
      counter[l] = (uint32_t)(done / CHACHA_BLOCK) + l;
    chacha_blocks(stream, words, counter);
    for (; i + sizeof(vec) <= part; i += sizeof(vec))
      vec_store(data + done + i, vec_xor(vec_load(data + done + i), vec_load(stream + i)));
    for (; i < part; i++)
      data[done + i] ^= stream[i];
  }
  sodium_memzero(stream, sizeof stream);
  sodium_memzero(words, sizeof words);
}

#define STREAM_BLOCKS ((TM_STREAM_LEN + CHACHA_BLOCK - 1) / CHACHA_BLOCK)

/* The streams of many headers are short: each lane is any block of any of them. */
__attribute__((noinline)) static void stream_all(uint8_t *const out[], const uint8_t *const key[], size_t n)
{
  size_t blocks = n * STREAM_BLOCKS;
  uint8_t stream[LANES32 * CHACHA_BLOCK];
  uint32_t counter[LANES32], words[8][LANES32];
  vec k[8];

  for (size_t at = 0; at < blocks; at += LANES32) {
    size_t m = at_most(blocks - at, LANES32);

    for (size_t l = 0; l < LANES32; l++) {
      size_t j = at + at_most(l, m - 1);

      counter[l] = (uint32_t)(j % STREAM_BLOCKS);
      EACH (i, 0, 8)
        memcpy(&words[i][l], key[j / STREAM_BLOCKS] + 4 * i, 4);
    }
    EACH (i, 0, 8)
      k[i] = vec_load(words[i]);
    chacha_blocks(stream, k, counter);
    for (size_t l = 0; l < m; l++) {
      size_t from = (at + l) % STREAM_BLOCKS * CHACHA_BLOCK;

      memcpy(out[(at + l) / STREAM_BLOCKS] + from, stream + l * CHACHA_BLOCK, at_most(TM_STREAM_LEN - from, CHACHA_BLOCK));
    }
  }
  sodium_memzero(stream, sizeof stream);
  sodium_memzero(words, sizeof words);
  sodium_memzero(k, sizeof k);
}

/* ---- LIONESS ---- */

#define K1 0
#define K2 32
#define K3 96
#define K4 128

/* R ^= STREAM(L ^ key, len R) in each block. */
static void rounds_stream(uint8_t *const block[], const uint8_t *const key[], size_t offset, size_t len, size_t n)
{
  uint8_t k[32];

  for (size_t i = 0; i < n; i++) {
    for (size_t b = 0; b < sizeof k; b++)
      k[b] = block[i][b] ^ key[i][offset + b];
    chacha_xor(block[i] + 32, len - 32, k);
  }
  sodium_memzero(k, sizeof k);
}

/* L ^= H(key, R) in each block. */
static void rounds_hash(uint8_t *const block[], const uint8_t *const key[], size_t offset, size_t len, size_t n)
{
  const struct hash_job job = {.out_len = 32, .key_len = 64, .in_len = len - 32};
  uint8_t h[LANES64][32];

  for (size_t i = 0; i < n; i += LANES64) {
    size_t m = at_most(n - i, LANES64);
    const uint8_t *by[LANES64], *from[LANES64];
    uint8_t *to[LANES64];

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

/* ---- what the table names; see backend.h. Behind each of them nothing secret is left in registers or on the stack ---- */

static void forget(size_t spilled)
{
  vec_forget();
  sodium_stackzero(spilled);
}

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

#endif
