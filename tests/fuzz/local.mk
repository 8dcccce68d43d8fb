# Fuzz targets: fuzz_NAME.c with a seed corpus in corpus/NAME. Configured with --enable-fuzzing they are libFuzzer programs; otherwise
# each replays its corpus, and changed copies of it, in make check.
if FUZZING
FUZZ_MAIN =
FUZZLDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
FUZZ_MAIN = tests/fuzz/replay.c
FUZZLDFLAGS = $(AM_LDFLAGS)
endif
FUZZ_LIBS = libbase.la $(SODIUM_LIBS)

fuzz_targets =
check_PROGRAMS += $(fuzz_targets)
if !FUZZING
TESTS += $(fuzz_targets)
endif
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/run tests/fuzz/run-long

fuzz_targets += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(FUZZ_MAIN)
tests_fuzz_fuzz_config_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_config_LDADD = libconfig.la $(FUZZ_LIBS)

fuzz_targets += tests/fuzz/fuzz_sphinx
tests_fuzz_fuzz_sphinx_SOURCES = tests/fuzz/fuzz_sphinx.c $(FUZZ_MAIN)
tests_fuzz_fuzz_sphinx_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_sphinx_LDADD = libsphinx.la $(FUZZ_LIBS)

fuzz_targets += tests/fuzz/fuzz_lanes
tests_fuzz_fuzz_lanes_SOURCES = tests/fuzz/fuzz_lanes.c $(FUZZ_MAIN)
tests_fuzz_fuzz_lanes_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_lanes_LDADD = libsphinx.la $(FUZZ_LIBS)

fuzz_targets += tests/fuzz/fuzz_cell
tests_fuzz_fuzz_cell_SOURCES = tests/fuzz/fuzz_cell.c $(FUZZ_MAIN)
tests_fuzz_fuzz_cell_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_cell_LDADD = liblink.la $(FUZZ_LIBS)

fuzz_targets += tests/fuzz/fuzz_link
tests_fuzz_fuzz_link_SOURCES = tests/fuzz/fuzz_link.c $(FUZZ_MAIN)
tests_fuzz_fuzz_link_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(OPENSSL_CFLAGS)
tests_fuzz_fuzz_link_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_link_LDADD = liblink.la $(FUZZ_LIBS) $(EVENT_LIBS) $(OPENSSL_LIBS)

fuzz_targets += tests/fuzz/fuzz_address
tests_fuzz_fuzz_address_SOURCES = tests/fuzz/fuzz_address.c $(FUZZ_MAIN)
tests_fuzz_fuzz_address_LDFLAGS = $(FUZZLDFLAGS)
tests_fuzz_fuzz_address_LDADD = liblink.la $(FUZZ_LIBS)

include tests/fuzz/box.mk
include tests/fuzz/directory.mk
include tests/fuzz/command.mk
include tests/fuzz/relay.mk

# make fuzz FUZZ_SECONDS=N: each target for so long (needs --enable-fuzzing).
FUZZ_SECONDS = 10
.PHONY: fuzz
fuzz: $(fuzz_targets)
	$(srcdir)/tests/fuzz/run $(srcdir)/tests/fuzz/corpus $(FUZZ_SECONDS) $(fuzz_targets)

# make fuzz-long: each target for an hour of CPU time, FUZZ_JOBS of them at once; what they find stays in FUZZ_KEEP for the next run.
FUZZ_CPU_SECONDS = 3600
FUZZ_JOBS = 2
FUZZ_KEEP = fuzz-corpus
.PHONY: fuzz-long
fuzz-long: $(fuzz_targets)
	$(srcdir)/tests/fuzz/run-long $(srcdir)/tests/fuzz/corpus $(FUZZ_KEEP) $(FUZZ_CPU_SECONDS) $(FUZZ_JOBS) $(fuzz_targets)
