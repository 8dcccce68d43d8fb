# The packet. libsphinx.la is what our programs link; libtidemill-sphinx is the same code, installed for others.
sphinx_sources = \
	sphinx/sphinx.h sphinx/context.h sphinx/context.c \
	sphinx/bytes.h sphinx/ct.h \
	sphinx/backend.h sphinx/backend.c sphinx/selftest.c sphinx/portable.c \
	sphinx/point.h sphinx/point.c \
	sphinx/blinding.h sphinx/blinding.c \
	sphinx/header.h sphinx/header.c sphinx/create.c \
	sphinx/unwrap.c

noinst_LTLIBRARIES += libsphinx.la
libsphinx_la_SOURCES = $(sphinx_sources)
libsphinx_la_LIBADD = $(SODIUM_LIBS)

lib_LTLIBRARIES += libtidemill-sphinx.la
libtidemill_sphinx_la_SOURCES =
libtidemill_sphinx_la_LIBADD = libsphinx.la $(SODIUM_LIBS)
# -version-info current:revision:age, for the installed interface alone
libtidemill_sphinx_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined -export-symbols-regex '^tm_sphinx_'

tidemillinclude_HEADERS += sphinx/sphinx.h
pkgconfig_DATA += sphinx/libtidemill-sphinx.pc
