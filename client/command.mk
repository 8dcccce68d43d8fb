# The daemon and the commands.
noinst_LTLIBRARIES += libcommand.la
libcommand_la_SOURCES = \
	client/protocol.h client/protocol.c \
	client/docpieces.h client/docpieces.c \
	client/uplink.h client/uplink.c \
	client/labour.h client/labour.c \
	client/control.h client/control.c \
	client/operations.h client/operations.c \
	client/failure.h client/failure.c \
	client/passphrase.h client/passphrase.c \
	client/unlock.h client/unlock.c \
	client/startup.h client/startup.c \
	client/spawn.h client/spawn.c \
	client/session.h client/session.c \
	client/daemon.h client/daemon.c \
	client/terminal.h client/terminal.c client/qr.c \
	client/save.h client/save.c \
	client/command.h client/command.c client/command_life.c client/command_pair.c client/command_send.c \
	client/command_read.c client/command_status.c
libcommand_la_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS) $(QRENCODE_CFLAGS)
libcommand_la_LIBADD = libbox.la liblink.la libdirectory.la libconfig.la libbase.la $(EVENT_LIBS) $(JANSSON_LIBS) $(QRENCODE_LIBS) $(SODIUM_LIBS)

bin_PROGRAMS += tidemill
tidemill_SOURCES = client/main.c
tidemill_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tidemill_LDADD = libcommand.la libtidemill.la

dist_man_MANS += doc/man/tidemill.1
