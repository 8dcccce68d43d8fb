/*
 * The field of X25519 in eight lanes on AVX-512 IFMA. Included before curve_lanes.h, by one file.
 *
 * A field element is five vectors, one limb of each of eight elements: x = x0 + 2^51 x1 + ... + 2^204 x4 modulo
 * p = 2^255 - 19. Limbs are "tight" below 2^51 + 2^16, and "wide" below 2^60. Only tight ones may be multiplied: the
 * multiplier reads 52 bits of each limb and drops the rest in silence. Products are wide; sums and differences of two
 * wide elements are below 2^63, and fe_tidy makes them tight.
 *
 * vpmadd52 gives the low and the high 52 bits of a product. Of limbs i and j the low half belongs to column i + j, and
 * the high half, because columns are 51 bits apart, twice to column i + j + 1. Products of tight limbs are below
 * 2^102.1, so their low halves are below 2^52 and their high halves below 2^50.1. Of either at most five meet in a
 * column: a column is below 5 * 2^52 + 2 * 5 * 2^50.1 < 2^55.2. Columns 5 to 9 come back 19 times: below 2^59.6 in all.
 */
#ifndef TM_SPHINX_FIELD_H
#define TM_SPHINX_FIELD_H

typedef struct {
  vec v[5];
} fe;

typedef __mmask8 lane_mask;

VEC_INLINE vec limb_mask(void) { return vec64_all((UINT64_C(1) << 51) - 1); }

/* 19 x. One instruction that multiplies beats the shifts and adds that compilers would make of it. */
VEC_INLINE vec times19(vec x) { return _mm512_mullo_epi64(x, vec_opaque(vec64_all(19))); }

/* One carry out of every limb at once. In: limbs below 2^63, so carries below 2^12; out: tight. */
VEC_INLINE fe fe_tidy(fe a)
{
  vec c[5];
  fe r;

  EACH (i, 0, 5)
    c[i] = vec64_shr(a.v[i], 51);
  r.v[0] = _mm512_madd52lo_epu64(vec_and(a.v[0], limb_mask()), c[4], vec64_all(19));
  EACH (i, 1, 5)
    r.v[i] = vec64_add(vec_and(a.v[i], limb_mask()), c[i - 1]);
  return r;
}

/* Wide in, tight out. */
VEC_INLINE fe fe_add(fe a, fe b)
{
  EACH (i, 0, 5)
    a.v[i] = vec64_add(a.v[i], b.v[i]);
  return fe_tidy(a);
}

/* The same. 2^10 p, of limbs just below 2^61, keeps them from going below zero. */
VEC_INLINE fe fe_sub(fe a, fe b)
{
  const vec low = vec64_all(((UINT64_C(1) << 51) - 19) << 10), other = vec64_all(((UINT64_C(1) << 51) - 1) << 10);

  EACH (i, 0, 5)
    a.v[i] = vec64_sub(vec64_add(a.v[i], i == 0 ? low : other), b.v[i]);
  return fe_tidy(a);
}

/* From the sums of low halves, lo[0..8], and of high halves, hi[0..8], by the column of their low halves. Wide. */
VEC_INLINE fe fe_fold(const vec lo[9], const vec hi[9])
{
  vec c[10];
  fe r;

  c[0] = lo[0];
  EACH (i, 1, 9)
    c[i] = vec64_add(vec64_add(lo[i], hi[i - 1]), hi[i - 1]);
  c[9] = vec64_add(hi[8], hi[8]);
  EACH (i, 0, 5)
    r.v[i] = vec64_add(c[i], times19(c[i + 5]));
  return r;
}

/* Tight in, wide out. */
VEC_INLINE fe fe_mul(fe a, fe b)
{
  vec lo[9], hi[9];

  EACH (i, 0, 9)
    lo[i] = hi[i] = vec64_all(0);
  EACH (i, 0, 5)
    EACH (j, 0, 5) {
      lo[i + j] = _mm512_madd52lo_epu64(lo[i + j], a.v[i], b.v[j]);
      hi[i + j] = _mm512_madd52hi_epu64(hi[i + j], a.v[i], b.v[j]);
    }
  return fe_fold(lo, hi);
}

/* Tight in, wide out. Mixed terms are summed up once and doubled then: doubled limbs would not fit into 52 bits. */
VEC_INLINE fe fe_square(fe a)
{
  vec lo[9], hi[9];

  EACH (i, 0, 9)
    lo[i] = hi[i] = vec64_all(0);
  EACH (i, 0, 5)
    EACH (j, i + 1, 5) {
      lo[i + j] = _mm512_madd52lo_epu64(lo[i + j], a.v[i], a.v[j]);
      hi[i + j] = _mm512_madd52hi_epu64(hi[i + j], a.v[i], a.v[j]);
    }
  EACH (i, 1, 8) {
    lo[i] = vec64_add(lo[i], lo[i]);
    hi[i] = vec64_add(hi[i], hi[i]);
  }
  EACH (i, 0, 5) {
    lo[2 * i] = _mm512_madd52lo_epu64(lo[2 * i], a.v[i], a.v[i]);
    hi[2 * i] = _mm512_madd52hi_epu64(hi[2 * i], a.v[i], a.v[i]);
  }
  return fe_fold(lo, hi);
}

/* a + 121666 b, all tight. */
VEC_INLINE fe fe_add_121666(fe a, fe b)
{
  const vec k = vec64_all(121666);
  const vec zero = vec64_all(0);
  vec hi[5];
  fe r;

  EACH (i, 0, 5) {
    r.v[i] = _mm512_madd52lo_epu64(a.v[i], b.v[i], k);
    hi[i] = _mm512_madd52hi_epu64(zero, b.v[i], k);
    hi[i] = vec64_add(hi[i], hi[i]);
  }
  EACH (i, 1, 5)
    r.v[i] = vec64_add(r.v[i], hi[i - 1]);
  r.v[0] = vec64_add(r.v[0], times19(hi[4]));
  return fe_tidy(r);
}

/* Lanes of b where the mask has a bit, else of a. */
VEC_INLINE fe fe_select(lane_mask mask, fe a, fe b)
{
  EACH (i, 0, 5)
    a.v[i] = _mm512_mask_blend_epi64(mask, a.v[i], b.v[i]);
  return a;
}

/* Lanes whose lowest bit is set. */
VEC_INLINE lane_mask mask_of_bit(vec x) { return _mm512_test_epi64_mask(x, vec64_all(1)); }
/* Lanes that are zero. */
VEC_INLINE lane_mask mask_of_zero(vec x) { return _mm512_testn_epi64_mask(x, x); }
/* One byte for each lane, 1 or 0. */
static void mask_store(uint8_t out[LANES64], lane_mask mask)
{
  for (size_t l = 0; l < LANES64; l++)
    out[l] = (uint8_t)((unsigned)mask >> l & 1);
}

/* A limb of a frozen element, and its value in those of eight elements that each lane's index, 0 to 7, names. */
typedef uint64_t fe_limb;
VEC_INLINE vec limb_pick(const fe_limb of[8], vec index) { return vec64_pick(of, index); }

/* The one representation below p, with limbs below 2^51. Wide in. */
static fe fe_freeze(fe a)
{
  vec c;

  /* Twice around, one limb after the other: below 2^255 + 19 then, and all limbs below 2^51. */
  for (int round = 0; round < 2; round++) {
    EACH (i, 0, 4) {
      c = vec64_shr(a.v[i], 51);
      a.v[i] = vec_and(a.v[i], limb_mask());
      a.v[i + 1] = vec64_add(a.v[i + 1], c);
    }
    c = vec64_shr(a.v[4], 51);
    a.v[4] = vec_and(a.v[4], limb_mask());
    a.v[0] = vec64_add(a.v[0], times19(c));
  }
  /* Adding 19 carries out of the top exactly if it is p or more. */
  c = vec64_shr(vec64_add(a.v[0], vec64_all(19)), 51);
  EACH (i, 1, 5)
    c = vec64_shr(vec64_add(a.v[i], c), 51);
  a.v[0] = vec64_add(a.v[0], times19(c));
  EACH (i, 0, 4) {
    c = vec64_shr(a.v[i], 51);
    a.v[i] = vec_and(a.v[i], limb_mask());
    a.v[i + 1] = vec64_add(a.v[i + 1], c);
  }
  a.v[4] = vec_and(a.v[4], limb_mask());
  return a;
}

/* Without the top bit of each, as RFC 7748 says; not canonical is fine. */
static fe fe_from_words(const vec w[4])
{
  fe r;

  r.v[0] = w[0];
  r.v[1] = vec_or(vec64_shr(w[0], 51), vec64_shl(w[1], 13));
  r.v[2] = vec_or(vec64_shr(w[1], 38), vec64_shl(w[2], 26));
  r.v[3] = vec_or(vec64_shr(w[2], 25), vec64_shl(w[3], 39));
  r.v[4] = vec64_shr(w[3], 12);
  EACH (i, 0, 5)
    r.v[i] = vec_and(r.v[i], limb_mask());
  return r;
}

/* Frozen in. */
static void fe_to_words(vec w[4], fe a)
{
  w[0] = vec_or(a.v[0], vec64_shl(a.v[1], 51));
  w[1] = vec_or(vec64_shr(a.v[1], 13), vec64_shl(a.v[2], 38));
  w[2] = vec_or(vec64_shr(a.v[2], 26), vec64_shl(a.v[3], 25));
  w[3] = vec_or(vec64_shr(a.v[3], 39), vec64_shl(a.v[4], 12));
}

#define FE_LIMBS 5
#define FE_LANES_LEAST 1 /* even one product is faster than with libsodium */

#endif
