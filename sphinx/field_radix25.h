/*
 * The field of X25519 in lanes, on multipliers of 32 bits. Included before curve_lanes.h.
 *
 * A field element is ten vectors, one limb of each lane's element: x = sum of x_i 2^ceil(25.5 i) modulo p = 2^255 - 19,
 * so limbs with even numbers have 26 bits and those with odd ones 25. "Tight" limbs are below 2^26 + 2^20 (even) and
 * 2^25 + 2^20 (odd). Sums of two tight elements, and differences, to which 2p is added, have limbs below 2^27.6 and
 * 2^26.6: "loose". Products are tight, and both kinds may be multiplied.
 *
 * The product of limbs i and j belongs to column i + j, twice if both are odd; columns 10 to 18 come back 19 times. The
 * multiplier reads 32 bits of each factor: 19 times an even loose limb, or 38 times an odd one, is below 2^31.9. The
 * other factor is below 2^27.6, doubled if odd. At most ten products meet in a column: below 2^62.9.
 */
#ifndef TM_SPHINX_FIELD_H
#define TM_SPHINX_FIELD_H

#define FE_LIMBS 10
#define FE_LANES_LEAST 2 /* a call costs as much for one lane as for all: for a single product libsodium is faster */

typedef struct {
  vec v[FE_LIMBS];
} fe;

typedef vec lane_mask; /* all bits of a lane, or none */

#define limb_bits(i) ((i) % 2 == 0 ? 26 : 25)
VEC_INLINE vec limb_mask(int i) { return vec64_all((UINT64_C(1) << limb_bits(i)) - 1); }

/* 19 x, for x below 2^59. */
VEC_INLINE vec times19(vec x) { return vec64_add(vec64_add(x, vec64_shl(x, 1)), vec64_shl(x, 4)); }

VEC_INLINE void carry_into(fe *a, int i)
{
  vec c = vec64_shr(a->v[i], limb_bits(i));

  a->v[i] = vec_and(a->v[i], limb_mask(i));
  if (i < 9)
    a->v[i + 1] = vec64_add(a->v[i + 1], c);
  else
    a->v[0] = vec64_add(a->v[0], times19(c));
}

/*
 * Columns below 2^63 in, tight out. Two chains run side by side, from limb 0 and from limb 4. The carries into limbs 1
 * and 5 that come last are below 2^13: each of them leaves a limb that had at most 2^38 above its width.
 */
VEC_INLINE fe fe_reduce(fe a)
{
  carry_into(&a, 0);
  carry_into(&a, 4);
  carry_into(&a, 1);
  carry_into(&a, 5);
  carry_into(&a, 2);
  carry_into(&a, 6);
  carry_into(&a, 3);
  carry_into(&a, 7);
  carry_into(&a, 4);
  carry_into(&a, 8);
  carry_into(&a, 9);
  carry_into(&a, 0);
  return a;
}

/* Products are tight at once. */
VEC_INLINE fe fe_tidy(fe a) { return a; }

/* Tight in, loose out. */
VEC_INLINE fe fe_add(fe a, fe b)
{
  EACH (i, 0, FE_LIMBS)
    a.v[i] = vec64_add(a.v[i], b.v[i]);
  return a;
}

/* The same. */
VEC_INLINE fe fe_sub(fe a, fe b)
{
  EACH (i, 0, FE_LIMBS) {
    uint64_t twice = (UINT64_C(2) << limb_bits(i)) - (i == 0 ? 38 : 2);

    a.v[i] = vec64_sub(vec64_add(a.v[i], vec64_all(twice)), b.v[i]);
  }
  return a;
}

/* Loose in, tight out. */
VEC_INLINE fe fe_mul(fe a, fe b)
{
  vec b19[FE_LIMBS], a2[FE_LIMBS];
  fe r;

  EACH (i, 0, FE_LIMBS) {
    b19[i] = vec_opaque(vec64_mul32(b.v[i], vec64_all(19)));
    a2[i] = i % 2 == 0 ? a.v[i] : vec64_add(a.v[i], a.v[i]);
    r.v[i] = vec64_all(0);
  }
  EACH (i, 0, FE_LIMBS)
    EACH (j, 0, FE_LIMBS) {
      vec left = j % 2 == 0 ? a.v[i] : a2[i], right = i + j < FE_LIMBS ? b.v[j] : b19[j];

      r.v[(i + j) % FE_LIMBS] = vec64_add(r.v[(i + j) % FE_LIMBS], vec64_mul32(left, right));
    }
  return fe_reduce(r);
}

VEC_INLINE fe fe_square(fe a)
{
  vec twice[FE_LIMBS], back[FE_LIMBS]; /* back: 19 times, and once more doubled if odd */
  fe r;

  EACH (i, 0, FE_LIMBS) {
    twice[i] = vec64_add(a.v[i], a.v[i]);
    back[i] = vec_opaque(vec64_mul32(a.v[i], vec64_all(i % 2 == 0 ? 19 : 38)));
    r.v[i] = vec64_all(0);
  }
  EACH (i, 0, FE_LIMBS)
    EACH (j, i, FE_LIMBS) {
      /* Where just one of them is odd, it is the left one. */
      int odd = i % 2 != 0 && j % 2 == 0 ? i : j, even = odd == i ? j : i;
      vec left = i == j ? a.v[i] : i % 2 == j % 2 ? twice[i] : twice[odd];
      vec right = i + j >= FE_LIMBS ? back[i % 2 == j % 2 ? j : even]
                  : i % 2 != 0 && j % 2 != 0 ? twice[j]
                                             : a.v[i % 2 == j % 2 ? j : even];

      r.v[(i + j) % FE_LIMBS] = vec64_add(r.v[(i + j) % FE_LIMBS], vec64_mul32(left, right));
    }
  return fe_reduce(r);
}

/* a + 121666 b: a tight, b loose, loose out: one carry of each limb of the product, which is below 2^44.6, is enough. */
VEC_INLINE fe fe_add_121666(fe a, fe b)
{
  vec c[FE_LIMBS];

  EACH (i, 0, FE_LIMBS) {
    b.v[i] = vec64_mul32(b.v[i], vec64_all(121666));
    c[i] = vec64_shr(b.v[i], limb_bits(i));
    a.v[i] = vec64_add(a.v[i], vec_and(b.v[i], limb_mask(i)));
  }
  a.v[0] = vec64_add(a.v[0], times19(c[9]));
  EACH (i, 1, FE_LIMBS)
    a.v[i] = vec64_add(a.v[i], c[i - 1]);
  return a;
}

/* Lanes whose lowest bit is set. */
VEC_INLINE lane_mask mask_of_bit(vec x) { return vec64_sub(vec64_all(0), vec_and(x, vec64_all(1))); }

/* Lanes that are zero: of no other number are both it and its negative without the top bit. */
VEC_INLINE lane_mask mask_of_zero(vec x)
{
  return vec64_sub(vec64_shr(vec_or(x, vec64_sub(vec64_all(0), x)), 63), vec64_all(1));
}

/* One byte for each lane, 1 or 0. */
static void mask_store(uint8_t out[LANES64], lane_mask mask)
{
  uint64_t lane[LANES64];

  vec_store(lane, mask);
  for (size_t l = 0; l < LANES64; l++)
    out[l] = (uint8_t)(lane[l] & 1);
}

/* Lanes of b where the mask is set, else of a. */
VEC_INLINE fe fe_select(lane_mask mask, fe a, fe b)
{
  EACH (i, 0, FE_LIMBS)
    a.v[i] = vec_select(mask, a.v[i], b.v[i]);
  return a;
}

/* A limb of a frozen element, and its value in those of eight elements that each lane's index, 0 to 7, names. */
typedef uint32_t fe_limb;
VEC_INLINE vec limb_pick(const fe_limb of[8], vec index) { return vec64_pick32(of, index); }

/* The one representation below p, with limbs of their widths. Tight in. */
static fe fe_freeze(fe a)
{
  vec c;

  /* Twice around: below 2^255 + 19 then. */
  for (int round = 0; round < 2; round++)
    EACH (i, 0, FE_LIMBS)
      carry_into(&a, i);
  /* Adding 19 carries out of the top exactly if it is p or more. */
  c = vec64_all(19);
  EACH (i, 0, FE_LIMBS)
    c = vec64_shr(vec64_add(a.v[i], c), limb_bits(i));
  a.v[0] = vec64_add(a.v[0], times19(c));
  EACH (i, 0, FE_LIMBS - 1)
    carry_into(&a, i);
  a.v[9] = vec_and(a.v[9], limb_mask(9));
  return a;
}

/* Without the top bit of each, as RFC 7748 says; not canonical is fine. */
static fe fe_from_words(const vec w[4])
{
  fe r;

  r.v[0] = w[0];
  r.v[1] = vec64_shr(w[0], 26);
  r.v[2] = vec_or(vec64_shr(w[0], 51), vec64_shl(w[1], 13));
  r.v[3] = vec64_shr(w[1], 13);
  r.v[4] = vec64_shr(w[1], 38);
  r.v[5] = w[2];
  r.v[6] = vec64_shr(w[2], 25);
  r.v[7] = vec_or(vec64_shr(w[2], 51), vec64_shl(w[3], 13));
  r.v[8] = vec64_shr(w[3], 12);
  r.v[9] = vec64_shr(w[3], 38);
  EACH (i, 0, FE_LIMBS)
    r.v[i] = vec_and(r.v[i], limb_mask(i));
  return r;
}

/* Frozen in. */
static void fe_to_words(vec w[4], fe a)
{
  w[0] = vec_or(vec_or(a.v[0], vec64_shl(a.v[1], 26)), vec64_shl(a.v[2], 51));
  w[1] = vec_or(vec_or(vec64_shr(a.v[2], 13), vec64_shl(a.v[3], 13)), vec64_shl(a.v[4], 38));
  w[2] = vec_or(vec_or(a.v[5], vec64_shl(a.v[6], 25)), vec64_shl(a.v[7], 51));
  w[3] = vec_or(vec_or(vec64_shr(a.v[7], 13), vec64_shl(a.v[8], 12)), vec64_shl(a.v[9], 38));
}

#endif
