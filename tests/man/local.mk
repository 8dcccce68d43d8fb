# The manual page of the commands says what their tables say.
TESTS += tests/man/check
EXTRA_DIST += tests/man/check
