# SPDX-License-Identifier: GPL-2.0
"""Records of every kind from a seed, most of them such that something comes of them, some mutated."""
import random
import struct

import sim

CLASSIFY, FLUSH, SA_UPDATE, SA_DELETE, POLICY, CONFIG, SNAPSHOT_BEGIN = 1, 16, 18, 19, 20, 24, 25
CIPHERS = ["rfc4106(gcm(aes))", "rfc7539esp(chacha20,poly1305)"]


class Storm:
    """Records of every kind, from a seed. What was protected comes back as what is to be unprotected."""

    def __init__(self, seed, wild=False):
        """`wild`: every record is mutated, those of SAs too."""
        self.dice, self.wild = random.Random(seed), wild
        self.caught = []

    def few(self, *most):
        """One of the common values, or anything of 32 bits."""
        return self.dice.choice(most) if self.dice.random() < 0.95 else self.dice.getrandbits(32)

    def address(self, family):
        if family == 4:
            return bytes([10, 0, self.dice.randrange(2), self.dice.randrange(4)])
        return b"\xfd" + bytes(14) + bytes([self.dice.randrange(4)])

    def selector(self, anyone=0.6):
        d = self.dice
        if d.random() < anyone:
            return sim.ANY
        family = d.choice([0, 4, 6])
        bits = {0: [0], 4: [0, 8, 24, 31, 32], 6: [0, 8, 127, 128]}[family]
        addresses = [self.address(family).ljust(16, b"\0") if family else bytes(16) for _ in range(2)]
        ports = [0, 0xffff, 0, 0xffff] if d.random() < 0.7 else [0, d.randrange(4), 0, 0xffff]
        return b"".join(addresses) + struct.pack(
            "=BBBBHHHHIIIII", d.choice(bits), d.choice(bits), family, d.choice([0, 0, 6, 17, 1]), *ports,
            d.choice([0, 0, 0, 2]), d.choice([0, 0, 0, 3]), *d.choice([(0, 0), (0, 0), (1, 1), (2, 3)]), 0)

    def sa(self):
        """Handles come in pairs of one key: odd outbound, the next one inbound."""
        d = self.dice
        handle = d.randrange(1, 17)
        pair = random.Random((handle + 1) // 2 + (d.random() < 0.1) * 1000)
        family, mode = pair.choice([4, 6]), pair.choice([0, 1])
        key = pair.randbytes(36)
        ports = pair.choice([b"\0\0\0\0", b"\x11\x94\x11\x94"])
        flags = pair.choice([0, 1, 1, 2, 4, 8, 16, 0x1f, 0x61])
        net = b"\x0a\0\0" if family == 4 else b"\xfd" + bytes(14)
        source, destination = net + b"\1", net + b"\2"
        name = pair.choice(CIPHERS)
        body = struct.pack("=IIBBBB4s16s16sII4sIII", handle, flags, (handle + 1) % 2, family, self.few(50) & 0xff, mode,
                           pair.randbytes(4), source, destination, d.randrange(2), self.few(0), ports,
                           *d.choice([(0, 0), (0, 0), (1, 1), (2, 3)]), 0)
        return body + self.selector(0.9) + sim.algorithm(name, key) + bytes(144) + bytes(144) + bytes(32)

    def entry(self):
        d = self.dice
        direction, action = d.choice([0, 1, 2]), d.choice([0, 1, 2, 2, 2, 2, 3])
        templates = d.choice([1, 1, 1, 1, 0, 2, 4])
        body = self.selector() + struct.pack("=BBHIIIBBHI", direction, 0, 0, d.randrange(3), d.randrange(24), 0, action,
                                             templates, 0, d.choice([0, 0, 7, d.getrandbits(32)]))
        for _ in range(4):
            for _ in range(2):
                body += self.address(4).ljust(16, b"\0") if d.random() < 0.2 else bytes(16)
            body += struct.pack("=IIBBBBI", 0, d.randrange(2), 4, 50, d.randrange(2), d.random() < 0.1, 0)
        return body + bytes(8)

    def policy(self):
        entries = [self.entry() for _ in range(self.dice.randrange(4))]
        count = len(entries) if self.dice.random() < 0.95 else self.dice.randrange(5)
        operation = self.dice.choice([0, 1, 1, 1, 1, 2, 2])
        return sim.record(POLICY, struct.pack("=II24x", operation, count), b"".join(entries))

    def upper(self, protocol):
        d = self.dice
        ports = struct.pack(">HH", d.randrange(8), d.randrange(8))
        payload = d.randbytes(d.choice([0, 1, 7, 40, 41, 200, 1201, 1360, 2800, 9001, 40000]))
        if protocol == 6:
            length = d.choice([5, 5, 5, 8, 15, 4])
            options = d.randbytes(max(0, 4 * length - 20))
            return ports + d.randbytes(8) + bytes([length << 4, d.getrandbits(8)]) + d.randbytes(6) + options + payload
        return ports + struct.pack(">HH", (8 + len(payload)) & 0xffff, d.getrandbits(16)) + payload

    def ip(self):
        d = self.dice
        protocol = d.choice([6, 6, 6, 17, 17, 1, 58, 132, 59, 4])
        upper = self.upper(protocol)
        part = d.choice([0, 0, 0, 0, 0x4000, 0x4000, 0x2000, 0x2001])
        if d.random() < 0.5:
            options = d.choice([b"", b"", b"", b"\1\1\1\0", b"\7\x27" + bytes(38)])
            length = 20 + len(options) + len(upper)
            head = struct.pack(">BBHHHBBH", 0x45 + len(options) // 4, d.getrandbits(8), length & 0xffff,
                               d.getrandbits(16), part, 64, protocol, 0) + self.address(4) + self.address(4) + options
            total = sum(struct.unpack(">%dH" % (len(head) // 2), head))
            total = (total & 0xffff) + (total >> 16)
            total = ~((total & 0xffff) + (total >> 16)) & 0xffff
            head = head[:10] + struct.pack(">H", total) + head[12:]
            return head + upper, len(head), protocol
        chain = b""
        for kind in d.choice([[], [], [], [60], [0], [0, 43], [43, 60], [60, 44]]):
            rest = struct.pack(">BHI", 0, d.choice([0, 0, 1, 8]), 7) if kind == 44 else bytes(7)
            chain += bytes([kind]) + rest
        kinds = [chain[i] for i in range(0, len(chain), 8)] + [protocol]
        chain = b"".join(bytes([kinds[i + 1]]) + chain[8 * i + 1:8 * i + 8] for i in range(len(kinds) - 1))
        head = struct.pack(">IHBB", 6 << 28 | d.getrandbits(28), (len(chain) + len(upper)) & 0xffff, kinds[0], 64)
        return head + self.address(6) + self.address(6) + chain + upper, 40 + len(chain), protocol

    def offload(self, head, protocol):
        d = self.dice
        flags, kind, size = d.choice([0, 0, 1, 1, 3]), 0, 0
        if d.random() < 0.4:
            kind, size = d.choice([1, 4, 5, 0x81, 0, 3]), d.choice([1000, 1360, 536, 1448, 65535])
            kind = 5 if protocol == 17 and d.random() < 0.9 else kind
        return flags, kind, 0, size, self.few(head) & 0xffff, d.choice([16, 6, 6, 8, 0, 300]), 0

    def packet(self, handle, data, head=0, protocol=0, first=None):
        d = self.dice
        first = d.choice([1, 7, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5]) if first is None else first
        mtu = d.choice([1500, 1400, 1280, 576, 68, 65535, 0])
        raw = sim.packet(handle, first, d.choice([1, 2, 64, 100]), len(data), mtu, d.choice([0, 0, 0, 2, 3, 7]),
                         self.offload(head, protocol))
        place = struct.pack("=IIII", d.choice([0, 0, 2]), d.choice([0, 0, 3]), d.choice([0, 0, 1, 2, 3]),
                            d.getrandbits(32))
        return raw[:24] + place + raw[40:]

    def protect(self):
        data, head, protocol = self.ip()
        return sim.record(sim.PROTECT, self.packet(self.dice.randrange(1, 17) | 1, data, head, protocol), data,
                          self.dice.getrandbits(64))

    def classify(self):
        data = self.ip()[0][:256]
        return sim.record(CLASSIFY, self.packet(0, data), data, self.dice.getrandbits(64))

    def unprotect(self):
        if not self.caught:
            return self.protect()
        handle, number, data = self.dice.choice(self.caught)
        if self.dice.random() < 0.3:
            data = self.mutate(data)
        elif self.dice.random() < 0.3:		# another congestion mark on the way
            data = data[:1] + bytes([data[1] ^ self.dice.choice([1, 2, 3, 0x10, 0x20, 0x30])]) + data[2:]
        return sim.record(sim.UNPROTECT, self.packet(handle + 1, data, first=number), data, self.dice.getrandbits(64))

    def noise(self):
        d = self.dice
        data = d.randbytes(d.choice([0, 1, 19, 20, 40, 100, 1500]))
        return sim.record(d.choice([1, 2, 3, 16, 19, 20, 21, 22, 23, 26, 27 + d.getrandbits(15)]),
                          d.randbytes(d.choice([0, 31, 32, 127, 128, 600])), data, d.getrandbits(64))

    def mutate(self, data):
        data = bytearray(data)
        for _ in range(self.dice.randrange(1, 4)):
            if data:
                data[self.dice.randrange(min(len(data), self.dice.choice([40, 100, 2000])))] = self.dice.getrandbits(8)
        return bytes(data[:self.dice.choice([len(data), len(data), self.dice.randrange(len(data) + 1)])])

    def record(self):
        d, kind = self.dice, self.dice.random()
        if kind < 0.10:
            raw = sim.record(d.choice([sim.SA_ADD, SA_UPDATE]), self.sa())
        elif kind < 0.105:
            raw = sim.record(SA_DELETE, struct.pack("=I", d.randrange(20)) + bytes(596))
        elif kind < 0.20:
            raw = self.policy()
        elif kind < 0.21:
            raw = sim.record(CONFIG, struct.pack("=I", d.getrandbits(1)) + bytes(60))
        elif kind < 0.212:
            raw = sim.record(SNAPSHOT_BEGIN, bytes(32))
        elif kind < 0.24:
            return self.noise()
        elif kind < 0.35:
            raw = self.classify()
        elif kind < 0.70:
            raw = self.protect()
        else:
            raw = self.unprotect()
        # Behind the header: the lengths stay sane. Not SA and CONFIG, which would ask for what not all stacks have.
        if self.wild or d.random() < 0.15 and kind >= 0.10 and not 0.20 <= kind < 0.21:
            raw = raw[:64] + self.mutate(raw[64:]).ljust(len(raw) - 64, b"\0")
        return raw

    def catch(self, records, answers):
        """Packets that were protected, for unprotect(): of each handle's inbound twin."""
        self.caught = self.caught[-100:]
        for down, up in zip(records, answers):
            if struct.unpack_from("=H", down, 4)[0] == sim.PROTECT and len(up) > 128 and up[64] == sim.TRANSFORMED:
                handle, _, first = struct.unpack_from("=IIQ", down, 64 + 40)
                self.caught.append((handle, first, sim.Answer(up).packets()[0]))
        self.dice.shuffle(self.caught)
