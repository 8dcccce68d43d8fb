/* Vectors of 512 bits, for what is written once for all widths. Needs AVX-512F. */
#ifndef TM_SPHINX_VEC_H
#define TM_SPHINX_VEC_H

#include <immintrin.h>
#include <stdint.h>

#define VEC_INLINE static inline __attribute__((always_inline))
/* Loops over vectors: unrolled whatever the compiler's flags say, or their arrays would go through memory. */
#define EACH(i, from, to) _Pragma("GCC unroll 16") for (int i = (from); i < (to); i++)
#define STEPS(i, to, step) _Pragma("GCC unroll 16") for (int i = 0; i < (to); i += (step))

#define LANES64 8
#define LANES32 16

typedef __m512i vec;

/* Keeps the compiler from seeing how x came about. */
VEC_INLINE vec vec_opaque(vec x)
{
  __asm__("" : "+v"(x));
  return x;
}

VEC_INLINE vec vec_load(const void *p) { return _mm512_loadu_si512(p); }
VEC_INLINE void vec_store(void *p, vec x) { _mm512_storeu_si512(p, x); }
VEC_INLINE vec vec_xor(vec a, vec b) { return _mm512_xor_si512(a, b); }
VEC_INLINE vec vec_and(vec a, vec b) { return _mm512_and_si512(a, b); }
VEC_INLINE vec vec_or(vec a, vec b) { return _mm512_or_si512(a, b); }
/* b where the mask is all ones, a where it is zero; nothing else may be in the mask. */
VEC_INLINE vec vec_select(vec mask, vec a, vec b) { return _mm512_ternarylogic_epi64(mask, a, b, 0xac); }

VEC_INLINE vec vec64_all(uint64_t x) { return _mm512_set1_epi64((long long)x); }
VEC_INLINE vec vec64_add(vec a, vec b) { return _mm512_add_epi64(a, b); }
VEC_INLINE vec vec64_sub(vec a, vec b) { return _mm512_sub_epi64(a, b); }
/* Product of the low halves of each lane. */
VEC_INLINE vec vec64_mul32(vec a, vec b) { return _mm512_mul_epu32(a, b); }
#define vec64_ror(x, n) _mm512_ror_epi64(x, n)
#define vec64_shl(x, n) _mm512_slli_epi64(x, n)
#define vec64_shr(x, n) _mm512_srli_epi64(x, n)
/* By an amount that the compiler does not know. */
VEC_INLINE vec vec64_shr_by(vec x, unsigned n) { return _mm512_srl_epi64(x, _mm_cvtsi32_si128((int)n)); }

/* Of eight numbers the one that each lane's index, 0 to 7, names; whatever the index, all are read. */
VEC_INLINE vec vec64_pick(const uint64_t of[8], vec index) { return _mm512_permutexvar_epi64(index, vec_load(of)); }
VEC_INLINE vec vec64_pick32(const uint32_t of[8], vec index)
{
  return _mm512_permutexvar_epi64(index, _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)of)));
}

VEC_INLINE vec vec32_all(uint32_t x) { return _mm512_set1_epi32((int)x); }
VEC_INLINE vec vec32_add(vec a, vec b) { return _mm512_add_epi32(a, b); }
#define vec32_rol(x, n) _mm512_rol_epi32(x, n)

/* Lane i of out[j] is lane j of in[i]. */
VEC_INLINE void vec64_transpose(vec out[8], const vec in[8])
{
  vec t[8], u[8];

  STEPS (i, 8, 2) {
    t[i] = _mm512_unpacklo_epi64(in[i], in[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi64(in[i], in[i + 1]);
  }
  EACH (i, 0, 2) {
    u[i] = _mm512_shuffle_i64x2(t[i], t[i + 2], 0x88);
    u[i + 2] = _mm512_shuffle_i64x2(t[i], t[i + 2], 0xdd);
    u[i + 4] = _mm512_shuffle_i64x2(t[i + 4], t[i + 6], 0x88);
    u[i + 6] = _mm512_shuffle_i64x2(t[i + 4], t[i + 6], 0xdd);
  }
  EACH (i, 0, 2) {
    out[i] = _mm512_shuffle_i64x2(u[i], u[i + 4], 0x88);
    out[i + 4] = _mm512_shuffle_i64x2(u[i], u[i + 4], 0xdd);
    out[i + 2] = _mm512_shuffle_i64x2(u[i + 2], u[i + 6], 0x88);
    out[i + 6] = _mm512_shuffle_i64x2(u[i + 2], u[i + 6], 0xdd);
  }
}

/* The 16 words of 64 bits at each of eight places, lane by lane. */
VEC_INLINE void vec64_gather_block(vec m[16], const uint8_t *const at[LANES64])
{
  vec in[8];

  EACH (half, 0, 2) {
    EACH (i, 0, 8)
      in[i] = vec_load(at[i] + 64 * half);
    vec64_transpose(m + 8 * half, in);
  }
}

VEC_INLINE void vec_xor_into(uint8_t *out, vec x) { vec_store(out, vec_xor(vec_load(out), x)); }

/* x[w] holds word w of 16 blocks, a block in each lane; block b's 64 bytes are XORed into those at out + 64 b. */
VEC_INLINE void vec32_xor_blocks(uint8_t *out, const vec x[16])
{
  vec t[16], u[16];

  STEPS (i, 16, 4) {
    vec a = _mm512_unpacklo_epi32(x[i], x[i + 1]), b = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    vec c = _mm512_unpacklo_epi32(x[i + 2], x[i + 3]), d = _mm512_unpackhi_epi32(x[i + 2], x[i + 3]);

    /* t[i + k]: in each quarter q, words i to i + 3 of block 4 q + k. */
    t[i] = _mm512_unpacklo_epi64(a, c);
    t[i + 1] = _mm512_unpackhi_epi64(a, c);
    t[i + 2] = _mm512_unpacklo_epi64(b, d);
    t[i + 3] = _mm512_unpackhi_epi64(b, d);
  }
  EACH (k, 0, 4) {
    u[k] = _mm512_shuffle_i32x4(t[k], t[4 + k], 0x44);
    u[4 + k] = _mm512_shuffle_i32x4(t[8 + k], t[12 + k], 0x44);
    u[8 + k] = _mm512_shuffle_i32x4(t[k], t[4 + k], 0xee);
    u[12 + k] = _mm512_shuffle_i32x4(t[8 + k], t[12 + k], 0xee);
    vec_xor_into(out + 64 * k, _mm512_shuffle_i32x4(u[k], u[4 + k], 0x88));
    vec_xor_into(out + 64 * (4 + k), _mm512_shuffle_i32x4(u[k], u[4 + k], 0xdd));
    vec_xor_into(out + 64 * (8 + k), _mm512_shuffle_i32x4(u[8 + k], u[12 + k], 0x88));
    vec_xor_into(out + 64 * (12 + k), _mm512_shuffle_i32x4(u[8 + k], u[12 + k], 0xdd));
  }
}

/* Nothing secret stays in a vector register. */
VEC_INLINE void vec_forget(void)
{
  __asm__ volatile("vzeroall\n\t"
                   "vpxorq %%zmm16, %%zmm16, %%zmm16\n\t"
                   "vpxorq %%zmm17, %%zmm17, %%zmm17\n\t"
                   "vpxorq %%zmm18, %%zmm18, %%zmm18\n\t"
                   "vpxorq %%zmm19, %%zmm19, %%zmm19\n\t"
                   "vpxorq %%zmm20, %%zmm20, %%zmm20\n\t"
                   "vpxorq %%zmm21, %%zmm21, %%zmm21\n\t"
                   "vpxorq %%zmm22, %%zmm22, %%zmm22\n\t"
                   "vpxorq %%zmm23, %%zmm23, %%zmm23\n\t"
                   "vpxorq %%zmm24, %%zmm24, %%zmm24\n\t"
                   "vpxorq %%zmm25, %%zmm25, %%zmm25\n\t"
                   "vpxorq %%zmm26, %%zmm26, %%zmm26\n\t"
                   "vpxorq %%zmm27, %%zmm27, %%zmm27\n\t"
                   "vpxorq %%zmm28, %%zmm28, %%zmm28\n\t"
                   "vpxorq %%zmm29, %%zmm29, %%zmm29\n\t"
                   "vpxorq %%zmm30, %%zmm30, %%zmm30\n\t"
                   "vpxorq %%zmm31, %%zmm31, %%zmm31\n\t"
                   "kxorw %%k1, %%k1, %%k1\n\t"
                   "kxorw %%k2, %%k2, %%k2\n\t"
                   "kxorw %%k3, %%k3, %%k3\n\t"
                   "kxorw %%k4, %%k4, %%k4\n\t"
                   "kxorw %%k5, %%k5, %%k5\n\t"
                   "kxorw %%k6, %%k6, %%k6\n\t"
                   "kxorw %%k7, %%k7, %%k7\n\t"
                   "kxorw %%k0, %%k0, %%k0"
                   :
                   :
                   : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                     "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",
                     "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2",
                     "k3", "k4", "k5", "k6", "k7", "memory");
}

#endif
