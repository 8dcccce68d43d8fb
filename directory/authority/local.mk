noinst_LTLIBRARIES += libauthority.la
libauthority_la_SOURCES = \
	directory/authority/authority.h \
	directory/authority/files.c \
	directory/authority/keygen.c \
	directory/authority/params_file.c \
	directory/authority/assemble.c \
	directory/authority/sign.c \
	directory/authority/verify.c
libauthority_la_LIBADD = libdirectory.la libconfig.la

sbin_PROGRAMS += tidemill-authority
tidemill_authority_SOURCES = directory/authority/main.c
tidemill_authority_LDADD = libauthority.la $(SODIUM_LIBS) $(JEMALLOC_LIBS)
EXTRA_DIST += doc/examples/default.params doc/examples/demo.params doc/spec/directory.md
dist_man_MANS += doc/man/tidemill-authority.1
