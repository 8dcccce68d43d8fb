/*
 * Marks for the constant-time check. In a build with --enable-ct, valgrind treats what TM_CT_SECRET names as
 * undefined and reports every branch and every address that depends on it. TM_CT_PUBLIC ends that: each use says why
 * the bytes may be known. Between TM_CT_TRUST and TM_CT_CHECK nothing is reported: for one call into a library that
 * branches on something harmless by itself, again with the reason. In every other build all four are nothing.
 */
#ifndef TM_SPHINX_CT_H
#define TM_SPHINX_CT_H

#ifdef TM_CT
#include <valgrind/memcheck.h>

#define TM_CT_SECRET(p, len) ((void)VALGRIND_MAKE_MEM_UNDEFINED((p), (len)))
#define TM_CT_PUBLIC(p, len) ((void)VALGRIND_MAKE_MEM_DEFINED((p), (len)))
#define TM_CT_TRUST() VALGRIND_DISABLE_ERROR_REPORTING
#define TM_CT_CHECK() VALGRIND_ENABLE_ERROR_REPORTING
#else
#define TM_CT_SECRET(p, len) ((void)(p), (void)(len))
#define TM_CT_PUBLIC(p, len) ((void)(p), (void)(len))
#define TM_CT_TRUST() ((void)0)
#define TM_CT_CHECK() ((void)0)
#endif

#endif
