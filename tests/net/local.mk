# Whole networks.
dist_check_SCRIPTS += tests/net/run
EXTRA_DIST += \
	tests/net/network.py \
	tests/net/demo.py \
	tests/net/hostile.py \
	tests/net/conftest.py \
	tests/net/test_accounting.py \
	tests/net/test_cover.py \
	tests/net/test_documents.py \
	tests/net/test_manager.py \
	tests/net/test_people.py \
	tests/net/test_pool.py \
	tests/net/test_quickstart.py \
	tests/net/test_relays.py \
	tests/net/test_trouble.py
TESTS += tests/net/run
