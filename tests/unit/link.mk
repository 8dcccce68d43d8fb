if HAVE_CMOCKA
link_tests = test_cell test_link test_link_limits test_link_hostile test_link_dialled test_link_life test_link_end
check_PROGRAMS += $(link_tests)
TESTS += $(link_tests)

LINK_TEST_CFLAGS = $(UNIT_CFLAGS) $(EVENT_CFLAGS) $(OPENSSL_CFLAGS)
LINK_TEST_LIBS = liblink.la libbase.la $(CMOCKA_LIBS) $(EVENT_LIBS) $(OPENSSL_LIBS) $(SODIUM_LIBS)

test_cell_SOURCES = tests/unit/test_cell.c
test_cell_CFLAGS = $(UNIT_CFLAGS)
test_cell_LDADD = liblink.la libbase.la $(CMOCKA_LIBS)

test_link_SOURCES = tests/unit/test_link.c tests/unit/link_support.c tests/unit/link_support.h \
	tests/unit/link_raw.c tests/unit/link_raw.h
test_link_CFLAGS = $(LINK_TEST_CFLAGS)
test_link_LDADD = $(LINK_TEST_LIBS)

test_link_limits_SOURCES = tests/unit/test_link_limits.c tests/unit/link_support.c tests/unit/link_support.h \
	tests/unit/link_raw.c tests/unit/link_raw.h
test_link_limits_CFLAGS = $(LINK_TEST_CFLAGS)
test_link_limits_LDADD = $(LINK_TEST_LIBS)

test_link_hostile_SOURCES = tests/unit/test_link_hostile.c tests/unit/link_support.c tests/unit/link_support.h \
	tests/unit/link_raw.c tests/unit/link_raw.h
test_link_hostile_CFLAGS = $(LINK_TEST_CFLAGS)
test_link_hostile_LDADD = $(LINK_TEST_LIBS)

test_link_dialled_SOURCES = tests/unit/test_link_dialled.c tests/unit/link_support.c tests/unit/link_support.h \
	tests/unit/link_raw.c tests/unit/link_raw.h
test_link_dialled_CFLAGS = $(LINK_TEST_CFLAGS)
test_link_dialled_LDADD = $(LINK_TEST_LIBS)

test_link_life_SOURCES = tests/unit/test_link_life.c tests/unit/link_support.c tests/unit/link_support.h \
	tests/unit/link_raw.c tests/unit/link_raw.h
test_link_life_CFLAGS = $(LINK_TEST_CFLAGS)
test_link_life_LDADD = $(LINK_TEST_LIBS)

test_link_end_SOURCES = tests/unit/test_link_end.c tests/unit/link_support.c tests/unit/link_support.h \
	tests/unit/link_raw.c tests/unit/link_raw.h
test_link_end_CFLAGS = $(LINK_TEST_CFLAGS)
test_link_end_LDADD = $(LINK_TEST_LIBS)
endif
