# Boxes.
if HAVE_CMOCKA
box_unit_tests = test_box test_box_library test_choice test_request test_record test_invite test_pairing
check_PROGRAMS += $(box_unit_tests)
TESTS += $(box_unit_tests)

BOX_TEST_LIBS = libbox.la libsphinx.la libbase.la $(SODIUM_LIBS) $(CMOCKA_LIBS)
box_support = tests/unit/box_support.h tests/unit/box_support.c

test_box_SOURCES = tests/unit/test_box.c $(box_support)
test_box_CFLAGS = $(UNIT_CFLAGS)
test_box_LDADD = $(BOX_TEST_LIBS)
test_box_library_SOURCES = tests/unit/test_box_library.c $(box_support)
test_box_library_CFLAGS = $(UNIT_CFLAGS)
test_box_library_LDADD = $(BOX_TEST_LIBS)
test_choice_SOURCES = tests/unit/test_choice.c $(box_support)
test_choice_CFLAGS = $(UNIT_CFLAGS)
test_choice_LDADD = $(BOX_TEST_LIBS)
test_request_SOURCES = tests/unit/test_request.c $(box_support)
test_request_CFLAGS = $(UNIT_CFLAGS)
test_request_LDADD = $(BOX_TEST_LIBS)
test_record_SOURCES = tests/unit/test_record.c $(box_support)
test_record_CFLAGS = $(UNIT_CFLAGS)
test_record_LDADD = $(BOX_TEST_LIBS)
test_invite_SOURCES = tests/unit/test_invite.c $(box_support)
test_invite_CFLAGS = $(UNIT_CFLAGS)
test_invite_LDADD = $(BOX_TEST_LIBS)
test_pairing_SOURCES = tests/unit/test_pairing.c $(box_support)
test_pairing_CFLAGS = $(UNIT_CFLAGS)
test_pairing_LDADD = $(BOX_TEST_LIBS)
endif
