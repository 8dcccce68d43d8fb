"""The reference against published values, hashlib and libsodium; and the committed vectors against the reference."""
import hashlib
import random
import sys

import nacl.bindings as sodium
import pytest

import box
import box_vectors
import directory
import make_vectors
import pairing
import pairing_vectors
import primitives as p
import sphinx as s

rng = random.Random(7)


def from_hex(text):
    return bytes.fromhex(text)


@pytest.mark.parametrize("name", make_vectors.FILES)
def test_committed_vectors_are_what_the_generator_makes(name):
    assert (make_vectors.VECTORS / name).read_text() == make_vectors.text(name)


def test_x25519_iterated_as_in_rfc7748():
    k = u = p.le(9)
    for i in range(1000):
        k, u = p.x25519(k, u), k
        if i == 0:
            assert k.hex() == "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
    assert k.hex() == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"


def test_x25519_against_libsodium():
    for _ in range(20):
        k, u = rng.randbytes(32), rng.randbytes(32)
        assert p.x25519(k, u) == sodium.crypto_scalarmult(k, u)


def test_chacha20_known_block():
    out = p.stream(bytes(32), 64).hex()   # RFC 8439, A.1: zero key, zero nonce, counter 0 then 1
    assert out == ("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
                   "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586")


def test_chacha20_stream_against_libsodium():
    """The original AEAD takes an 8-byte nonce and encrypts from block 1."""
    for n in (1, 64, 65, 2048):
        key = rng.randbytes(32)
        sealed = sodium.crypto_aead_chacha20poly1305_encrypt(bytes(n), b"", bytes(8), key)
        assert p.stream(key, 64 + n)[64:] == sealed[:n]


def test_chacha20_counter_is_64_bits_wide():
    """A counter of 32 bits with a 12-byte nonce sees the upper half as nonce; the words of the block are the same."""
    key = rng.randbytes(32)
    sealed = sodium.crypto_aead_chacha20poly1305_ietf_encrypt(bytes(64), b"", p.le(1, 4) + bytes(8), key)
    assert p.chacha20_block(key, 2**32 + 1) == sealed[:64]


def test_blake2b_against_libsodium_and_known_value():
    assert p.blake2b(64, b"abc").hex() == hashlib.blake2b(b"abc").hexdigest()
    assert p.blake2b(64, b"abc").hex().startswith("ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1")
    for n, key, salt, personal in ((16, 32, 0, 0), (32, 64, 0, 0), (64, 0, 16, 16), (64, 32, 16, 16)):
        m, args = rng.randbytes(300), [rng.randbytes(x) for x in (key, salt, personal)]
        assert p.blake2b(n, m, *args) == sodium.crypto_generichash_blake2b_salt_personal(
            m, n, key=args[0], salt=args[1], person=args[2])


def test_points_against_libsodium():
    for _ in range(4):
        secret = p.le(p.clamp(rng.randbytes(32)))
        point = s.mix_point(secret)
        assert point == sodium.crypto_scalarmult_ed25519_base_noclamp(secret)
        assert p.is_valid_point(point) and sodium.crypto_core_ed25519_is_valid_point(point)
        assert p.point_to_x25519(point) == sodium.crypto_sign_ed25519_pk_to_curve25519(point)
        assert p.point_to_x25519(point) == p.x25519(secret, p.le(9)) == sodium.crypto_scalarmult_base(secret)


def test_addition_against_libsodium():
    a, b = (s.mix_point(rng.randbytes(32)) for _ in range(2))
    assert p.ed_encode(p.ed_add(p.ed_decode(a), p.ed_decode(b))) == sodium.crypto_core_ed25519_add(a, b)


def test_unclamped_ladder_is_multiplication_of_points():
    point, k = s.mix_point(rng.randbytes(32)), rng.randrange(1, p.L)
    product = p.ed_encode(p.ed_mul(k, p.ed_decode(point)))
    assert p.le(p.ladder(k, p.from_le(p.point_to_x25519(point)))) == p.point_to_x25519(product)


def test_low_order_elements_are_all_of_them():
    """X25519 multiplies by 8, so an element has low order when three doublings reach the neutral one. The points of the
    curve and of its twist whose order divides 8 or 4 have five different u coordinates."""
    import sphinx_vectors
    elements = [u for _, u in sphinx_vectors.low_order_elements()]
    assert len(set(elements)) == 5
    for u in elements:
        assert p.x25519(rng.randbytes(32), p.le(u)) == bytes(32)
        with pytest.raises(RuntimeError):
            sodium.crypto_scalarmult(rng.randbytes(32), p.le(u))


def test_lioness_is_a_permutation_that_spreads():
    key, block = rng.randbytes(192), rng.randbytes(300)
    cipher = s.lioness(key, block)
    assert s.lioness(key, cipher, decrypt=True) == block
    changed = s.lioness(key, cipher[:-1] + bytes([cipher[-1] ^ 1]), decrypt=True)
    same = sum(x == y for x, y in zip(block, changed))
    assert same < 10


def test_path_length_does_not_show():
    """Every header is as long as every other, and the last relay sees no run of zeros."""
    for n in range(1, 6):
        secrets = [rng.randbytes(32) for _ in range(n)]
        path = [s.Hop(rng.randbytes(32), s.mix_point(k), 0) for k in secrets]
        header = s.create_header(path, s.DELIVER, None, rng.randbytes(s.CREATE_RANDOM_LEN))
        packet = s.create_packet(header, bytes(256))
        for secret in secrets:
            seen = s.process_header(secret, packet, 256)
            plain = p.xor(packet[32:297] + bytes(53), p.stream(seen.keys.stream_key, s.STREAM_LEN))
            packet, _ = s.process_body(seen)
        assert bytes(8) not in plain[5:265]


def test_signed_note_known_answer():
    """The example key of Go's note package, as doc/spec/directory.md gives it, and its well-known note."""
    signer = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
    verifier = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    text = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    line = ("— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZ"
            "InNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n")
    seed = directory.b64_decode(signer.split("+", 4)[4])[1:]
    assert directory.signer_text("PeterNeumann", seed) == signer
    assert directory.parse_key(verifier).text() == verifier == directory.key_of_seed("PeterNeumann", seed).text()
    note = directory.sign_note(text, "PeterNeumann", seed)
    assert note == text + b"\n" + line.encode()
    assert directory.open_note(note, [directory.parse_key(verifier)])[1]


def test_signatures_needed_are_more_than_two_thirds():
    assert [directory.needed(n) for n in range(1, 8)] == [1, 2, 3, 3, 4, 5, 5]
    for n in range(1, 33):
        assert 3 * directory.needed(n) > 2 * n >= 3 * (directory.needed(n) - 1)


def in_specification(name, values):
    text = (make_vectors.VECTORS.parent.parent / "doc" / "spec" / name).read_text()
    joined = text.replace("\n               ", "")   # a signature takes two lines
    return [value for value in values if value not in joined]


def test_known_answers_of_boxes():
    """Every value that section 16 gives."""
    sequence = box_vectors.sequences(make_vectors.rand)[0]
    sealed = box_vectors.boxes(make_vectors.rand)[0]
    values = [sequence[key].hex() for key in ("a", "A", "prefix")] + [sequence["indices"][0]["chain"].hex()]
    values += [sequence["indices"][2][key].hex() for key in ("chain", "h", "id", "key")]
    values += [hashlib.blake2b(sealed["box"], digest_size=32).hexdigest(), sealed["signature"].hex()]
    assert in_specification("boxes.md", values) == []
    chosen = box_vectors.store_cases(make_vectors.rand)[0]
    order = sorted(range(4), key=lambda i: chosen["ranks"][i], reverse=True)
    assert [chosen["identities"][i][0] for i in order] == [1, 3, 4, 2]
    assert chosen["stores"] == [chosen["identities"][i] for i in order[:2]]


def test_known_answers_of_pairing():
    case = pairing_vectors.exchange_cases(make_vectors.rand)[0]
    values = [case[key].hex() for key in ("I", "A", "D", "offer_key", "confirm_key", "safety")] + [case["number"]]
    values += [hashlib.blake2b(box.fill(case[key]), digest_size=32).hexdigest() for key in ("offer", "confirm")]
    values += [pairing.make_code(range(26)), pairing.make_code([0] * 26)]
    values += [pairing.meeting(case["secret"].encode(), d, 1000).id().hex() for d in (1, 2)]
    assert in_specification("pairing.md", values) == []


def test_box_signatures_are_ed25519():
    """libsodium verifies them under the id, and its multiplication gives the same points."""
    for case in box_vectors.boxes(make_vectors.rand)[:3]:
        m = b"tidemill.signed1" + case["box"]
        assert sodium.crypto_sign_open(case["signature"] + m, case["id"]) == m
        assert case["signature"][:32] == sodium.crypto_scalarmult_ed25519_base_noclamp(case["r"])
        place = box.reader(case["capability"])
        assert sodium.crypto_scalarmult_ed25519_noclamp(p.le(place.blinding()), place.point) == case["id"]


def test_every_mistyped_symbol_and_every_exchange_shows():
    symbols = [x % 32 for x in rng.randbytes(26)]
    symbols += pairing.checksum(symbols)
    good = lambda s: pairing.checksum(s[:26]) == s[26:]
    assert good(symbols)
    for i in range(30):
        for change in range(1, 32):
            assert not good(symbols[:i] + [symbols[i] ^ change] + symbols[i + 1:])
        for j in range(i):
            swapped = list(symbols)
            swapped[i], swapped[j] = swapped[j], swapped[i]
            assert swapped == symbols or not good(swapped)


def test_generator_polynomial_is_the_one_of_the_specification():
    assert pairing.generator() == [1, 30, 6, 9, 17]
    assert pairing.field_mul(2, 16) == 5


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
