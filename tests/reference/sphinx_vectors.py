"""The cases of tests/vectors/sphinx.json."""
import primitives as p
import sphinx as s
from errors import refusal

RFC7748 = [  # sections 5.2 and 6.1
    ("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
     "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
     "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"),
    ("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
     "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
     "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"),
    ("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
     "0900000000000000000000000000000000000000000000000000000000000000",
     "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"),
    ("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
     "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
     "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"),
]
DELAYS = [0, 1, 250, 86_399_999, 86_400_000]


# --- low order, both forms of the curve ---

def torsion():
    """The eight Ed25519 points whose order divides 8."""
    y = 2
    while True:  # L times any point is one of them; take the first of order 8
        y += 1
        point = p.ed_decode(p.le(y))
        t = point and p.ed_mul(p.L, point)
        if t and p.ed_mul(4, t) != p.IDENTITY:
            return [p.ed_mul(i, t) for i in range(8)]


def low_order_elements():
    """Every canonical u for which X25519 gives zero: 0, 1, -1 and the two of order 8."""
    eighth = [(1 + y) * pow(1 - y, -1, p.P) % p.P for y in {t[1] for t in torsion()[1::2]}]
    return [("0", 0), ("1", 1), ("p - 1", p.P - 1)] + [(f"order 8, {i}", u) for i, u in enumerate(sorted(eighth))]


def bad_points(rand):
    t = torsion()
    good = p.ed_decode(s.mix_point(rand("bad points", 32)))
    flip = lambda point: bytes(point[:31]) + bytes([point[31] ^ 0x80])
    cases = [("identity", p.ed_encode(t[0])), ("identity with sign bit", flip(p.ed_encode(t[0])))]
    cases += [(f"low order: {i} times a point of order 8", p.ed_encode(t[i])) for i in range(1, 8)]
    cases += [("order 2 with sign bit", flip(p.ed_encode(t[4])))]
    cases += [(f"mixed order: with {i} times a point of order 8", p.ed_encode(p.ed_add(good, t[i])))
              for i in range(1, 8)]
    for i in range(19):
        where = "on the curve" if p.ed_decode(p.le(i)) else "not on the curve"
        cases += [(f"y = p + {i}, {where}", p.le(p.P + i)), (f"y = p + {i} with sign bit", flip(p.le(p.P + i)))]
    off = next(y for y in range(2, 99) if p.ed_decode(p.le(y)) is None)
    cases += [("not on the curve", p.le(off)), ("not on the curve, large", off_curve(rand))]
    assert not any(p.is_valid_point(point) for _, point in cases)
    return [{"name": name, "point": point, "error": "point"} for name, point in cases]


def off_curve(rand):
    i = 0
    while p.ed_decode(candidate := rand(f"off curve {i}", 32)) or p.from_le(candidate) & (2**255 - 1) >= p.P:
        i += 1
    return candidate


# --- primitives ---

def primitives(rand):
    x = []
    for k, u, out in (map(bytes.fromhex, row) for row in RFC7748):
        assert p.x25519(k, u) == out
        x.append({"name": "RFC 7748", "scalar": k, "u": u, "out": out})
    for i in range(4):
        k, u = rand(f"x25519 k {i}", 32), rand(f"x25519 u {i}", 32)
        x.append({"name": "random u, on the curve or its twist", "scalar": k, "u": u, "out": p.x25519(k, u)})
    for name, u in low_order_elements():
        x.append({"name": "low order: " + name, "scalar": k, "u": p.le(u), "out": p.x25519(k, p.le(u))})
    hashes = [hash_case(rand, *a) for a in ((16, 0, 32, 265), (32, 0, 64, 2048), (64, 16, 0, 96), (64, 16, 32, 0),
                                            (64, 16, 0, 128), (64, 16, 0, 129), (20, 16, 1, 1))]
    streams = [(k := rand(f"stream {n}", 32), n) for n in (1, 63, 64, 65, 265, 318, 2048)]
    blocks = [(rand(f"lioness key {n}", 192), rand(f"lioness {n}", n)) for n in (288, 2080)]
    secrets = [p.le(p.clamp(rand(f"point {i}", 32))) for i in range(4)]
    reply_keys = [rand(f"reply key {i}", 32) for i in range(2)]
    return {
        "x25519": x,
        "hash": hashes,
        "stream": [{"key": k, "length": n, "out": p.stream(k, n)} for k, n in streams],
        "lioness": [{"key": k, "plain": m, "cipher": s.lioness(k, m)} for k, m in blocks],
        "points": [{"secret": k, "point": s.mix_point(k), "x25519": p.x25519(k, p.le(9))} for k in secrets],
        "bad_points": bad_points(rand),
        "reply_keys": [{"reply_key": k, "lioness_key": s.reply_key_expand(k)} for k in reply_keys],
    }


def hash_case(rand, n, salt_len, key_len, m_len):
    label = f"hash {n} {salt_len} {key_len} {m_len}"
    salt, personal = rand(label + " salt", salt_len), b"tidemill.vectors" if salt_len else b""
    key, m = rand(label + " key", key_len), rand(label, m_len)
    return {"length": n, "personal": personal.decode(), "salt": salt, "key": key, "message": m,
            "out": p.blake2b(n, m, key, salt, personal)}


# --- whole packets ---

def relays(rand, label, n):
    """n secrets and the path through them."""
    secrets = [p.le(p.clamp(rand(f"{label} mix {i}", 32))) for i in range(n)]
    path = [s.Hop(rand(f"{label} identity {i}", 32), s.mix_point(k), DELAYS[i]) for i, k in enumerate(secrets)]
    return secrets, path


def path_case(secrets, path):
    return [{"identity": hop.identity, "secret": k, "point": hop.point, "x25519": p.point_to_x25519(hop.point),
             "delay": hop.delay} for k, hop in zip(secrets, path)]


def hop_case(hop):
    keys = hop["keys"]
    return {"alpha": hop["alpha"], "shared": hop["shared"], "k": keys.k, "mac_key": keys.mac_key,
            "stream_key": keys.stream_key, "blind": keys.blind, "replay_tag": keys.replay_tag,
            "payload_key": keys.payload_key, "filler": hop.get("filler", b""), "block": hop["block"],
            "beta": hop["beta"], "gamma": hop["gamma"]}


def walk(secrets, path, header, packet, body_len):
    """The packet through every relay; what the relays see agrees with what the sender computed."""
    out = []
    for i, (secret, hop) in enumerate(zip(secrets, header.hops)):
        assert packet[:s.HEADER_LEN] == hop["alpha"] + hop["beta"] + hop["gamma"]
        seen = s.process_header(secret, packet, body_len)
        assert (seen.keys, seen.shared, seen.block) == (hop["keys"], hop["shared"], hop["block"])
        packet, verdict = s.process_body(seen)
        assert verdict is None and seen.delay == path[i].delay
        step = {"command": s.COMMAND_NAMES[seen.command], "delay": seen.delay}
        if seen.command == s.FORWARD:
            assert seen.next == path[i + 1].identity
            step["next"] = seen.next
        if seen.command == s.REPLY:
            step.update(session=seen.next[:16], surb_id=seen.next[16:])
        out.append({**step, "packet": packet})
    return out


def forward_case(rand, n, body_len):
    label = f"forward {n} {body_len}"
    secrets, path = relays(rand, label, n)
    random, body = rand(label + " random", s.CREATE_RANDOM_LEN), rand(label + " body", body_len)
    header = s.create_header(path, s.DELIVER, None, random)
    packet = s.create_packet(header, body)
    steps = walk(secrets, path, header, packet, body_len)
    assert steps[-1]["packet"] == bytes(s.HEADER_LEN + s.TAG_LEN) + body
    return {"name": f"{n} hops, deliver", "body_length": body_len, "path": path_case(secrets, path),
            "random": random, "hops": [hop_case(hop) for hop in header.hops], "body": body, "packet": packet,
            "steps": steps}


def reply_case(rand, n, body_len):
    label = f"reply {n} {body_len}"
    secrets, path = relays(rand, label, n)
    random, body = rand(label + " random", s.CREATE_RANDOM_LEN), rand(label + " body", body_len)
    session, surb_id, reply_key = rand(label + " session", 16), rand(label + " id", 16), rand(label + " key", 32)
    surb, header = s.create_surb(path, session, surb_id, reply_key, random)
    first, packet = s.use_surb(surb, body)
    assert first == path[0].identity
    steps = walk(secrets, path, header, packet, body_len)
    assert s.open_reply(header.payload_keys, reply_key, steps[-1]["packet"][s.HEADER_LEN:]) == body
    return {"name": f"{n} hops, reply", "body_length": body_len, "path": path_case(secrets, path), "random": random,
            "session": session, "surb_id": surb_id, "reply_key": reply_key,
            "reply_lioness_key": s.reply_key_expand(reply_key), "hops": [hop_case(hop) for hop in header.hops],
            "surb": surb, "body": body, "packet": packet, "steps": steps, "opened": body}


# --- what must be refused ---

class Negative:
    """Collects cases; each is checked against the reference before it is written."""

    def __init__(self, rand, body_len):
        self.rand, self.body_len = rand, body_len
        self.secrets, self.path = relays(rand, "negative", 3)
        self.header = self.make(self.path, s.DELIVER)
        self.packet = s.create_packet(self.header, rand("negative body", body_len))
        self.headers, self.bodies, self.open = [], [], []

    def make(self, path, command):
        return s.create_header(path, command, None, self.rand("negative random", s.CREATE_RANDOM_LEN), limit=False)

    def add(self, name, packet, error, secret=None):
        secret = secret or self.secrets[0]
        assert refusal(s.process_header, secret, packet, self.body_len) == error, name
        self.headers.append({"name": name, "body_length": self.body_len, "secret": secret, "packet": packet,
                             "error": error})

    def flip(self, offset, bit=0, packet=None):
        packet = bytearray(packet or self.packet)
        packet[offset] ^= 1 << bit
        return bytes(packet)

    def lengths(self):
        good = self.packet
        for name, packet in (("empty", b""), ("one byte", good[:1]), ("header only", good[:s.HEADER_LEN]),
                             ("one byte short", good[:-1]), ("one byte long", good + b"\0"),
                             ("twice as long", good + good)):
            self.add("length: " + name, packet, "length")

    def elements(self):
        tail = self.packet[32:]
        for i in range(19):
            self.add(f"alpha = p + {i}", p.le(p.P + i) + tail, "noncanonical")
        self.add("the good alpha with its top bit set", self.flip(31, 7), "noncanonical")
        for name, u in low_order_elements():
            self.add(f"alpha of low order: {name}", p.le(u) + tail, "low-order")
            self.add(f"alpha of low order with top bit: {name}", p.le(u | 1 << 255) + tail, "noncanonical")

    def macs(self):
        for field, offsets in (("alpha", (0, 15)), ("beta", (32, 85, 164, 296)), ("gamma", (297, 304, 312))):
            for offset in offsets:
                self.add(f"{field}: lowest bit of byte {offset} flipped", self.flip(offset), "mac")
        self.add("gamma: highest bit of byte 312 flipped", self.flip(312, 7), "mac")
        self.add("zero gamma", self.packet[:297] + bytes(16) + self.packet[313:], "mac")
        self.add("another relay's packet", self.packet, "mac", self.secrets[1])

    def commands(self):
        for command in (0, 4, 0x81, 255):
            header = self.make(self.path[:1], command)
            self.add(f"command {command} at the last hop", s.create_packet(header, bytes(self.body_len)), "command")
        for delay in (s.DELAY_MAX + 1, 2**31, 2**32 - 1):
            late = s.Hop(self.path[0].identity, self.path[0].point, delay)
            for n, name in ((1, "deliver"), (3, "forward")):
                header = self.make([late] + self.path[1:n], s.DELIVER)
                self.add(f"delay {delay} in {name}", s.create_packet(header, bytes(self.body_len)), "command")

    def add_body(self, name, packet, errors):
        case = {"name": name, "body_length": self.body_len, "secrets": self.secrets, "packet": packet, "steps": []}
        for secret in self.secrets:
            packet, verdict = s.process_body(s.process_header(secret, packet, self.body_len))
            case["steps"].append({"packet": packet, "error": verdict})
        assert [step["error"] for step in case["steps"]] == errors
        self.bodies.append(case)
        return packet

    def tags(self):
        for offset in (313, 344, 345, s.HEADER_LEN + s.TAG_LEN + self.body_len - 1):
            self.add_body(f"payload: lowest bit of byte {offset} flipped on the way", self.flip(offset),
                          [None, None, "tag"])

    def tagged_reply(self):
        """No relay can see it; whoever opens it does."""
        session, surb_id, reply_key = (self.rand("negative reply " + x, n) for x, n in
                                       (("session", 16), ("id", 16), ("key", 32)))
        surb, header = s.create_surb(self.path, session, surb_id, reply_key,
                                     self.rand("negative reply random", s.CREATE_RANDOM_LEN))
        packet = s.use_surb(surb, self.rand("negative reply body", self.body_len))[1]
        last = self.add_body("reply: lowest bit of byte 345 flipped on the way, handed on all the same",
                             self.flip(345, packet=packet), [None, None, None])
        args = header.payload_keys, reply_key, last[s.HEADER_LEN:]
        assert refusal(s.open_reply, *args) == "tag"
        self.open.append({"name": "changed on its way", "body_length": self.body_len, "payload_keys": args[0],
                          "reply_key": args[1], "payload": args[2], "error": "tag"})


def open_errors(rand, case):
    """A reply changed after its last relay does not open."""
    keys, delta = [hop["payload_key"] for hop in case["hops"]], case["steps"][-1]["packet"][s.HEADER_LEN:]
    last = bytearray(delta)
    last[-1] ^= 1
    cases = [("last bit of the payload flipped", keys, case["reply_key"], bytes(last)),
             ("another reply key", keys, rand("another reply key", 32), delta),
             ("hops in the wrong order", keys[::-1], case["reply_key"], delta)]
    for name, *args in cases:
        assert refusal(s.open_reply, *args) == "tag", name
    return [{"name": name, "body_length": case["body_length"], "payload_keys": k, "reply_key": r, "payload": d,
             "error": "tag"} for name, k, r, d in cases]


def create_errors(rand):
    secrets, path = relays(rand, "create", 5)
    bad = s.Hop(path[1].identity, p.ed_encode(p.ed_add(p.ed_decode(path[1].point), torsion()[1])), 1)
    low = s.Hop(path[1].identity, p.ed_encode(torsion()[4]), 1)
    late = s.Hop(path[2].identity, path[2].point, s.DELAY_MAX + 1)
    cases = [("no hop", [], "hops"), ("six hops", path + path[:1], "hops"),
             ("mixed-order point", [path[0], bad], "point"), ("low-order point", [path[0], low, path[2]], "point"),
             ("delay over the limit", path[:2] + [late], "delay"),
             ("delay over the limit behind a bad point", [bad, late], "delay")]
    for name, hops, error in cases:
        random = rand("create random", s.CREATE_RANDOM_LEN)
        assert refusal(s.create_header, hops, s.DELIVER, None, random) == error, name
    return [{"name": name, "path": [vars(hop) for hop in hops], "error": error} for name, hops, error in cases]


def replays(rand, body_len):
    """Same header, other payload: the same replay tag."""
    secrets, path = relays(rand, "replay", 2)
    header = s.create_header(path, s.DELIVER, None, rand("replay random", s.CREATE_RANDOM_LEN))
    packets = [s.create_packet(header, rand(f"replay body {i}", body_len)) for i in range(2)]
    tags = [s.process_header(secrets[0], packet, body_len).keys.replay_tag for packet in packets]
    assert tags[0] == tags[1]
    return [{"name": "the same header with another payload", "body_length": body_len, "secret": secrets[0],
             "packets": packets, "replay_tag": tags[0], "error": "replay"}]


def make(rand):
    full, small = 2048, 256
    replies = [reply_case(rand, n, full) for n in range(1, 6)] + [reply_case(rand, 3, small)]
    negative = Negative(rand, small)
    for step in (negative.lengths, negative.elements, negative.macs, negative.commands, negative.tags,
                 negative.tagged_reply):
        step()
    at_full = Negative(rand, full)
    at_full.lengths()
    at_full.macs()
    at_full.tags()
    return {
        "specification": "doc/spec/packet.md",
        "primitives": primitives(rand),
        "forward": [forward_case(rand, n, full) for n in range(1, 6)] + [forward_case(rand, 3, small)],
        "reply": replies,
        "refused": {
            "create": create_errors(rand),
            "headers": negative.headers + at_full.headers,
            "replay": replays(rand, small),
            "bodies": negative.bodies + at_full.bodies,
            "open": open_errors(rand, replies[-1]) + negative.open,
        },
    }
