#!/usr/bin/env python3
"""Checks CS42 test vectors: python3 check.py FILE...

Written from docs/protocol/cipher-sets.md alone, with nothing but the standard library, to be independent of the
implementation: it recomputes every value of a file, from the secret keys, salts, counters and plaintexts that it names,
and refuses what the file says must fail. Prints what it checked; exits with 1 if anything differs.
"""
import base64
import hashlib
import hmac
import json
import sys

# X25519, RFC 7748 ----------------------------------------------------------------------------------------------------

P = 2**255 - 19


def x25519(secret, public):
    k = int.from_bytes(secret, "little")
    k = k & ~7 & (2**255 - 1) | 2**254
    x1 = int.from_bytes(public, "little") % 2**255 % P
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap != bit:
            x2, z2, x3, z3 = x3, z3, x2, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


BASE = (9).to_bytes(32, "little")
ZEROS = bytes(32)

# HKDF-SHA256, RFC 5869 -----------------------------------------------------------------------------------------------


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def expand(prk, info, length):
    out, block, n = b"", b"", 1
    while len(out) < length:
        block = mac(prk, block + info + bytes([n]))
        out, n = out + block, n + 1
    return out[:length]


def hkdf(salt, ikm, info, length):
    return expand(mac(salt, ikm), info, length)


# AES-256, FIPS 197, and GCM, SP 800-38D ------------------------------------------------------------------------------


def xtime(a):
    return (a << 1 ^ (0x11B if a & 0x80 else 0)) & 0xFF


def make_sbox():
    exp, log, a = [], {}, 1
    for i in range(255):
        exp.append(a)
        log[a] = i
        a ^= xtime(a)
    box = []
    for byte in range(256):
        inverse = exp[-log[byte] % 255] if byte else 0
        rotated = inverse
        for _ in range(4):
            inverse = (inverse << 1 | inverse >> 7) & 0xFF
            rotated ^= inverse
        box.append(rotated ^ 0x63)
    return box


SBOX = make_sbox()


def round_keys(key):
    words = [list(key[i : i + 4]) for i in range(0, 32, 4)]
    rcon = 1
    for i in range(8, 60):
        word = list(words[-1])
        if i % 8 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= rcon
            rcon = xtime(rcon)
        elif i % 8 == 4:
            word = [SBOX[b] for b in word]
        words.append([a ^ b for a, b in zip(words[i - 8], word)])
    return [sum(words[i : i + 4], []) for i in range(0, 60, 4)]


def encrypt_block(keys, block):
    s = [a ^ b for a, b in zip(block, keys[0])]
    for n, key in enumerate(keys[1:], 1):
        s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if n < 14:
            mixed = []
            for i in range(0, 16, 4):
                column = s[i : i + 4]
                every = column[0] ^ column[1] ^ column[2] ^ column[3]
                for j in range(4):
                    mixed.append(column[j] ^ every ^ xtime(column[j] ^ column[(j + 1) % 4]))
            s = mixed
        s = [a ^ b for a, b in zip(s, key)]
    return bytes(s)


def times(x, y):
    """The product in GCM's field, whose bits run from the left."""
    z = 0
    for i in reversed(range(128)):
        if x >> i & 1:
            z ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return z


def gcm(key, nonce, aad, data, encrypting):
    """The data encrypted or decrypted, and the tag."""
    keys = round_keys(key)
    h = int.from_bytes(encrypt_block(keys, bytes(16)), "big")
    out = b""
    for i in range(0, len(data), 16):
        stream = encrypt_block(keys, nonce + (i // 16 + 2).to_bytes(4, "big"))
        out += bytes(a ^ b for a, b in zip(data[i : i + 16], stream))
    ciphertext = out if encrypting else data
    hashed = b"".join(part + bytes(-len(part) % 16) for part in (aad, ciphertext))
    hashed += (8 * len(aad)).to_bytes(8, "big") + (8 * len(ciphertext)).to_bytes(8, "big")
    y = 0
    for i in range(0, len(hashed), 16):
        y = times(y ^ int.from_bytes(hashed[i : i + 16], "big"), h)
    last = encrypt_block(keys, nonce + b"\0\0\0\1")
    return out, bytes(a ^ b for a, b in zip(y.to_bytes(16, "big"), last))


def seal(key, nonce, aad, plaintext):
    return b"".join(gcm(key, nonce, aad, plaintext, True))


def unseal(key, nonce, aad, sealed):
    """The plaintext, or None."""
    plaintext, tag = gcm(key, nonce, aad, sealed[:-16], False)
    return plaintext if hmac.compare_digest(tag, sealed[-16:]) else None


# CS42 ----------------------------------------------------------------------------------------------------------------


class Keys:
    """A key pair of the file."""

    def __init__(self, entry):
        self.secret = bytes.fromhex(entry["secret"])
        self.public = x25519(self.secret, BASE)


def message_keys(salt, key, dh_er, dh_sr, sender, recipient):
    k = hkdf(salt, dh_er, b"telehash/cs42/message" + key + recipient, 32)
    a = hkdf(salt, dh_er + dh_sr, b"telehash/cs42/auth" + key + sender + recipient, 32)
    return k, a


def open_message(recipient, sender, body):
    """The inner packet, or why there is none, as the vectors call it."""
    if len(body) < 82:
        return None, "short"
    key, salt, sealed, auth = body[:32], body[32:48], body[48:-16], body[-16:]
    dh_er = x25519(recipient.secret, key)
    if dh_er == ZEROS:
        return None, "all-zero dh"
    dh_sr = x25519(recipient.secret, sender)
    k, a = message_keys(salt, key, dh_er, dh_sr, sender, recipient.public)
    inner = unseal(k, bytes(12), key + salt, sealed)
    if inner is None:
        return None, "tag"
    if not hmac.compare_digest(mac(a, body[:-16])[:16], auth):
        return None, "auth"
    return inner, None


def epoch_secret(secret, epoch):
    for _ in range(epoch):
        secret = expand(secret, b"telehash/cs42/next", 32)
    return secret


def epoch_keys(secret, epoch):
    both = expand(epoch_secret(secret, epoch), b"telehash/cs42/key", 44)
    return both[:32], both[32:]


def channel_parts(secret, token, counter):
    key, iv = epoch_keys(secret, counter >> 20)
    number = counter.to_bytes(8, "big")
    nonce = bytes(a ^ b for a, b in zip(iv, bytes(4) + number))
    return key, nonce, token + number


# The file ------------------------------------------------------------------------------------------------------------


class Checker:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.file = json.load(file)
        self.checked = 0
        self.wrong = []
        self.identities = {name: Keys(entry) for name, entry in self.file["identities"].items()}
        self.ephemerals = {name: Keys(entry) for name, entry in self.file["ephemerals"].items()}

    def same(self, where, entry, name, value):
        """Whether `entry` says `value` under `name`. A value that is missing is wrong as well."""
        found = entry.get(name)
        if isinstance(value, bytes):
            value = value.hex()
        self.checked += 1
        if found != value:
            self.wrong.append(f"{where}, {name}: {found} where the page gives {value}")

    def true(self, where, holds):
        self.checked += 1
        if not holds:
            self.wrong.append(where)

    def keys(self):
        a, b = (self.identities[name].public for name in "AB")
        for name, entry in self.file["identities"].items():
            public = self.identities[name].public
            self.same(name, entry, "public", public)
            self.same(name, entry["intermediates"], "42", sha256(public))
            rolled = b""
            for csid, intermediate in sorted(entry["intermediates"].items()):
                rolled = sha256(sha256(rolled, bytes.fromhex(csid)), bytes.fromhex(intermediate))
            self.same(name, entry, "hashname_raw", rolled)
            self.same(name, entry, "hashname", base32(rolled))
            self.same(name, entry, "order", "odd" if public == max(a, b) else "even")
        for name, entry in self.file["ephemerals"].items():
            public = self.ephemerals[name].public
            self.same(name, entry, "public", public)
            self.same(name, entry, "token", sha256(public[:16])[:16])

    def messages(self, name, suffix):
        list_ = self.file[name]
        self.true(f"{name}: two messages", len(list_) == 2)
        for (s, r), entry in zip(("AB", "BA"), list_):
            where = f"{name}, {entry['what']}"
            sender, recipient = self.identities[s], self.identities[r]
            ephemeral = self.ephemerals[s + suffix]
            key, salt = ephemeral.public, bytes.fromhex(entry["salt"])
            inner = bytes.fromhex(entry["inner"])
            head_len = int.from_bytes(inner[:2], "big")
            self.same(where, entry, "inner_head", json.loads(inner[2 : 2 + head_len]))
            self.true(f"{where}: the inner packet ends with the key", inner.endswith(sender.public))
            dh_er = x25519(ephemeral.secret, recipient.public)
            dh_sr = x25519(sender.secret, recipient.public)
            self.same(where, entry, "dh_ER", dh_er)
            self.same(where, entry, "dh_SR", dh_sr)
            k, a = message_keys(salt, key, dh_er, dh_sr, sender.public, recipient.public)
            self.same(where, entry, "k", k)
            self.same(where, entry, "a", a)
            covered = key + salt + seal(k, bytes(12), key + salt, inner)
            body = covered + mac(a, covered)[:16]
            self.same(where, entry, "body", body)
            self.same(where, entry, "packet", b"\x00\x01\x42" + body)
            self.true(f"{where}: opens", open_message(recipient, sender.public, body) == (inner, None))

    def session(self, name, suffix, previous):
        """Checks a session; returns what it is made of."""
        entry = self.file[name]
        order = sorted("AB", key=lambda who: self.identities[who].public, reverse=True)
        odd, even = order
        s_odd, s_even = (self.identities[who] for who in order)
        e_odd, e_even = (self.ephemerals[who + suffix] for who in order)
        h_odd, h_even = (bytes.fromhex(self.file["identities"][who]["hashname_raw"]) for who in order)
        agreed = [
            (x25519(e_odd.secret, e_even.public), x25519(e_even.secret, e_odd.public)),
            (x25519(e_odd.secret, s_even.public), x25519(s_even.secret, e_odd.public)),
            (x25519(s_odd.secret, e_even.public), x25519(e_even.secret, s_odd.public)),
            (x25519(s_odd.secret, s_even.public), x25519(s_even.secret, s_odd.public)),
        ]
        for ours, theirs in agreed:
            self.true(f"{name}: both sides agree", ours == theirs != ZEROS)
        ikm = previous + b"".join(ours for ours, _ in agreed)
        publics = e_odd.public + e_even.public + s_odd.public + s_even.public
        salt = sha256(b"telehash/cs42/session", publics, h_odd, h_even)
        out = hkdf(salt, ikm, b"telehash/cs42/channel", 112)
        secrets = {"oe": out[:32], "eo": out[32:64]}
        self.same(name, entry, "prev", previous)
        self.same(name, entry, "ikm", ikm)
        self.same(name, entry, "salt", salt)
        self.same(name, entry, "resume", out[64:96])
        self.same(name, entry, "id", out[96:])
        self.same(name, entry, "cont", base32(out[96:]))
        for way, secret in secrets.items():
            self.same(name, entry, f"secret_{way}", secret)
            self.same(name, entry, f"secret_{way}_1", epoch_secret(secret, 1))
            for epoch in range(3):
                key, iv = epoch_keys(secret, epoch)
                self.same(name, entry, f"key_{way}_{epoch}", key)
                self.same(name, entry, f"iv_{way}_{epoch}", iv)
        return {"secrets": secrets, "resume": out[64:96], "id": out[96:], "ways": {odd: "oe", even: "eo"}}

    def channel(self, name, suffix, session):
        for entry in self.file[name]:
            sender = entry["sender"]
            way, counter = session["ways"][sender], entry["counter"]
            where = f"{name}, {sender} {counter}"
            self.same(where, entry, "direction", way)
            self.same(where, entry, "epoch", counter >> 20)
            recipient = {"A": "B", "B": "A"}[sender] + suffix
            token = sha256(self.ephemerals[recipient].public[:16])[:16]
            key, nonce, aad = channel_parts(session["secrets"][way], token, counter)
            plaintext = bytes.fromhex(entry["plaintext"])
            sealed = seal(key, nonce, aad, plaintext)
            self.same(where, entry, "body", aad + sealed)
            if "packet" in entry:
                self.same(where, entry, "packet", b"\0\0" + aad + sealed)
            self.true(f"{where}: opens", unseal(key, nonce, aad, sealed) == plaintext)

    def failures(self):
        recipient, sender = self.identities["B"], self.identities["A"].public
        for entry in self.file["must_fail"]:
            inner, why = open_message(recipient, sender, bytes.fromhex(entry["body"]))
            self.same(f"must fail, {entry['what']}", entry, "fails", why)
        for key in self.file["must_fail_low_order_identity"]:
            zeros = x25519(recipient.secret, bytes.fromhex(key)) == ZEROS
            self.true(f"identity of low order {key}", zeros)

    def run(self):
        self.keys()
        self.messages("messages", "")
        first = self.session("session", "", ZEROS)
        self.channel("channel", "", first)
        self.messages("renewal_messages", "2")
        for entry in self.file["renewal_messages"]:
            self.same("renewal", entry["inner_head"], "cont", base32(first["id"]))
        renewed = self.session("renewal_session", "2", first["resume"])
        self.channel("renewal_channel", "2", renewed)
        self.failures()


def base32(data):
    return base64.b32encode(data).decode().lower().rstrip("=")


def self_test():
    """Known answers of the standards, so that an error here is not taken for one of the vectors."""
    scalar = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    point = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    product = "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    assert x25519(scalar, point).hex() == product, "RFC 7748, 5.2"
    okm = hkdf(bytes(range(13)), b"\x0b" * 22, bytes(range(0xF0, 0xFA)), 42).hex()
    assert okm.startswith("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"), "RFC 5869, A.1"
    block = encrypt_block(round_keys(bytes(range(32))), bytes.fromhex("00112233445566778899aabbccddeeff"))
    assert block.hex() == "8ea2b7ca516745bfeafc49904b496089", "FIPS 197, C.3"
    sealed = seal(bytes(32), bytes(12), b"", bytes(16)).hex()
    assert sealed == "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919", "GCM, test case 14"


def main(paths):
    if not paths:
        sys.exit(__doc__)
    self_test()
    wrong = 0
    for path in paths:
        checker = Checker(path)
        checker.run()
        for fault in checker.wrong:
            print(f"{path}: {fault}")
        counts = ", ".join(
            f"{len(checker.file[name])} {text}"
            for name, text in (
                ("messages", "messages"),
                ("channel", "channel packets"),
                ("renewal_messages", "messages of a renewal"),
                ("renewal_channel", "channel packets after it"),
                ("must_fail", "packets that must fail"),
                ("must_fail_low_order_identity", "weak identities"),
            )
        )
        print(f"{path}: {checker.checked} values of keys, 2 sessions, {counts}: {len(checker.wrong)} wrong")
        wrong += len(checker.wrong)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
