# The daemon's socket, and documents in pieces.
fuzz_targets += tests/fuzz/fuzz_control
tests_fuzz_fuzz_control_SOURCES = tests/fuzz/fuzz_control.c tests/unit/fake_engine.c $(FUZZ_MAIN)
tests_fuzz_fuzz_control_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_control_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_control_LDADD = libcommand.la $(FUZZ_LIBS) $(JANSSON_LIBS)

fuzz_targets += tests/fuzz/fuzz_docpieces
tests_fuzz_fuzz_docpieces_SOURCES = tests/fuzz/fuzz_docpieces.c $(FUZZ_MAIN)
tests_fuzz_fuzz_docpieces_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_docpieces_LDADD = libcommand.la $(FUZZ_LIBS)
