# Benchmarks: a library, and a main with the table of commands.
noinst_LTLIBRARIES += libbench.la
libbench_la_SOURCES = \
	bench/measure.h bench/measure.c \
	bench/bench_sphinx.h bench/bench_sphinx.c bench/report_sphinx.c bench/plot_sphinx.c \
	bench/bench_timing.h bench/bench_timing.c
libbench_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)

bin_PROGRAMS += tidemill-bench
tidemill_bench_SOURCES = bench/main.c
tidemill_bench_LDADD = libbench.la libsphinx.la libconfig.la libbase.la $(JANSSON_LIBS) $(SODIUM_LIBS) -lm

dist_man_MANS += doc/man/tidemill-bench.1
