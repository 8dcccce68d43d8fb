# Tests. Units are cmocka programs, one a room; networks are pytest; checkers are scripts.
# Each subdirectory of tests has its own fragment, so that rooms don't edit one file.
AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	top_builddir='$(abs_top_builddir)'; export top_builddir; \
	TEST_PYTHON='$(TEST_PYTHON)'; export TEST_PYTHON; \
	SYSTEMD_ANALYZE='$(SYSTEMD_ANALYZE)'; export SYSTEMD_ANALYZE; \
	PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE;

include tests/unit/local.mk
include tests/reference/local.mk
include tests/fuzz/local.mk
include tests/checks/local.mk
include tests/ct/local.mk
include tests/bench/local.mk
include tests/install/local.mk
include tests/man/local.mk
include tests/net/local.mk
include tests/netns/local.mk
include tests/systemd/local.mk
