# The other rooms against the vectors (the packet's check is in sphinx.mk).
if HAVE_CMOCKA
vector_unit_tests = test_vectors_link
check_PROGRAMS += $(vector_unit_tests)
TESTS += $(vector_unit_tests)

vectors_sources = tests/unit/vectors.h tests/unit/vectors.c
VECTORS_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
VECTORS_LIBS = $(SODIUM_LIBS) $(CMOCKA_LIBS) $(JANSSON_LIBS)

test_vectors_link_SOURCES = tests/unit/test_vectors_link.c $(vectors_sources)
test_vectors_link_CFLAGS = $(VECTORS_CFLAGS)
test_vectors_link_LDADD = liblink.la libbase.la $(VECTORS_LIBS)
endif
