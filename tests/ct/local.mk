# The constant-time check, in a build with --enable-ct.
dist_check_SCRIPTS += tests/ct/run
EXTRA_DIST += tests/ct/ct_sphinx.c tests/ct/ct_planted.c tests/ct/ct_box.c
if CT
check_PROGRAMS += ct_sphinx ct_planted ct_box
ct_sphinx_SOURCES = tests/ct/ct_sphinx.c
ct_sphinx_LDADD = libsphinx.la $(SODIUM_LIBS)
ct_planted_SOURCES = tests/ct/ct_planted.c
ct_planted_LDADD = libsphinx.la $(SODIUM_LIBS)
ct_box_SOURCES = tests/ct/ct_box.c
ct_box_LDADD = libbox.la libsphinx.la libbase.la $(SODIUM_LIBS)
TESTS += tests/ct/run
endif
