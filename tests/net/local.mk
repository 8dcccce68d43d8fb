# Whole networks.
dist_check_SCRIPTS += tests/net/run
EXTRA_DIST += tests/net/network.py tests/net/demo.py tests/net/test_relays.py

# Not in make check yet: two of the four runs so far lost a link that they should not (see doc/soundness.md).
.PHONY: network-check
network-check: all
	top_builddir=$(abs_top_builddir) TEST_PYTHON=$(TEST_PYTHON) $(srcdir)/tests/net/run
