# What an operator finds after make install, besides programs and manual pages: a sample configuration, the user and the state
# directory in systemd's words, a timer that makes keys, and what to read.
sysusersdir = $(prefix)/lib/sysusers.d
dist_sysusers_DATA = doc/install/sysusers.d/tidemill-relay.conf
tmpfilesdir = $(prefix)/lib/tmpfiles.d
dist_tmpfiles_DATA = doc/install/tmpfiles.d/tidemill-relay.conf

# From the program itself, so that it is never behind it.
examplesdir = $(docdir)/examples
examples_DATA = doc/examples/relay.conf
dist_examples_DATA = doc/examples/default.params doc/examples/demo.params
CLEANFILES += doc/examples/relay.conf
doc/examples/relay.conf: tidemill-relay$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc/examples && ./tidemill-relay$(EXEEXT) options --sample \
	  | sed 's|"/etc/|"$(sysconfdir)/|' >$@.new && mv $@.new $@

dist_doc_DATA = README.md LICENSE doc/running-a-relay.md doc/threat-model.md doc/soundness.md

EXTRA_DIST += doc/systemd/tidemill-relay-keygen.service.in
UNITS_MADE += doc/systemd/tidemill-relay-keygen.service
if UNITS
dist_systemdsystemunit_DATA = doc/systemd/tidemill-relay-keygen.timer
else
EXTRA_DIST += doc/systemd/tidemill-relay-keygen.timer
endif

# debian/ goes along: the archive builds into packages too.
EXTRA_DIST += \
	debian/changelog \
	debian/control \
	debian/copyright \
	debian/libtidemill-sphinx-dev.install \
	debian/libtidemill-sphinx0.install \
	debian/libtidemill-sphinx0.symbols \
	debian/not-installed \
	debian/rules \
	debian/source/format \
	debian/tidemill-authority.examples \
	debian/tidemill-authority.install \
	debian/tidemill-bench.install \
	debian/tidemill-relay.docs \
	debian/tidemill-relay.install \
	debian/tidemill-relay.postinst \
	debian/tidemill-relay.postrm \
	debian/tidemill-relay.prerm \
	debian/tidemill.install
