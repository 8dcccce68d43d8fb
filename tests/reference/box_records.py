"""Records: the parts "records" and "refused", "records" of tests/vectors/box.json."""
import box as b
import primitives as p
from box import fill
from errors import refusal
from primitives import be


def short(text):
    """Texts stand in the files without the zeros at their end."""
    return text.rstrip(b"\0")


# --- good ones ---

def text_record(number, text, sent_at=1_795_500_000):
    return {"type": b.TEXT, "number": number, "sent_at": sent_at, "text": text}


def bulk_record(rand, number, kind, size, name=b"", sent_at=1_795_500_000):
    return {"type": b.BULK, "number": number, "sent_at": sent_at, "kind": kind, "size": size,
            "hash": rand("record hash", 32), "capability": b.Writer(rand("record seed", 32), 0).capability(),
            "name": name}


def ack(number):
    return {"type": b.ACK, "number": number}


ODD_NAMES = ["a", "...", ".hidden", "..x", " ", "a b", "\\", "C:x", "~", "\u00a0", "\u2027", "\u202f", "\u2065",
             "\u206a", "\u00e9\u4e2d\U0001f600", "\ufeff", "\U0010ffff", "x" * 255, "\u00e9" * 127]
TEXTS = [b"x", b"\0", "\u00a0\u2028\n/".encode(), "\x7f\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff".encode()]


def record_cases(rand):
    file = lambda name=b"f": bulk_record(rand, 7, b.KIND_FILE, 100_000, name)
    lists = [("nothing", []), ("a text", [text_record(1, b"Hello.")]),
             ("an ack of nothing", [ack(0)]), ("an ack of everything", [ack(2**32 - 1)]),
             ("the longest text: the box is full", [text_record(1, b"y" * b.INLINE_MAX)]),
             ("one byte is left for the end", [text_record(1, b"y" * (b.INLINE_MAX - 1))]),
             ("two bytes are left: no record fits", [text_record(1, b"y" * (b.INLINE_MAX - 2))]),
             ("the largest number", [text_record(2**32 - 1, b"x", sent_at=2**53 - 1)]),
             ("sent at 0", [text_record(1, b"x", sent_at=0)]),
             ("a text in a bulk sequence", [bulk_record(rand, 2, b.KIND_TEXT, 1418)]),
             ("bulk of one byte", [bulk_record(rand, 2, b.KIND_TEXT, 1)]),
             ("the largest bulk", [bulk_record(rand, 2, b.KIND_FILE, b.BULK_MAX, b"x.tar")]),
             ("several, in any order", [ack(3), text_record(4, b"one"), file("r\u00e9sum\u00e9.pdf".encode()),
                                        text_record(5, "zw\u00f6lf".encode()), ack(4)]),
             ("as many acks as fit", [ack(i) for i in range(b.TEXT_LEN // 7)])]
    lists += [(f"text of unusual characters, {i}", [text_record(1, text)]) for i, text in enumerate(TEXTS)]
    lists += [(f"name of a file, {i}", [file(name.encode())]) for i, name in enumerate(ODD_NAMES)]
    out = []
    for name, records in lists:
        text, found = fill(b"".join(b.record(r) for r in records)), []
        b.parse_records(text, found)
        assert len(text) == b.TEXT_LEN and found == records, name
        out.append({"name": name, "records": records, "text": short(text)})
    return out


# --- what a reader must refuse ---

BAD_UTF8 = [("lone continuation", b"\x80"), ("two bytes in long form", b"\xc0\xaf"),
            ("long form of U+007F", b"\xc1\xbf"), ("three bytes in long form", b"\xe0\x9f\xbf"),
            ("four bytes in long form", b"\xf0\x8f\xbf\xbf"),
            ("first surrogate", b"\xed\xa0\x80"), ("last surrogate", b"\xed\xbf\xbf"),
            ("a pair of surrogates", b"\xed\xa0\xbd\xed\xb8\x80"), ("U+110000", b"\xf4\x90\x80\x80"),
            ("F5", b"\xf5\x80\x80\x80"), ("five bytes", b"\xf8\x88\x80\x80\x80"), ("FE", b"\xfe"), ("FF", b"\xff"),
            ("cut after one", b"a\xc3"), ("cut after two", b"a\xe2\x82"), ("cut after three", b"a\xf0\x9f\x98"),
            ("no continuation", b"\xc3(x"), ("continuation is an ASCII byte", b"\xe2\x82A"),
            ("Latin-1", b"r\xe9sum\xe9")]
BAD_NAMES = [("empty", ""), (".", "."), ("..", ".."), ("slash", "/"), ("slash inside", "a/b"), ("path", "/etc/x")] + [
    (f"U+{c:04X}", f"a{chr(c)}b") for c in (0, 1, 9, 10, 13, 0x1B, 0x1F, 0x7F, 0x80, 0x85, 0x9F, 0x2028, 0x2029, 0x202A,
                                            0x202E, 0x2066, 0x2069)]


def bad_records(rand):
    """Name, bad bytes, error; each a single fault in one record."""
    text, seen = text_record(2, b"text"), ack(9)
    file, bulk = (bulk_record(rand, 3, kind, 100_000, name) for kind, name in
                  ((b.KIND_FILE, b"file"), (b.KIND_TEXT, b"")))
    mixed = p.ed_encode(p.ed_add(p.ed_decode(file["capability"][:32]), (0, p.P - 1)))
    make = lambda r, **fields: b.record({**r, **fields}, check=False)
    head = lambda kind, length, body=b"": bytes([kind]) + be(length, 2) + body
    out = [(f"type {t}", head(t, 4, bytes(4)), "unknown") for t in (4, 5, 128, 255)]
    out += [("unknown type without a body", head(200, 0), "unknown"),
            ("text of number 0", make(text, number=0), "syntax"), ("bulk of number 0", make(file, number=0), "syntax"),
            ("empty text", make(text, text=b""), "syntax"), ("text: 11 bytes", head(b.TEXT, 11, be(1, 11)), "syntax"),
            ("text: no body", head(b.TEXT, 0), "syntax"),
            ("ack: 3 bytes", head(b.ACK, 3, be(1, 3)), "syntax"), ("ack: 5 bytes", head(b.ACK, 5, be(1, 5)), "syntax"),
            ("ack: no body", head(b.ACK, 0), "syntax"),
            ("bulk: 124 bytes", head(b.BULK, 124, make(bulk)[3:127]), "syntax"),
            ("bulk: no body", head(b.BULK, 0), "syntax"),
            ("kind 0", make(bulk, kind=0), "syntax"), ("kind 3", make(file, kind=3), "syntax"),
            ("kind 255", make(bulk, kind=255), "syntax"),
            ("size 0", make(file, size=0), "syntax"),
            ("size over the limit", make(file, size=b.BULK_MAX + 1), "syntax"),
            ("size 2^32 + 1", make(bulk, size=2**32 + 1), "syntax"),
            ("size 2^64 - 1", make(file, size=2**64 - 1), "syntax"),
            ("a text with a name", make(bulk, name=b"x"), "syntax"),
            ("capability of index 1", make(file, capability=file["capability"][:64] + be(1, 8)), "syntax"),
            ("capability of index 2^63", make(file, capability=file["capability"][:64] + be(2**63, 8)), "syntax"),
            ("root point of low order", make(file, capability=p.le(p.P - 1) + file["capability"][32:]), "syntax"),
            ("root point of mixed order", make(bulk, capability=mixed + bulk["capability"][32:]), "syntax"),
            ("root point of zeros", make(file, capability=bytes(72)), "syntax"),
            ("name of 256 bytes", make(file, name=b"x" * 256), "syntax")]
    out += [("text: " + name, make(text, text=raw), "syntax") for name, raw in BAD_UTF8]
    out += [("name: " + name, make(file, name=raw), "syntax") for name, raw in BAD_UTF8]
    out += [("name: " + name, make(file, name=raw.encode()), "syntax") for name, raw in BAD_NAMES]
    return out + [("text behind the end", head(0, 0) + make(seen), "syntax"),
                  ("a length behind the end", head(0, 1), "syntax")]


def at_the_end():
    """Where the text runs out. Name, records in front, the whole text."""
    texts = [text_record(1, b"y" * (b.INLINE_MAX - i)) for i in range(7)]
    in_front, room = text_record(1, b"in front"), b.TEXT_LEN
    kept = b.record(in_front)
    left = room - len(kept) - b.HEAD_LEN
    zero = b.record(text_record(0, b"number zero"), check=False)
    return [
        ("last byte not zero", [in_front], fill(kept)[:-1] + b"\1"),
        ("only the last byte is not zero", [], bytes(room - 1) + b"\x80"),
        ("a type in the last byte", texts[1:2], b.record(texts[1]) + b"\1"),
        ("a type and half a length at the end", texts[2:3], b.record(texts[2]) + b"\3\0"),
        ("an ack that ends one byte behind the text", texts[6:7], b.record(texts[6]) + b"\3\0\4\0\0\0"),
        ("a text that ends one byte behind the text", [in_front],
         kept + bytes([b.TEXT]) + be(left + 1, 2) + be(2, 4) + b"x" * (left - 4)),
        ("a body of 65535 bytes", [], bytes([b.TEXT]) + be(65535, 2) + b"x" * (room - b.HEAD_LEN)),
        ("a good record behind a bad one does not count", [in_front], fill(kept + zero + kept)),
    ]


def refused_cases(rand):
    in_front = text_record(1, b"in front")
    cases = [(name, [in_front], fill(b.record(in_front) + bad), error) for name, bad, error in bad_records(rand)]
    cases += [(name, kept, text, "syntax") for name, kept, text in at_the_end()]
    out = []
    for name, kept, text, error in cases:
        found = []
        assert len(text) == b.TEXT_LEN and refusal(b.parse_records, text, found) == error, name
        assert found == kept, name
        out.append({"name": name, "text": short(text), "kept": kept, "error": error})
    return out
