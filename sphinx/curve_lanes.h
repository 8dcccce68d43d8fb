/*
 * X25519 in lanes, written once for all vectors and fields: it is included behind one of each.
 * Bytes at the edge, a limb of each lane in a vector inside. Lanes that nobody needs do the work of the last one again.
 *
 * A field header has: fe; fe_mul, fe_square, fe_add_121666 of what may be multiplied; fe_add and fe_sub of products,
 * whose results may be multiplied; fe_tidy, which makes a product into something that may be multiplied; fe_freeze, the
 * one representation below p; fe_select and masks of lanes; fe_from_words and fe_to_words.
 */
#ifndef TM_SPHINX_CURVE_LANES_H
#define TM_SPHINX_CURVE_LANES_H

#include <string.h>

#include <sodium.h>

#include "sphinx/backend.h"
#include "sphinx/lanes.h"

/* More than any function leaves on the stack in arrays and spilled vectors; a test looks. */
#define SPILL_CURVE_LEN 65536
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

/* 1/z in place of each z, none of them zero, with one inversion for all: from the product of all, and of the first ones. */
__attribute__((noinline)) static void invert_all(fe z[], size_t groups)
{
  fe before[GROUPS_MAX], inverse;

  before[0] = z[0];
  for (size_t g = 1; g < groups; g++)
    before[g] = fe_times(before[g - 1], z[g]);
  inverse = fe_invert(before[groups - 1]);
  for (size_t g = groups - 1; g > 0; g--) {
    fe next = fe_times(inverse, z[g]);

    z[g] = fe_times(inverse, before[g - 1]);
    inverse = next;
  }
  z[0] = inverse;
  sodium_memzero(before, sizeof before);
  sodium_memzero(&inverse, sizeof inverse);
}

/* The bytes of x/z in every lane; ok, unless it is NULL: of which of them are not zero. Uses up z. */
static void finish_all(uint8_t *const out[], uint8_t ok[], const fe x[], fe z[], size_t n)
{
  vec words[4];

  invert_all(z, (n + LANES64 - 1) / LANES64);
  for (size_t at = 0; at < n; at += LANES64) {
    size_t m = at_most(n - at, LANES64);
    fe r = fe_freeze(fe_mul(x[at / LANES64], z[at / LANES64]));
    uint8_t zero[LANES64];

    fe_to_words(words, r);
    store_words(out + at, words, m);
    mask_store(zero, fe_is_zero(r));
    for (size_t l = 0; l < m && ok != NULL; l++)
      ok[at + l] = zero[l] ^ 1;
  }
  sodium_memzero(words, sizeof words);
}

__attribute__((noinline)) static void x25519_all(uint8_t *const out[], const uint8_t *const scalar[],
                                                 const uint8_t *const point[], uint8_t ok[], size_t n)
{
  fe x[GROUPS_MAX], z[GROUPS_MAX];

  for (size_t at = 0; at < n; at += LANES64)
    group_ladder(&x[at / LANES64], &z[at / LANES64], scalar + at, point + at, at_most(n - at, LANES64));
  finish_all(out, ok, x, z, n);
  sodium_memzero(x, sizeof x);
  sodium_memzero(z, sizeof z);
}

static void lanes_x25519(uint8_t *const out[], const uint8_t *const scalar[], const uint8_t *const point[], uint8_t ok[],
                         size_t n)
{
  if (n < FE_LANES_LEAST) {
    tm_curve_portable.x25519(out, scalar, point, ok, n);
    return;
  }
  x25519_all(out, scalar, point, ok, n);
  forget(SPILL_CURVE_LEN);
}

/*
 * ---- multiples of the base point ----
 *
 * On the Edwards form of the curve, -x^2 + y^2 = 1 + d x^2 y^2, whose base point is the one with u = 9 here. A scalar is
 * 64 digits from -8 to 8 of base 16, and the table has the eight multiples of each 16^i B: adding up 64 entries does it,
 * without a doubling. Each row of the table fills a vector, from which each lane picks its own entry by a permutation:
 * no address depends on a digit.
 */
#define DIGITS 64
#define MULTIPLES 8
_Static_assert(DIGITS % GROUPS_MAX == 0, "the table is made in pieces of one inversion");

/* Extended coordinates (Hisil, Wong, Carter, Dawson 2008): x = x/z, y = y/z, t = xy/z. All four are products. */
struct point {
  fe x, y, z, t;
};

/* What an entry adds: (y + x)/2, (y - x)/2 and dxy, for a point with z = 1. Frozen. */
struct entries {
  fe_limb plus[FE_LIMBS][MULTIPLES], minus[FE_LIMBS][MULTIPLES], product[FE_LIMBS][MULTIPLES];
};

static struct entries base_table[DIGITS];

/*
 * p + q, where plus, minus, product and z are y + x, y - x, 2dt and 2z of q times p's z, or all of them halved: that
 * only multiplies the coordinates of the sum. The formula holds for all points, equal ones and the neutral one included.
 */
VEC_INLINE void point_add(struct point *p, fe plus, fe minus, fe product, fe z)
{
  fe a = fe_mul(fe_sub(p->y, p->x), minus), b = fe_mul(fe_add(p->y, p->x), plus);
  fe c = fe_mul(fe_tidy(p->t), product);
  fe e = fe_sub(b, a), f = fe_sub(z, c), g = fe_add(z, c), h = fe_add(b, a);

  p->x = fe_mul(e, f);
  p->y = fe_mul(g, h);
  p->z = fe_mul(f, g);
  p->t = fe_mul(e, h);
}

static fe fe_all(const uint64_t word[static 4])
{
  vec w[4];

  EACH (i, 0, 4)
    w[i] = vec64_all(word[i]);
  return fe_from_words(w);
}

static const uint64_t one_half[4] = {UINT64_C(0xfffffffffffffff7), UINT64_MAX, UINT64_MAX, UINT64_C(0x3fffffffffffffff)};

/* Any two points. */
__attribute__((noinline)) static void point_add_point(struct point *p, const struct point *q)
{
  static const uint64_t d2[4] = {UINT64_C(0xebd69b9426b2f159), UINT64_C(0x00e0149a8283b156),
                                 UINT64_C(0x198e80f2eef3d130), UINT64_C(0x2406d9dc56dffce7)};

  point_add(p, fe_add(q->y, q->x), fe_sub(q->y, q->x), fe_times(fe_tidy(q->t), fe_all(d2)),
            fe_mul(fe_tidy(p->z), fe_add(q->z, q->z)));
}

/* In each lane the multiple of the base point by first + 1, first + 2, and so on. */
static void first_multiples(struct point *p, size_t first)
{
  static const uint64_t x[4] = {UINT64_C(0xc9562d608f25d51a), UINT64_C(0x692cc7609525a7b2),
                                UINT64_C(0xc0a4e231fdd6dc5c), UINT64_C(0x216936d3cd6e53fe)};
  static const uint64_t y[4] = {UINT64_C(0x6666666666666658), UINT64_C(0x6666666666666666),
                                UINT64_C(0x6666666666666666), UINT64_C(0x6666666666666666)};
  struct point b = {.x = fe_all(x), .y = fe_all(y), .z = fe_small(1), .t = fe_mul(fe_all(x), fe_all(y))};

  *p = b;
  for (size_t k = 1; k < first + LANES64; k++) {
    struct point sum = *p;
    uint64_t goes_on[LANES64];
    lane_mask mask;

    for (size_t l = 0; l < LANES64; l++)
      goes_on[l] = first + l >= k;
    mask = mask_of_bit(vec_load(goes_on));
    point_add_point(&sum, &b);
    p->x = fe_select(mask, p->x, sum.x);
    p->y = fe_select(mask, p->y, sum.y);
    p->z = fe_select(mask, p->z, sum.z);
    p->t = fe_select(mask, p->t, sum.t);
  }
}

static void store_limbs(fe_limb to[][MULTIPLES], size_t first, fe a)
{
  a = fe_freeze(a);
  for (size_t i = 0; i < FE_LIMBS; i++) {
    uint64_t lane[LANES64];

    vec_store(lane, a.v[i]);
    for (size_t l = 0; l < LANES64; l++)
      to[i][first + l] = (fe_limb)lane[l];
  }
}

static void store_entries(struct entries *e, size_t first, const struct point *p, fe z_inverse)
{
  static const uint64_t d[4] = {UINT64_C(0x75eb4dca135978a3), UINT64_C(0x00700a4d4141d8ab),
                                UINT64_C(0x8cc740797779e898), UINT64_C(0x52036cee2b6ffe73)};
  fe x = fe_mul(fe_tidy(p->x), z_inverse), y = fe_mul(fe_tidy(p->y), z_inverse);

  store_limbs(e->plus, first, fe_mul(fe_add(y, x), fe_all(one_half)));
  store_limbs(e->minus, first, fe_mul(fe_sub(y, x), fe_all(one_half)));
  store_limbs(e->product, first, fe_mul(fe_times(fe_tidy(x), fe_tidy(y)), fe_all(d)));
}

/* The table: public, made anew in each process, in less time than one needs to read as much from a disk. */
static void prepare_base(void)
{
  for (size_t first = 0; first < MULTIPLES; first += LANES64) {
    struct point p;

    first_multiples(&p, first);
    for (size_t i = 0; i < DIGITS; i += GROUPS_MAX) {
      struct point at[GROUPS_MAX];
      fe z[GROUPS_MAX];

      for (size_t g = 0; g < GROUPS_MAX; g++) {
        at[g] = p;
        z[g] = fe_tidy(p.z);
        for (int doubling = 0; doubling < 4; doubling++) {
          struct point same = p;

          point_add_point(&p, &same);
        }
      }
      invert_all(z, GROUPS_MAX);
      for (size_t g = 0; g < GROUPS_MAX; g++)
        store_entries(&base_table[i + g], first, &at[g], z[g]);
    }
  }
}

/*
 * Scalars below 2^255 plus eight in every digit but the highest: the digits of the sum, less eight again, are -8 to 7,
 * and the highest is 0 to 8.
 */
VEC_INLINE void add_eights(vec s[4])
{
  vec carry = vec64_all(0);

  EACH (k, 0, 4) {
    vec eights = vec64_all(k < 3 ? UINT64_C(0x8888888888888888) : UINT64_C(0x0888888888888888));
    vec sum = vec64_add(vec64_add(s[k], eights), carry);

    /* What comes out of the top bit: both had it, or one of them and the sum does not. */
    carry = vec64_shr(vec_or(vec_and(s[k], eights), vec_and(vec_or(s[k], eights), vec_xor(sum, vec64_all(UINT64_MAX)))), 63);
    s[k] = sum;
  }
}

VEC_INLINE fe pick(const fe_limb from[][MULTIPLES], vec index)
{
  fe r;

  EACH (i, 0, FE_LIMBS)
    r.v[i] = limb_pick(from[i], index);
  return r;
}

/* p plus so many times what the entries are multiples of; digit: -8 to 8 in each lane. */
VEC_INLINE void add_digit(struct point *p, const struct entries *e, vec digit)
{
  vec sign = vec64_sub(vec64_all(0), vec64_shr(digit, 63)), size = vec64_sub(vec_xor(digit, sign), sign);
  vec index = vec_and(vec64_sub(size, vec64_all(1)), vec64_all(MULTIPLES - 1));
  lane_mask negative = mask_of_bit(sign), none = mask_of_zero(size);
  fe a = pick(e->plus, index), b = pick(e->minus, index), c = pick(e->product, index);
  fe half = fe_all(one_half);

  a = fe_select(none, a, half);
  b = fe_select(none, b, half);
  c = fe_select(none, c, fe_small(0));
  /* The negative of (x, y) is (-x, y). */
  point_add(p, fe_select(negative, a, b), fe_select(negative, b, a), fe_select(negative, c, fe_sub(fe_small(0), c)), p->z);
}

/* The multiple of the base point by scalars below 2^255. */
__attribute__((noinline)) static void base_sum(struct point *p, vec s[4])
{
  *p = (struct point){.x = fe_small(0), .y = fe_small(1), .z = fe_small(1), .t = fe_small(0)};
  add_eights(s);
#pragma GCC unroll 1
  for (unsigned i = 0; i < DIGITS; i++) {
    vec digit = vec_and(vec64_shr_by(s[i / 16], i % 16 * 4), vec64_all(15));

    add_digit(p, &base_table[i], vec64_sub(digit, vec64_all(i < DIGITS - 1 ? 8 : 0)));
  }
}

/* u = (z + y)/(z - y) of the products of one group, which are never the neutral point. */
static void group_base(fe *above, fe *below, const uint8_t *const scalar[], size_t n)
{
  struct point p;
  vec s[4];

  load_words(s, scalar, n);
  clamp_words(s);
  base_sum(&p, s);
  *above = fe_add(p.z, p.y);
  *below = fe_sub(p.z, p.y);
}

__attribute__((noinline)) static void base_all(uint8_t *const out[], const uint8_t *const scalar[], size_t n)
{
  fe above[GROUPS_MAX], below[GROUPS_MAX];

  for (size_t at = 0; at < n; at += LANES64)
    group_base(&above[at / LANES64], &below[at / LANES64], scalar + at, at_most(n - at, LANES64));
  finish_all(out, NULL, above, below, n);
  sodium_memzero(above, sizeof above);
  sodium_memzero(below, sizeof below);
}

static void lanes_x25519_base(uint8_t *const out[], const uint8_t *const scalar[], size_t n)
{
  if (n < FE_LANES_LEAST) {
    tm_curve_portable.x25519_base(out, scalar, n);
    return;
  }
  base_all(out, scalar, n);
  forget(SPILL_CURVE_LEN);
}

#define CURVE_LANES \
  { \
    .prepare = prepare_base, .x25519 = lanes_x25519, .x25519_base = lanes_x25519_base \
  }

#endif
