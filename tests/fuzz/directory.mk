# directory/
fuzz_targets += tests/fuzz/fuzz_document
tests_fuzz_fuzz_document_SOURCES = tests/fuzz/fuzz_document.c $(FUZZ_MAIN)
tests_fuzz_fuzz_document_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_document_LDADD = libdirectory.la $(FUZZ_LIBS)

fuzz_targets += tests/fuzz/fuzz_descriptor
tests_fuzz_fuzz_descriptor_SOURCES = tests/fuzz/fuzz_descriptor.c $(FUZZ_MAIN)
tests_fuzz_fuzz_descriptor_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_descriptor_LDADD = libdirectory.la $(FUZZ_LIBS)

fuzz_targets += tests/fuzz/fuzz_params
tests_fuzz_fuzz_params_SOURCES = tests/fuzz/fuzz_params.c $(FUZZ_MAIN)
tests_fuzz_fuzz_params_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_params_LDADD = libauthority.la $(FUZZ_LIBS)
