# Units for systemd, into the directory that configure was told.
EXTRA_DIST += doc/systemd/tidemill-relay.service.in
UNITS_MADE = doc/systemd/tidemill-relay.service
CLEANFILES += $(UNITS_MADE)
if UNITS
systemdsystemunit_DATA += $(UNITS_MADE)
endif
UNIT_SED = $(SED) -e 's,@sbindir\@,$(sbindir),g' -e 's,@sysconfdir\@,$(sysconfdir),g' \
	-e 's,@UNIT_TYPE\@,$(UNIT_TYPE),g' -e 's,@UNIT_WATCHDOG\@,$(UNIT_WATCHDOG),g'

SUFFIXES = .service.in .service
.service.in.service:
	$(AM_V_GEN)$(MKDIR_P) doc/systemd && $(UNIT_SED) $< >$@.tmp && mv $@.tmp $@
$(UNITS_MADE): Makefile
