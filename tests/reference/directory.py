"""Signed notes, descriptors and documents, from doc/spec/directory.md alone. Section numbers are that document's."""
import base64
import binascii
import calendar
import hashlib
import ipaddress
import re
import time
from dataclasses import dataclass, field

import nacl.bindings as sodium
import nacl.exceptions

from errors import require
from primitives import blake2b, is_valid_point

# 1. Constants
DOCUMENT_MAX, DESCRIPTOR_MAX, TRUST_MAX = 262_144, 32_768, 16_384
RELAYS_MAX, KEYS_MAX, LAYERS, STORES_MIN, AUTHORITIES_MAX, SIGNATURES_MAX = 1024, 192, 3, 2, 32, 64
NAME_MAX, SIGNER_MAX, SIGNATURE_MAX, ADDRESS_MAX, LINE_MAX = 31, 63, 1024, 63, 1024
VALID_MAX, EPOCH_MAX = 7_948_800, 253_402_300_799
DASH = "—".encode()
TICK_MAX_US = 60000000
COVER_MIN_MS = 10
LINK_MIN_US = 100


# --- 2. Signed notes ---

@dataclass(frozen=True)
class Key:
    name: str
    public: bytes

    @property
    def id(self):
        return hashlib.sha256(self.name.encode() + b"\x0a\x01" + self.public).digest()[:4]

    def text(self):
        return "+".join((self.name, self.id.hex(), b64(b"\1" + self.public)))


def b64(b):
    return base64.b64encode(b).decode()


def b64_decode(text):
    try:
        out = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        out = None
    require(out is not None and b64(out) == text, "syntax")
    return out


def require_signer_name(name):
    require(re.fullmatch(r"[!-*,-~]{1,%d}" % SIGNER_MAX, name), "syntax")


def parse_key(text):
    name, plus, rest = text.partition("+")
    key_id, plus2, encoded = rest.partition("+")
    require(plus and plus2, "syntax")
    require_signer_name(name)
    raw = b64_decode(encoded)
    require(len(raw) == 33 and raw[0] == 1, "syntax")
    key = Key(name, raw[1:])
    require(key_id == key.id.hex(), "syntax")
    require(is_valid_point(key.public), "point")
    return key


def key_of_seed(name, seed):
    return Key(name, sodium.crypto_sign_seed_keypair(seed)[0])


def signer_text(name, seed):
    return "+".join(("PRIVATE+KEY", name, key_of_seed(name, seed).id.hex(), b64(b"\1" + seed)))


def signature_line(key, signature):
    return DASH + b" " + key.name.encode() + b" " + b64(key.id + signature).encode() + b"\n"


def signature(seed, text):
    return sodium.crypto_sign(text, sodium.crypto_sign_seed_keypair(seed)[1])[:64]


def sign_note(note_or_text, name, seed):
    """Adds or replaces the signature line of that key."""
    key = key_of_seed(name, seed)
    text, lines = note_or_text, []
    if b"\n\n" in note_or_text:
        text, lines = split_note(note_or_text)
    kept = [line for line in lines if parse_line(line)[:2] != (key.name, key.id)]
    return text + b"\n" + b"".join(line + b"\n" for line in kept) + signature_line(key, signature(seed, text))


def split_note(note):
    """Text, and the signature lines without their newlines."""
    at = note.rfind(b"\n\n")
    require(at >= 0, "syntax")
    text, rest = note[:at + 1], note[at + 2:]
    require(rest.endswith(b"\n"), "syntax")
    return text, rest[:-1].split(b"\n")


def parse_line(line):
    match = re.fullmatch(DASH + rb" ([!-*,-~]{1,63}) ([A-Za-z0-9+/=]+)", line)
    require(match, "syntax")
    raw = b64_decode(match[2].decode())
    require(5 <= len(raw) <= SIGNATURE_MAX, "syntax")
    return match[1].decode(), raw[:4], raw[4:]


def verifies(public, text, sig):
    try:
        sodium.crypto_sign_open(sig + text, public)
        return True
    except nacl.exceptions.BadSignatureError:
        return False


def open_note(note, keys):
    """The text and the set of keys that signed it well."""
    text, lines = split_note(note)
    require(len(lines) <= SIGNATURES_MAX, "too-big")
    signed = [parse_line(line) for line in lines]
    good = set()
    for key in keys:
        for name, key_id, sig in signed:
            if (name, key_id) == (key.name, key.id):
                require(len(sig) == 64 and verifies(key.public, text, sig), "signature")
                good.add(key)
    return text, good


# --- 3. Lines ---

PARAMS = [  # 6.
    ("epoch_s", 10, 2592000), ("key_grace_s", 1, 86400), ("packet_hops", 5, 5), ("packet_body", 2048, 2048),
    ("strategy", "poisson", "timed-pool"), ("mean_delay_ms", 1, 600000), ("pool_interval_ms", 10, 3600000),
    ("pool_min", 0, 1000000), ("pool_share_permille", 1, 1000), ("pool_floor", 0, 1000000), ("loop_ms", 0, 3600000),
    ("dummy_ms", 0, 3600000), ("link_us", 0, 1000000), ("slot_ms", 100, 86400000), ("slot_lag_ms", 0, 86400000), ("sequences", 1, 256), ("tick_us", 500, 600000000), ("request_permille", 1, 1000),
    ("downlink_us", 100, 600000000), ("decoy_write_permille", 0, 1000), ("request_timeout_ms", 100, 3600000),
    ("box_expiry_s", 5, 7776000), ("work_bits", 0, 24)]
PARAM_NAMES = [name for name, *_ in PARAMS]
ROLES = ["entry", "mix", "store"]
KEYWORDS = {"document": {"network", "valid-from", "valid-until", "epoch", "param"}, "descriptor": {"published"}}
BLOCK_KEYWORDS = {"relay", "identity", "address", "roles", "layer", "mix-key", "end"}


class Lines:
    """The lines of a text, opt- lines left out, read one after the other."""

    def __init__(self, text, kind):
        require(text.endswith(b"\n"), "syntax")
        self.lines, self.at = [], 0
        for i, line in enumerate(text[:-1].split(b"\n")):
            require(len(line) <= LINE_MAX, "syntax")
            match = re.fullmatch(rb"([a-z][a-z0-9-]{0,30})((?: [!-~]+)*)", line)
            require(match, "syntax")
            keyword, words = match[1].decode(), match[2].decode().split()
            if i == 0:
                require(keyword == "tidemill", "syntax")
                require(words == [kind, "1"], "unknown")
            elif not (keyword.startswith("opt-") and len(keyword) > 4):
                require(keyword in KEYWORDS[kind] | BLOCK_KEYWORDS, "unknown")
                self.lines.append((keyword, words))

    def next_is(self, keyword):
        return self.at < len(self.lines) and self.lines[self.at][0] == keyword

    def take(self, keyword, count):
        require(self.next_is(keyword), "syntax")
        words = self.lines[self.at][1]
        require(count is None or len(words) == count, "syntax")
        self.at += 1
        return words

    def done(self):
        return self.at == len(self.lines)


def decimal(word, low, high):
    require(re.fullmatch("0|[1-9][0-9]{0,18}", word) and low <= int(word) <= high, "syntax")
    return int(word)


def parse_time(word):
    require(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", word), "syntax")
    try:
        out = calendar.timegm(time.strptime(word, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        out = None
    require(out is not None and out >= 0 and time_text(out) == word, "syntax")
    return out


def time_text(t):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))


def parse_name(word):
    require(re.fullmatch("[a-z][a-z0-9-]{0,%d}" % (NAME_MAX - 1), word), "syntax")
    return word


def parse_address(word):
    match = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([0-9]+)", word)
    require(match and len(word) <= ADDRESS_MAX, "syntax")
    decimal(match[3], 1, 65535)
    six, four = match[1], match[2]
    try:
        same = is_plain_ip6(six) if six else str(ipaddress.IPv4Address(four)) == four
    except ValueError:
        same = False
    require(same, "syntax")
    return word


def is_plain_ip6(six):
    """In the form of RFC 5952 and not one that is written with a dotted part: those are IPv4 in disguise."""
    address = ipaddress.IPv6Address(six)
    high, low = int(address) >> 32, int(address) & 2**32 - 1
    return str(address) == six and high != 0xFFFF and not (high == 0 and low >= 2**16)


def parse_hex(word):
    require(re.fullmatch("[0-9a-f]{64}", word), "syntax")
    return bytes.fromhex(word)


# --- 4. Relays and descriptors ---

@dataclass
class Relay:
    name: str
    identity: bytes
    address: str
    roles: list
    layer: int = 0
    keys: list = field(default_factory=list)      # (epoch, point)


def parse_point(word):
    point = parse_hex(word)
    require(is_valid_point(point), "point")
    return point


def parse_relay(lines):
    relay = Relay(parse_name(lines.take("relay", 1)[0]), parse_point(lines.take("identity", 1)[0]),
                  parse_address(lines.take("address", 1)[0]), lines.take("roles", None))
    require(all(role in ROLES for role in relay.roles), "unknown")
    require(relay.roles and relay.roles == [role for role in ROLES if role in relay.roles], "syntax")
    if "mix" in relay.roles:
        relay.layer = decimal(lines.take("layer", 1)[0], 1, LAYERS)
    while lines.next_is("mix-key"):
        epoch, point = lines.take("mix-key", 2)
        relay.keys.append((decimal(epoch, 0, EPOCH_MAX), parse_point(point)))
    epochs = [epoch for epoch, _ in relay.keys]
    require(len(epochs) <= KEYS_MAX, "too-big")
    require(epochs and epochs == sorted(set(epochs)), "syntax")
    lines.take("end", 0)
    return relay


def relay_text(relay):
    out = [f"relay {relay.name}", f"identity {relay.identity.hex()}", f"address {relay.address}",
           "roles " + " ".join(relay.roles)]
    out += [f"layer {relay.layer}"] if relay.layer else []
    return out + [f"mix-key {epoch} {point.hex()}" for epoch, point in relay.keys] + ["end"]


def descriptor_text(relay, published):
    return "".join(line + "\n" for line in ["tidemill descriptor 1", "published " + time_text(published)]
                   + relay_text(relay)).encode()


def open_descriptor(note):
    require(len(note) <= DESCRIPTOR_MAX, "too-big")
    text, _ = open_note(note, [])
    lines = Lines(text, "descriptor")
    published = parse_time(lines.take("published", 1)[0])
    relay = parse_relay(lines)
    require(lines.done(), "syntax")
    _, good = open_note(note, [Key(relay.name, relay.identity)])
    require(good, "signature")
    return relay, published


# --- 5. Documents ---

@dataclass
class Document:
    network: str
    valid_from: int
    valid_until: int
    epoch: int
    params: dict
    relays: list


def document_text(doc):
    out = ["tidemill document 1", f"network {doc.network}", "valid-from " + time_text(doc.valid_from),
           "valid-until " + time_text(doc.valid_until), f"epoch {doc.epoch}"]
    out += [f"param {name} {doc.params[name]}" for name in PARAM_NAMES]
    for relay in sorted(doc.relays, key=lambda relay: relay.name):
        out += relay_text(relay)
    return "".join(line + "\n" for line in out).encode()


def parse_params(lines):
    params = {}
    for name, low, high in PARAMS:
        got, value = lines.take("param", 2)
        require(got in PARAM_NAMES, "unknown")
        require(got == name, "syntax")
        if name == "strategy":
            require(value in (low, high), "syntax")
            params[name] = value
        else:
            params[name] = decimal(value, low, high)
    if lines.next_is("param"):
        require(lines.take("param", 2)[0] in PARAM_NAMES, "unknown")
        require(False, "syntax")
    p = params
    require(p["key_grace_s"] <= p["epoch_s"] and p["downlink_us"] < p["tick_us"] <= TICK_MAX_US
            and all(p[name] == 0 or p[name] >= COVER_MIN_MS for name in ("loop_ms", "dummy_ms"))
            and (p["link_us"] == 0 or p["link_us"] >= LINK_MIN_US)
            and p["box_expiry_s"] * 1000 > p["slot_ms"] + p["slot_lag_ms"]
            and p["slot_ms"] * p["request_permille"] >= 3 * p["sequences"] * p["tick_us"], "syntax")
    return params


def parse_document(text):
    lines = Lines(text, "document")
    network = parse_name(lines.take("network", 1)[0])
    valid_from = parse_time(lines.take("valid-from", 1)[0])
    valid_until = parse_time(lines.take("valid-until", 1)[0])
    epoch = decimal(lines.take("epoch", 1)[0], 0, EPOCH_MAX)
    doc = Document(network, valid_from, valid_until, epoch, parse_params(lines), [])
    require(0 < valid_until - valid_from <= VALID_MAX, "syntax")
    require(epoch == valid_from // doc.params["epoch_s"], "syntax")
    while not lines.done():
        doc.relays.append(parse_relay(lines))
    check_network(doc.relays)
    return doc


def unique(values):
    return len(values) == len(set(values))


def check_network(relays):
    require(len(relays) <= RELAYS_MAX, "too-big")
    names = [relay.name for relay in relays]
    require(names == sorted(set(names)), "syntax")
    require(unique([relay.identity for relay in relays]) and unique([relay.address for relay in relays]), "syntax")
    require(unique([point for relay in relays for _, point in relay.keys]), "syntax")
    require(any("entry" in relay.roles for relay in relays), "syntax")
    require({1, 2, 3} <= {relay.layer for relay in relays}, "syntax")
    require(sum("store" in relay.roles for relay in relays) >= STORES_MIN, "syntax")


def parse_trust(text):
    require(len(text) <= TRUST_MAX, "too-big")
    lines = [line for line in text.split(b"\n") if line and not line.startswith(b"#")]
    require(all(line.isascii() for line in lines), "syntax")
    keys = [parse_key(line.decode()) for line in lines]
    require(keys, "none")
    require(len(keys) <= AUTHORITIES_MAX, "too-big")
    require(unique([key.name for key in keys]) and unique([key.public for key in keys]), "twice")
    return keys


def needed(n):
    return 2 * n // 3 + 1


def open_document(note, authorities, now):
    require(len(note) <= DOCUMENT_MAX, "too-big")
    text, good = open_note(note, authorities)
    require(len(good) >= needed(len(authorities)), "signature")
    doc = parse_document(text)
    require(now >= doc.valid_from, "not-yet")
    require(now < doc.valid_until, "expired")
    return doc, good


def digest(note):
    return blake2b(32, note)
