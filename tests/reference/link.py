"""Cells and the relay's certificate, from doc/spec/link.md alone."""
import nacl.bindings as sodium

from errors import require
from primitives import be

CELL_LEN, HEAD_LEN, PACKET_LEN, PAYLOAD_LEN, DOC_HEAD_LEN = 2400, 4, 2393, 2080, 40
PADDING, PACKET, WELCOME, REPLY, DOC_REQUEST, DOC_PIECE = range(1, 7)
BODY_LEN = {PADDING: 0, PACKET: PACKET_LEN, WELCOME: 20, REPLY: 16 + PAYLOAD_LEN, DOC_REQUEST: 32}

CERTIFICATE_PREFIX = bytes.fromhex(
    "3081d4308187a003020102020101300506032b657030133111300f06035504030c08746964656d696c6c3020170d"
    "3730303130313030303030305a180f39393939313233313233353935395a30133111300f06035504030c08746964"
    "656d696c6c302a300506032b6570032100")


def certificate(seed):
    """2.2. Identity and certificate of a relay's secret seed."""
    identity, secret = sodium.crypto_sign_seed_keypair(seed)
    signed = CERTIFICATE_PREFIX + identity + bytes.fromhex("300506032b6570034100")
    return identity, signed + sodium.crypto_sign(signed[3:141], secret)[:64]


def cell(kind, body):
    return bytes([kind, 0]) + be(len(body), 2) + body + bytes(CELL_LEN - HEAD_LEN - len(body))


def doc_piece(digest, total, offset, data):
    return cell(DOC_PIECE, digest + be(total, 4) + be(offset, 4) + data)


def check_cell(c):
    """3. The checks that look at nothing but the cell."""
    kind, n = c[0], int.from_bytes(c[2:4], "big")
    require(PADDING <= kind <= DOC_PIECE, "unknown")
    require(DOC_HEAD_LEN <= n <= CELL_LEN - HEAD_LEN if kind == DOC_PIECE else n == BODY_LEN[kind], "length")
    body, rest = c[HEAD_LEN:HEAD_LEN + n], c[HEAD_LEN + n:]
    require(c[1] == 0 and not any(rest), "syntax")
    require(kind != WELCOME or body[2:4] == bytes(2), "syntax")
    if kind == DOC_PIECE:
        total, offset = int.from_bytes(body[32:36], "big"), int.from_bytes(body[36:40], "big")
        data_len = n - DOC_HEAD_LEN
        good = offset == 0 and data_len == 0 if total == 0 else data_len > 0 and offset + data_len <= total
        require(good, "syntax")
    return kind, body


