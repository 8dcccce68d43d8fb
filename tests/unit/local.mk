# A unit test needs: its name in check_PROGRAMS and TESTS, its sources, and its room's library.
UNIT_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
include tests/unit/directory.mk
include tests/unit/sphinx.mk
include tests/unit/link.mk
include tests/unit/vectors.mk
include tests/unit/box.mk
include tests/unit/relay.mk
include tests/unit/engine.mk
include tests/unit/command.mk
