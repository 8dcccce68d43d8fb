# What make install puts there, and what Debian packages do. Instrumented programs are for nobody else.
dist_check_SCRIPTS += tests/install/check tests/install/prefix tests/install/control
EXTRA_DIST += tests/install/deb tests/install/deb-look
if !INSTRUMENTED
TESTS += tests/install/check tests/install/prefix tests/install/control
endif

# Builds the packages and looks at them; a minute.
.PHONY: check-deb
check-deb:
	@$(AM_TESTS_ENVIRONMENT) MAKE='$(MAKE)' sh $(srcdir)/tests/install/deb
