"""The cases of tests/vectors/directory.json."""
import directory as d
import primitives as p
import sphinx_vectors
from errors import refusal

FROM = 1795492800   # 2026-11-24T04:00:00Z
PARAMS = {"epoch_s": 3600, "key_grace_s": 600, "packet_hops": 5, "packet_body": 2048, "strategy": "poisson",
          "mean_delay_ms": 1000, "pool_interval_ms": 1000, "pool_min": 64, "pool_share_permille": 600, "pool_floor": 32,
          "loop_ms": 200, "dummy_ms": 0, "link_us": 0,
          "slot_ms": 30000, "slot_lag_ms": 60000, "sequences": 8, "tick_us": 500000, "request_permille": 800,
          "downlink_us": 250000, "decoy_write_permille": 500, "request_timeout_ms": 20000, "box_expiry_s": 604800,
          "work_bits": 13}
RELAYS = [("e1", ["entry"], 0, "127.0.0.1:4711"), ("m1", ["mix"], 1, "127.0.0.1:4712"),
          ("m2", ["mix"], 2, "[::1]:4713"),
          ("m3", ["mix"], 3, "192.0.2.255:65535"), ("s1", ["store"], 0, "[2001:db8::1:0:0:1]:1"),
          ("s2", ["entry", "store"], 0, "10.0.0.1:443")]
GOOD_TIME = FROM + 100


class World:
    def __init__(self, rand):
        self.rand = rand
        self.authorities = [(f"a{i}", rand(f"authority {i}", 32)) for i in range(1, 5)]
        self.keys = [d.key_of_seed(*authority) for authority in self.authorities]
        self.trust = "# four authorities, three must sign\n\n" + "".join(key.text() + "\n" for key in self.keys)
        assert d.parse_trust(self.trust.encode()) == self.keys
        self.relays = [self.relay(*spec) for spec in RELAYS]
        self.text = d.document_text(self.document()).decode()

    def seed(self, relay_name):
        return self.rand(f"relay {relay_name}", 32)

    def point(self, label):
        return p.ed_encode(p.ed_mul(p.clamp(self.rand(label, 32)), p.BASE))

    def relay(self, name, roles, layer, address):
        identity = d.key_of_seed(name, self.seed(name)).public
        epoch = FROM // PARAMS["epoch_s"]
        keys = [(epoch + i, self.point(f"{name} mix key {i}")) for i in range(2)]
        return d.Relay(name, identity, address, roles, layer, keys)

    def document(self, **changes):
        fields = {"network": "vectors", "valid_from": FROM, "valid_until": FROM + 86400, "epoch": FROM // 3600,
                  "params": PARAMS, "relays": self.relays}
        return d.Document(**{**fields, **changes})

    def sign(self, text, signers=(0, 1, 2)):
        note = text.encode("latin-1") if isinstance(text, str) else text
        note += b"\n"
        for i in signers:
            note += d.signature_line(self.keys[i], d.signature(self.authorities[i][1], note[:note.rindex(b"\n\n") + 1]))
        return note


def note_member(note):
    """Text where it can stand in JSON, else bytes."""
    try:
        text = note.decode()
        return {"note_hex": note} if "\0" in text else {"note": text}
    except UnicodeDecodeError:
        return {"note_hex": note}


def relay_case(relay):
    return {"name": relay.name, "identity": relay.identity, "address": relay.address, "roles": relay.roles,
            "layer": relay.layer, "mix_keys": [{"epoch": epoch, "point": point} for epoch, point in relay.keys]}


# --- keys and signatures ---

def key_cases(world):
    seeds = world.authorities + [("x" * 63, world.rand("long name", 32)), ("!~", world.rand("odd name", 32))]
    out = []
    for name, seed in seeds:
        key = d.key_of_seed(name, seed)
        assert d.parse_key(key.text()) == key
        out.append({"name": name, "seed": seed, "public": key.public, "id": key.id, "verifier": key.text(),
                    "signer": d.signer_text(name, seed)})
    return out


def signature_cases(world):
    out, note = [], b"One line.\nAnother one.\n"
    for name, seed in world.authorities[:2] + world.authorities[:1]:
        signed = d.sign_note(note, name, seed)
        out.append({"before": note.decode(), "name": name, "seed": seed, "after": signed.decode()})
        note = signed
    return out


def bad_key_cases(world):
    key = world.keys[0]
    name, key_id, encoded = key.text().split("+", 2)
    torsion = p.ed_encode(sphinx_vectors.torsion()[1])
    mixed = p.ed_encode(p.ed_add(p.ed_decode(key.public), sphinx_vectors.torsion()[1]))
    other_id = d.key_of_seed("a2", world.authorities[0][1]).id.hex()
    cases = [("empty", "", "syntax"), ("no key id", f"{name}+{encoded}", "syntax"),
             ("another's key id", f"{name}+{other_id}+{encoded}", "syntax"),
             ("key id in capitals", f"{name}+{key_id.upper()}+{encoded}", "syntax"),
             ("empty name", f"+{key_id}+{encoded}", "syntax"),
             ("white space behind", key.text() + " ", "syntax"),
             ("short key", "+".join((name, key_id, d.b64(b"\1" + key.public[:31]))), "syntax"),
             ("another algorithm", "+".join((name, key_id, d.b64(b"\2" + key.public))), "syntax"),
             ("long name", d.Key("x" * 64, key.public).text(), "syntax"),
             ("name with a space", d.Key("a 1", key.public).text(), "syntax"),
             ("low-order key", d.Key(name, torsion).text(), "point"),
             ("mixed-order key", d.Key(name, mixed).text(), "point"),
             ("identity element", d.Key(name, p.le(1)).text(), "point")]
    for label, text, error in cases:
        assert refusal(d.parse_key, text) == error, label
    return [{"name": label, "verifier": text, "error": error} for label, text, error in cases]


def trust_cases(world):
    k = [key.text() for key in world.keys]
    same_name = d.key_of_seed("a1", world.rand("same name", 32)).text()
    same_key = d.key_of_seed("b1", world.authorities[0][1]).text()
    many = [d.key_of_seed(f"n{i}", world.rand(f"many {i}", 32)).text() for i in range(33)]
    cases = [("one key", k[0] + "\n", None), ("without the last newline", k[0] + "\n" + k[1], None),
             ("comments and empty lines", f"# x\n\n{k[0]}\n#\n{k[1]}\n\n{k[2]}\n", None),
             ("32 keys", "\n".join(many[:32]) + "\n", None),
             ("33 keys", "\n".join(many) + "\n", "too-big"), ("16,385 bytes", "#" * 16384 + "\n", "too-big"),
             ("nothing", "", "none"), ("only a comment", "# nobody\n", "none"),
             ("a name twice", f"{k[0]}\n{same_name}\n", "twice"), ("a key twice", f"{k[0]}\n{same_key}\n", "twice"),
             ("a line twice", f"{k[0]}\n{k[0]}\n", "twice"),
             ("carriage return", k[0] + "\r\n", "syntax"), ("indented", " " + k[0] + "\n", "syntax"),
             ("two keys on a line", f"{k[0]} {k[1]}\n", "syntax"), ("rubbish", "hello\n", "syntax")]
    out = []
    for name, text, error in cases:
        assert refusal(d.parse_trust, text.encode()) == error, name
        count = len(d.parse_trust(text.encode())) if error is None else 0
        out.append({"name": name, "trust": text, "error": error, "count": count,
                    "needed": d.needed(count) if count else 0})
    return out


# --- documents ---

def document_case(world, name, note, error, now=GOOD_TIME):
    assert refusal(d.open_document, note, world.keys, now) == error, (name, error)
    case = {"name": name, **note_member(note), "now": now, "error": error}
    if error is None:
        doc, good = d.open_document(note, world.keys, now)
        case.update(digest=d.digest(note), good=len(good), network=doc.network, valid_from=doc.valid_from,
                    valid_until=doc.valid_until, epoch=doc.epoch, params=doc.params,
                    relays=[relay_case(relay) for relay in doc.relays])
    return case


def good_documents(world):
    text, sign = world.text, world.sign
    opt = text.replace("\nnetwork", "\nopt-a\nopt-b x y\nopt-b\nnetwork").replace("\nroles", "\nopt-3- -\nroles") \
        .replace("\nend\n", "\nend\nopt-end tidemill relay\n") + "opt-" + "x" * 27 + " " + "y" * 992 + "\n"
    stranger = d.signature_line(d.Key("witness/1", b"\7" * 32), b"\1")
    other_id = d.signature_line(d.key_of_seed("a1", world.rand("new key of a1", 32)), bytes(64))
    longest = d.signature_line(d.Key("w" * 63, b"\7" * 32), bytes(1020))
    rekeyed = world.document(params={**PARAMS, "strategy": "timed-pool", "epoch_s": 2592000, "key_grace_s": 86400,
                                     "request_permille": 1000,
                                     "loop_ms": 10, "dummy_ms": 3600000, "link_us": 100}, epoch=FROM // 2592000,
                             network="n" * 31, valid_until=FROM + d.VALID_MAX)
    note = sign(text)
    lines = note[note.rindex(b"\n\n") + 2:].splitlines(keepends=True)
    cases = [("signed by three of four", note, GOOD_TIME), ("signed by all", sign(text, range(4)), GOOD_TIME),
             ("first second", note, FROM), ("last second", note, FROM + 86399),
             ("a good line twice", note + lines[1], GOOD_TIME),
             ("lines by strangers", note + stranger + other_id + longest, GOOD_TIME),
             ("a stranger first", note[:-sum(map(len, lines))] + stranger + b"".join(lines), GOOD_TIME),
             ("64 lines", note + stranger * 61, GOOD_TIME),
             ("fields of the future", sign(opt), GOOD_TIME),
             ("192 mix keys", sign(many_keys(world, 192)), GOOD_TIME),
             ("other parameters, longest validity", sign(d.document_text(rekeyed)), FROM + d.VALID_MAX - 1)]
    return [document_case(world, name, note, None, now) for name, note, now in cases]


def bad_signatures(world):
    text, sign, keys = world.text, world.sign, world.keys
    good = sign(text)
    split = good.rindex(b"\n\n") + 2
    lines = good[split:].splitlines(keepends=True)
    body = text.encode()
    sig = d.signature(world.authorities[0][1], body)
    s_plus_l = sig[:32] + p.le(p.from_le(sig[32:]) + p.L)
    line = lambda i, s: d.signature_line(keys[i], s)
    flip = lambda b, i: b[:i] + bytes([b[i] ^ 1]) + b[i + 1:]
    stranger = d.signature_line(d.Key("witness/1", b"\7" * 32), b"\1")
    last = lines[2]
    return [
        ("signed by two of four", sign(text, (0, 1)), "signature"),
        ("one authority three times", sign(text, (0, 0, 0)), "signature"),
        ("two authorities, one twice", sign(text, (0, 1, 1)), "signature"),
        ("strangers only", body + b"\n" + stranger, "signature"),
        ("a bad line by a fourth", good + line(3, flip(sig, 0)), "signature"),
        ("another's signature", good + line(3, sig), "signature"),
        ("a good line and a bad one by one authority", good + line(0, flip(sig, 63)), "signature"),
        ("S not reduced", good[:split] + line(0, s_plus_l) + lines[1] + last, "signature"),
        ("63 bytes of signature", good[:split] + line(0, sig[:63]) + lines[1] + last, "signature"),
        ("65 bytes of signature", good[:split] + line(0, sig + b"\0") + lines[1] + last, "signature"),
        ("text changed", good.replace(b"network vectors", b"network vectorz"), "signature"),
        ("signed without the last newline", body + b"\n" + b"".join(
            line(i, d.signature(world.authorities[i][1], body[:-1])) for i in range(3)), "signature"),
        ("signed with the blank line", body + b"\n" + b"".join(
            line(i, d.signature(world.authorities[i][1], body + b"\n")) for i in range(3)), "signature"),
        ("no signature lines", body + b"\n", "syntax"), ("no blank line", body, "syntax"), ("empty", b"", "syntax"),
        ("one newline", b"\n", "syntax"), ("two newlines", b"\n\n", "syntax"),
        ("no newline at the end", good[:-1], "syntax"), ("a blank line at the end", good + b"\n", "syntax"),
        ("65 lines", good + stranger * 62, "too-big"),
        ("en dash", good[:split] + b"\xe2\x80\x93" + good[split + 3:], "syntax"),
        ("hyphen", good[:split] + b"-" + good[split + 3:], "syntax"),
        ("two spaces", good + stranger.replace(b" w", b"  w"), "syntax"),
        ("space at the end", good + stranger[:-1] + b" \n", "syntax"),
        ("carriage return", good + stranger[:-1] + b"\r\n", "syntax"),
        ("a stranger's name with plus", good + stranger.replace(b"/", b"+"), "syntax"),
        ("a stranger's name of 64 characters", good + stranger.replace(b"witness/1", b"w" * 64), "syntax"),
        ("a stranger's line without signature", good + d.DASH + b" witness/1 MTIzNA==\n", "syntax"),
        ("a stranger's line too long", good + d.signature_line(d.Key("w", b"\7" * 32), bytes(1021)), "syntax"),
        ("base64 without padding", good + d.DASH + b" w MTIzNDU\n", "syntax"),
        ("base64 with unused bits", good + d.DASH + b" w MTIzNDV=\n", "syntax"),
        ("base64 of the other alphabet", good + d.DASH + b" w __--__--\n", "syntax"),
        ("base64 with more padding", good + d.DASH + b" w MTIzNDU2====\n", "syntax"),
    ]


# Texts that differ from the good one in one thing.

def changed_forms(t, one):
    return [
        ("version 2", one("document 1", "document 2"), "unknown"),
        ("a descriptor's first line", one("document 1", "descriptor 1"), "unknown"),
        ("more in the first line", one("document 1", "document 1 x"), "unknown"),
        ("unknown keyword", one("\nepoch", "\nfuture x\nepoch"), "unknown"),
        ("unknown keyword in a relay", one("\nroles", "\nkem-key 00\nroles"), "unknown"),
        ("opt- and nothing more", one("\nepoch", "\nopt-\nepoch"), "unknown"),
        ("unknown parameter", one("\nparam slot_ms", "\nparam slot_us 1\nparam slot_ms"), "unknown"),
        ("unknown parameter behind the last", one("\nrelay e1", "\nparam future 1\nrelay e1"), "unknown"),
        ("unknown role", one("roles entry\n", "roles entry exit\n"), "unknown"),
        ("opt- before the first line", "opt-x\n" + t, "syntax"),
        ("blank line in the text", one("\nepoch", "\n\nepoch"), "syntax"), ("tab", one("epoch ", "epoch\t"), "syntax"),
        ("two spaces", one("epoch ", "epoch  "), "syntax"), ("space at the end", one("\nepoch", " \nepoch"), "syntax"),
        ("carriage return", one("\nepoch", "\r\nepoch"), "syntax"), ("NUL", one("vectors", "vec\0tors"), "syntax"),
        ("not ASCII", one("vectors", "v\xc3\xa9ctors"), "syntax"), ("byte 80", one("vectors", "v\x80ctors"), "syntax"),
        ("opt- with a tab", one("\nepoch", "\nopt-x\ty\nepoch"), "syntax"),
        ("opt- line of 1,025 characters", t + "opt-x " + "y" * 1019 + "\n", "syntax"),
        ("keyword of 32 characters", t + "opt-" + "x" * 28 + "\n", "syntax"),
    ]


def changed_values(t, one):
    def swap(a, b):
        return one(a + b, b + a)

    return [
        ("network name in capitals", one("vectors", "Vectors"), "syntax"),
        ("network name of 32", one("vectors", "n" * 32), "syntax"),
        ("network name begins with a digit", one("vectors", "1n"), "syntax"),
        ("network without name", one(" vectors", ""), "syntax"),
        ("network twice", one("\nvalid-from", "\nnetwork vectors\nvalid-from"), "syntax"),
        ("valid-from missing", one("valid-from 2026-11-24T04:00:00Z\n", ""), "syntax"),
        ("valid-until first", one("valid-from 2026-11-24T04:00:00Z\nvalid-until 2026-11-25T04:00:00Z",
                                  "valid-until 2026-11-25T04:00:00Z\nvalid-from 2026-11-24T04:00:00Z"), "syntax"),
        ("time with an offset", one("T04:00:00Z", "T04:00:00+00:00"), "syntax"),
        ("time with fractions", one("T04:00:00Z", "T04:00:00.0Z"), "syntax"),
        ("30 February", one("valid-until 2026-11-25", "valid-until 2027-02-30"), "syntax"),
        ("leap second", one("valid-until 2026-11-25T04:00:00Z", "valid-until 2026-12-31T23:59:60Z"), "syntax"),
        ("24 o'clock", one("valid-until 2026-11-25T04", "valid-until 2026-11-25T24"), "syntax"),
        ("valid for no time", one("valid-until 2026-11-25", "valid-until 2026-11-24"), "syntax"),
        ("valid for 92 days and a second", one("2026-11-25T04:00:00Z", d.time_text(FROM + d.VALID_MAX + 1)), "syntax"),
        ("epoch wrong", one(f"epoch {FROM // 3600}", f"epoch {FROM // 3600 + 1}"), "syntax"),
        ("epoch with a leading zero", one("epoch ", "epoch 0"), "syntax"),
        ("epoch signed", one("epoch ", "epoch +"), "syntax"),
        ("parameter missing", one("param slot_ms 30000\n", ""), "syntax"),
        ("parameter twice", one("param slot_ms 30000\n", "param slot_ms 30000\nparam slot_ms 30000\n"), "syntax"),
        ("the last parameter twice", one("param work_bits 13\n", "param work_bits 13\n" * 2), "syntax"),
        ("too much work", one("param work_bits 13", "param work_bits 25"), "syntax"),
        ("the first parameter once more at the end", one("\nrelay e1", "\nparam epoch_s 3600\nrelay e1"), "syntax"),
        ("parameters in another order", swap("param pool_min 64\n", "param pool_share_permille 600\n"), "syntax"),
        ("parameter below its range", one("tick_us 500000", "tick_us 499"), "syntax"),
        ("parameter above its range", one("sequences 8", "sequences 257"), "syntax"),
        ("parameter of 2^32 and a bit", one("pool_min 64", "pool_min 4294967360"), "syntax"),
        ("parameter of 2^64 and a bit", one("pool_min 64", "pool_min 18446744073709551680"), "syntax"),
        ("parameter without value", one("slot_ms 30000", "slot_ms"), "syntax"),
        ("parameter with two values", one("slot_ms 30000", "slot_ms 30000 1"), "syntax"),
        ("hexadecimal parameter", one("pool_min 64", "pool_min 0x40"), "syntax"),
        ("unknown strategy", one("strategy poisson", "strategy threshold"), "syntax"),
        ("strategy as a number", one("strategy poisson", "strategy 1"), "syntax"),
        ("four hops", one("packet_hops 5", "packet_hops 4"), "syntax"),
        ("grace longer than an epoch", one("key_grace_s 600", "key_grace_s 3601"), "syntax"),
        ("loops too often", one("loop_ms 200", "loop_ms 9"), "syntax"),
        ("dummies too often", one("dummy_ms 0", "dummy_ms 1"), "syntax"),
        ("cells too often", one("link_us 0", "link_us 99"), "syntax"),
        ("cells too seldom", one("link_us 0", "link_us 1000001"), "syntax"),
        ("downlink as slow as the clock", one("downlink_us 250000", "downlink_us 500000"), "syntax"),
        ("clock slower than a link lives",
         one("slot_ms 30000\nparam slot_lag_ms 60000\nparam sequences 8\nparam tick_us 500000",
             "slot_ms 36000000\nparam slot_lag_ms 60000\nparam sequences 8\nparam tick_us 60000001"), "syntax"),
        ("boxes die before they are read", one("box_expiry_s 604800", "box_expiry_s 90"), "syntax"),
        ("too few ticks for the sequences", one("request_permille 800", "request_permille 399"), "syntax"),
    ]


def changed_relays(world, t, one):
    mix1, e1 = world.relays[1], world.relays[0]
    blocks = {relay.name: "\n".join(d.relay_text(relay)) + "\n" for relay in world.relays}
    first_key, key_line = [f"mix-key {epoch} {point.hex()}\n" for epoch, point in mix1.keys]
    e1_key, m1_key = e1.keys[0][1].hex(), mix1.keys[0][1].hex()

    def at_epoch(epoch):
        return f"mix-key {epoch} {mix1.keys[1][1].hex()}\n"

    return [
        ("relays in another order", one(blocks["m1"] + blocks["m2"], blocks["m2"] + blocks["m1"]), "syntax"),
        ("relay twice", one(blocks["m1"], blocks["m1"] * 2), "syntax"),
        ("name twice", one("relay s2", "relay s1"), "syntax"),
        ("identity twice", one(world.relays[5].identity.hex(), world.relays[4].identity.hex()), "syntax"),
        ("address twice", one("10.0.0.1:443", "127.0.0.1:4711"), "syntax"),
        ("mix key twice", one(m1_key, e1_key), "syntax"),
        ("mix key twice in a relay", one(mix1.keys[1][1].hex(), m1_key), "syntax"),
        ("no entry", one("roles entry\n", "roles store\n").replace("roles entry store", "roles store"), "syntax"),
        ("one store", one("roles entry store", "roles entry"), "syntax"),
        ("no mix in layer 2", one("layer 2", "layer 3"), "syntax"),
        ("no relays", t[:t.index("relay ")], "syntax"), ("layer missing", one("layer 1\n", ""), "syntax"),
        ("layer without mix", one("roles entry\n", "roles entry\nlayer 1\n"), "syntax"),
        ("layer 0", one("layer 1", "layer 0"), "syntax"),
        ("layer 4", one("layer 3", "layer 4"), "syntax"),
        ("roles in another order", one("roles entry store", "roles store entry"), "syntax"),
        ("role twice", one("roles entry store", "roles entry entry store"), "syntax"),
        ("roles without a role", one("roles entry\n", "roles\n"), "syntax"),
        ("no mix keys", one(first_key + key_line, ""), "syntax"),
        ("mix keys in another order", one(first_key + key_line, key_line + first_key), "syntax"),
        ("two mix keys of an epoch", one(key_line, at_epoch(mix1.keys[0][0])), "syntax"),
        ("end missing", one("end\n", ""), "syntax"), ("last end missing", t[:-4], "syntax"),
        ("end with a value", one("end\n", "end x\n"), "syntax"),
        ("hex in capitals", one(m1_key, m1_key.upper()), "syntax"),
        ("63 digits", one(m1_key, m1_key[:-1]), "syntax"), ("65 digits", one(m1_key, m1_key + "0"), "syntax"),
        ("epoch of a key too large", one(key_line, at_epoch(d.EPOCH_MAX + 1)), "syntax"),
        ("something behind the last relay", t + "network vectors\n", "syntax"),
    ]


BAD_ADDRESSES = [
    "localhost:4711", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:04711", "127.0.0.01:4711",
    "127.0.1:4711", "256.0.0.1:4711", "::1:4711", "[::1]4711", "[0:0::1]:4711", "[::0001]:4711", "[::A]:4711",
    "[fe80::1%lo]:4711", "[1::2:0:0:0:3:4]:4711", "[127.0.0.1]:4711",
    "[::ffff:127.0.0.1]:4711", "[::ffff:7f00:1]:4711", "[::7f00:1]:4711"]
BAD_POINTS = ["identity", "low order: 4 times a point of order 8", "mixed order: with 1 times a point of order 8",
              "y = p + 3, on the curve", "not on the curve"]


def many_keys(world, n):
    """The good text with n mix keys of the first mix: multiples of one."""
    first = point = p.ed_decode(world.point("many keys"))
    lines = []
    for epoch in range(n):
        lines.append(f"mix-key {epoch} {p.ed_encode(point).hex()}\n")
        point = p.ed_add(point, first)
    start = world.text.index("mix-key", world.text.index("relay m1"))
    return world.text[:start] + "".join(lines) + world.text[world.text.index("end\n", start):]


def changed_texts(world):
    """Name, note signed by three authorities, error."""
    t, mix1 = world.text, world.relays[1]

    def one(old, new):
        assert old in t, old
        return t.replace(old, new, 1)

    cases = changed_forms(t, one) + changed_values(t, one) + changed_relays(world, t, one)
    cases.append(("193 mix keys", many_keys(world, 193), "too-big"))
    cases += [("address " + address, one("127.0.0.1:4711", address), "syntax") for address in BAD_ADDRESSES]
    points = {bad["name"]: bad["point"].hex() for bad in sphinx_vectors.bad_points(world.rand)}
    for name in BAD_POINTS:
        cases.append(("mix key: " + name, one(mix1.keys[0][1].hex(), points[name]), "point"))
        cases.append(("identity: " + name, one(mix1.identity.hex(), points[name]), "point"))
    return [(name, world.sign(text), error) for name, text, error in cases]


def refused_documents(world):
    good = world.sign(world.text)
    cases = bad_signatures(world) + changed_texts(world)
    out = [document_case(world, name, note, error) for name, note, error in cases]
    out.append(document_case(world, "a second too early", good, "not-yet", FROM - 1))
    out.append(document_case(world, "over", good, "expired", FROM + 86400))
    return out


# --- descriptors ---

def descriptors(world):
    relay = world.relays[1]
    seed, text = world.seed("m1"), d.descriptor_text(relay, FROM - 5)
    good = d.sign_note(text, "m1", seed)
    resign = lambda old, new: d.sign_note(text.replace(old, new, 1), "m1", seed)
    stranger = d.signature_line(d.Key("witness/1", b"\7" * 32), b"\1")
    point = relay.keys[0][1].hex().encode()
    torsion = p.ed_encode(sphinx_vectors.torsion()[1]).hex().encode()
    two = "".join(line + "\n" for line in d.relay_text(world.relays[2]))
    cases = [
        ("good", good, None), ("with a stranger's line", good + stranger, None),
        ("with fields of the future", resign(b"\nidentity", b"\nopt-x\nidentity"), None),
        ("signed by another", d.sign_note(text, "m1", world.seed("m2")), "signature"),
        ("signed under another name", d.sign_note(text, "m2", seed), "signature"),
        ("changed", good.replace(b"4712", b"4713"), "signature"),
        ("a good line and a bad one", good + d.signature_line(d.key_of_seed("m1", seed), bytes(64)), "signature"),
        ("version 2", resign(b"descriptor 1", b"descriptor 2"), "unknown"),
        ("a document's first line", resign(b"descriptor 1", b"document 1"), "unknown"),
        ("unknown keyword", resign(b"\nidentity", b"\nfuture\nidentity"), "unknown"),
        ("published missing", resign(b"published 2026-11-24T03:59:55Z\n", b""), "syntax"),
        ("two relays", resign(b"\nend\n", b"\nend\n" + two.encode()), "syntax"),
        ("end missing", resign(b"end\n", b""), "syntax"), ("low-order mix key", resign(point, torsion), "point"),
        ("without signature", text, "syntax"),
    ]
    out = []
    for name, note, error in cases:
        assert refusal(d.open_descriptor, note) == error, (name, error)
        case = {"name": name, **note_member(note), "error": error}
        if error is None:
            got, published = d.open_descriptor(note)
            case.update(published=published, relay=relay_case(got))
        out.append(case)
    assert d.sign_note(text, "m1", seed) == good
    made = {"name": "made", "seed": seed, "published": FROM - 5, "relay": relay_case(relay), "note": good.decode()}
    return [made], out


def make(rand):
    world = World(rand)
    made, opened = descriptors(world)
    return {"specification": "doc/spec/directory.md", "keys": key_cases(world), "bad_keys": bad_key_cases(world),
            "signatures": signature_cases(world), "trusts": trust_cases(world), "trust": world.trust,
            "documents": good_documents(world), "refused": refused_documents(world), "descriptors_made": made,
            "descriptors": opened}
