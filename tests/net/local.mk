# Whole networks.
dist_check_SCRIPTS += tests/net/run
EXTRA_DIST += tests/net/network.py tests/net/demo.py tests/net/test_relays.py
TESTS += tests/net/run
