"""The cases of tests/vectors/pairing.json."""
import box
import pairing as g
import primitives as p
import sphinx_vectors
from box_records import short
from errors import refusal
from primitives import change

SLOT = 59_849_753


# --- codes ---

def symbols_of(rand, label):
    return [x % 32 for x in rand(label, g.SECRET_SYMBOLS)]


def code_cases(rand):
    cases = [("the known answer of the specification", list(range(26))), ("zeros", [0] * 26), ("all 31", [31] * 26)]
    cases += [(f"only symbol {i} is one", [int(j == i) for j in range(26)]) for i in (0, 12, 25)]
    cases += [(f"random, {i}", symbols_of(rand, f"code {i}")) for i in range(4)]
    out = []
    for name, symbols in cases:
        code = g.make_code(symbols)
        secret = g.read_code(code)
        assert secret.decode() == g.letters(symbols)
        out.append({"name": name, "symbols": symbols, "checksum": g.checksum(symbols), "code": code,
                    "secret": secret.decode()})
    return out


def typed_cases(rand):
    code = g.make_code(range(26))
    ones = g.make_code([1, 0] * 13)
    cases = [("as shown", code), ("without hyphens", code.replace("-", "")), ("in small letters", code.lower()),
             ("spaces for hyphens", code.replace("-", " ")), ("tabs", code.replace("-", "\t")),
             ("on several lines", code.replace("-", "\r\n")), ("white space around", f"\n \t{code}\r\n"),
             ("other white space", code.replace("-", "\v\f")),
             ("hyphens everywhere", "--" + "-".join(code) + "--"), ("O for 0", ones.replace("0", "O")),
             ("o for 0", ones.replace("0", "o")), ("I for 1", ones.replace("1", "I")),
             ("i for 1", ones.replace("1", "i")), ("L for 1", ones.replace("1", "L")),
             ("l for 1", ones.replace("1", "l")), ("a thousand spaces", code.replace("-", " " * 1000))]
    return [{"name": name, "typed": typed, "secret": g.read_code(typed).decode()} for name, typed in cases]


def mistake(typed):
    try:
        g.read_code(typed)
    except g.Mistake as wrong:
        return wrong
    raise AssertionError(typed)


def mistyped_cases(rand):
    symbols = symbols_of(rand, "mistyped")
    symbols += g.checksum(symbols)
    flat = g.letters(symbols)
    at = lambda i, c: flat[:i] + c + flat[i + 1:]
    cases = [(f"U at place {i + 1}", at(i, c), "character") for i, c in ((0, "U"), (17, "u"), (29, "U"))]
    cases += [(f"the character {c!r}", at(4, c), "character") for c in "*~$=!.,_/:;'\"?@[`{\b\x0e\x1b\x7f"]
    cases += [("hyphens are not counted", "-- " + g.show(symbols)[:8] + "?" + g.show(symbols)[8:], "character"),
              ("the first of two is named", at(2, "*")[:20] + "U" + flat[21:], "character"),
              ("a letter outside ASCII", at(9, "\u00e9"), "character"),
              ("a dash that is no hyphen", g.show(symbols).replace("-", "\u2013"), "character"),
              ("a space that is none", g.show(symbols).replace("-", "\u00a0"), "character"),
              ("the character counts before the number", "U", "character"),
              ("and also behind thirty symbols", flat + "U", "character"),
              ("nothing", "", "count"), ("hyphens only", "-----", "count"), ("one", flat[:1], "count"),
              ("one missing", flat[:-1], "count"), ("one too many", flat + "0", "count"),
              ("twice", flat + flat, "count"), ("four missing: the secret alone", flat[:26], "count"),
              ("very many", flat * 40, "count")]
    cases += [("another good code's checksum", flat[:26] + g.letters(g.checksum([0] * 26)), "checksum"),
              ("thirty zeros", "0" * 30, "checksum"), ("backwards", flat[::-1], "checksum"),
              ("without the constants", flat[:26] + g.letters(g.remainder(symbols[:26] + [0] * 4, g.generator())),
               "checksum")]
    cases += wrong_symbols(rand, symbols)
    return [mistyped_case(*case) for case in cases]


def wrong_symbols(rand, symbols):
    """One wrong symbol at each place, exchanges of neighbours, and up to four wrong symbols."""
    out = []
    for i in range(g.SYMBOLS):
        wrong = list(symbols)
        wrong[i] ^= 1 + rand(f"wrong symbol {i}", 1)[0] % 31
        out.append((f"place {i + 1} mistyped", g.show(wrong), "checksum"))
    for i in range(g.SYMBOLS - 1):
        if symbols[i] != symbols[i + 1]:
            wrong = list(symbols)
            wrong[i], wrong[i + 1] = wrong[i + 1], wrong[i]
            out.append((f"places {i + 1} and {i + 2} exchanged", g.show(wrong), "checksum"))
    for n in (2, 3, 4, 4, 4):
        wrong, random = list(symbols), rand(f"{n} wrong symbols {len(out)}", 2 * n)
        for k in range(n):
            wrong[(random[k] % 7) + 7 * k] ^= 1 + random[n + k] % 31
        out.append((f"{n} places mistyped", g.show(wrong), "checksum"))
    return out


def mistyped_case(name, typed, error):
    wrong = mistake(typed)
    assert wrong.error == error, name
    case = {"name": name, "typed": typed, "error": error}
    if error == "character":
        case.update(place=wrong.place, character=wrong.character)
    if error == "count":
        case["count"] = wrong.count
    return case


# --- meetings ---

def meeting_cases(rand):
    cases = [("the known answer of the specification", range(26), 1000), ("the next slot", range(26), 1001),
             ("slot 0", range(26), 0), ("a large slot", range(26), 2**53 - 1),
             ("another code", symbols_of(rand, "meeting"), SLOT)]
    out = []
    for name, symbols, slot in cases:
        code = g.read_code(g.make_code(symbols))
        case = {"name": name, "secret": code.decode(), "slot": slot}
        for side, direction in (("inviter", g.INVITER), ("acceptor", g.ACCEPTOR)):
            place = g.meeting(code, direction, slot)
            case[side] = {"seed": g.meeting_seed(code, direction, slot), "a": p.le(place.a), "prefix": place.prefix,
                          "capability": place.capability(), "id": place.id(), "key": place.key()}
        out.append(case)
    return out


# --- exchanges ---

class Exchange:
    """Everything of one pairing, from both sides."""

    def __init__(self, code, x_i, x_a, capabilities, nonces):
        self.code, self.x_i, self.x_a, self.capabilities, self.nonces = code, x_i, x_a, capabilities, nonces
        self.i, self.a = g.public(x_i), g.public(x_a)
        self.keys = g.keys(code, x_i, self.a, self.i, self.a)
        self.hello = g.hello(self.a)
        self.offer = g.offer(self.keys.offer_key, self.i, nonces[0], capabilities[0])
        self.confirm = g.confirm(self.keys.confirm_key, nonces[1], capabilities[1])
        assert g.read_hello(self.hello) == self.a
        assert g.read_offer(self.offer, code, x_a) == (self.i, capabilities[0], self.keys)
        assert g.read_confirm(self.confirm, code, x_i, self.a) == capabilities[1]

    def case(self, name):
        k = self.keys
        return {"name": name, "secret": self.code.decode(), "inviter_secret": self.x_i, "acceptor_secret": self.x_a,
                "inviter_capability": self.capabilities[0], "acceptor_capability": self.capabilities[1],
                "offer_nonce": self.nonces[0], "confirm_nonce": self.nonces[1], "I": self.i, "A": self.a, "D": k.d,
                "K": k.k, "offer_key": k.offer_key, "confirm_key": k.confirm_key, "safety": k.safety,
                "digits_hash": g.digits_hash(k.safety), "number": g.safety_number(k.safety),
                "hello": short(self.hello), "offer": short(self.offer), "confirm": short(self.confirm)}


def capability(rand, label, slot=SLOT):
    return box.Writer(rand(label, 32), slot).capability()


def random_exchange(rand, label):
    code = g.read_code(g.make_code(symbols_of(rand, label)))
    return Exchange(code, rand(label + " x_I", 32), rand(label + " x_A", 32),
                    [capability(rand, label + " inviter"), capability(rand, label + " acceptor")],
                    [rand(label + " nonce 1", 24), rand(label + " nonce 2", 24)])


def exchange_cases(rand):
    known_code = g.read_code(g.make_code(range(26)))
    known = [box.Writer(bytes([0x42]) * 32, 1).capability()] * 2
    other = random_exchange(rand, "exchange 0")
    return [
        Exchange(known_code, b"\1" * 32, b"\2" * 32, known, [b"\x18" * 24, b"\x19" * 24]).case(
            "the known answers of the specification"),
        Exchange(known_code, b"\2" * 32, b"\1" * 32, known, [b"\x18" * 24, b"\x19" * 24]).case(
            "the same with the sides exchanged"),
        other.case("random"),
        Exchange(known_code, other.x_i, other.x_a, other.capabilities, other.nonces).case(
            "the same keys with another code"),
        random_exchange(rand, "exchange 1").case("random again"),
    ]


def number_cases(rand):
    """Hunts for groups with leading zeros as well."""
    safeties, i = [bytes(32), b"\xff" * 32], 0
    while len(safeties) < 5:
        safety = rand(f"safety {i}", 32)
        if any(group.startswith("00") for group in g.safety_number(safety).split()):
            safeties.append(safety)
        i += 1
    return [{"safety": s, "digits_hash": g.digits_hash(s), "number": g.safety_number(s)} for s in safeties]


# --- what must be refused ---

def low_order_keys():
    """Every string of 32 bytes for which X25519 gives zero."""
    out = []
    for name, u in sphinx_vectors.low_order_elements():
        forms = [u] + ([u + p.P] if u + p.P < 2**255 else [])
        out += [(f"{name}{' + p' * (form >= p.P)}{' with top bit' * top}", p.le(form | top << 255))
                for form in forms for top in (0, 1)]
    return out


def key_cases(rand):
    """Keys of the other with which D is zero: the message is ignored."""
    e = random_exchange(rand, "refused")
    out = []
    for name, key in low_order_keys():
        assert refusal(g.keys, e.code, e.x_i, key, e.i, key) == "point"
        out.append({"name": name, "secret": e.code.decode(), "own_secret": e.x_i, "key": key, "error": "point"})
    return out


def malformed(good, length):
    """A message as text that is not one."""
    others = [kind for kind in (g.HELLO, g.OFFER, g.CONFIRM) if kind != good[0]]
    out = [(f"first byte {kind}", change(good, 0, bytes([kind])), "unknown") for kind in (0, 4, 129, 255)]
    out += [(f"first byte {kind}", change(good, 0, bytes([kind])), "syntax") for kind in others]
    return out + [(f"byte {at} not zero", change(good, at, b"\1"), "syntax") for at in (length, 700, box.TEXT_LEN - 1)]


def sealed_cases(rand, e, good, nonce_at, seal):
    """seal: what makes the message from a capability."""
    bad_points = {case["name"]: case["point"] for case in sphinx_vectors.bad_points(rand)}
    end = nonce_at + 24 + 88
    names = ("first byte of the nonce", nonce_at), ("last byte of the nonce", nonce_at + 23), \
        ("first sealed byte", nonce_at + 24), ("last byte of the tag", end - 1)
    out = [(name + " changed", change(good, at), "auth") for name, at in names]
    for name in ("identity", "low order: 4 times a point of order 8", "mixed order: with 1 times a point of order 8",
                 "mixed order: with 4 times a point of order 8", "y = p + 3, on the curve", "not on the curve"):
        out.append(("root point: " + name, seal(bad_points[name] + e.capabilities[0][32:]), "point"))
    return out


def offer_cases(rand):
    e, other = random_exchange(rand, "refused"), random_exchange(rand, "exchange 1")
    seal = lambda c: g.offer(e.keys.offer_key, e.i, e.nonces[0], c)
    top = e.a[:31] + bytes([e.a[31] | 0x80])
    bent = g.keys(e.code, e.x_i, top, e.i, top)
    cases = [(name, e.code, e.x_a, text, error) for name, text, error in
             malformed(e.offer, 145) + sealed_cases(rand, e, e.offer, 33, seal)]
    cases += [("inviter's key changed", e.code, e.x_a, change(e.offer, 5), "auth"),
              ("top bit of the inviter's key", e.code, e.x_a, change(e.offer, 32, bytes([e.offer[32] ^ 0x80])), "auth"),
              ("top bit of the acceptor's key set on its way", e.code, e.x_a,
               g.offer(bent.offer_key, e.i, e.nonces[0], e.capabilities[0]), "auth"),
              ("another code", other.code, e.x_a, e.offer, "auth"),
              ("another acceptor's secret", e.code, other.x_a, e.offer, "auth"),
              ("sealed with the key of the confirm", e.code, e.x_a,
               g.offer(e.keys.confirm_key, e.i, e.nonces[0], e.capabilities[0]), "auth")]
    cases += [("inviter's key of low order: " + name, e.code, e.x_a, change(e.offer, 1, key), "point")
              for name, key in low_order_keys()[:4]]
    for name, code, x, text, error in cases:
        assert refusal(g.read_offer, text, code, x) == error, name
    return [{"name": name, "secret": code.decode(), "acceptor_secret": x, "text": short(text), "error": error}
            for name, code, x, text, error in cases]


def confirm_cases(rand):
    e, other = random_exchange(rand, "refused"), random_exchange(rand, "exchange 1")
    seal = lambda c: g.confirm(e.keys.confirm_key, e.nonces[1], c)
    back = g.confirm(e.keys.offer_key, e.nonces[0], e.capabilities[0])
    cases = [(name, e.code, e.x_i, e.a, text, error) for name, text, error in
             malformed(e.confirm, 113) + sealed_cases(rand, e, e.confirm, 1, seal)]
    cases += [("another code", other.code, e.x_i, e.a, e.confirm, "auth"),
              ("another inviter's secret", e.code, other.x_i, e.a, e.confirm, "auth"),
              ("another acceptor's key", e.code, e.x_i, other.a, e.confirm, "auth"),
              ("top bit of the acceptor's key", e.code, e.x_i, change(e.a, 31, bytes([e.a[31] ^ 0x80])), e.confirm,
               "auth"),
              ("the offer sent back", e.code, e.x_i, e.a, back, "auth")]
    for name, code, x, a, text, error in cases:
        assert refusal(g.read_confirm, text, code, x, a) == error, name
    return [{"name": name, "secret": code.decode(), "inviter_secret": x, "acceptor": a, "text": short(text),
             "error": error} for name, code, x, a, text, error in cases]


def hello_cases(rand):
    cases = malformed(random_exchange(rand, "refused").hello, 33)
    for name, text, error in cases:
        assert refusal(g.read_hello, text) == error, name
    return [{"name": name, "text": short(text), "error": error} for name, text, error in cases]


def make(rand):
    return {
        "specification": "doc/spec/pairing.md",
        "codes": code_cases(rand),
        "typed": typed_cases(rand),
        "meetings": meeting_cases(rand),
        "exchanges": exchange_cases(rand),
        "numbers": number_cases(rand),
        "refused": {
            "typed": mistyped_cases(rand),
            "keys": key_cases(rand),
            "hello": hello_cases(rand),
            "offer": offer_cases(rand),
            "confirm": confirm_cases(rand),
        },
    }
