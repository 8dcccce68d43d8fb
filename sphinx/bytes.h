/* Small helpers over bytes; constant time in what they read. */
#ifndef TM_SPHINX_BYTES_H
#define TM_SPHINX_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline void tm_bytes_xor(uint8_t *out, const uint8_t *in, size_t len)
{
  for (size_t i = 0; i < len; i++)
    out[i] ^= in[i];
}

static inline uint32_t tm_bytes_load32(const uint8_t in[static 4])
{
  return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

static inline void tm_bytes_store32(uint8_t out[static 4], uint32_t v)
{
  out[0] = (uint8_t)(v >> 24);
  out[1] = (uint8_t)(v >> 16);
  out[2] = (uint8_t)(v >> 8);
  out[3] = (uint8_t)v;
}

/* The clamping of RFC 7748. */
static inline void tm_bytes_clamp(uint8_t scalar[static 32])
{
  scalar[0] &= 248;
  scalar[31] &= 127;
  scalar[31] |= 64;
}

#endif
