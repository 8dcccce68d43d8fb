# Whole networks.
dist_check_SCRIPTS += tests/net/run
EXTRA_DIST += \
	tests/net/network.py \
	tests/net/demo.py \
	tests/net/hostile.py \
	tests/net/attacks.py \
	tests/net/trouble.c \
	tests/net/conftest.py \
	tests/net/test_accounting.py \
	tests/net/test_attacks.py \
	tests/net/test_cover.py \
	tests/net/test_documents.py \
	tests/net/test_manager.py \
	tests/net/test_operator.py \
	tests/net/test_people.py \
	tests/net/test_pool.py \
	tests/net/test_quickstart.py \
	tests/net/test_relays.py \
	tests/net/test_trouble.py
TESTS += tests/net/run

# Loaded in front of relays: of no sanitizer's making, and no part of any program.
check_DATA += tests/net/trouble.so
CLEANFILES += tests/net/trouble.so
tests/net/trouble.so: tests/net/trouble.c config.h
	$(AM_V_CC)$(MKDIR_P) tests/net && $(CC) $(DEFS) $(DEFAULT_INCLUDES) $(TM_CPPFLAGS) -std=gnu11 -O2 -Wall -Wextra -fPIC -shared -o $@ $(srcdir)/tests/net/trouble.c

# Each attack for longer, with the table of what honest traffic kept (doc/security.md); some minutes.
.PHONY: check-attacks
check-long: check-attacks
check-attacks: all tests/net/trouble.so
	$(AM_TESTS_ENVIRONMENT) TIDEMILL_ATTACK_SECONDS=10 TIDEMILL_SCENARIOS=test_attacks.py $(srcdir)/tests/net/run
