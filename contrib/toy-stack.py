#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A whole stack in a scripting language, written from Documentation/stack.md: to read, and to compare others with.

toy-stack.py --records                     records on stdin, answers on stdout
toy-stack.py --port DEVICE | --port-fd N [--index I]    a port, by IPSP_IOC_GETMSG and IPSP_IOC_PUTMSG

No sandbox and no speed: not to be given traffic. Numbers in comments are that page's sections.
"""
import argparse
import ctypes
import fcntl
import os
import struct
import sys
from collections import namedtuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

CLASSIFY, PROTECT, UNPROTECT = 1, 2, 3
LEAST = {1: 128, 2: 128, 3: 128, 16: 0, 17: 600, 18: 600, 19: 600, 20: 32, 21: 0, 22: 0, 23: 0, 24: 64, 25: 0, 26: 0}
POLICY, NO_SA, INTEGRITY, MALFORMED, PADDING, DUMMY, SELECTOR, UNSUPPORTED, ECN = range(23, 32)
STACK_ERROR = 34
ESN, NOECN, DECAP_DSCP, DONT_ENCAP_DSCP, NOPMTUDISC = 1, 2, 4, 8, 16
OUT, IN, FWD = range(3)
TCP, UDP, SCTP = 6, 17, 132
ALGORITHMS = {b"rfc4106(gcm(aes))": AESGCM, b"rfc7539esp(chacha20,poly1305)": ChaCha20Poly1305}
NO_ALGORITHM = bytes(64)
ANY = bytes(38) + b"\xff\xff" + bytes(2) + b"\xff\xff" + bytes(20)
ROOM = 4096


class Drop(Exception):
    """The packet is dropped for reason args[0]; of a control record: a note of it."""


def be16(data, at):
    return data[at] << 8 | data[at + 1]


def put16(data, at, value):
    data[at:at + 2] = (value & 0xffff).to_bytes(2, "big")


def checksum(*parts):
    """RFC 1071; all parts but the last are of even length."""
    total = sum(int.from_bytes(part + b"\0" if len(part) & 1 else part, "big") % 0xffff for part in map(bytes, parts))
    whole = total % 0xffff
    if not whole and any(any(part) for part in parts):
        whole = 0xffff
    return ~whole & 0xffff


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


# ---- 3. reading a packet ------------------------------------------------------------------------------------------------

class Ip:
    def __init__(self, data):
        self.version = data[0] >> 4 if data else 0
        self.fragment = self.later = self.df = False
        if self.version == 4 and len(data) >= 20:
            self.read4(data)
        elif self.version == 6 and len(data) >= 40:
            self.read6(data)
        else:
            raise Drop(MALFORMED)

    def read4(self, data):
        self.header, self.total, self.tos, self.protocol = (data[0] & 15) * 4, be16(data, 2), data[1], data[9]
        bits = be16(data, 6)
        self.df, self.fragment, self.later = bool(bits & 0x4000), bool(bits & 0x3fff), bool(bits & 0x1fff)
        self.addresses = data[12:16] + bytes(12), data[16:20] + bytes(12)
        self.named = self.esp_named = 9
        self.esp_at, self.esp_next = self.header, self.protocol
        if self.header < 20 or self.total < self.header or len(data) < self.header:
            raise Drop(MALFORMED)

    def read6(self, data):
        self.header = self.esp_at = 40
        self.total, self.tos = 40 + be16(data, 4), (be16(data, 0) >> 4) & 0xff
        self.addresses = data[8:24], data[24:40]
        self.protocol = self.esp_next = data[6]
        self.named = self.esp_named = 6
        while self.protocol in (0, 43, 44, 60) and not self.later:
            self.extension(data)
        if self.header > self.total:
            raise Drop(MALFORMED)

    def extension(self, data):
        at, kind = self.header, self.protocol
        if len(data) < at + 8:
            raise Drop(MALFORMED)
        self.header += 8 if kind == 44 else 8 * (data[at + 1] + 1)
        if len(data) < self.header:
            raise Drop(MALFORMED)
        if kind == 44:
            bits = be16(data, at + 2)
            self.fragment, self.later = bool(bits & 0xfff9), bool(bits & 0xfff8)
        self.protocol, self.named = data[at], at
        if kind != 60:
            self.esp_at, self.esp_next, self.esp_named = self.header, self.protocol, at

    def ports(self, data):
        at, icmp = self.header, self.protocol == (1 if self.version == 4 else 58)
        if self.later or len(data) < at + 4 or not (icmp or self.protocol in (TCP, UDP, 33, SCTP, 136)):
            return None
        return (data[at], data[at + 1]) if icmp else (be16(data, at), be16(data, at + 2))

    def pseudo(self, length):
        size = 4 if self.version == 4 else 16
        return self.addresses[0][:size] + self.addresses[1][:size] + struct.pack(">II", length, self.protocol)


Tuple = namedtuple("Tuple", "source destination family protocol ports ifindex if_id mark")


def tuple_of(data, ip, ifindex=0, if_id=0, mark=0):
    return Tuple(*ip.addresses, ip.version, ip.protocol, ip.ports(data), ifindex, if_id, mark)


def prefix(a, b, bits):
    shift = 128 - bits
    return int.from_bytes(a, "big") >> shift == int.from_bytes(b, "big") >> shift


class Selector:
    def __init__(self, raw):
        (self.source, self.destination, self.source_bits, self.destination_bits, self.family, self.protocol,
         *self.ports, self.ifindex, self.if_id, self.mark, self.mask, _) = struct.unpack("=16s16sBBBB4H5I", raw)
        self.is_any = raw == ANY

    def matches(self, t):
        return (self.family in (0, t.family) and self.protocol in (0, t.protocol) and
                self.ifindex in (0, t.ifindex) and self.if_id in (0, t.if_id) and
                not (t.mark ^ self.mark) & self.mask and
                prefix(t.destination, self.destination, self.destination_bits) and
                prefix(t.source, self.source, self.source_bits) and self.matches_ports(t.ports))

    def matches_ports(self, ports):
        a, b, c, d = self.ports
        return (a, b, c, d) == (0, 65535, 0, 65535) if ports is None else a <= ports[0] <= b and c <= ports[1] <= d


# ---- 2. what is remembered ------------------------------------------------------------------------------------------------

class Sa:
    def __init__(self, part):
        (self.handle, self.flags, self.direction, self.family, self.protocol, self.mode, self.spi, self.source,
         self.destination, self.reqid, self.tfc, self.sport, self.dport, self.mark, self.mask,
         _) = struct.unpack_from("=IIBBBB4s16s16sII2s2sIII", part)
        self.selector = Selector(part[72:136])
        name, key_bits, icv_bits, key = struct.unpack_from("=64sII72s", part, 136)
        kind = ALGORITHMS.get(name.partition(b"\0")[0]) if b"\0" in name else None
        self.udp = self.sport != b"\0\0"
        self.tunnel = self.mode == 1
        good = (self.handle and self.flags < 0x80 and self.protocol == 50 and self.mode in (0, 1) and
                self.family in (4, 6) and self.udp == (self.dport != b"\0\0") and not self.tfc and kind and
                not part[280] and not part[424] and key_bits == 288 and icv_bits == 128)
        if not good:
            raise Drop(UNSUPPORTED)
        self.aead, self.salt = kind(key[:32]), key[32:36]

    def aad(self, number):
        return self.spi + (struct.pack(">Q", number) if self.flags & ESN else struct.pack(">I", number & 0xffffffff))

    def fits(self, template, t):                             # 3.3
        source, destination, spi, reqid, _, protocol, mode, _ = template
        if self.mode != mode or self.protocol != protocol or reqid not in (0, self.reqid) or spi not in (bytes(4), self.spi):
            return False
        if not mode:
            if self.family != t.family:
                return False
            source, destination = t.source, t.destination
        return source in (bytes(16), self.source) and destination in (bytes(16), self.destination)


class Policy:
    def __init__(self, raw):
        self.selector = Selector(raw[:64])
        self.direction, _, _, self.priority, self.index, _, self.action, self.templates = struct.unpack_from("=BBHIIIBB", raw, 64)
        self.template = [struct.unpack_from("=16s16s4sIBBBB", raw, 88 + 48 * i) for i in range(4)]


# ---- 5.2: segments -----------------------------------------------------------------------------------------------------

class Plan:
    """5.1, step 3."""

    def __init__(self, data, packet):
        self.data, self.ip, self.offload = data, Ip(data), packet.offload
        flags, kind, _, gso, start, offset, _ = packet.offload
        ip, kind, self.too_long, self.cut = self.ip, kind & 0x7f, False, True
        if gso and kind == 5 and ip.protocol == UDP and not ip.fragment:
            self.split(ip.header + 8, gso)
        elif ip.protocol == TCP and not ip.fragment and not (gso and kind == 5) and (gso or len(data) > packet.mtu):
            self.plan_tcp(gso, packet.mtu)
        elif gso:
            raise Drop(UNSUPPORTED)
        else:
            self.cut, self.count, self.too_long = False, 1, len(data) > packet.mtu
            header = ip.header
            if flags & 1:
                header = start + offset + (4 if ip.protocol == SCTP else 2)
            if header > 384 or header > len(data) or (flags & 1 and start < ip.header):
                raise Drop(MALFORMED)

    def plan_tcp(self, gso, mtu):
        at = self.ip.header
        words = self.data[at + 12] >> 4 if len(self.data) >= at + 20 else 0
        if words < 5 or len(self.data) < at + words * 4 or mtu <= at + words * 4:
            raise Drop(MALFORMED)
        most = mtu - at - words * 4
        self.split(at + words * 4, min(gso, most) if gso else most)

    def split(self, header, size):
        if header > 384 or header > len(self.data):
            raise Drop(MALFORMED)
        self.header, self.size = header, size
        self.count = max(1, (len(self.data) - header + size - 1) // size)

    def segment(self, i):
        if not self.cut:
            return self.whole()
        at = self.header + i * self.size
        out, ip = bytearray(self.data[:self.header] + self.data[at:at + self.size]), self.ip
        if ip.version == 4:
            put16(out, 4, be16(out, 4) + i)
        set_length(out, ip.header)
        if ip.protocol == TCP:
            out[ip.header + 4:ip.header + 8] = struct.pack(
                ">I", (int.from_bytes(out[ip.header + 4:ip.header + 8], "big") + i * self.size) & 0xffffffff)
            out[ip.header + 13] &= (0xff if i + 1 == self.count else 0xf6) & (0x7f if i else 0xff)
        else:
            put16(out, ip.header + 4, len(out) - ip.header)
        field = ip.header + (16 if ip.protocol == TCP else 6)
        put16(out, field, 0)
        value = checksum(ip.pseudo(len(out) - ip.header), out[ip.header:])
        put16(out, field, value or (0xffff if ip.protocol == UDP else 0))
        return bytes(out)

    def whole(self):
        flags, _, _, _, start, offset, _ = self.offload
        out, field = bytearray(self.data), start + offset
        if flags & 1 and self.ip.protocol == SCTP:
            out[field:field + 4] = struct.pack("<I", crc32c(out[start:]))
        elif flags & 1:
            put16(out, field, checksum(out[start:]) or (0xffff if self.ip.protocol == UDP else 0))
        return bytes(out)


def set_length(out, header):
    """Total or payload length and IPv4 checksum of what is there."""
    if out[0] >> 4 == 6:
        put16(out, 4, len(out) - 40)
        return
    put16(out, 2, len(out))
    put16(out, 10, 0)
    put16(out, 10, checksum(out[:header]))


# ---- 5.3 and 5.4: ESP ------------------------------------------------------------------------------------------------------

def front_tunnel(sa, ip, number, too_long, total):
    tos = (0 if sa.flags & DONT_ENCAP_DSCP else ip.tos & 0xfc) | (0 if sa.flags & NOECN else ip.tos & 3)
    protocol = UDP if sa.udp else 50
    if sa.family == 6:
        return struct.pack(">IHBB16s16s", 6 << 28 | tos << 20, total - 40, protocol, 64, sa.source, sa.destination)
    df = not too_long and not sa.flags & NOPMTUDISC and (ip.version == 6 or ip.df)
    out = bytearray(struct.pack(">BBHHHBBH4s4s", 0x45, tos, total, 0 if df else number & 0xffff, 0x4000 if df else 0, 64,
                                protocol, 0, sa.source[:4], sa.destination[:4]))
    put16(out, 10, checksum(out))
    return bytes(out)


def front_transport(sa, plan, segment, total):
    out, ip = bytearray(segment[:plan.ip.esp_at]), plan.ip
    out[ip.esp_named] = UDP if sa.udp else 50
    if ip.version == 6:
        put16(out, 4, total - 40)
        return bytes(out)
    if plan.too_long:
        out[6] &= 0xbf
    put16(out, 2, total)
    put16(out, 10, 0)
    put16(out, 10, checksum(out))
    return bytes(out)


def seal(sa, plan, segment, number):
    ip = plan.ip
    text, kind = (segment, 4 if ip.version == 4 else 41) if sa.tunnel else (segment[ip.esp_at:], ip.esp_next)
    pad = -(len(text) + 2) % 4
    text += bytes(range(1, pad + 1)) + bytes([pad, kind])
    front = (40 if sa.family == 6 else 20) if sa.tunnel else ip.esp_at
    total = front + 8 * sa.udp + 16 + len(text) + 16
    if total > 65535:
        raise Drop(MALFORMED)
    out = front_tunnel(sa, ip, number, plan.too_long, total) if sa.tunnel else front_transport(sa, plan, segment, total)
    if sa.udp:
        out += sa.sport + sa.dport + struct.pack(">HH", total - front, 0)
    iv = struct.pack(">Q", number)
    return out + sa.spi + iv[4:] + iv + sa.aead.encrypt(sa.salt + iv, text, sa.aad(number))


def unseal(sa, data, number):
    """The outer header's facts, what was inside, and its protocol."""
    ip = Ip(data)
    at = ip.header + 8 * sa.udp
    if ip.protocol != (UDP if sa.udp else 50) or ip.fragment or len(data) < at + 34 or (len(data) - at) % 4:
        raise Drop(MALFORMED)
    if data[at:at + 4] != sa.spi:
        raise Drop(MALFORMED)
    if data[at + 4:at + 8] != struct.pack(">I", number & 0xffffffff):
        raise Drop(INTEGRITY)
    try:
        text = sa.aead.decrypt(sa.salt + data[at + 8:at + 16], data[at + 16:], sa.aad(number))
    except InvalidTag:
        raise Drop(INTEGRITY) from None
    pad = text[-2]
    if pad > len(text) - 2 or text[len(text) - 2 - pad:-2] != bytes(range(1, pad + 1)):
        raise Drop(PADDING)
    if text[-1] == 59:
        raise Drop(DUMMY)
    return ip, text[:len(text) - 2 - pad], text[-1]


def inner_tunnel(sa, outer, text, kind):
    ip = Ip(text) if kind in (4, 41) else None
    if not ip or ip.version != (4 if kind == 4 else 6) or ip.total > len(text):
        raise Drop(MALFORMED)
    if kind == 4 and checksum(text[:ip.header]):
        raise Drop(MALFORMED)
    out, i, o = bytearray(text[:ip.total]), ip.tos & 3, outer.tos & 3
    if not sa.flags & NOECN:
        if o == 3 and not i:
            raise Drop(ECN)
        i = 3 if o == 3 else 1 if (o, i) == (1, 2) else i
    tos = ((outer.tos if sa.flags & DECAP_DSCP else ip.tos) & 0xfc) | i
    if tos != ip.tos:
        set_tos(out, tos)
    return bytes(out)


def set_tos(out, tos):
    if out[0] >> 4 == 6:
        out[0], out[1] = 0x60 | tos >> 4, (tos << 4) & 0xf0 | out[1] & 15
        return
    total = (~be16(out, 10) & 0xffff) + (~be16(out, 0) & 0xffff) + (out[0] << 8 | tos)
    total = (total & 0xffff) + (total >> 16)
    out[1] = tos
    put16(out, 10, ~((total & 0xffff) + (total >> 16)))


def inner_transport(outer, data, text, kind):
    out = bytearray(data[:outer.header] + text)
    out[outer.named] = kind
    set_length(out, outer.header)
    return bytes(out)


def has_right_checksum(data, ip):                            # 5.5
    plain = 20 if ip.version == 4 else 40
    if ip.protocol != TCP or ip.header != plain or ip.fragment or ip.total != len(data) or len(data) < plain + 20:
        return False
    words = data[plain + 12] >> 4
    return words >= 5 and plain + words * 4 < len(data) and not checksum(ip.pseudo(len(data) - plain), data[plain:])


# ---- 1: records -----------------------------------------------------------------------------------------------------------

Packet = namedtuple("Packet", "offload flags mtu ifindex if_id mark handle count first")


def packet_of(part):
    o = struct.unpack_from("=BBHHHHH", part)
    flags, _, mtu, ifindex, if_id, mark, _, handle, count, first = struct.unpack_from("=HIIIIIIIIQ", part, 14)
    return Packet(o, flags, mtu, ifindex, if_id, mark, handle, count, first)


def answer(verdict, reason=0, packets=(), mtu=0, flags=0, handle=0):
    body = struct.pack("=HHIIIB15xI12xI12x", verdict, reason, len(packets), len(packets[0]) if packets else 0, mtu, flags,
                       handle, bool(handle))
    return body, b"".join(packets)


class Stack:
    def __init__(self):
        self.sas, self.policies, self.default_drop = {}, [], False

    def find(self, t, direction):
        return next((p for p in self.policies if p.direction == direction and p.selector.matches(t)), None)

    def classify(self, p, data):                             # 4
        t = tuple_of(data, Ip(data), p.ifindex, p.if_id, p.mark)
        policy = self.find(t, OUT)
        if not policy and not self.default_drop or policy and policy.action == 1:
            return answer(4)
        if not policy or policy.action != 2:
            raise Drop(POLICY)
        if policy.templates != 1:
            raise Drop(UNSUPPORTED)
        for sa in reversed(self.sas.values()):
            if sa.direction == OUT and not (t.mark ^ sa.mark) & sa.mask and sa.fits(policy.template[0], t) and \
                    (sa.selector.is_any or sa.selector.matches(t)):
                return answer(1, handle=sa.handle)
        if policy.template[0][7]:
            return answer(4)
        raise Drop(NO_SA)

    def sa(self, handle, direction):
        sa = self.sas.get(handle)
        if not sa or sa.direction != direction:
            raise Drop(NO_SA)
        return sa

    def protect(self, p, data):                              # 5.1
        sa, plan = self.sa(p.handle, OUT), Plan(data, p)
        if plan.count > p.count:
            raise Drop(STACK_ERROR)
        if plan.ip.fragment and not sa.tunnel:
            raise Drop(UNSUPPORTED)
        if plan.too_long and not p.flags & 2 and (plan.ip.version == 6 or plan.ip.df):
            return answer(7, mtu=max(p.mtu, 1280) if plan.ip.version == 6 else p.mtu)
        return answer(2, packets=[seal(sa, plan, plan.segment(i), (p.first + i) % 2**64) for i in range(plan.count)])

    def unprotect(self, p, data):                            # 5.4
        sa = self.sa(p.handle, IN)
        outer, text, kind = unseal(sa, data, p.first)
        out = inner_tunnel(sa, outer, text, kind) if sa.tunnel else inner_transport(outer, data, text, kind)
        ip = Ip(out)
        if not sa.selector.is_any and not sa.selector.matches(tuple_of(out, ip, mark=sa.selector.mark)):
            raise Drop(SELECTOR)
        if self.policies and not self.admits(sa, tuple_of(out, ip, p.ifindex, p.if_id, p.mark)):
            raise Drop(POLICY)
        right = sa.udp and not sa.tunnel or has_right_checksum(out, ip)
        return answer(2, packets=[out], flags=2 if right else 0)

    def admits(self, sa, t):                                 # 5.4.3
        found = [self.find(t, IN), self.find(t, FWD)]
        return found == [None, None] or any(
            f and f.action == 2 and any(sa.fits(one, t) for one in f.template[:f.templates]) for f in found)

    def control(self, kind, part, data):                     # 2
        if kind in (17, 18):
            sa = Sa(part)
            if len(self.sas) - (sa.handle in self.sas) >= ROOM:
                raise Drop(STACK_ERROR)
            self.sas.pop(sa.handle, None)
            self.sas[sa.handle] = sa                         # the newest is the last
        elif kind == 19:
            self.sas.pop(struct.unpack_from("=I", part)[0], None)
        elif kind == 20:
            self.change(*struct.unpack_from("=II", part), data)
        elif kind == 24:
            self.default_drop = bool(part[0] & 1)
        elif kind == 25:
            self.sas, self.policies = {}, []

    def change(self, operation, count, data):                # 2.2
        if len(data) != count * 288:
            raise Drop(MALFORMED)
        if operation == 0:
            self.policies = []
        for i in range(count):
            new = Policy(data[288 * i:288 * i + 288])
            self.policies = [p for p in self.policies if p.index != new.index]
            if operation != 2:
                if len(self.policies) >= ROOM:
                    raise Drop(STACK_ERROR)
                self.policies.append(new)
                self.policies.sort(key=lambda p: p.priority)

    def give(self, raw):
        """A down record in; an up record, or nothing."""
        _, kind, _, control, at, length, generation, ticket = struct.unpack_from("=IHHIIIIQ", raw)
        part, data = raw[64:64 + control], raw[at:at + length] if length else b""
        try:
            if control < LEAST.get(kind, 1 << 32):
                raise Drop(UNSUPPORTED)
            if kind > UNPROTECT:
                return self.control(kind, part, data) or b""
        except Drop as drop:
            note = struct.pack("=IHHI52xIHHQ", 128, 34, 0, 32, 0, drop.args[0], 0, 1)
            return note + bytes(128 - len(note))
        try:
            serve = {CLASSIFY: self.classify, PROTECT: self.protect, UNPROTECT: self.unprotect}[kind]
            body, packets = serve(packet_of(part), data)
        except Drop as drop:
            body, packets = answer(5, drop.args[0])
        whole = (128 + len(packets) + 63) & ~63
        head = struct.pack("=IHHIIIIQ32x", whole, 32, 0, 64, 128, len(packets), generation, ticket)
        return (head + body + packets).ljust(whole, b"\0")


# ---- 6: the program -----------------------------------------------------------------------------------------------------------

def run_records(stack):
    source, sink, waiting = sys.stdin.buffer.raw, sys.stdout.buffer, b""
    while True:
        while len(waiting) >= 4 and len(waiting) >= 4 + int.from_bytes(waiting[:4], sys.byteorder):
            end = 4 + int.from_bytes(waiting[:4], sys.byteorder)
            up = stack.give(waiting[4:end])
            sink.write(len(up).to_bytes(4, sys.byteorder) + up)
            waiting = waiting[end:]
        sink.flush()
        more = source.read(1 << 16)
        if not more:
            return
        waiting += more


def run_port(stack, fd, index):
    fcntl.ioctl(fd, 1 << 30 | 32 << 16 | 0xb7 << 8 | 0x20, struct.pack("=II24x", 1, index))
    buffer = ctypes.create_string_buffer(128 << 10)
    get = struct.pack("=QII16x", ctypes.addressof(buffer), len(buffer), 0)
    while True:
        size = struct.unpack_from("=I", fcntl.ioctl(fd, 3 << 30 | 32 << 16 | 0xb7 << 8 | 0x23, get), 8)[0]
        up = stack.give(buffer.raw[:size])
        if up:
            out = ctypes.create_string_buffer(up, len(up))
            fcntl.ioctl(fd, 1 << 30 | 32 << 16 | 0xb7 << 8 | 0x24,
                        struct.pack("=QII16x", ctypes.addressof(out), len(up), 0))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", action="store_true")
    parser.add_argument("--port")
    parser.add_argument("--port-fd", type=int)
    parser.add_argument("--index", type=int, default=0)
    args, _ = parser.parse_known_args()
    if args.records:
        run_records(Stack())
    elif args.port or args.port_fd is not None:
        run_port(Stack(), os.open(args.port, os.O_RDWR) if args.port else args.port_fd, args.index)
    else:
        parser.error("--records, --port or --port-fd")


if __name__ == "__main__":
    main()
