# The client. What is here is the library's modules; the engine and the program that tie them together are not in this version.
noinst_LTLIBRARIES += libtidemill.la
libtidemill_la_SOURCES = \
	client/control.c \
	client/control.h \
	client/conv.c \
	client/conv.h \
	client/daemon.c \
	client/daemon.h \
	client/db.c \
	client/db.h \
	client/docpieces.c \
	client/docpieces.h \
	client/engine.h \
	client/failure.c \
	client/failure.h \
	client/message.c \
	client/message.h \
	client/operations.c \
	client/operations.h \
	client/passphrase.c \
	client/passphrase.h \
	client/pending.c \
	client/pending.h \
	client/pool.c \
	client/pool.h \
	client/protocol.c \
	client/protocol.h \
	client/qr.c \
	client/schedule.c \
	client/schedule.h \
	client/session.c \
	client/session.h \
	client/spawn.c \
	client/spawn.h \
	client/startup.c \
	client/startup.h \
	client/state.c \
	client/state.h \
	client/terminal.c \
	client/terminal.h \
	client/text.c \
	client/text.h \
	client/unlock.c \
	client/unlock.h \
	client/uplink.c \
	client/uplink.h \
	client/vault.c \
	client/vault.h
libtidemill_la_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(SQLITE_CFLAGS) $(JANSSON_CFLAGS) $(QRENCODE_CFLAGS)
