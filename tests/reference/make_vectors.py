#!/usr/bin/env python3
"""Writes tests/vectors/*.json from the reference. The same bytes every time: all randomness comes from a seed through
SHAKE-256. Layout: tests/vectors/README.md."""
import hashlib
import json
import pathlib
import sys

import box_vectors
import directory_vectors
import link_vectors
import pairing_vectors
import sphinx_vectors

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"
FILES = {"sphinx.json": sphinx_vectors.make, "link.json": link_vectors.make,
         "directory.json": directory_vectors.make, "box.json": box_vectors.make,
         "pairing.json": pairing_vectors.make}


def rand(label, n):
    """n bytes that only the label decides."""
    return hashlib.shake_256(b"tidemill vectors 1\n" + label.encode()).digest(n)


def hexed(value):
    """bytes become lower-case hex, whatever they are in."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, dict):
        return {k: hexed(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [hexed(v) for v in value]
    return value


def text(name):
    return json.dumps(hexed(FILES[name](rand)), indent=1) + "\n"


if __name__ == "__main__":
    for name in sys.argv[1:] or FILES:
        (VECTORS / name).write_text(text(name))
