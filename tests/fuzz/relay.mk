# relay/
fuzz_targets += tests/fuzz/fuzz_journal
tests_fuzz_fuzz_journal_SOURCES = tests/fuzz/fuzz_journal.c $(FUZZ_MAIN)
tests_fuzz_fuzz_journal_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_journal_LDADD = librelay.la $(FUZZ_LIBS)
