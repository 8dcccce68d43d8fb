#include "config.h"

#include <string.h>

#include <sodium.h>

#include "sphinx/bytes.h"
#include "sphinx/ct.h"

#include "sphinx/blinding.h"

const uint8_t tm_blinding_eighth[32] = {
  0x79, 0x2f, 0xdc, 0xe2, 0x29, 0xe5, 0x06, 0x61, 0xd0, 0xda, 0x1c, 0x7d, 0xb3, 0x9d, 0xd3, 0x07,
  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x06,
};
/* 8 L, little-endian. */
static const uint8_t eight_l[32] = {
  0x68, 0x9f, 0xae, 0xe7, 0xd2, 0x18, 0x93, 0xc0, 0xb2, 0xe6, 0xbc, 0x17, 0xf5, 0xce, 0xf7, 0xa6,
  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80,
};

void tm_blinding_start(uint8_t state[static 32], const uint8_t x[static 32])
{
  memcpy(state, tm_blinding_eighth, 32);
  tm_blinding_multiply(state, x);
}

void tm_blinding_multiply(uint8_t state[static 32], const uint8_t b[static 32])
{
  uint8_t clamped[32], product[32];

  memcpy(clamped, b, sizeof clamped);
  tm_bytes_clamp(clamped);
  crypto_core_ed25519_scalar_mul(product, state, clamped);
  memcpy(state, product, sizeof product);
  sodium_memzero(clamped, sizeof clamped);
  sodium_memzero(product, sizeof product);
}

bool tm_blinding_scalar(uint8_t scalar[static 32], const uint8_t state[static 32])
{
  uint8_t plus[32], minus[32], take, fits;
  unsigned carry = 0, borrow = 0;

  for (size_t i = 0; i < 32; i++) {
    unsigned v = (unsigned)state[i] << 3 | carry;
    unsigned m;

    plus[i] = (uint8_t)v;
    carry = v >> 8;
    m = (unsigned)eight_l[i] - plus[i] - borrow;
    minus[i] = (uint8_t)m;
    borrow = m >> 8 & 1;
  }
  /* All ones if plus is in range: bit 254 set, bit 255 clear. */
  take = (uint8_t)-((plus[31] >> 6 & 1) & ~(plus[31] >> 7));
  for (size_t i = 0; i < 32; i++)
    scalar[i] = (uint8_t)((plus[i] & take) | (minus[i] & ~take));
  fits = (uint8_t)((scalar[31] >> 6 & 1) & ~(scalar[31] >> 7));
  /* Whether a scalar exists is an error the caller reports, and has nothing else to say about it. */
  TM_CT_PUBLIC(&fits, sizeof fits);
  if (!fits)
    memset(scalar, 0, 32);
  sodium_memzero(plus, sizeof plus);
  sodium_memzero(minus, sizeof minus);
  return fits;
}
