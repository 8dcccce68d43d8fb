"""The cases of tests/vectors/box.json."""
import hashlib

import box as b
import box_records
import box_refused
import primitives as p
from box_records import short


# --- sequences and boxes ---

def sequence_case(rand, name, seed, first, indices):
    writer = b.Writer(seed, first)
    out = {"name": name, "seed": seed, "first": first, "a": p.le(writer.a), "A": writer.point,
           "prefix": writer.prefix, "indices": []}
    for index in indices:
        writer.advance(index)
        reader = b.reader(writer.capability())
        assert reader.id() == p.ed_encode(p.ed_mul(writer.scalar(), p.BASE))
        out["indices"].append({"index": index, "chain": writer.chain, "h": p.le(writer.blinding()),
                               "a": p.le(writer.scalar()), "id": reader.id(), "key": writer.key(),
                               "capability": writer.capability()})
    return out


def sequences(rand):
    known = bytes([0x42]) * 32
    return [
        sequence_case(rand, "the known answers of the specification", known, 1, [1, 2, 3]),
        sequence_case(rand, "from zero, as bulk", rand("bulk seed", 32), 0, [0, 1, 2, 47]),
        sequence_case(rand, "a slot of our time", rand("slot seed", 32), 59_849_753, [59_849_753, 59_849_760]),
        sequence_case(rand, "an index of more than four bytes", rand("large seed", 32), 2**53 - 1000,
                      [2**53 - 1000, 2**53 - 1]),
        sequence_case(rand, "seed of zeros", bytes(32), 7, [7, 1007]),
    ]


def box_case(name, seed, first, index, text, nonce, x):
    writer = b.Writer(seed, first)
    writer.advance(index)
    own, sealed, r, signature = writer.seal(text, nonce, x)
    assert b.open_box(b.reader(writer.capability()), sealed, signature) == text
    return {"name": name, "seed": seed, "first": first, "index": index, "text": short(text), "nonce": nonce, "x": x,
            "capability": writer.capability(), "id": own, "key": writer.key(), "r": p.le(r), "box": sealed,
            "signature": signature}


def boxes(rand):
    seed, text = rand("box seed", 32), rand("box text", b.TEXT_LEN)
    nonce, x = rand("box nonce", 24), rand("box x", 32)
    return [
        box_case("the known answer of the specification", bytes([0x42]) * 32, 1, 3, b"\x5a" * b.TEXT_LEN,
                 b"\x17" * 24, b"\x17" * 32),
        box_case("random text", seed, 1000, 1001, text, nonce, x),
        box_case("the same at the next index", seed, 1000, 1002, text, nonce, x),
        box_case("the same with another x: only the signature differs", seed, 1000, 1001, text, nonce,
                 rand("other x", 32)),
        box_case("the same with another nonce", seed, 1000, 1001, text, rand("other nonce", 24), x),
        box_case("no records", seed, 1000, 1001, b.fill(b""), nonce, x),
        box_case("everything zero", bytes(32), 0, 0, b.fill(b""), bytes(24), bytes(32)),
    ]


def bulk_case(rand, name, size):
    seed, message = rand(f"bulk {size} seed", 32), rand(f"bulk {size}", size)
    writer, pieces = b.Writer(seed, 0), []
    capability = writer.capability()
    for index, text in enumerate(b.pieces(message)):
        writer.advance(index)
        nonce, x = rand(f"bulk {size} nonce {index}", 24), rand(f"bulk {size} x {index}", 32)
        own, sealed, _, signature = writer.seal(text, nonce, x)
        pieces.append({"text": short(text), "nonce": nonce, "x": x, "id": own, "box": sealed, "signature": signature})
    assert len(pieces) == -(-size // b.TEXT_LEN)
    return {"name": name, "seed": seed, "size": size, "hash": hashlib.blake2b(message, digest_size=32).digest(),
            "capability": capability, "message": message, "pieces": pieces}


def bulks(rand):
    return [bulk_case(rand, name, size) for name, size in (
        ("one byte", 1), ("one full piece", 1432), ("one byte more", 1433), ("three pieces", 3000))]


# --- ids that nobody waits for; stores ---

def decoys(rand):
    cases = [("random", rand(f"decoy {i}", 64)) for i in range(3)]
    cases += [("all ones", b"\xff" * 64), ("one", p.le(1, 64)), ("zero", bytes(64)), ("L", p.le(p.L, 64)),
              ("a multiple of L", p.le(p.L * 5**100, 64)), ("2^511", p.le(2**511, 64))]
    return [{"name": name, "random": x, "id": b.decoy_id(x)} for name, x in cases]


def store_case(name, own, identities):
    return {"name": name, "id": own, "identities": identities, "ranks": [b.rank(own, i) for i in identities],
            "stores": b.stores(own, identities)}


def store_cases(rand):
    four = [bytes([i]) * 32 for i in (1, 2, 3, 4)]
    many = [rand(f"store {i}", 32) for i in range(9)]
    own = b.decoy_id(rand("stores id", 64))
    known = b.Writer(bytes([0x42]) * 32, 1)
    known.advance(3)
    out = [store_case("the known answer of the specification", known.id(), four),
           store_case("the same in another order", known.id(), four[::-1]),
           store_case("two", own, many[:2]), store_case("two, in the other order", own, many[1::-1])]
    out += [store_case(f"of {n}", b.decoy_id(rand(f"stores id {n}", 64)), many[:n]) for n in range(3, 10)]
    before = b.stores(own, many[:8])
    out += [store_case("eight", own, many[:8]), store_case("one more: nothing moves, or one store", own, many)]
    assert len(set(b.stores(own, many)) - set(before)) <= 1
    return out


# --- requests and answers ---

def request_cases(rand):
    fields = {"surb": rand("request surb", b.SURB_LEN), "id": b.decoy_id(rand("request id", 64)),
              "signature": rand("request signature", 64), "box": rand("request box", b.BOX_LEN)}
    out = []
    for name, op, token in (("put", b.PUT, bytes(b.TOKEN_LEN)), ("get", b.GET, bytes(b.TOKEN_LEN)),
                            ("put with a token: the parser takes any", b.PUT, rand("token", b.TOKEN_LEN)),
                            ("get with a token", b.GET, b"\xff" * b.TOKEN_LEN)):
        body = b.request(op, token, fields["surb"], fields["id"], fields["signature"], fields["box"])
        assert b.parse_request(body) == {"op": op, "token": token, **fields}
        out.append({"name": name, "op": op, "token": token, **fields, "body": body})
    return out


def answer_cases(rand):
    own = b.decoy_id(rand("answer id", 64))
    content = {"signature": rand("answer signature", 64), "box": rand("answer box", b.BOX_LEN)}
    names = ["", "stored", "found", "missing", "refused", "conflict", "full", "failed", "work"]
    out = []
    for op in (b.PUT, b.GET):
        for status in b.ALLOWED[op]:
            found = content if status == b.FOUND else {"work": 23} if status == b.WORK else {}
            case = {"op": op, "status": status, "id": own, **found}
            body = b.answer(op, status, own, **found)
            assert b.parse_answer(body) == case
            out.append({"name": f"{'put' if op == b.PUT else 'get'}: {names[status]}", **case, "body": body})
    return out


# --- work ---

def work_case(name, store, epoch, own, nonce):
    return {"name": name, "store": store, "epoch": epoch, "id": own, "nonce": p.be(nonce, 8),
            "hash": b.work_hash(store, epoch, own, nonce), "bits": b.work_bits(store, epoch, own, nonce)}


def exactly(store, epoch, own, bits):
    nonce = b.work_search(store, epoch, own, bits)
    while b.work_bits(store, epoch, own, nonce) != bits:
        nonce = b.work_search(store, epoch, own, bits, nonce + 1)
    return nonce


def work_cases(rand):
    store, other = rand("work store", 32), rand("work other store", 32)
    own, next_id = b.decoy_id(rand("work id", 64)), b.decoy_id(rand("work next id", 64))
    epoch = 20783
    out = [work_case(f"exactly {n} bits", store, epoch, own, exactly(store, epoch, own, n))
           for n in (0, 1, 2, 7, 8, 9, 12, 13, 15, 16)]
    good = int.from_bytes(out[-1]["nonce"], "big")
    out += [work_case("nonce 0", store, epoch, own, 0), work_case("the largest nonce", store, epoch, own, 2 ** 64 - 1),
            work_case("epoch 0", store, 0, own, good),
            work_case("the proof of 16 bits at another store", other, epoch, own, good),
            work_case("in the next epoch", store, epoch + 1, own, good),
            work_case("under another id", store, epoch, next_id, good)]
    assert all(case["bits"] < 16 for case in out[-5:])
    return out


def work_searches(rand):
    """The first nonce from a given one on."""
    out = []
    for n, start in ((0, 5), (1, 0), (4, 2 ** 32 - 3), (8, 0), (11, 2 ** 63), (13, 77)):
        store, own = rand(f"search store {n}", 32), b.decoy_id(rand(f"search id {n}", 64))
        out.append({"store": store, "epoch": n, "id": own, "bits": n, "from": p.be(start, 8),
                    "nonce": p.be(b.work_search(store, n, own, n, start), 8)})
    return out


def work_steps():
    pairs = [(boxes, 1000) for boxes in (0, 499, 500, 549, 550, 599, 600, 899, 900, 949, 950, 999, 1000, 2000)]
    pairs += [(boxes, 3) for boxes in range(4)] + [(boxes, 41) for boxes in (20, 21, 22, 23, 40)] + [(0, 1), (1, 1)]
    return [{"boxes": boxes, "quota": quota, "asked": b.work_asked(boxes, quota), "taken": b.work_taken(boxes, quota)}
            for boxes, quota in pairs]


def make(rand):
    requests, answers = request_cases(rand), answer_cases(rand)
    return {
        "specification": "doc/spec/boxes.md",
        "sequences": sequences(rand),
        "boxes": boxes(rand),
        "bulk": bulks(rand),
        "decoy_ids": decoys(rand),
        "stores": store_cases(rand),
        "requests": requests,
        "answers": answers,
        "work": work_cases(rand),
        "work_searches": work_searches(rand),
        "work_steps": work_steps(),
        "records": box_records.record_cases(rand),
        "refused": box_refused.make(rand, requests, answers),
    }
