# The packet.
if HAVE_CMOCKA
sphinx_unit_tests = test_vectors test_sphinx test_sphinx_batch test_sphinx_lanes test_sphinx_parts \
	test_sphinx_unsound test_sphinx_threads
# A sanitizer brings its own malloc: there is nothing to count there.
if !INSTRUMENTED
sphinx_unit_tests += test_sphinx_alloc
endif
check_PROGRAMS += $(sphinx_unit_tests)
TESTS += $(sphinx_unit_tests)

SPHINX_TEST_LIBS = libsphinx.la $(SODIUM_LIBS) $(CMOCKA_LIBS)
sphinx_net = tests/unit/sphinx_net.h tests/unit/sphinx_net.c

test_vectors_SOURCES = tests/unit/test_vectors.c $(sphinx_net)
test_vectors_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
test_vectors_LDADD = $(SPHINX_TEST_LIBS) $(JANSSON_LIBS)

test_sphinx_SOURCES = tests/unit/test_sphinx.c $(sphinx_net)
test_sphinx_CFLAGS = $(UNIT_CFLAGS)
test_sphinx_LDADD = $(SPHINX_TEST_LIBS)

test_sphinx_batch_SOURCES = tests/unit/test_sphinx_batch.c $(sphinx_net)
test_sphinx_batch_CFLAGS = $(UNIT_CFLAGS)
test_sphinx_batch_LDADD = $(SPHINX_TEST_LIBS)

test_sphinx_lanes_SOURCES = tests/unit/test_sphinx_lanes.c $(sphinx_net)
test_sphinx_lanes_CFLAGS = $(UNIT_CFLAGS)
test_sphinx_lanes_LDADD = $(SPHINX_TEST_LIBS)

test_sphinx_parts_SOURCES = tests/unit/test_sphinx_parts.c $(sphinx_net)
test_sphinx_parts_CFLAGS = $(UNIT_CFLAGS)
test_sphinx_parts_LDADD = $(SPHINX_TEST_LIBS)

test_sphinx_alloc_SOURCES = tests/unit/test_sphinx_alloc.c $(sphinx_net)
test_sphinx_alloc_CFLAGS = $(UNIT_CFLAGS)
test_sphinx_alloc_LDADD = $(SPHINX_TEST_LIBS)
test_sphinx_unsound_SOURCES = tests/unit/test_sphinx_unsound.c
test_sphinx_unsound_CFLAGS = $(UNIT_CFLAGS)
test_sphinx_unsound_LDADD = $(SPHINX_TEST_LIBS)

test_sphinx_threads_SOURCES = tests/unit/test_sphinx_threads.c
test_sphinx_threads_CFLAGS = $(UNIT_CFLAGS)
test_sphinx_threads_LDADD = $(SPHINX_TEST_LIBS)
endif

# Over a million X25519 products of each back-end against libsodium; some minutes.
.PHONY: check-long
check-long: test_sphinx_lanes$(EXEEXT)
	TIDEMILL_LANES_ROUNDS=500 ./test_sphinx_lanes$(EXEEXT)
