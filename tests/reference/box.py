"""Boxes, from doc/spec/boxes.md alone. Section numbers below are that document's."""
import hashlib
from dataclasses import dataclass

import nacl.bindings as sodium
import nacl.exceptions

from errors import require
from primitives import (BASE, IDENTITY, L, be, blake2b, ed_add, ed_decode, ed_encode, ed_mul, from_le, is_valid_point,
                        le)

ID_LEN, SIGNATURE_LEN, TEXT_LEN, BOX_LEN = 32, 64, 1432, 1472
SEED_LEN, CAPABILITY_LEN, STEP_MAX = 32, 72, 10_000_000
VERSION, TOKEN_LEN, BODY_LEN, SURB_LEN = 1, 96, 2048, 377
INLINE_MAX, NAME_MAX, BULK_MAX = 1417, 255, 67_108_864
NONCE_LEN, X_LEN = 24, 32


# --- 2. Primitives ---

def hash_(n, personal, key, m):
    assert len(personal) == 16
    return blake2b(n, m, key=key, personal=personal)


def scalar(x):
    """SCALAR: 64 bytes to an integer below L, which must not be zero."""
    assert len(x) == 64
    n = from_le(x) % L
    require(n != 0, "point")
    return n


def multiply(n, point):
    """n P of an encoded good point."""
    require(is_valid_point(point), "point")
    return ed_encode(ed_mul(n, ed_decode(point)))


def base(n):
    return ed_encode(ed_mul(n, BASE))


def seal(key, nonce, aad, text):
    return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(text, aad, nonce, key)


def unseal(key, nonce, aad, sealed):
    try:
        return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, aad, nonce, key)
    except nacl.exceptions.CryptoError:
        require(False, "auth")


def fill(text):
    """Filled with zeros to the length of a box's text."""
    return text.ljust(TEXT_LEN, b"\0")


# --- 3. and 4. Sequences and ids ---

def next_chain(chain):
    return hash_(32, b"tidemill.chain.1", chain, b"")


def blinding(chain, index, point):
    return scalar(hash_(64, b"tidemill.blind.1", chain, be(index, 8) + point))


def box_key(chain, index, point):
    return hash_(32, b"tidemill.boxkey1", chain, be(index, 8) + point)


@dataclass
class Place:
    """What writer and reader both have: a sequence at one index."""
    point: bytes
    chain: bytes
    index: int

    def capability(self):
        return self.point + self.chain + be(self.index, 8)

    def advance(self, index):
        """Nothing has changed when it refuses."""
        require(index >= self.index, "behind")
        require(index - self.index <= STEP_MAX, "too-far")
        while self.index < index:
            self.chain, self.index = next_chain(self.chain), self.index + 1

    def blinding(self):
        return blinding(self.chain, self.index, self.point)

    def id(self):
        return multiply(self.blinding(), self.point)

    def key(self):
        return box_key(self.chain, self.index, self.point)


class Writer(Place):
    def __init__(self, seed, first):
        self.a = scalar(hash_(64, b"tidemill.scalar1", seed, b""))
        self.prefix = hash_(32, b"tidemill.prefix1", seed, b"")
        super().__init__(base(self.a), hash_(32, b"tidemill.start.1", seed, b""), first)

    def scalar(self):
        return self.blinding() * self.a % L

    def seal(self, text, nonce, x):
        """5. and 6.: id, box, r and signature."""
        assert len(text) == TEXT_LEN and len(nonce) == NONCE_LEN and len(x) == X_LEN
        own, i = base(self.scalar()), be(self.index, 8)
        assert own == self.id()
        box = nonce + seal(self.key(), nonce, own + i, text)
        m = b"tidemill.signed1" + box
        r = scalar(hash_(64, b"tidemill.nonce.1", self.prefix, i + own + x + m))
        return own, box, r, sign(r, self.scalar(), own, m)


def reader(capability):
    """A reader's place; the root point is checked."""
    require(len(capability) == CAPABILITY_LEN, "length")
    require(is_valid_point(capability[:32]), "point")
    return Place(capability[:32], capability[32:64], int.from_bytes(capability[64:], "big"))


def decoy_id(x):
    n = from_le(x) % L
    return base(n if n else 1)


# --- 6. and 7. Signatures and opening ---

def challenge(R, own, m):
    return from_le(hashlib.sha512(R + own + m).digest()) % L


def sign(r, a, own, m):
    R = base(r)
    return R + le((r + challenge(R, own, m) * a) % L)


def verify(own, box, signature):
    """What stores check, in this order."""
    require(is_valid_point(own), "point")
    R, S, m = signature[:32], from_le(signature[32:]), b"tidemill.signed1" + box
    require(S < L, "signature")
    back = ed_mul((L - challenge(R, own, m)) % L, ed_decode(own))
    found = ed_add(ed_mul(S, BASE), back)
    require(found != IDENTITY and ed_encode(found) == R, "signature")


def open_box(place, box, signature):
    own = place.id()
    verify(own, box, signature)
    return unseal(place.key(), box[:NONCE_LEN], own + be(place.index, 8), box[NONCE_LEN:])


# --- 8. Requests and answers ---

PUT, GET = 1, 2
STORED, FOUND, MISSING, REFUSED, CONFLICT, FULL, FAILED, WORK = range(1, 9)
ALLOWED = {PUT: (STORED, REFUSED, CONFLICT, FULL, FAILED, WORK), GET: (FOUND, MISSING, FAILED)}
WORK_MAX, WORK_STEPS_MAX = 63, 10


def request(op, token, surb, own, signature, box):
    out = bytes([VERSION, op, 0, 0]) + token + surb + own + signature + box + bytes(3)
    assert len(out) == BODY_LEN
    return out


def parse_request(body):
    require(body[0] == VERSION and body[1] in (PUT, GET), "unknown")
    require(body[2:4] == bytes(2) and body[2045:] == bytes(3), "syntax")
    return {"op": body[1], "token": body[4:100], "surb": body[100:477], "id": body[477:509],
            "signature": body[509:573], "box": body[573:2045]}


def answer(op, status, own, signature=bytes(SIGNATURE_LEN), box=bytes(BOX_LEN), work=0):
    out = bytes([VERSION, op, status, work]) + own + signature + box + bytes(476)
    assert len(out) == BODY_LEN
    return out


def parse_answer(body):
    version, op, status = body[:3]
    require(version == VERSION and op in (PUT, GET) and STORED <= status <= WORK, "unknown")
    require(status in ALLOWED[op] and (1 <= body[3] <= WORK_MAX if status == WORK else body[3] == 0), "syntax")
    require(not any(body[1572:] if status == FOUND else body[36:]), "syntax")
    out = {"op": op, "status": status, "id": body[4:36]}
    if status == WORK:
        return {**out, "work": body[3]}
    return {**out, "signature": body[36:100], "box": body[100:1572]} if status == FOUND else out


# --- 8.1. Work ---

def work_hash(store, epoch, own, nonce):
    return hash_(32, b"tidemill.effort1", b"", store + be(epoch, 8) + own + be(nonce, 8))


def work_bits(store, epoch, own, nonce):
    """Zero bits that the hash begins with, of its first 64."""
    return 64 - int.from_bytes(work_hash(store, epoch, own, nonce)[:8], "big").bit_length()


def work_search(store, epoch, own, bits, nonce=0):
    while work_bits(store, epoch, own, nonce) < bits:
        nonce += 1
    return nonce


def work_asked(boxes, quota):
    """Bits over work_bits that a store asks for."""
    half = quota - quota // 2
    return 0 if boxes < half else min(WORK_STEPS_MAX, 1 + (boxes - half) // max(1, quota // 20))


def work_taken(boxes, quota):
    return max(0, work_asked(boxes, quota) - 1)


# --- 10. Bulk ---

def pieces(message):
    assert 1 <= len(message) <= BULK_MAX
    return [fill(message[i:i + TEXT_LEN]) for i in range(0, len(message), TEXT_LEN)]


# --- 11. The two stores of an id ---

def rank(own, identity):
    return hash_(32, b"tidemill.stores1", b"", own + identity)


def stores(own, identities):
    """The identities of the two, first and second."""
    return sorted(identities, key=lambda identity: (rank(own, identity), identity), reverse=True)[:2]


# --- 14. Records ---

END, TEXT, BULK, ACK = range(4)
KIND_TEXT, KIND_FILE = 1, 2
HEAD_LEN, BULK_HEAD_LEN = 3, 125


def utf8(b):
    """The characters; Python's decoder is as strict as the specification."""
    try:
        return b.decode("utf-8")
    except UnicodeDecodeError:
        require(False, "syntax")


def forbidden(c):
    n = ord(c)
    return c == "/" or n <= 0x1F or 0x7F <= n <= 0x9F or 0x2028 <= n <= 0x202E or 0x2066 <= n <= 0x2069


def check_name(name):
    require(1 <= len(name) <= NAME_MAX and name not in (b".", b".."), "syntax")
    require(not any(forbidden(c) for c in utf8(name)), "syntax")


def check_record(r):
    if r["type"] == ACK:
        return
    require(r["number"] >= 1, "syntax")
    if r["type"] == TEXT:
        require(1 <= len(r["text"]) <= INLINE_MAX, "syntax")
        utf8(r["text"])
        return
    require(r["kind"] in (KIND_TEXT, KIND_FILE) and 1 <= r["size"] <= BULK_MAX, "syntax")
    require(r["capability"][64:] == bytes(8) and is_valid_point(r["capability"][:32]), "syntax")
    if r["kind"] == KIND_TEXT:
        require(r["name"] == b"", "syntax")
    else:
        check_name(r["name"])


def record(r, check=True):
    """One record; check=False makes those that a reader must refuse."""
    if check:
        check_record(r)
    body = be(r["number"], 4)
    if r["type"] != ACK:
        body += be(r["sent_at"], 8)
    if r["type"] == TEXT:
        body += r["text"]
    if r["type"] == BULK:
        body += bytes([r["kind"]]) + be(r["size"], 8) + r["hash"] + r["capability"] + r["name"]
    return bytes([r["type"]]) + be(len(body), 2) + body


def parse_body(kind, body):
    require(kind in (TEXT, BULK, ACK), "unknown")
    require(len(body) == 4 if kind == ACK else len(body) >= (12 if kind == TEXT else BULK_HEAD_LEN), "syntax")
    r = {"type": kind, "number": int.from_bytes(body[:4], "big")}
    if kind != ACK:
        r["sent_at"] = int.from_bytes(body[4:12], "big")
    if kind == TEXT:
        r["text"] = body[12:]
    if kind == BULK:
        r.update(kind=body[12], size=int.from_bytes(body[13:21], "big"), hash=body[21:53], capability=body[53:125],
                 name=body[125:])
    check_record(r)
    return r


def parse_records(text, found):
    """Appends the records to found; those in front of a bad one stay in it."""
    at = 0
    while at < TEXT_LEN:
        if text[at] == END:
            require(not any(text[at:]), "syntax")
            return
        require(at + HEAD_LEN <= TEXT_LEN, "syntax")
        n = int.from_bytes(text[at + 1:at + 3], "big")
        end = at + HEAD_LEN + n
        require(end <= TEXT_LEN, "syntax")
        found.append(parse_body(text[at], text[at + HEAD_LEN:end]))
        at = end
