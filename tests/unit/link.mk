if HAVE_CMOCKA
link_tests = test_link
check_PROGRAMS += $(link_tests)
TESTS += $(link_tests)

LINK_TEST_CFLAGS = $(UNIT_CFLAGS) $(EVENT_CFLAGS) $(OPENSSL_CFLAGS)
LINK_TEST_LIBS = liblink.la libbase.la $(CMOCKA_LIBS) $(EVENT_LIBS) $(OPENSSL_LIBS) $(SODIUM_LIBS)

test_link_SOURCES = tests/unit/test_link.c tests/unit/link_support.c tests/unit/link_support.h
test_link_CFLAGS = $(LINK_TEST_CFLAGS)
test_link_LDADD = $(LINK_TEST_LIBS)
endif
