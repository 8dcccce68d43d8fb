# The client's engine over a simulated network.
if HAVE_CMOCKA
engine_unit_tests = test_engine test_engine_pairing test_engine_bulk test_engine_trouble test_engine_privacy \
	test_engine_crash test_engine_work
check_PROGRAMS += $(engine_unit_tests)
TESTS += $(engine_unit_tests)
check_LTLIBRARIES += libtestengine.la
libtestengine_la_SOURCES = tests/unit/engine_net.h tests/unit/engine_net.c tests/unit/engine_user.h tests/unit/engine_user.c
libtestengine_la_CFLAGS = $(UNIT_CFLAGS)
libtestengine_la_LIBADD = libtidemill.la

ENGINE_TEST_LIBS = libtestengine.la $(SQLITE_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS)
test_engine_SOURCES = tests/unit/test_engine.c
test_engine_CFLAGS = $(UNIT_CFLAGS)
test_engine_LDADD = $(ENGINE_TEST_LIBS)
test_engine_pairing_SOURCES = tests/unit/test_engine_pairing.c
test_engine_pairing_CFLAGS = $(UNIT_CFLAGS)
test_engine_pairing_LDADD = $(ENGINE_TEST_LIBS)
test_engine_bulk_SOURCES = tests/unit/test_engine_bulk.c
test_engine_bulk_CFLAGS = $(UNIT_CFLAGS)
test_engine_bulk_LDADD = $(ENGINE_TEST_LIBS)
test_engine_trouble_SOURCES = tests/unit/test_engine_trouble.c
test_engine_trouble_CFLAGS = $(UNIT_CFLAGS)
test_engine_trouble_LDADD = $(ENGINE_TEST_LIBS)
test_engine_privacy_SOURCES = tests/unit/test_engine_privacy.c
test_engine_privacy_CFLAGS = $(UNIT_CFLAGS)
test_engine_privacy_LDADD = $(ENGINE_TEST_LIBS)
test_engine_crash_SOURCES = tests/unit/test_engine_crash.c
test_engine_crash_CFLAGS = $(UNIT_CFLAGS)
test_engine_crash_LDADD = $(ENGINE_TEST_LIBS)
test_engine_work_SOURCES = tests/unit/test_engine_work.c
test_engine_work_CFLAGS = $(UNIT_CFLAGS)
test_engine_work_LDADD = $(ENGINE_TEST_LIBS)
endif
