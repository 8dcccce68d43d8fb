# Boxes: sequences, sealing, requests, records, invites, pairing.
noinst_LTLIBRARIES += libbox.la
libbox_la_SOURCES = \
	box/box.h box/internal.h box/hash.c box/sequence.c box/seal.c box/choice.c box/selftest.c \
	box/request.h box/request.c \
	box/work.h box/work.c \
	box/record.h box/record.c \
	box/invite.h box/invite.c \
	box/pairing.h box/pairing.c
libbox_la_LIBADD = libsphinx.la libbase.la $(SODIUM_LIBS)
