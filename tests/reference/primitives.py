"""The primitives that doc/spec names, in plain Python integers.

Written from the specification for reading, not for use: nothing here takes constant time.
"""
import functools
import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493  # order of the prime-order subgroup
D = -121665 * pow(121666, -1, P) % P
IDENTITY = (0, 1)


def xor(a, b):
    if len(a) != len(b):
        raise ValueError("unequal lengths")
    return bytes(x ^ y for x, y in zip(a, b))


def le(n, length=32):
    return n.to_bytes(length, "little")


def from_le(b):
    return int.from_bytes(b, "little")


def be(n, length):
    return n.to_bytes(length, "big")


def change(data, offset, value=None):
    """The bytes from offset on replaced; without a value the lowest bit flipped."""
    value = bytes([data[offset] ^ 1]) if value is None else value
    return data[:offset] + value + data[offset + len(value):]


# --- hashes ---

def blake2b(n, m, key=b"", salt=b"", personal=b""):
    """HASH of the specification. An absent salt or personalisation is 16 zero bytes."""
    return hashlib.blake2b(m, digest_size=n, key=key, salt=salt, person=personal).digest()


# --- ChaCha20 with 8-byte nonce and 64-bit counter ---

def _rotl(x, n):
    return ((x << n) | (x >> (32 - n))) & 0xFFFFFFFF


def _quarter(s, a, b, c, d):
    for to, other, mixed, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[to] = (s[to] + s[other]) & 0xFFFFFFFF
        s[mixed] = _rotl(s[mixed] ^ s[to], turn)


def chacha20_block(key, counter, nonce=bytes(8)):
    words = [from_le(b) for b in _chunks(b"expand 32-byte k" + key + le(counter, 8) + nonce, 4)]
    s = list(words)
    for _ in range(10):
        for i in range(4):
            _quarter(s, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            _quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return b"".join(le((x + y) & 0xFFFFFFFF, 4) for x, y in zip(s, words))


def stream(key, n):
    """STREAM of the specification: the key stream from counter zero under a zero nonce."""
    return b"".join(chacha20_block(key, i) for i in range((n + 63) // 64))[:n]


def _chunks(b, n):
    return [b[i:i + n] for i in range(0, len(b), n)]


# --- Curve25519 ---

def clamp(k):
    """The clamped scalar of 32 bytes, as an integer."""
    return from_le(k) & ~7 & (2**254 - 1) | 2**254


def ladder(k, u):
    """The u coordinate of k times a point with coordinate u, for an integer k below 2^255; zero for the neutral one."""
    x1, x2, z2, x3, z3 = u % P, 1, 0, u % P, 1
    for bit in reversed(range(255)):
        if k >> bit & 1:
            x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a, b * b, d * a, c * b
        e = (aa - bb) % P
        swap = k >> bit & 1
        x2, z2, x3, z3 = aa * bb % P, e * (aa + 121665 * e) % P, (da + cb)**2 % P, x1 * (da - cb)**2 % P
        if swap:
            x2, z2, x3, z3 = x3, z3, x2, z2
    return x2 * pow(z2, P - 2, P) % P


def x25519(k, u):
    return le(ladder(clamp(k), from_le(u) & (2**255 - 1)))


# --- Ed25519's curve, affine coordinates ---

def ed_add(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    return ((x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P)


def _add_extended(a, b):
    """The same sum in the coordinates X : Y : Z : T of Hisil and others (2008), without a division."""
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    c, d, e, f = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2), 2 * D * t1 * t2 % P, 2 * z1 * z2
    g, h, i, j = d - c, f - e, f + e, d + c
    return g * h % P, i * j % P, h * i % P, g * j % P


def ed_mul(k, point):
    x, y = point
    out, base = (0, 1, 1, 0), (x, y, 1, x * y % P)
    for bit in reversed(range(k.bit_length())):
        out = _add_extended(out, out)
        if k >> bit & 1:
            out = _add_extended(out, base)
    inverse = pow(out[2], -1, P)
    return out[0] * inverse % P, out[1] * inverse % P


def ed_encode(point):
    return le(point[1] | (point[0] & 1) << 255)


def ed_decode(b):
    """The curve point of a canonical encoding, or None."""
    y, sign = from_le(b) & (2**255 - 1), b[31] >> 7
    if y >= P:
        return None
    xx = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if x * x % P != xx:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != xx or (x == 0 and sign):
        return None
    return (P - x if x & 1 != sign else x, y)


@functools.lru_cache(maxsize=None)
def is_valid_point(b):
    """Canonical, on the curve, of prime order: what crypto_core_ed25519_is_valid_point promises."""
    point = ed_decode(b) if len(b) == 32 else None
    return point is not None and point != IDENTITY and ed_mul(L, point) == IDENTITY


BASE = ed_decode(le(4 * pow(5, -1, P) % P))


def point_to_x25519(b):
    y = ed_decode(b)[1]
    return le((1 + y) * pow(1 - y, -1, P) % P)
