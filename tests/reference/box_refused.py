"""What a store or a reader of boxes must refuse: the part "refused" of tests/vectors/box.json."""
import box as b
import box_records
import primitives as p
import sphinx_vectors
from errors import refusal
from primitives import change


# --- advancing ---

def advance_cases():
    cases = [("one back", 1000, 999, "behind"), ("to zero", 1000, 0, "behind"),
             ("one too far", 5, 10_000_006, "too-far"), ("much too far", 0, 2**53 - 1, "too-far")]
    for name, start, to, error in cases:
        assert refusal(b.Writer(bytes(32), start).advance, to) == error, name
    return [{"name": name, "from": start, "to": to, "error": error} for name, start, to, error in cases]


# --- signatures ---

def twisted_case(rand, torsion):
    """An id plus a point of small order, and a signature for which the equation of section 6 holds under it: only the
    check of the id refuses it. The writer looks for an r whose challenge is a multiple of 8."""
    writer, i = b.Writer(rand("verify seed", 32), 5), 0
    twisted = p.ed_encode(p.ed_add(p.ed_decode(writer.id()), torsion))
    box = rand("twisted box", b.BOX_LEN)
    while True:
        r = p.from_le(rand(f"twisted r {i}", 64)) % p.L
        R = p.ed_encode(p.ed_mul(r, p.BASE))
        k = b.challenge(R, twisted, b"tidemill.signed1" + box)
        if k % 8 == 0:
            return twisted, box, R + p.le((r + k * writer.scalar()) % p.L)
        i += 1


def holds_plainly(own, box, signature):
    """The bare equation, with no check of the id."""
    R, S, m = signature[:32], p.from_le(signature[32:]), b"tidemill.signed1" + box
    k = b.challenge(R, own, m)
    minus = p.ed_mul(8 * p.L - k, p.ed_decode(own))
    return p.ed_encode(p.ed_add(p.ed_mul(S, p.BASE), minus)) == R


def verify_cases(rand):
    writer = b.Writer(rand("verify seed", 32), 5)
    other = b.Writer(rand("verify other seed", 32), 5)
    own, box, r, sig = writer.seal(rand("verify text", b.TEXT_LEN), rand("verify nonce", 24), rand("verify x", 32))
    S, m = p.from_le(sig[32:]), b"tidemill.signed1" + box
    after = b.Writer(rand("verify seed", 32), 5)
    after.advance(6)
    flat = p.ed_encode(p.IDENTITY)
    zero_r = flat + p.le(b.challenge(flat, own, m) * writer.scalar() % p.L)
    order_2 = p.ed_encode(sphinx_vectors.torsion()[4])
    bent = p.ed_encode(p.ed_add(p.ed_decode(sig[:32]), sphinx_vectors.torsion()[4]))
    bent_s = p.le((r + b.challenge(bent, own, m) * writer.scalar()) % p.L)
    cases = [
        ("the id of another sequence", other.id(), box, sig, "signature"),
        ("the id of the next index", after.id(), box, sig, "signature"),
        ("the root point as id", writer.point, box, sig, "signature"),
        ("first byte of the nonce", own, change(box, 0), sig, "signature"),
        ("a byte of the ciphertext", own, change(box, 700), sig, "signature"),
        ("last byte of the tag", own, change(box, b.BOX_LEN - 1), sig, "signature"),
        ("a bit of R", own, box, change(sig, 3), "signature"),
        ("sign of R", own, box, change(sig, 31, bytes([sig[31] ^ 0x80])), "signature"),
        ("a bit of S", own, box, change(sig, 40), "signature"),
        ("S + L", own, box, sig[:32] + p.le(S + p.L), "signature"),
        ("S + 2 L", own, box, sig[:32] + p.le(S + 2 * p.L), "signature"),
        ("top bit of S", own, box, change(sig, 63, bytes([sig[63] ^ 0x80])), "signature"),
        ("S = L", own, box, sig[:32] + p.le(p.L), "signature"),
        ("zeros", own, box, bytes(64), "signature"),
        ("R is the identity, and the equation holds", own, box, zero_r, "signature"),
        ("R is the identity with sign bit", own, box, change(flat, 31, b"\x80") + zero_r[32:], "signature"),
        ("R of order 2", own, box, order_2 + sig[32:], "signature"),
        ("R plus a point of order 2: good only with the cofactor", own, box, bent + bent_s, "signature"),
        ("signed without the string in front", own, box,
         b.sign(r, writer.scalar(), own, box), "signature"),
        ("signed with the root scalar", own, box, b.sign(r, writer.a, own, m), "signature"),
        ("signed with -a", own, box, b.sign(r, p.L - writer.scalar(), own, m), "signature"),
    ]
    for i in range(1, 8):
        twisted, twist_box, twist_sig = twisted_case(rand, sphinx_vectors.torsion()[i])
        assert holds_plainly(twisted, twist_box, twist_sig)
        cases.append((f"id plus {i} times a point of order 8, and the equation holds", twisted, twist_box, twist_sig,
                      "point"))
    cases.append(("the identity as id", flat, box, sig, "point"))
    for name, *args, error in cases:
        assert refusal(b.verify, *args) == error, name
    return [{"name": name, "id": i, "box": x, "signature": s, "error": e} for name, i, x, s, e in cases]


# --- opening ---

def open_cases(rand):
    """The signature is good, the seal is not, unless the name says otherwise."""
    writer, text = b.Writer(rand("open seed", 32), 5), rand("open text", b.TEXT_LEN)
    nonce, x = rand("open nonce", 24), rand("open x", 32)
    own, box, r, sig = writer.seal(text, nonce, x)
    m = lambda sealed: b"tidemill.signed1" + sealed
    resign = lambda sealed: b.sign(r, writer.scalar(), own, m(sealed))
    sealed = lambda key, aad: nonce + b.seal(key, nonce, aad, text)
    i, capability = p.be(5, 8), writer.capability()
    later = b.Writer(rand("open seed", 32), 5)
    later.advance(6)
    changed = [("first byte of the nonce", change(box, 0)), ("last byte of the nonce", change(box, 23)),
               ("first byte of the ciphertext", change(box, 24)), ("a byte in the middle", change(box, 700)),
               ("last byte of the ciphertext", change(box, 1455)), ("first byte of the tag", change(box, 1456)),
               ("last byte of the tag", change(box, 1471)),
               ("sealed with the key of the next index", sealed(later.key(), own + i)),
               ("sealed with the chain key", sealed(writer.chain, own + i)),
               ("sealed with the index alone", sealed(writer.key(), i)),
               ("sealed with the id alone", sealed(writer.key(), own)),
               ("sealed with the next index", sealed(writer.key(), own + p.be(6, 8))),
               ("sealed with the root point for the id", sealed(writer.key(), writer.point + i)),
               ("sealed without additional data", sealed(writer.key(), b"")),
               ("everything zero", bytes(b.BOX_LEN))]
    cases = [(name, capability, bad, resign(bad), "auth") for name, bad in changed]
    cases += [("changed and not signed again", capability, change(box, 700), sig, "signature"),
              ("signature changed", capability, box, change(sig, 40), "signature"),
              ("S + L", capability, box, sig[:32] + p.le(p.from_le(sig[32:]) + p.L), "signature"),
              ("capability of the next index", later.capability(), box, sig, "signature"),
              ("capability with another index", change(capability, 71), box, sig, "signature"),
              ("capability with another chain key", change(capability, 40), box, sig, "signature"),
              ("another sequence", b.Writer(rand("open other seed", 32), 5).capability(), box, sig, "signature"),
              ("signed by somebody who has the capability only", capability, box,
               b.sign(r, b.Writer(rand("open other seed", 32), 5).scalar(), own, m(box)), "signature")]
    for name, *args, error in cases:
        assert refusal(lambda c, x, s: b.open_box(b.reader(c), x, s), *args) == error, name
    return [{"name": name, "capability": c, "box": x, "signature": s, "error": e} for name, c, x, s, e in cases]


# --- requests and answers ---

def body_cases(parse, cases):
    for name, body, error in cases:
        assert refusal(parse, body) == error, name
    return [{"name": name, "body": body, "error": error} for name, body, error in cases]


def request_cases(good):
    put, get = (case["body"] for case in good[:2])
    cases = [(f"version {v}", change(put, 0, bytes([v])), "unknown") for v in (0, 2, 255)]
    cases += [(f"op {op}", change(put, 1, bytes([op])), "unknown") for op in (0, 3, 129, 255)]
    cases += [(f"{name}: byte {at} not zero", change(body, at, value), "syntax") for name, body in
              (("put", put), ("get", get)) for at, value in ((2, b"\1"), (3, b"\x80"), (2045, b"\1"), (2047, b"\x80"))]
    cases += [("everything zero", bytes(b.BODY_LEN), "unknown")]
    return body_cases(b.parse_request, cases)


def answer_cases(good):
    of = {case["name"]: case["body"] for case in good}
    found, missing, stored = of["get: found"], of["get: missing"], of["put: stored"]
    cases = [(f"version {v}", change(missing, 0, bytes([v])), "unknown") for v in (0, 2, 255)]
    cases += [(f"op {op}", change(missing, 1, bytes([op])), "unknown") for op in (0, 3, 255)]
    cases += [(f"status {s}", change(missing, 2, bytes([s])), "unknown") for s in (0, 9, 255)]
    cases += [(f"a get with status {s}", change(missing, 2, bytes([s])), "syntax")
              for s in (b.STORED, b.REFUSED, b.CONFLICT, b.FULL, b.WORK)]
    work = of["put: work"]
    cases += [(f"work: {v} bits", change(work, 3, bytes([v])), "syntax") for v in (0, 64, 255)]
    cases += [(f"work: byte {at} not zero", change(work, at, b"\1"), "syntax") for at in (36, 100, 1571, 2047)]
    cases += [("a get with work", change(work, 1, bytes([b.GET])), "syntax")]
    cases += [(f"a put with status {s}", change(body, 2, bytes([s])), "syntax")
              for s, body in ((b.FOUND, stored), (b.FOUND, change(found, 1, b"\1")), (b.MISSING, stored))]
    cases += [("byte 3 not zero", change(missing, 3, b"\1"), "syntax"),
              ("found: byte 3 not zero", change(found, 3, b"\x80"), "syntax"),
              ("found: first byte behind the box not zero", change(found, 1572, b"\1"), "syntax"),
              ("found: last byte not zero", change(found, 2047, b"\x80"), "syntax")]
    cases += [(f"{name}: byte {at} not zero", change(body, at, b"\1"), "syntax")
              for name, body in (("missing", missing), ("stored", stored), ("get failed", of["get: failed"]),
                                 ("conflict", of["put: conflict"])) for at in (36, 100, 1571, 2047)]
    cases += [("missing, but with the box", change(found, 2, bytes([b.MISSING])), "syntax"),
              ("everything zero", bytes(b.BODY_LEN), "unknown")]
    return body_cases(b.parse_answer, cases)


def make(rand, requests, answers):
    return {
        "points": sphinx_vectors.bad_points(rand),
        "advance": advance_cases(),
        "verify": verify_cases(rand),
        "open": open_cases(rand),
        "requests": request_cases(requests),
        "answers": answer_cases(answers),
        "records": box_records.refused_cases(rand),
    }
