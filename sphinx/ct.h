/*
 * Marks for the constant-time check. In a build with --enable-ct, valgrind treats what TM_CT_SECRET names as undefined and
 * reports every branch and every address that depends on it. TM_CT_PUBLIC ends that: each use says why the bytes may be
 * known. In every other build both are nothing.
 */
#ifndef TM_SPHINX_CT_H
#define TM_SPHINX_CT_H

#ifdef TM_CT
#include <valgrind/memcheck.h>

#define TM_CT_SECRET(p, len) ((void)VALGRIND_MAKE_MEM_UNDEFINED((p), (len)))
#define TM_CT_PUBLIC(p, len) ((void)VALGRIND_MAKE_MEM_DEFINED((p), (len)))
#else
#define TM_CT_SECRET(p, len) ((void)(p), (void)(len))
#define TM_CT_PUBLIC(p, len) ((void)(p), (void)(len))
#endif

#endif
