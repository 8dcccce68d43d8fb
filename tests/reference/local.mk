# The Python reference of the specification. The committed vectors must be what it makes.
REFERENCE_FILES = \
	tests/reference/errors.py \
	tests/reference/primitives.py \
	tests/reference/box.py \
	tests/reference/box_records.py \
	tests/reference/box_refused.py \
	tests/reference/box_vectors.py \
	tests/reference/directory.py \
	tests/reference/directory_vectors.py \
	tests/reference/link.py \
	tests/reference/link_vectors.py \
	tests/reference/pairing.py \
	tests/reference/pairing_vectors.py \
	tests/reference/sphinx.py \
	tests/reference/sphinx_vectors.py \
	tests/reference/make_vectors.py \
	tests/reference/test_reference.py
VECTOR_FILES = \
	tests/vectors/README.md \
	tests/vectors/box.json \
	tests/vectors/directory.json \
	tests/vectors/link.json \
	tests/vectors/pairing.json \
	tests/vectors/sphinx.json
EXTRA_DIST += $(REFERENCE_FILES) $(VECTOR_FILES)
dist_check_SCRIPTS += tests/reference/run
TESTS += tests/reference/run

.PHONY: vectors
vectors:
	$(AM_V_GEN)PYTHONDONTWRITEBYTECODE=1 python3 $(srcdir)/tests/reference/make_vectors.py
