# Benchmarks: a library, and a main with the table of commands.
noinst_LTLIBRARIES += libbench.la
libbench_la_SOURCES = \
	bench/measure.h bench/measure.c bench/json.h bench/json.c \
	bench/bench_sphinx.h bench/bench_sphinx.c bench/report_sphinx.c bench/plot_sphinx.c \
	bench/bench_timing.h bench/bench_timing.c \
	bench/svg.h bench/svg.c \
	bench/profile.h bench/profile.c \
	bench/relay_world.h bench/relay_world.c bench/relay_packets.h bench/relay_packets.c \
	bench/relay_child.h bench/relay_child.c bench/relay_load.h bench/relay_load.c \
	bench/bench_relay.h bench/bench_relay.c bench/report_relay.c \
	bench/mixsim.h bench/mixsim.c bench/trace.h bench/trace.c \
	bench/bench_anonymity.h bench/bench_anonymity.c bench/anonymity.c bench/report_anonymity.c \
	bench/plot_anonymity.c \
	bench/attack.h bench/attack.c bench/report_attack.c \
	bench/bench_replay.h bench/bench_replay.c
libbench_la_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)

bin_PROGRAMS += tidemill-bench
tidemill_bench_SOURCES = bench/main.c
tidemill_bench_LDADD = libbench.la librelay.la liblink.la libdirectory.la libsphinx.la libconfig.la libbase.la \
	$(EVENT_LIBS) $(JANSSON_LIBS) $(SODIUM_LIBS) $(JEMALLOC_LIBS) -lm

dist_man_MANS += doc/man/tidemill-bench.1
