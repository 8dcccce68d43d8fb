# The packet. libsphinx.la is what our programs link; libtidemill-sphinx is the same code, installed for others.
sphinx_sources = \
	sphinx/sphinx.h sphinx/context.h sphinx/context.c \
	sphinx/bytes.h sphinx/ct.h \
	sphinx/backend.h sphinx/backend.c sphinx/selftest.c sphinx/portable.c \
	sphinx/point.h sphinx/point.c \
	sphinx/blinding.h sphinx/blinding.c \
	sphinx/header.h sphinx/header.c sphinx/create.c \
	sphinx/unwrap.c

# One convenience library for each instruction set and half, with that set's flags on its files alone.
symmetric_headers = sphinx/lanes.h sphinx/symmetric_lanes.h
curve_headers = sphinx/lanes.h sphinx/curve_lanes.h
sphinx_lanes =
if HAVE_AVX2
sphinx_lanes += libsphinx-symmetric-avx2.la libsphinx-curve-avx2.la
libsphinx_symmetric_avx2_la_SOURCES = sphinx/symmetric_avx2.c sphinx/vec256.h $(symmetric_headers)
libsphinx_symmetric_avx2_la_CFLAGS = $(AM_CFLAGS) $(AVX2_CFLAGS) $(LANES_CFLAGS)
libsphinx_curve_avx2_la_SOURCES = sphinx/curve_avx2.c sphinx/vec256.h sphinx/field_radix25.h $(curve_headers)
libsphinx_curve_avx2_la_CFLAGS = $(AM_CFLAGS) $(AVX2_CFLAGS) $(LANES_CFLAGS)
endif
if HAVE_AVX512F
sphinx_lanes += libsphinx-symmetric-avx512f.la libsphinx-curve-avx512f.la
libsphinx_symmetric_avx512f_la_SOURCES = sphinx/symmetric_avx512f.c sphinx/vec512.h $(symmetric_headers)
libsphinx_symmetric_avx512f_la_CFLAGS = $(AM_CFLAGS) $(AVX512F_CFLAGS) $(LANES_CFLAGS)
libsphinx_curve_avx512f_la_SOURCES = sphinx/curve_avx512f.c sphinx/vec512.h sphinx/field_radix25.h $(curve_headers)
libsphinx_curve_avx512f_la_CFLAGS = $(AM_CFLAGS) $(AVX512F_CFLAGS) $(LANES_CFLAGS)
endif
if HAVE_AVX512IFMA
sphinx_lanes += libsphinx-curve-avx512ifma.la
libsphinx_curve_avx512ifma_la_SOURCES = sphinx/curve_avx512ifma.c sphinx/vec512.h sphinx/field_ifma.h $(curve_headers)
libsphinx_curve_avx512ifma_la_CFLAGS = $(AM_CFLAGS) $(AVX512IFMA_CFLAGS) $(LANES_CFLAGS) $(IFMA_CURVE_CFLAGS)
endif
noinst_LTLIBRARIES += $(sphinx_lanes)

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
