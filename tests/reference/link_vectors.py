"""The cases of tests/vectors/link.json."""
import link
from errors import refusal
from primitives import be, change


def make(rand):
    digest, handle, surb_id = rand("link digest", 32), rand("link handle", 16), rand("link surb", 16)
    packet, payload = rand("link packet", link.PACKET_LEN), rand("link payload", link.PAYLOAD_LEN)
    data = rand("link data", 2356)
    good = {
        "padding": link.cell(link.PADDING, b""),
        "packet": link.cell(link.PACKET, packet),
        "welcome": link.cell(link.WELCOME, be(1, 2) + bytes(2) + handle),
        "reply": link.cell(link.REPLY, surb_id + payload),
        "doc request": link.cell(link.DOC_REQUEST, digest),
        "doc piece": link.doc_piece(digest, 10_000, 4712, data),
    }
    cells = [{"type": 1, "name": "padding", "cell": good["padding"]},
             {"type": 2, "name": "packet", "packet": packet, "cell": good["packet"]},
             {"type": 3, "name": "welcome", "version": 1, "handle": handle, "cell": good["welcome"]},
             {"type": 4, "name": "reply", "surb_id": surb_id, "payload": payload, "cell": good["reply"]},
             {"type": 5, "name": "doc request", "digest": digest, "cell": good["doc request"]}]
    for name, total, offset, part in (("doc piece", 10_000, 4712, data), ("last piece", 10_000, 9424, data[:576]),
                                      ("one byte", 1, 0, data[:1]), ("nothing newer", 0, 0, b""),
                                      ("far end", 2**32 - 1, 2**32 - 2, data[:1])):
        cells.append({"type": 6, "name": name, "digest": digest, "total": total, "offset": offset, "data": part,
                      "cell": link.doc_piece(digest, total, offset, part)})
    for case in cells:
        assert link.check_cell(case["cell"])[0] == case["type"]
    seeds = [bytes(range(32)), rand("link seed", 32)]
    certificates = [dict(zip(("seed", "identity", "certificate"), (seed, *link.certificate(seed)))) for seed in seeds]
    return {"specification": "doc/spec/link.md", "certificates": certificates, "cells": cells,
            "refused": refused(good, digest, data)}


def refused(good, digest, data):
    cases = [(f"type {kind}", change(good["padding"], 0, bytes([kind])), "unknown") for kind in (0, 7, 128, 255)]
    for name, cell in good.items():
        n = int.from_bytes(cell[2:4], "big")
        cases.append((name + ": byte 1 not zero", change(cell, 1, b"\1"), "syntax"))
        if n < 2396:
            cases.append((name + ": last byte not zero", change(cell, 2399, b"\1"), "syntax"))
            cases.append((name + ": first byte behind the body not zero", change(cell, 4 + n, b"\x80"), "syntax"))
        if name != "doc piece":
            cases.append((name + ": one byte longer", change(cell, 2, be(n + 1, 2)), "length"))
        if name not in ("doc piece", "padding"):
            short = change(change(cell, 2, be(n - 1, 2)), 4 + n - 1, b"\0")
            cases.append((name + ": one byte shorter", short, "length"))
    piece = link.doc_piece
    cases += [
        ("welcome: zero field not zero", change(good["welcome"], 7, b"\1"), "syntax"),
        ("doc piece: 39 bytes", change(piece(digest, 0, 0, b""), 2, be(39, 2)), "length"),
        ("doc piece: 2397 bytes", change(good["doc piece"], 2, be(2397, 2)), "length"),
        ("doc piece: 65535 bytes", change(good["doc piece"], 2, be(65535, 2)), "length"),
        ("doc piece: total 0 with an offset", piece(digest, 0, 1, b""), "syntax"),
        ("doc piece: total 0 with data", piece(digest, 0, 0, data[:1]), "syntax"),
        ("doc piece: no data", piece(digest, 1000, 0, b""), "syntax"),
        ("doc piece: beyond the end", piece(digest, 1000, 999, data[:2]), "syntax"),
        ("doc piece: overflow", piece(digest, 1000, 2**32 - 1, data[:2]), "syntax"),
    ]
    for name, cell, error in cases:
        assert refusal(link.check_cell, cell) == error, name
    return [{"name": name, "cell": cell, "error": error} for name, cell, error in cases]
