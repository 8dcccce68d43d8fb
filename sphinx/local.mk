tidemillinclude_HEADERS += sphinx/sphinx.h
pkgconfig_DATA += sphinx/libtidemill-sphinx.pc
