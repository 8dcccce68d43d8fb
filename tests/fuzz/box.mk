# Boxes.
FUZZ_BOX_LIBS = libbox.la libsphinx.la $(FUZZ_LIBS)

fuzz_targets += tests/fuzz/fuzz_request tests/fuzz/fuzz_answer tests/fuzz/fuzz_record tests/fuzz/fuzz_invite \
	tests/fuzz/fuzz_pairing
tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c $(FUZZ_MAIN)
tests_fuzz_fuzz_request_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_request_LDADD = $(FUZZ_BOX_LIBS)
tests_fuzz_fuzz_answer_SOURCES = tests/fuzz/fuzz_answer.c $(FUZZ_MAIN)
tests_fuzz_fuzz_answer_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_answer_LDADD = $(FUZZ_BOX_LIBS)
tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz_record.c $(FUZZ_MAIN)
tests_fuzz_fuzz_record_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_record_LDADD = $(FUZZ_BOX_LIBS)
tests_fuzz_fuzz_invite_SOURCES = tests/fuzz/fuzz_invite.c $(FUZZ_MAIN)
tests_fuzz_fuzz_invite_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_invite_LDADD = $(FUZZ_BOX_LIBS)
tests_fuzz_fuzz_pairing_SOURCES = tests/fuzz/fuzz_pairing.c $(FUZZ_MAIN)
tests_fuzz_fuzz_pairing_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_pairing_LDADD = $(FUZZ_BOX_LIBS)
