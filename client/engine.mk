# The client's engine: what libtidemill is.
noinst_LTLIBRARIES += libtidemill.la
libtidemill_la_SOURCES = \
	client/engine.h client/internal.h client/engine.c client/life.c client/status.c \
	client/contacts.c client/mailbox.c client/places.c \
	client/conversation.c client/meeting.c client/reading.c client/writing.c client/bulk.c \
	client/work.c client/effort.c client/packet.c \
	client/conv.h client/conv.c \
	client/message.h client/message.c \
	client/pending.h client/pending.c \
	client/pool.h client/pool.c \
	client/schedule.h client/schedule.c \
	client/network.h client/network.c \
	client/guard.h client/guard.c \
	client/state.h client/state.c \
	client/vault.h client/vault.c \
	client/db.h client/db.c
libtidemill_la_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
libtidemill_la_LIBADD = libbox.la libdirectory.la libsphinx.la libbase.la $(SQLITE_LIBS) $(SODIUM_LIBS) -lm
