# The other rooms against the vectors (the packet's check is in sphinx.mk).
if HAVE_CMOCKA
vector_unit_tests = test_vectors_link test_vectors_directory test_vectors_box test_vectors_request test_vectors_pairing
check_PROGRAMS += $(vector_unit_tests)
TESTS += $(vector_unit_tests)

vectors_sources = tests/unit/vectors.h tests/unit/vectors.c
VECTORS_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
VECTORS_LIBS = $(SODIUM_LIBS) $(CMOCKA_LIBS) $(JANSSON_LIBS)

test_vectors_link_SOURCES = tests/unit/test_vectors_link.c $(vectors_sources)
test_vectors_link_CFLAGS = $(VECTORS_CFLAGS) $(OPENSSL_CFLAGS)
test_vectors_link_LDADD = liblink.la libbase.la $(VECTORS_LIBS) $(EVENT_LIBS) $(OPENSSL_LIBS)

test_vectors_directory_SOURCES = tests/unit/test_vectors_directory.c $(vectors_sources)
test_vectors_directory_CFLAGS = $(VECTORS_CFLAGS)
test_vectors_directory_LDADD = libdirectory.la libbase.la $(VECTORS_LIBS)

VECTORS_BOX_LIBS = libbox.la libsphinx.la libbase.la $(VECTORS_LIBS)
test_vectors_box_SOURCES = tests/unit/test_vectors_box.c $(vectors_sources)
test_vectors_box_CFLAGS = $(VECTORS_CFLAGS)
test_vectors_box_LDADD = $(VECTORS_BOX_LIBS)

test_vectors_request_SOURCES = tests/unit/test_vectors_request.c $(vectors_sources)
test_vectors_request_CFLAGS = $(VECTORS_CFLAGS)
test_vectors_request_LDADD = $(VECTORS_BOX_LIBS)

test_vectors_pairing_SOURCES = tests/unit/test_vectors_pairing.c $(vectors_sources)
test_vectors_pairing_CFLAGS = $(VECTORS_CFLAGS)
test_vectors_pairing_LDADD = $(VECTORS_BOX_LIBS)
endif
