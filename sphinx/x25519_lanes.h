/*
 * X25519 in lanes, written once for all vectors and fields: it is included behind lanes.h and one of the field headers.
 * Bytes at the edge, a limb of each lane in a vector inside. Lanes that nobody needs do the work of the last one again.
 *
 * A field header has: fe; fe_mul, fe_square, fe_add_121666 of what may be multiplied; fe_add and fe_sub of products,
 * whose results may be multiplied; fe_tidy, which makes a product into something that may be multiplied; fe_freeze, the
 * one representation below p; fe_select and masks of lanes; fe_from_words and fe_to_words.
 */
#ifndef TM_SPHINX_X25519_LANES_H
#define TM_SPHINX_X25519_LANES_H

#define GROUPS_MAX ((TM_SPHINX_BATCH_MAX + LANES64 - 1) / LANES64)

static fe fe_small(uint64_t x)
{
  fe r;

  r.v[0] = vec64_all(x);
  EACH (i, 1, FE_LIMBS)
    r.v[i] = vec64_all(0);
  return r;
}

/* What may be multiplied in and out. */
static fe fe_times(fe a, fe b) { return fe_tidy(fe_mul(a, b)); }

static fe fe_square_times(fe a, unsigned n)
{
  while (n-- > 0)
    a = fe_tidy(fe_square(a));
  return a;
}

/* a^(p - 2): the inverse, or 0 of 0. */
static fe fe_invert(fe a)
{
  fe a2 = fe_square_times(a, 1);
  fe a9 = fe_times(a, fe_square_times(a2, 2));
  fe a11 = fe_times(a9, a2);
  fe e5 = fe_times(fe_square_times(a11, 1), a9); /* a^(2^5 - 1), and so on */
  fe e10 = fe_times(fe_square_times(e5, 5), e5);
  fe e20 = fe_times(fe_square_times(e10, 10), e10);
  fe e40 = fe_times(fe_square_times(e20, 20), e20);
  fe e50 = fe_times(fe_square_times(e40, 10), e10);
  fe e100 = fe_times(fe_square_times(e50, 50), e50);
  fe e200 = fe_times(fe_square_times(e100, 100), e100);
  fe e250 = fe_times(fe_square_times(e200, 50), e50);

  return fe_times(fe_square_times(e250, 5), a11);
}

/* Lanes in which it is zero; frozen in. */
static lane_mask fe_is_zero(fe a)
{
  vec any = a.v[0];

  EACH (i, 1, FE_LIMBS)
    any = vec_or(any, a.v[i]);
  return mask_of_zero(any);
}

/* ---- bytes ---- */

/* The 32 bytes at each of n <= LANES64 places, as four words a lane. */
static void load_words(vec words[4], const uint8_t *const at[], size_t n)
{
  uint64_t w[4][LANES64];

  for (size_t l = 0; l < LANES64; l++)
    for (size_t k = 0; k < 4; k++)
      memcpy(&w[k][l], at[l < n ? l : n - 1] + 8 * k, 8);
  for (size_t k = 0; k < 4; k++)
    words[k] = vec_load(w[k]);
  sodium_memzero(w, sizeof w);
}

static void store_words(uint8_t *const at[], const vec words[4], size_t n)
{
  uint64_t w[4][LANES64];

  for (size_t k = 0; k < 4; k++)
    vec_store(w[k], words[k]);
  for (size_t l = 0; l < n; l++)
    for (size_t k = 0; k < 4; k++)
      memcpy(at[l] + 8 * k, &w[k][l], 8);
  sodium_memzero(w, sizeof w);
}

/* ---- the ladder ---- */

static void clamp_words(vec s[4])
{
  s[0] = vec_and(s[0], vec64_all(~UINT64_C(7)));
  s[3] = vec_and(s[3], vec64_all(~(UINT64_C(1) << 63)));
  s[3] = vec_or(s[3], vec64_all(UINT64_C(1) << 62));
}

/*
 * x/z of the product, for scalars with bit 255 clear. (x2, z2) is the point that was doubled last and (x3, z3) the sum;
 * which of them is doubled next follows from whether two neighbouring bits differ. The sum is the same either way: the
 * exchange turns DA into CB, and the sign of their difference is squared away. So only what is doubled is selected.
 */
__attribute__((noinline)) static void ladder(fe *x, fe *z, const vec s[4], fe x1)
{
  fe x2 = fe_small(1), z2 = fe_small(0), x3 = x1, z3 = fe_small(1);
  vec last = vec64_all(0);

  for (int t = 254; t >= 0; t--) {
    vec bit = vec64_shr_by(s[t / 64], (unsigned)t % 64);
    lane_mask other = mask_of_bit(vec_xor(bit, last));
    fe a = fe_add(x2, z2), b = fe_sub(x2, z2), c = fe_add(x3, z3), d = fe_sub(x3, z3);
    fe da = fe_mul(d, a), cb = fe_mul(c, b);
    fe aa = fe_square(fe_select(other, a, c)), bb = fe_square(fe_select(other, b, d));
    fe e = fe_sub(aa, bb);
    fe difference = fe_sub(da, cb);

    last = bit;
    x3 = fe_square(fe_add(da, cb));
    z3 = fe_mul(x1, fe_tidy(fe_square(difference)));
    aa = fe_tidy(aa);
    bb = fe_tidy(bb);
    x2 = fe_mul(aa, bb);
    z2 = fe_mul(e, fe_add_121666(bb, e));
  }
  *x = fe_select(mask_of_bit(last), x2, x3);
  *z = fe_select(mask_of_bit(last), z2, z3);
}

/* The ladder of one group. Lanes without a result, whose z is zero, get 0/1: one of them must not spoil all. */
__attribute__((noinline)) static void group_ladder(fe *x, fe *z, const uint8_t *const scalar[],
                                                   const uint8_t *const point[], size_t n)
{
  vec s[4], p[4];
  lane_mask none;

  load_words(s, scalar, n);
  load_words(p, point, n);
  clamp_words(s);
  ladder(x, z, s, fe_from_words(p));
  none = fe_is_zero(fe_freeze(*z));
  *x = fe_select(none, fe_tidy(*x), fe_small(0));
  *z = fe_select(none, fe_tidy(*z), fe_small(1));
}

/* x/z of every lane, with one inversion for all groups: from the product of all z, and those of the first ones. */
__attribute__((noinline)) static void divide_all(fe x[], const fe z[], size_t groups)
{
  fe before[GROUPS_MAX], inverse;

  before[0] = z[0];
  for (size_t g = 1; g < groups; g++)
    before[g] = fe_times(before[g - 1], z[g]);
  inverse = fe_invert(before[groups - 1]);
  for (size_t g = groups; g-- > 0;) {
    x[g] = fe_times(x[g], g > 0 ? fe_times(inverse, before[g - 1]) : inverse);
    inverse = fe_times(inverse, z[g]);
  }
  sodium_memzero(before, sizeof before);
  sodium_memzero(&inverse, sizeof inverse);
}

__attribute__((noinline)) static void x25519_all(uint8_t *const out[], const uint8_t *const scalar[],
                                                 const uint8_t *const point[], uint8_t ok[], size_t n)
{
  size_t groups = (n + LANES64 - 1) / LANES64;
  fe x[GROUPS_MAX], z[GROUPS_MAX];
  vec words[4];

  memset(z, 0, sizeof z);
  for (size_t g = 0; g < groups; g++)
    group_ladder(&x[g], &z[g], scalar + g * LANES64, point + g * LANES64, at_most(n - g * LANES64, LANES64));
  divide_all(x, z, groups);
  for (size_t g = 0; g < groups; g++) {
    size_t m = at_most(n - g * LANES64, LANES64);
    fe r = fe_freeze(x[g]);
    uint8_t zero[LANES64];

    fe_to_words(words, r);
    store_words(out + g * LANES64, words, m);
    mask_store(zero, fe_is_zero(r));
    for (size_t l = 0; l < m; l++)
      ok[g * LANES64 + l] = zero[l] ^ 1;
  }
  sodium_memzero(x, sizeof x);
  sodium_memzero(z, sizeof z);
  sodium_memzero(words, sizeof words);
}

static void lanes_x25519(uint8_t *const out[], const uint8_t *const scalar[], const uint8_t *const point[], uint8_t ok[],
                         size_t n)
{
  if (n < FE_LANES_LEAST) {
    tm_portable_get()->x25519(out, scalar, point, ok, n);
    return;
  }
  x25519_all(out, scalar, point, ok, n);
  forget(SPILL_CURVE_LEN);
}

#endif
