/* What both halves of a vector back-end use. Included behind the header of its vectors. */
#ifndef TM_SPHINX_LANES_H
#define TM_SPHINX_LANES_H

#include <stddef.h>

#include <sodium.h>

VEC_INLINE size_t at_most(size_t n, size_t most) { return n < most ? n : most; }

/* Behind a function of the table: nothing secret stays in registers, or in the bytes of the stack that it spilled to. */
VEC_INLINE void forget(size_t spilled)
{
  vec_forget();
  sodium_stackzero(spilled);
}

#endif
