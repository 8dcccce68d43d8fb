# The packet.
if HAVE_CMOCKA
sphinx_unit_tests = test_vectors
check_PROGRAMS += $(sphinx_unit_tests)
TESTS += $(sphinx_unit_tests)

test_vectors_SOURCES = tests/unit/test_vectors.c
test_vectors_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
test_vectors_LDADD = libsphinx.la $(SODIUM_LIBS) $(CMOCKA_LIBS) $(JANSSON_LIBS)
endif
