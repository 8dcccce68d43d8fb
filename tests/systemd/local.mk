# The relay's unit.
dist_check_SCRIPTS += tests/systemd/check
TESTS += tests/systemd/check
check_DATA += $(UNITS_MADE)
