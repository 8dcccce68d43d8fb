# The packet. libsphinx.la is what our programs link; libtidemill-sphinx is the same code, installed for others.
sphinx_sources = \
	sphinx/sphinx.h sphinx/context.h sphinx/context.c \
	sphinx/bytes.h sphinx/ct.h \
	sphinx/backend.h sphinx/backend.c sphinx/selftest.c sphinx/portable.c \
	sphinx/point.h sphinx/point.c \
	sphinx/blinding.h sphinx/blinding.c \
	sphinx/header.h sphinx/header.c sphinx/create.c \
	sphinx/unwrap.c

# One convenience library for each instruction set, with that set's flags on its files alone.
lanes_headers = sphinx/lanes.h sphinx/x25519_lanes.h
sphinx_lanes =
if HAVE_AVX2
noinst_LTLIBRARIES += libsphinx-avx2.la
libsphinx_avx2_la_SOURCES = sphinx/avx2.c sphinx/vec256.h sphinx/field_radix25.h $(lanes_headers)
libsphinx_avx2_la_CFLAGS = $(AM_CFLAGS) $(AVX2_CFLAGS)
sphinx_lanes += libsphinx-avx2.la
endif
if HAVE_AVX512F
noinst_LTLIBRARIES += libsphinx-avx512f.la
libsphinx_avx512f_la_SOURCES = sphinx/avx512f.c sphinx/vec512.h sphinx/field_radix25.h $(lanes_headers)
libsphinx_avx512f_la_CFLAGS = $(AM_CFLAGS) $(AVX512F_CFLAGS)
sphinx_lanes += libsphinx-avx512f.la
endif
if HAVE_AVX512IFMA
noinst_LTLIBRARIES += libsphinx-avx512ifma.la
libsphinx_avx512ifma_la_SOURCES = sphinx/avx512ifma.c sphinx/vec512.h sphinx/field_ifma.h $(lanes_headers)
libsphinx_avx512ifma_la_CFLAGS = $(AM_CFLAGS) $(AVX512IFMA_CFLAGS)
sphinx_lanes += libsphinx-avx512ifma.la
endif

noinst_LTLIBRARIES += libsphinx.la
libsphinx_la_SOURCES = $(sphinx_sources)
libsphinx_la_LIBADD = $(sphinx_lanes) $(SODIUM_LIBS)

lib_LTLIBRARIES += libtidemill-sphinx.la
libtidemill_sphinx_la_SOURCES =
libtidemill_sphinx_la_LIBADD = libsphinx.la $(SODIUM_LIBS)
# -version-info current:revision:age, for the installed interface alone
libtidemill_sphinx_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined -export-symbols-regex '^tm_sphinx_'

tidemillinclude_HEADERS += sphinx/sphinx.h
pkgconfig_DATA += sphinx/libtidemill-sphinx.pc
