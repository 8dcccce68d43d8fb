/* Vectors of 256 bits, for what is written once for all widths. Needs AVX2. */
#ifndef TM_SPHINX_VEC_H
#define TM_SPHINX_VEC_H

#include <immintrin.h>
#include <stdint.h>

#define VEC_INLINE static inline __attribute__((always_inline))
/* Loops over vectors: unrolled whatever the compiler's flags say, or their arrays would go through memory. */
#define EACH(i, from, to) _Pragma("GCC unroll 16") for (int i = (from); i < (to); i++)
#define STEPS(i, to, step) _Pragma("GCC unroll 16") for (int i = 0; i < (to); i += (step))

#define LANES64 4
#define LANES32 8

typedef __m256i vec;

/* Keeps the compiler from seeing how x came about. */
VEC_INLINE vec vec_opaque(vec x)
{
  __asm__("" : "+x"(x));
  return x;
}

VEC_INLINE vec vec_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
VEC_INLINE void vec_store(void *p, vec x) { _mm256_storeu_si256((__m256i *)p, x); }
VEC_INLINE vec vec_xor(vec a, vec b) { return _mm256_xor_si256(a, b); }
VEC_INLINE vec vec_and(vec a, vec b) { return _mm256_and_si256(a, b); }
VEC_INLINE vec vec_or(vec a, vec b) { return _mm256_or_si256(a, b); }
/* b where the mask is all ones, a where it is zero; nothing else may be in the mask. */
VEC_INLINE vec vec_select(vec mask, vec a, vec b) { return _mm256_blendv_epi8(a, b, mask); }

VEC_INLINE vec vec64_all(uint64_t x) { return _mm256_set1_epi64x((long long)x); }
VEC_INLINE vec vec64_add(vec a, vec b) { return _mm256_add_epi64(a, b); }
VEC_INLINE vec vec64_sub(vec a, vec b) { return _mm256_sub_epi64(a, b); }
/* Product of the low halves of each lane. */
VEC_INLINE vec vec64_mul32(vec a, vec b) { return _mm256_mul_epu32(a, b); }
#define vec64_shl(x, n) _mm256_slli_epi64(x, n)
#define vec64_shr(x, n) _mm256_srli_epi64(x, n)
/* By an amount that the compiler does not know. */
VEC_INLINE vec vec64_shr_by(vec x, unsigned n) { return _mm256_srl_epi64(x, _mm_cvtsi32_si128((int)n)); }

/* Of eight small numbers the one that each lane's index, 0 to 7, names; whatever the index, all are read. */
VEC_INLINE vec vec64_pick32(const uint32_t of[8], vec index)
{
  return vec_and(_mm256_permutevar8x32_epi32(vec_load(of), index), vec64_all(UINT32_MAX));
}

/* n is a constant, so only one way of each is left. */
VEC_INLINE vec vec64_ror(vec x, int n)
{
  const vec by16 = _mm256_setr_epi8(2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9, 2, 3, 4, 5, 6, 7, 0, 1, 10, 11,
                                    12, 13, 14, 15, 8, 9);
  const vec by24 = _mm256_setr_epi8(3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10, 3, 4, 5, 6, 7, 0, 1, 2, 11, 12,
                                    13, 14, 15, 8, 9, 10);

  if (n == 32)
    return _mm256_shuffle_epi32(x, 0xb1);
  if (n == 24)
    return _mm256_shuffle_epi8(x, by24);
  if (n == 16)
    return _mm256_shuffle_epi8(x, by16);
  if (n == 63)
    return _mm256_or_si256(_mm256_srli_epi64(x, 63), vec64_add(x, x)); /* fewer ports shift than add */
  return _mm256_or_si256(_mm256_srli_epi64(x, n), _mm256_slli_epi64(x, 64 - n));
}

VEC_INLINE vec vec32_all(uint32_t x) { return _mm256_set1_epi32((int)x); }
VEC_INLINE vec vec32_add(vec a, vec b) { return _mm256_add_epi32(a, b); }

VEC_INLINE vec vec32_rol(vec x, int n)
{
  const vec by16 = _mm256_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11,
                                    8, 9, 14, 15, 12, 13);
  const vec by8 = _mm256_setr_epi8(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9,
                                   10, 15, 12, 13, 14);

  if (n == 16)
    return _mm256_shuffle_epi8(x, by16);
  if (n == 8)
    return _mm256_shuffle_epi8(x, by8);
  return _mm256_or_si256(_mm256_slli_epi32(x, n), _mm256_srli_epi32(x, 32 - n));
}

/* Two halves of a vector from two places. */
VEC_INLINE vec vec_load_halves(const uint8_t *low, const uint8_t *high)
{
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low)),
                                 _mm_loadu_si128((const __m128i *)high), 1);
}

/* The 16 words of 64 bits at each of four places, lane by lane. */
VEC_INLINE void vec64_gather_block(vec m[16], const uint8_t *const at[LANES64])
{
  EACH (part, 0, 8) {
    vec ac = vec_load_halves(at[0] + 16 * part, at[2] + 16 * part);
    vec bd = vec_load_halves(at[1] + 16 * part, at[3] + 16 * part);

    m[2 * part] = _mm256_unpacklo_epi64(ac, bd);
    m[2 * part + 1] = _mm256_unpackhi_epi64(ac, bd);
  }
}

VEC_INLINE void vec_xor_into(uint8_t *out, vec x) { vec_store(out, vec_xor(vec_load(out), x)); }

/* x[w] holds word w of 8 blocks, a block in each lane; block b's 64 bytes are XORed into those at out + 64 b. */
VEC_INLINE void vec32_xor_blocks(uint8_t *out, const vec x[16])
{
  vec t[16];

  STEPS (i, 16, 4) {
    vec a = _mm256_unpacklo_epi32(x[i], x[i + 1]), b = _mm256_unpackhi_epi32(x[i], x[i + 1]);
    vec c = _mm256_unpacklo_epi32(x[i + 2], x[i + 3]), d = _mm256_unpackhi_epi32(x[i + 2], x[i + 3]);

    /* t[i + k]: words i to i + 3 of block k, and of block 4 + k. */
    t[i] = _mm256_unpacklo_epi64(a, c);
    t[i + 1] = _mm256_unpackhi_epi64(a, c);
    t[i + 2] = _mm256_unpacklo_epi64(b, d);
    t[i + 3] = _mm256_unpackhi_epi64(b, d);
  }
  EACH (k, 0, 4)
    EACH (half, 0, 2) {
      vec_xor_into(out + 64 * k + 32 * half, _mm256_permute2x128_si256(t[8 * half + k], t[8 * half + 4 + k], 0x20));
      vec_xor_into(out + 64 * (4 + k) + 32 * half, _mm256_permute2x128_si256(t[8 * half + k], t[8 * half + 4 + k], 0x31));
    }
}

/* Nothing secret stays in a vector register. */
VEC_INLINE void vec_forget(void)
{
  __asm__ volatile("vzeroall"
                   :
                   :
                   : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                     "xmm12", "xmm13", "xmm14", "xmm15", "memory");
}

#endif
