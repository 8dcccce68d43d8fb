# relay/
fuzz_targets += tests/fuzz/fuzz_journal
tests_fuzz_fuzz_journal_SOURCES = tests/fuzz/fuzz_journal.c $(FUZZ_MAIN)
tests_fuzz_fuzz_journal_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_journal_LDADD = librelay.la $(FUZZ_LIBS)

fuzz_targets += tests/fuzz/fuzz_relay_control
tests_fuzz_fuzz_relay_control_SOURCES = tests/fuzz/fuzz_relay_control.c $(FUZZ_MAIN)
tests_fuzz_fuzz_relay_control_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_relay_control_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_relay_control_LDADD = librelay.la $(FUZZ_LIBS) $(JANSSON_LIBS)

fuzz_targets += tests/fuzz/fuzz_store
tests_fuzz_fuzz_store_SOURCES = tests/fuzz/fuzz_store.c $(FUZZ_MAIN)
tests_fuzz_fuzz_store_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_store_LDADD = librelay.la $(SQLITE_LIBS) $(FUZZ_LIBS)
