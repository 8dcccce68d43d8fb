"""The packet, from doc/spec/packet.md alone. Section numbers below are that document's."""
from dataclasses import dataclass, field

from errors import require
from primitives import (BASE, L, P, be, blake2b, clamp, ed_encode, ed_mul, from_le, is_valid_point, ladder, le,
                        point_to_x25519, stream, x25519, xor)

HOPS_MAX, BLOCK_LEN, MAC_LEN, TAG_LEN, HEADER_LEN = 5, 53, 16, 32, 313
ROUTING_LEN, STREAM_LEN = HOPS_MAX * BLOCK_LEN, (HOPS_MAX + 1) * BLOCK_LEN
CREATE_RANDOM_LEN, DELAY_MAX = 292, 86_400_000
FORWARD, DELIVER, REPLY = 1, 2, 3
COMMAND_NAMES = {FORWARD: "forward", DELIVER: "deliver", REPLY: "reply"}


# --- 3. Keys of one hop ---

@dataclass
class Keys:
    k: list           # K(0) to K(4)
    mac_key: bytes
    stream_key: bytes
    blind: bytes
    replay_tag: bytes
    payload_key: bytes


def expand(personal, count, key, message):
    return [blake2b(64, message, key=key, salt=bytes([i]) + bytes(15), personal=personal) for i in range(count)]


def hop_keys(alpha, mix_x25519, shared):
    require(shared != bytes(32), "low-order")
    k = expand(b"tidemill.sphinx1", 5, b"", alpha + mix_x25519 + shared)
    return Keys(k, k[0][:32], k[0][32:], k[1][:32], k[1][32:48], k[2] + k[3] + k[4])


def reply_key_expand(reply_key):
    """9. The LIONESS key of a reply."""
    return b"".join(expand(b"tidemill.surbkey", 3, reply_key, b""))


# --- 4. LIONESS ---

def lioness(key, block, decrypt=False):
    k1, k2, k3, k4 = key[:32], key[32:96], key[96:128], key[128:192]
    left, right = block[:32], block[32:]
    for stream_key, hash_key in ((k1, k2), (k3, k4)) if not decrypt else ((k3, k4), (k1, k2)):
        if decrypt:
            left = xor(left, blake2b(32, right, key=hash_key))
        right = xor(right, stream(xor(left, stream_key), len(right)))
        if not decrypt:
            left = xor(left, blake2b(32, right, key=hash_key))
    return left + right


# --- 5. and 6. Headers ---

@dataclass
class Hop:
    identity: bytes
    point: bytes      # mix key as an Ed25519 point
    delay: int        # milliseconds


@dataclass
class Header:
    bytes: bytes
    payload_keys: list
    hops: list = field(default_factory=list)   # every intermediate value, for the vectors


def mac(key, beta):
    return blake2b(MAC_LEN, beta, key=key)


def create_header(path, command, field32, random, limit=True):
    """path: Hops. field32: session handle | SURB identifier for REPLY, else None. limit=False skips the check of the
    delay, to make the headers that a relay must refuse."""
    n = len(path)
    require(1 <= n <= HOPS_MAX, "hops")
    require(not limit or all(hop.delay <= DELAY_MAX for hop in path), "delay")
    require(all(is_valid_point(hop.point) for hop in path), "point")
    assert len(random) == CREATE_RANDOM_LEN
    last_field = random[32:64] if field32 is None else field32
    last_tail, padding = random[64:80], random[80:80 + (HOPS_MAX - n) * BLOCK_LEN]

    # 1. the chain of elements
    scalar, alpha, hops = clamp(random[:32]), x25519(random[:32], le(9)), []
    for hop in path:
        mix = point_to_x25519(hop.point)
        shared = le(ladder(scalar % L, from_le(mix)))
        keys = hop_keys(alpha, mix, shared)
        hops.append({"alpha": alpha, "mix": mix, "shared": shared, "keys": keys})
        scalar, alpha = scalar * clamp(keys.blind), x25519(keys.blind, alpha)

    # 2. filler
    phi = b""
    for hop in hops[:-1]:
        phi += bytes(BLOCK_LEN)
        phi = xor(phi, stream(hop["keys"].stream_key, STREAM_LEN)[STREAM_LEN - len(phi):])
        hop["filler"] = phi

    # 3. and 4. from the last hop to the first
    block = bytes([command]) + be(path[-1].delay, 4) + last_field + last_tail
    m = (6 - n) * BLOCK_LEN
    beta = xor(block + padding, stream(hops[-1]["keys"].stream_key, m)) + phi
    for i in reversed(range(n)):
        keys = hops[i]["keys"]
        gamma = mac(keys.mac_key, beta)
        hops[i].update(block=block, beta=beta, gamma=gamma)
        if i > 0:
            block = bytes([FORWARD]) + be(path[i - 1].delay, 4) + path[i].identity + gamma
            beta = xor(block + beta[:212], stream(hops[i - 1]["keys"].stream_key, ROUTING_LEN))
    header = hops[0]["alpha"] + beta + gamma
    assert len(header) == HEADER_LEN
    return Header(header, [hop["keys"].payload_key for hop in hops], hops)


# --- 7. Packets ---

def create_packet(header, body):
    delta = bytes(TAG_LEN) + body
    for key in reversed(header.payload_keys):
        delta = lioness(key, delta)
    return header.bytes + delta


# --- 8. Processing ---

@dataclass
class Processed:
    keys: Keys
    shared: bytes
    block: bytes
    command: int
    delay: int
    next: bytes            # forward: identity of the next relay; reply: session handle | SURB identifier
    packet: bytes          # after the header step


def process_header(secret, packet, body_len):
    """Raises Refused; the packet then stays as it was."""
    require(len(packet) == HEADER_LEN + TAG_LEN + body_len, "length")
    alpha, beta, gamma, delta = packet[:32], packet[32:297], packet[297:313], packet[313:]
    require(from_le(alpha) < P, "noncanonical")
    shared = x25519(secret, alpha)
    require(shared != bytes(32), "low-order")
    keys = hop_keys(alpha, x25519(secret, le(9)), shared)
    require(mac(keys.mac_key, beta) == gamma, "mac")
    plain = xor(beta + bytes(BLOCK_LEN), stream(keys.stream_key, STREAM_LEN))
    block, next_beta = plain[:BLOCK_LEN], plain[BLOCK_LEN:]
    command, delay = block[0], int.from_bytes(block[1:5], "big")
    require(command in COMMAND_NAMES and delay <= DELAY_MAX, "command")
    header = bytes(HEADER_LEN)
    if command == FORWARD:
        next_alpha = x25519(keys.blind, alpha)
        require(next_alpha != bytes(32), "low-order")
        header = next_alpha + next_beta + block[37:]
    return Processed(keys, shared, block, command, delay, block[5:37], header + delta)


def process_body(processed):
    """The packet after the body step and its verdict: None or "tag"."""
    header, delta = processed.packet[:HEADER_LEN], processed.packet[HEADER_LEN:]
    delta = lioness(processed.keys.payload_key, delta, decrypt=True)
    if processed.command == DELIVER and delta[:TAG_LEN] != bytes(TAG_LEN):
        return header + bytes(len(delta)), "tag"
    return header + delta, None


# --- 9. Reply blocks ---

def create_surb(path, session_handle, surb_id, reply_key, random):
    header = create_header(path, REPLY, session_handle + surb_id, random)
    return path[0].identity + header.bytes + reply_key, header


def use_surb(surb, body):
    first, header, reply_key = surb[:32], surb[32:345], surb[345:]
    return first, header + lioness(reply_key_expand(reply_key), bytes(TAG_LEN) + body)


def open_reply(payload_keys, reply_key, delta):
    for key in reversed(payload_keys):
        delta = lioness(key, delta)
    delta = lioness(reply_key_expand(reply_key), delta, decrypt=True)
    require(delta[:TAG_LEN] == bytes(TAG_LEN), "tag")
    return delta[TAG_LEN:]


def mix_point(secret):
    """2. The published form of a mix key."""
    return ed_encode(ed_mul(clamp(secret), BASE))
