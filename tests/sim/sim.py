# SPDX-License-Identifier: GPL-2.0
"""The records of uapi/ipsec_port.h in Python, and a transform (ipsec-port-sim) to give them to."""
import os
import struct
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

PROTECT, UNPROTECT, SA_ADD, SA_DELETE = 2, 3, 17, 19
OUT, IN = 0, 1
TRANSPORT, TUNNEL, BEET = 0, 1, 4
ESP, AH = 50, 51
ESN, ALIGN4 = 1, 64
TRANSFORMED, DROP, TOOBIG = 2, 5, 7
NEEDS_CSUM, GSO_TCPV4, GSO_TCPV6 = 1, 1, 4

ANY = struct.pack("=32xBBBBHHHHIIIII", 0, 0, 0, 0, 0, 0xffff, 0, 0xffff, 0, 0, 0, 0, 0)


def address(text):
    """Family and the 16 bytes of the interface."""
    import socket
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return (6 if ":" in text else 4), socket.inet_pton(family, text).ljust(16, b"\0")


def algorithm(name, key, icv_bits=128):
    return struct.pack("=64sII72s", name.encode(), 8 * len(key), icv_bits, key)


def selector(source, destination):
    """One address each, of one family."""
    family, src = address(source)
    bits = 32 if family == 4 else 128
    return src + address(destination)[1] + struct.pack("=BBBBHHHHIIIII", bits, bits, family, 0, 0, 0xffff, 0, 0xffff, 0, 0,
                                                       0, 0, 0)


def sa(handle, direction, mode, spi, source, destination, name, key, flags=0, auth=None, protocol=ESP, only=ANY,
       encap=(0, 0)):
    """`auth`: (name, key, ICV bits); then `name` is a cipher, else an AEAD. `only`: the selector. `encap`: ports of UDP."""
    family, src = address(source)
    dst = address(destination)[1]
    none = bytes(144)
    algorithms = none + algorithm(name, key, 0) + algorithm(*auth) if auth else algorithm(name, key) + none + none
    body = struct.pack("=IIBBBB4s16s16sII4sIII", handle, flags, direction, family, protocol, mode,
                       struct.pack(">I", spi), src, dst, 1, 0, struct.pack(">HH", *encap), 0, 0, 0)
    return body + only + algorithms + bytes(32)


def packet(handle, first, count=1, length=0, mtu=1400, flags=0, offload=(0, 0, 0, 0, 0, 0, 0)):
    body = struct.pack("=BBHHHHH", *offload)
    body += struct.pack("=BBHIIIIII", 4, 0, flags, length, mtu, 0, 0, 0, 0)
    return body + struct.pack("=IIQ", handle, count, first) + bytes(48 + 24)


def record(kind, control, data=b"", ticket=0):
    offset = (64 + len(control) + 63) & ~63
    whole = (offset + len(data) + 63) & ~63
    head = struct.pack("=IHHIIIIQB", whole, kind, 0, len(control), offset, len(data), 0, ticket, 0)
    return (head.ljust(64, b"\0") + control).ljust(offset, b"\0") + data + bytes(whole - offset - len(data))


class Answer:
    def __init__(self, raw):
        (_, self.kind, _, _, offset, size, _, self.ticket) = struct.unpack_from("=IHHIIIIQ", raw)
        (self.verdict, self.reason, self.segments, self.segment_len,
         self.mtu) = struct.unpack_from("=HHIII", raw, 64)
        self.data = raw[offset:offset + size] if size else b""

    def packets(self):
        return [self.data[i * self.segment_len:(i + 1) * self.segment_len] for i in range(self.segments)]


class Sim:
    def __init__(self, *words):
        """`words`: of a stack that takes records like it; the first is under build/."""
        words = words or ("ipsec-port-sim",)
        program = os.path.join(TOP, "build", words[0])
        self.child = subprocess.Popen([program, *words[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def give(self, raw):
        self.child.stdin.write(struct.pack("=I", len(raw)) + raw)
        self.child.stdin.flush()
        size = struct.unpack("=I", self.child.stdout.read(4))[0]
        return Answer(self.child.stdout.read(size)) if size else None

    def add(self, *args, **more):
        refused = self.give(record(SA_ADD, sa(*args, **more)))
        assert refused is None, "the SA was refused"

    def delete(self, handle):
        """Only the handle of it is looked at."""
        self.give(record(SA_DELETE, sa(handle, 0, 0, 0, "0.0.0.0", "0.0.0.0", "", b"")))

    def protect(self, handle, first, data, **more):
        return self.give(record(PROTECT, packet(handle, first, length=len(data), **more), data))

    def unprotect(self, handle, number, data):
        return self.give(record(UNPROTECT, packet(handle, number, length=len(data)), data))


class Tap:
    """Counts and prints results, one a line."""

    def __init__(self):
        self.count = self.failed = 0

    def check(self, good, what):
        self.count += 1
        self.failed += not good
        print("%sok %d %s" % ("" if good else "not ", self.count, what), flush=True)

    def end(self):
        print("1..%d" % self.count)
        return 1 if self.failed else 0
