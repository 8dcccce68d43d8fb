noinst_LTLIBRARIES += liblink.la
liblink_la_SOURCES = \
	link/cell.h link/cell.c \
	link/link.h link/internal.h \
	link/context.c link/link.c link/io.c link/listener.c link/dialer.c link/address.c \
	link/limits.c link/prefix.h link/prefix.c \
	link/tls.h link/tls.c
liblink_la_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(OPENSSL_CFLAGS)
liblink_la_LIBADD = libbase.la $(EVENT_LIBS) $(OPENSSL_LIBS) $(SODIUM_LIBS)
