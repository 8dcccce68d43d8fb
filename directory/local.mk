noinst_LTLIBRARIES += libdirectory.la
libdirectory_la_SOURCES = \
	directory/document.h directory/document.c \
	directory/trust.h directory/trust.c \
	directory/parse.h directory/parse.c directory/cross.c \
	directory/assemble.h directory/assemble.c \
	directory/descriptor.h directory/descriptor.c \
	directory/relay_text.h directory/relay_text.c \
	directory/params.h directory/params.c \
	directory/text.h directory/text.c \
	directory/note.h directory/note.c
libdirectory_la_LIBADD = libsphinx.la libbase.la

include directory/authority/local.mk
