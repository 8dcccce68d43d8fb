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
	doc/spec/packet.md \
	doc/spec/link.md \
	doc/spec/directory.md \
	doc/spec/boxes.md \
	doc/spec/pairing.md \
	doc/spec/client.md \
	doc/spec/mixing.md

include doc/systemd/local.mk
