# The client's daemon and commands, over a fake engine.
if HAVE_CMOCKA
command_unit_tests = tests/unit/test_protocol tests/unit/test_docpieces tests/unit/test_terminal tests/unit/test_daemon \
	tests/unit/test_uplink tests/unit/test_operations
check_PROGRAMS += $(command_unit_tests) tests/unit/tidemill-fake
TESTS += $(command_unit_tests)
COMMAND_TEST_LIBS = libcommand.la $(CMOCKA_LIBS) $(JANSSON_LIBS) $(SODIUM_LIBS)

tests_unit_test_protocol_SOURCES = tests/unit/test_protocol.c
tests_unit_test_protocol_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_protocol_LDADD = $(COMMAND_TEST_LIBS)

tests_unit_test_docpieces_SOURCES = tests/unit/test_docpieces.c
tests_unit_test_docpieces_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_docpieces_LDADD = $(COMMAND_TEST_LIBS)

tests_unit_test_terminal_SOURCES = tests/unit/test_terminal.c
tests_unit_test_terminal_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_terminal_LDADD = $(COMMAND_TEST_LIBS)

tests_unit_test_daemon_SOURCES = tests/unit/test_daemon.c tests/unit/fake_engine.c
tests_unit_test_daemon_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_daemon_LDADD = $(COMMAND_TEST_LIBS)

tests_unit_test_operations_SOURCES = tests/unit/test_operations.c tests/unit/fake_engine.c
tests_unit_test_operations_CFLAGS = $(UNIT_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_operations_LDADD = $(COMMAND_TEST_LIBS)

tests_unit_test_uplink_SOURCES = tests/unit/test_uplink.c tests/unit/link_support.c tests/unit/link_support.h
tests_unit_test_uplink_CFLAGS = $(UNIT_CFLAGS) $(EVENT_CFLAGS)
tests_unit_test_uplink_LDADD = $(COMMAND_TEST_LIBS)

tests_unit_tidemill_fake_SOURCES = client/main.c tests/unit/fake_engine.c
tests_unit_tidemill_fake_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_tidemill_fake_LDADD = libcommand.la
endif
