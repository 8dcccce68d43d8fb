# What people read. The manual pages are listed by the fragments of their programs.
EXTRA_DIST += \
	doc/threat-model.md \
	doc/security.md \
	doc/soundness.md \
	doc/anonymity.md \
	doc/anonymity.svg \
	doc/performance.md \
	doc/performance.svg \
	doc/performance-relay.svg \
	doc/grafana/tidemill-relay.json \
	doc/spec/packet.md \
	doc/spec/link.md \
	doc/spec/directory.md \
	doc/spec/boxes.md \
	doc/spec/pairing.md \
	doc/spec/client.md \
	doc/spec/mixing.md \
	doc/man/update

# After a change to a table of options or commands.
.PHONY: manual
manual: tidemill-relay$(EXEEXT)
	$(srcdir)/doc/man/update ./tidemill-relay$(EXEEXT) $(srcdir)/doc/man/tidemill-relay.8 $(srcdir)/doc/man/tidemill-relay.conf.5

include doc/systemd/local.mk
include doc/install/local.mk
