/*
 * The sender's product of blinding factors (section 6), in a form that an ordinary, clamping X25519 can use.
 *
 * The mix keys are points of the subgroup of prime order L, and X25519 sees a point and its negative as one. So any
 * scalar that is c or -c modulo L will do; among the multiples of 8 below 8L there is one of each, and they add up to
 * 8L. All but a 2^-126 share of the time exactly one of the two lies in [2^254, 2^255), where clamping changes
 * nothing. The state kept here is c/8 modulo L. Constant time.
 */
#ifndef TM_SPHINX_BLINDING_H
#define TM_SPHINX_BLINDING_H

#include <stdbool.h>
#include <stdint.h>

/* 1/8 modulo L, little-endian. */
extern const uint8_t tm_blinding_eighth[32];

/* Starts with c = x, clamped. */
void tm_blinding_start(uint8_t state[static 32], const uint8_t x[static 32]);

/* c *= b, clamped. */
void tm_blinding_multiply(uint8_t state[static 32], const uint8_t b[static 32]);

/*
 * scalar: the clamped one that multiplies by c or -c. False, and scalar is zero, where there is none: c is zero, or bad
 * luck of 2^-126.
 */
bool tm_blinding_scalar(uint8_t scalar[static 32], const uint8_t state[static 32]) __attribute__((warn_unused_result));

#endif
