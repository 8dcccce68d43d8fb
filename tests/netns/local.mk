# Relays in network namespaces.
dist_check_SCRIPTS += tests/netns/run
EXTRA_DIST += tests/netns/test_netns.py tests/netns/wires.py tests/netns/conftest.py
if !INSTRUMENTED
TESTS += tests/netns/run
endif
.PHONY: check-netns
check-netns: all
	$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/netns/run
