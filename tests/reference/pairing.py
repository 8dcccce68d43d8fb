"""Pairing, from doc/spec/pairing.md alone. Section numbers below are that document's."""
from dataclasses import dataclass

import box
from box import CAPABILITY_LEN, Writer, hash_
from errors import require
from primitives import be, le, x25519

SYMBOLS, SECRET_SYMBOLS = 30, 26
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
INVITER, ACCEPTOR = 1, 2
HELLO, OFFER, CONFIRM = 1, 2, 3


# --- 2. The code ---

def field_mul(a, b):
    """Product in the field of 32 elements."""
    out = 0
    for bit in range(5):
        if b >> bit & 1:
            out ^= a << bit
    for high in range(8, 4, -1):
        if out >> high & 1:
            out ^= 0b100101 << (high - 5)
    return out


def polynomial_mul(a, b):
    """Coefficients, the highest power first."""
    out = [0] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            out[i + j] ^= field_mul(x, y)
    return out


def generator():
    out = [1]
    for root in (2, 4, 8, 16):
        out = polynomial_mul(out, [1, root])
    return out


def remainder(v, divisor):
    v = list(v)
    for i in range(len(v) - len(divisor) + 1):
        factor = v[i]
        for j, d in enumerate(divisor):
            v[i + j] ^= field_mul(factor, d)
    return v[len(v) - len(divisor) + 1:]


def checksum(symbols):
    assert len(symbols) == SECRET_SYMBOLS
    return [r ^ c for r, c in zip(remainder(list(symbols) + [0] * 4, generator()), (1, 2, 3, 4))]


def letters(symbols):
    return "".join(ALPHABET[s] for s in symbols)


def show(symbols):
    """The code as a user sees it, from its 30 symbols."""
    text = letters(symbols)
    return "-".join(text[i:i + 5] for i in range(0, SYMBOLS, 5))


def make_code(secret_symbols):
    return show(list(secret_symbols) + checksum(secret_symbols))


@dataclass
class Mistake(Exception):
    """Why a typed code is refused: character (with place and character), count (with it) or checksum."""
    error: str
    place: int = 0
    character: str = ""
    count: int = 0


def symbol(c):
    """A typed character as one of the alphabet, if it can be."""
    c = c.upper() if c.isascii() else c
    return {"O": "0", "I": "1", "L": "1"}.get(c, c)


def read_code(typed):
    """The code secret C."""
    counted = [c for c in typed if c not in "- \t\n\v\f\r"]
    for place, c in enumerate(counted, 1):
        if symbol(c) not in ALPHABET:
            raise Mistake("character", place=place, character=c)
    if len(counted) != SYMBOLS:
        raise Mistake("count", count=len(counted))
    numbers = [ALPHABET.index(symbol(c)) for c in counted]
    if checksum(numbers[:SECRET_SYMBOLS]) != numbers[SECRET_SYMBOLS:]:
        raise Mistake("checksum")
    return letters(numbers[:SECRET_SYMBOLS]).encode()


# --- 3. Meeting sequences ---

def meeting_seed(code, direction, slot):
    return hash_(32, b"tidemill.meeting", code, bytes([direction]) + be(slot, 8))


def meeting(code, direction, slot):
    return Writer(meeting_seed(code, direction, slot), slot)


# --- 4. and 5. Keys and messages ---

@dataclass
class Keys:
    d: bytes
    k: bytes
    offer_key: bytes
    confirm_key: bytes
    safety: bytes


def public(x):
    return x25519(x, le(9))


def keys(code, x, other, inviter, acceptor):
    """x: one's own ephemeral secret; other: the other's key, which is one of inviter and acceptor too."""
    assert other in (inviter, acceptor)
    d = x25519(x, other)
    require(d != bytes(32), "point")
    transcript = inviter + acceptor + d
    k = hash_(64, b"tidemill.pairing", code, transcript)
    return Keys(d, k, k[:32], k[32:], hash_(32, b"tidemill.safety1", code, transcript))


def hello(acceptor):
    return box.fill(bytes([HELLO]) + acceptor)


def offer(key, inviter, nonce, capability):
    return box.fill(bytes([OFFER]) + inviter + nonce + box.seal(key, nonce, b"", capability))


def confirm(key, nonce, capability):
    return box.fill(bytes([CONFIRM]) + nonce + box.seal(key, nonce, b"", capability))


def message(text, kind, length):
    """What is behind the first byte of a message, which must be of that kind."""
    require(text[0] in (HELLO, OFFER, CONFIRM), "unknown")
    require(text[0] == kind and not any(text[length:]), "syntax")
    return text[1:length]


def read_hello(text):
    return message(text, HELLO, 33)


def open_capability(key, nonce, sealed):
    capability = box.unseal(key, nonce, b"", sealed)
    assert len(capability) == CAPABILITY_LEN
    box.reader(capability)
    return capability


def read_offer(text, code, acceptor_secret):
    """The inviter's key, its capability, and the keys."""
    m = message(text, OFFER, 145)
    inviter = m[:32]
    found = keys(code, acceptor_secret, inviter, inviter, public(acceptor_secret))
    return inviter, open_capability(found.offer_key, m[32:56], m[56:]), found


def read_confirm(text, code, inviter_secret, acceptor):
    m = message(text, CONFIRM, 113)
    found = keys(code, inviter_secret, acceptor, public(inviter_secret), acceptor)
    return open_capability(found.confirm_key, m[:24], m[24:])


# --- 7. The safety number ---

def digits_hash(safety):
    return hash_(64, b"tidemill.digits1", b"", safety)


def safety_number(safety):
    h = digits_hash(safety)
    return " ".join(f"{int.from_bytes(h[5 * k:5 * k + 5], 'big') % 100_000:05}" for k in range(12))
