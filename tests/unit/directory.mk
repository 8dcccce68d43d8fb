# base/config and directory/
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_config tests/unit/test_note tests/unit/test_document tests/unit/test_assemble \
	tests/unit/test_authority
TESTS += tests/unit/test_config tests/unit/test_note tests/unit/test_document tests/unit/test_assemble \
	tests/unit/test_authority
tests_unit_test_config_SOURCES = tests/unit/test_config.c
tests_unit_test_config_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_config_LDADD = libconfig.la libbase.la $(CMOCKA_LIBS)
tests_unit_test_note_SOURCES = tests/unit/test_note.c tests/unit/directory_fixture.h tests/unit/directory_fixture.c
tests_unit_test_note_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_note_LDADD = libdirectory.la $(CMOCKA_LIBS)
tests_unit_test_document_SOURCES = tests/unit/test_document.c tests/unit/directory_fixture.h tests/unit/directory_fixture.c
tests_unit_test_document_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_document_LDADD = libdirectory.la $(CMOCKA_LIBS)
tests_unit_test_assemble_SOURCES = tests/unit/test_assemble.c tests/unit/directory_fixture.h tests/unit/directory_fixture.c
tests_unit_test_assemble_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_assemble_LDADD = libdirectory.la $(CMOCKA_LIBS)
tests_unit_test_authority_SOURCES = tests/unit/test_authority.c tests/unit/directory_fixture.h tests/unit/directory_fixture.c
tests_unit_test_authority_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_authority_LDADD = libdirectory.la $(CMOCKA_LIBS)
endif
