noinst_LTLIBRARIES += libbase.la
libbase_la_SOURCES = \
	base/err.h base/err.c \
	base/clock.h base/clock.c \
	base/rng.h base/rng.c \
	base/wire.h base/wire.c \
	base/codec.h base/codec.c \
	base/address.h base/address.c \
	base/log.h base/log.c \
	base/local_socket.h base/local_socket.c \
	base/file.h base/file.c
libbase_la_LIBADD = $(SODIUM_LIBS) -lm

include base/config/local.mk
