noinst_LTLIBRARIES += libconfig.la
libconfig_la_SOURCES = \
	base/config/suggest.h base/config/suggest.c \
	base/config/options.h base/config/options.c \
	base/config/complaints.h base/config/complaints.c \
	base/config/scan.h base/config/scan.c \
	base/config/value.h base/config/value.c \
	base/config/sample.c base/config/reload.c \
	base/config/troff.h base/config/manual.c \
	base/config/command.h base/config/command.c
libconfig_la_CFLAGS = $(AM_CFLAGS) $(CONFUSE_CFLAGS)
libconfig_la_LIBADD = libbase.la $(CONFUSE_LIBS)
