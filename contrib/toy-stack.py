#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A whole stack in a scripting language, written from Documentation/stack.md: to read, and to compare others with.

With --records it reads records on stdin and answers on stdout; with a port it uses IPSP_IOC_GETMSG and IPSP_IOC_PUTMSG.
It has no sandbox and no speed: not to be given traffic that matters. Numbers in comments are that page's sections.
"""
import ctypes, fcntl, os, struct, sys
from collections import namedtuple
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

LEAST = {1: 128, 2: 128, 3: 128, 16: 0, 17: 600, 18: 600, 19: 600, 20: 32, 21: 0, 22: 0, 23: 0, 24: 64, 25: 0, 26: 0}
POLICY, NO_SA, INTEGRITY, MALFORMED, PADDING, DUMMY, SELECTOR, UNSUPPORTED, ECN = range(23, 32)
ATTACH, GETMSG, PUTMSG, STACK_ERROR, ROOM = 0x4020b720, 0xc020b723, 0x4020b724, 34, 4096
ESN, NOECN, DECAP_DSCP, DONT_ENCAP_DSCP, NOPMTUDISC = 1, 2, 4, 8, 16
CLASSIFY, PROTECT, UNPROTECT, OUT, IN, FWD, TCP, UDP, SCTP = 1, 2, 3, 0, 1, 2, 6, 17, 132
ALGORITHMS = {b"rfc4106(gcm(aes))": AESGCM, b"rfc7539esp(chacha20,poly1305)": ChaCha20Poly1305}
ANY = bytes(38) + b"\xff\xff" + bytes(2) + b"\xff\xff" + bytes(20)
Packet = namedtuple("Packet", "offload flags mtu ifindex if_id mark label handle count first through")
Tuple = namedtuple("Tuple", "source destination family protocol ports ifindex if_id mark")
Template = namedtuple("Template", "source destination spi reqid family protocol mode optional")

class Drop(Exception):
    """The packet is dropped for reason args[0]; of a control record: a note of it."""

def demand(good, reason=MALFORMED):
    if not good:
        raise Drop(reason)
def be16(data, at):
    return data[at] << 8 | data[at + 1]
def put16(data, at, value):
    data[at:at + 2] = (value & 0xffff).to_bytes(2, "big")
def checksum(data):
    total = int.from_bytes(data + bytes(len(data) & 1), "big")
    return 0xffff - (total % 0xffff or (0xffff if total else 0))
def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff

# ---- 3. reading a packet ----------------------------------------------------------------------------------------
class Ip:
    def __init__(self, data):
        self.version = data[0] >> 4 if data else 0
        self.fragment = self.later = self.df = False
        demand(self.version == 4 and len(data) >= 20 or self.version == 6 and len(data) >= 40)
        (self.read4 if self.version == 4 else self.read6)(data)
        demand(self.header <= self.total and self.header <= len(data))
    def read4(self, data):
        self.header, self.total, self.tos, self.protocol = (data[0] & 15) * 4, be16(data, 2), data[1], data[9]
        bits = be16(data, 6)
        self.df, self.fragment, self.later = bool(bits & 0x4000), bool(bits & 0x3fff), bool(bits & 0x1fff)
        self.addresses = data[12:16] + bytes(12), data[16:20] + bytes(12)
        self.esp_at, self.esp_next, self.named, self.esp_named = self.header, self.protocol, 9, 9
        demand(self.header >= 20)
    def read6(self, data):
        self.header, self.esp_at, self.total, self.tos = 40, 40, 40 + be16(data, 4), be16(data, 0) >> 4 & 0xff
        self.addresses = data[8:24], data[24:40]
        self.protocol, self.esp_next, self.named, self.esp_named = data[6], data[6], 6, 6
        while self.protocol in (0, 43, 44, 60) and not self.later:
            at, kind = self.header, self.protocol
            demand(len(data) >= at + 8)
            self.header += 8 if kind == 44 else 8 * (data[at + 1] + 1)
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
    def tuple(self, data, ifindex=0, if_id=0, mark=0):
        return Tuple(*self.addresses, self.version, self.protocol, self.ports(data), ifindex, if_id, mark)
def prefix(a, b, bits):
    return int.from_bytes(a, "big") >> 128 - bits == int.from_bytes(b, "big") >> 128 - bits
class Selector:
    def __init__(self, raw):
        (self.source, self.destination, self.source_bits, self.destination_bits, self.family, self.protocol,
         *self.ports, self.ifindex, self.if_id, self.mark, self.mask, _) = struct.unpack("=16s16sBBBB4H5I", raw)
        self.is_any = raw == ANY
    def matches(self, t):
        a, b, c, d = self.ports
        return (self.family in (0, t.family) and self.protocol in (0, t.protocol) and
                self.ifindex in (0, t.ifindex) and self.if_id in (0, t.if_id) and
                not (t.mark ^ self.mark) & self.mask and
                prefix(t.destination, self.destination, self.destination_bits) and
                prefix(t.source, self.source, self.source_bits) and
                (a <= t.ports[0] <= b and c <= t.ports[1] <= d if t.ports else (a, b, c, d) == (0, 65535, 0, 65535)))

# ---- 2. what is remembered --------------------------------------------------------------------------------------
class Sa:
    def __init__(self, part):
        (self.handle, self.flags, self.direction, self.family, self.protocol, self.mode, self.spi, self.source,
         self.destination, self.reqid, tfc, self.sport, self.dport, self.mark, self.mask,
         self.if_id) = struct.unpack_from("=IIBBBB4s16s16sII2s2sIII", part)
        self.selector, self.tunnel, self.udp = Selector(part[72:136]), self.mode == 1, self.sport != b"\0\0"
        name, key_bits, icv_bits, key, self.label = struct.unpack_from("=64sII72s288xI", part, 136)
        kind = ALGORITHMS.get(name.partition(b"\0")[0]) if b"\0" in name else None
        demand(self.handle and self.flags < 0x80 and self.protocol == 50 and self.mode in (0, 1) and
               self.family in (4, 6) and self.udp == (self.dport != b"\0\0") and not tfc and kind and
               not part[280] and not part[424] and key_bits == 288 and icv_bits == 128, UNSUPPORTED)
        self.aead, self.salt = kind(key[:32]), key[32:36]
    def aad(self, number):
        return self.spi + struct.pack(">Q", number)[0 if self.flags & ESN else 4:]
    def around(self, t):                                     # 3.4
        inside = t[:3] if self.mode == 0 else (self.source, self.destination, self.family)
        return Tuple(*inside, self.protocol, None, t.ifindex, t.if_id, t.mark)
    def takes(self, t):
        return self.selector.is_any or self.selector.matches(t)
    def fits(self, a, t):                                    # 3.3
        pair = (a.source, a.destination) if a.mode else (t.source, t.destination)
        return (self.mode == a.mode and self.protocol == a.protocol and a.reqid in (0, self.reqid) and
                a.spi in (bytes(4), self.spi) and (a.mode or self.family == t.family) and
                pair[0] in (bytes(16), self.source) and pair[1] in (bytes(16), self.destination))
class Policy:
    def __init__(self, raw):
        (self.direction, _, _, self.priority, self.index, self.label, self.action, self.templates, _,
         self.acquire) = struct.unpack_from("=BBHIIIBBHI", raw, 64)
        self.selector = Selector(raw[:64])
        self.template = [Template(*struct.unpack_from("=16s16s4sIBBBB", raw, 88 + 48 * i)) for i in range(4)]
    def bundle(self, t, pick):                               # 3.4
        found = []
        for one in self.template[:self.templates]:
            sa = pick(self, one, t, len(found))
            if not sa and not one.optional:
                return None
            found, t = (found + [sa], sa.around(t)) if sa else (found, t)
        return found

# ---- 5.1 and 5.2: segments --------------------------------------------------------------------------------------
class Plan:
    def __init__(self, data, packet):
        flags, kind, _, gso, start, offset, _ = self.offload = packet.offload
        self.data, self.ip, self.size, self.too_long = data, Ip(data), 0, False
        ip, whole_udp, self.header = self.ip, gso and kind & 0x7f == 5, self.ip.header
        if whole_udp and ip.protocol == UDP and not ip.fragment:
            self.header, self.size = ip.header + 8, gso
        elif ip.protocol == TCP and not ip.fragment and not whole_udp and (gso or len(data) > packet.mtu):
            self.header += data[ip.header + 12] // 16 * 4 if len(data) >= ip.header + 20 else 0
            demand(self.header >= ip.header + 20 and len(data) >= self.header < packet.mtu)
            self.size = min(gso or 65536, packet.mtu - self.header)
        else:
            demand(not gso, UNSUPPORTED)
            demand(not flags & 1 or start >= ip.header)
            self.header = start + offset + (4 if ip.protocol == SCTP else 2) if flags & 1 else ip.header
            self.too_long = len(data) > packet.mtu
        demand(self.header <= 384 and self.header <= len(data))
        self.count = max(1, -(-(len(data) - self.header) // self.size)) if self.size else 1
    def segment(self, i):
        if not self.size:
            return self.whole()
        ip, at = self.ip, self.header + i * self.size
        out = bytearray(self.data[:self.header] + self.data[at:at + self.size])
        part = memoryview(out)[ip.header:]
        if ip.version == 4:
            put16(out, 4, be16(out, 4) + i)
        set_length(out, ip.header, len(out))
        if ip.protocol == TCP:
            part[4:8] = ((int.from_bytes(part[4:8], "big") + i * self.size) & 0xffffffff).to_bytes(4, "big")
            part[13] &= (0xff if i + 1 == self.count else 0xf6) & (0x7f if i else 0xff)
        else:
            put16(part, 4, len(part))
        field = 16 if ip.protocol == TCP else 6
        put16(part, field, 0)
        put16(part, field, checksum(ip.pseudo(len(part)) + bytes(part)) or (0xffff if ip.protocol == UDP else 0))
        return bytes(out)
    def whole(self):
        flags, _, _, _, start, offset, _ = self.offload
        out, field = bytearray(self.data), start + offset
        if flags & 1 and self.ip.protocol == SCTP:
            out[field:field + 4] = struct.pack("<I", crc32c(out[start:]))
        elif flags & 1:
            put16(out, field, checksum(out[start:]) or (0xffff if self.ip.protocol == UDP else 0))
        return bytes(out)
def set_length(out, header, total):
    """Total or payload length, and an IPv4 header's checksum."""
    for at, value in ((4, total - 40),) if out[0] >> 4 == 6 else ((2, total), (10, 0), (10, None)):
        put16(out, at, checksum(out[:header]) if value is None else value)

# ---- 5.3 and 5.4: ESP -------------------------------------------------------------------------------------------
def front(sa, plan, segment, number, total):
    ip, protocol = plan.ip, UDP if sa.udp else 50
    if not sa.tunnel:
        out = bytearray(segment[:ip.esp_at])
        out[ip.esp_named] = protocol
        if ip.version == 4 and plan.too_long:
            out[6] &= 0xbf
    else:
        tos = (0 if sa.flags & DONT_ENCAP_DSCP else ip.tos & 0xfc) | (0 if sa.flags & NOECN else ip.tos & 3)
        df = not plan.too_long and not sa.flags & NOPMTUDISC and (ip.version == 6 or ip.df)
        out = bytearray(struct.pack(">IHBB16s16s", 6 << 28 | tos << 20, 0, protocol, 64, sa.source, sa.destination)
                        if sa.family == 6 else
                        struct.pack(">BBHHHBBH4s4s", 0x45, tos, 0, 0 if df else number & 0xffff, 0x4000 * df, 64,
                                    protocol, 0, sa.source[:4], sa.destination[:4]))
    set_length(out, len(out), total)
    return bytes(out)
def seal(sa, plan, segment, number):
    ip, iv = plan.ip, struct.pack(">Q", number)
    text, kind = (segment, 4 if ip.version == 4 else 41) if sa.tunnel else (segment[ip.esp_at:], ip.esp_next)
    pad = -(len(text) + 2) % 4
    text += bytes(range(1, pad + 1)) + bytes([pad, kind])
    size = ip.esp_at if not sa.tunnel else 40 if sa.family == 6 else 20
    total = size + 8 * sa.udp + 16 + len(text) + 16
    demand(total <= 65535)
    out = front(sa, plan, segment, number, total)
    if sa.udp:
        out += sa.sport + sa.dport + struct.pack(">HH", total - size, 0)
    return out + sa.spi + iv[4:] + iv + sa.aead.encrypt(sa.salt + iv, text, sa.aad(number))
def unseal(sa, data, number):
    """What is known of the outer packet, what was inside, and its protocol."""
    ip = Ip(data)
    at = ip.header + 8 * sa.udp
    demand(ip.protocol == (UDP if sa.udp else 50) and not ip.fragment and len(data) >= at + 34 and
           not (len(data) - at) % 4 and data[at:at + 4] == sa.spi)
    demand(data[at + 4:at + 8] == struct.pack(">Q", number)[4:], INTEGRITY)
    try:
        text = sa.aead.decrypt(sa.salt + data[at + 8:at + 16], data[at + 16:], sa.aad(number))
    except InvalidTag:
        raise Drop(INTEGRITY) from None
    end = len(text) - 2 - text[-2]
    demand(end >= 0 and text[end:-2] == bytes(range(1, text[-2] + 1)), PADDING)
    demand(text[-1] != 59, DUMMY)
    return ip, text[:end], text[-1]
def inner_tunnel(sa, outer, text, kind):
    demand(kind in (4, 41))
    ip = Ip(text)
    demand(ip.version == (4 if kind == 4 else 6) and ip.total <= len(text))
    demand(kind == 41 or not checksum(text[:ip.header]))
    out, i, o = bytearray(text[:ip.total]), ip.tos & 3, outer.tos & 3
    if not sa.flags & NOECN:
        demand(o != 3 or i, ECN)
        i = 3 if o == 3 else 1 if (o, i) == (1, 2) else i
    tos = ((outer.tos if sa.flags & DECAP_DSCP else ip.tos) & 0xfc) | i
    if tos != ip.tos and kind == 41:
        out[0], out[1] = 0x60 | tos >> 4, tos << 4 & 0xf0 | out[1] & 15
    elif tos != ip.tos:
        total = (~be16(out, 10) & 0xffff) + (~be16(out, 0) & 0xffff) + (out[0] << 8 | tos)
        total = (total & 0xffff) + (total >> 16)
        out[1] = tos
        put16(out, 10, ~((total & 0xffff) + (total >> 16)))
    return bytes(out)
def inner_transport(outer, data, text, kind):
    out = bytearray(data[:outer.header] + text)
    out[outer.named] = kind
    set_length(out, outer.header, len(out))
    return bytes(out)
def has_right_checksum(data, ip):                            # 5.5
    plain = 20 if ip.version == 4 else 40
    if ip.protocol != TCP or ip.header != plain or ip.fragment or ip.total != len(data) or len(data) < plain + 20:
        return False
    return 20 <= data[plain + 12] // 16 * 4 < len(data) - plain and not checksum(
        ip.pseudo(len(data) - plain) + data[plain:])

# ---- 1. records -------------------------------------------------------------------------------------------------
def answer(verdict, reason=0, packets=(), mtu=0, flags=0, handles=(), acquire=0):
    size = len(packets[0]) if packets else 0
    return struct.pack("=HHIIIB11xI4II12x", verdict, reason, len(packets), size, mtu, flags, acquire,
                       *(*handles, 0, 0, 0, 0)[:4], len(handles)), b"".join(packets)
def acquire(policy, t, p):                                   # 1.4
    bits, ports, last = 32 if t.family == 4 else 128, t.ports or (0, 0), t.ports or (65535, 65535)
    return struct.pack("=IHHII48xII16s16sBBBB4H6I52x", 192, 33, 0, 96, 192,
                       policy.acquire, policy.index, t.source, t.destination, bits, bits, t.family, t.protocol,
                       ports[0], last[0], ports[1], last[1], t.ifindex, t.if_id, t.mark, 0xffffffff if t.mark else 0,
                       0, p.label)

class Stack:
    def __init__(self):
        self.sas, self.policies, self.default_drop = {}, [], False
    def find(self, t, direction, label):
        return next((p for p in self.policies if p.direction == direction and p.label in (0, label) and
                     p.selector.matches(t)), None)
    def classify(self, p, data):                             # 4
        t = Ip(data).tuple(data, p.ifindex, p.if_id, p.mark)
        policy = self.find(t, OUT, p.label)
        if policy.action == 1 if policy else not self.default_drop:
            return answer(4)
        demand(policy and policy.action == 2, POLICY)
        demand(0 < policy.templates <= 4, UNSUPPORTED)
        bundle = policy.bundle(t, self.newest)
        demand(bundle is not None or policy.acquire, NO_SA)
        demand(not any(sa.udp for sa in (bundle or [])[:-1]), UNSUPPORTED)
        return answer(1, handles=[sa.handle for sa in bundle]) if bundle else answer(4) if bundle == [] else (
            *answer(6, acquire=policy.acquire), acquire(policy, t, p))
    def newest(self, policy, one, t, _):
        return next((sa for sa in reversed(self.sas.values()) if sa.direction == OUT and sa.label == policy.label and
                     not (t.mark ^ sa.mark) & sa.mask and sa.if_id in (0, t.if_id) and sa.fits(one, t) and sa.takes(t)), None)
    def sa(self, handle, direction):
        sa = self.sas.get(handle)
        demand(sa and sa.direction == direction, NO_SA)
        return sa
    def protect(self, p, data):                              # 5.1
        sa, plan = self.sa(p.handle, OUT), Plan(data, p)
        demand(plan.count <= p.count, STACK_ERROR)
        demand(sa.tunnel or not plan.ip.fragment, UNSUPPORTED)
        if plan.too_long and not p.flags & 2 and (plan.ip.version == 6 or plan.ip.df):
            return answer(7, mtu=max(p.mtu, 1280) if plan.ip.version == 6 else p.mtu)
        return answer(2, packets=[seal(sa, plan, plan.segment(i), (p.first + i) % 2**64) for i in range(plan.count)])
    def unprotect(self, p, data):                            # 5.4
        sa, through = self.sa(p.handle, IN), [self.sa(handle, IN) for handle in p.through]
        outer, text, kind = unseal(sa, data, p.first)
        out = inner_tunnel(sa, outer, text, kind) if sa.tunnel else inner_transport(outer, data, text, kind)
        ip = Ip(out)
        demand(sa.takes(ip.tuple(out, mark=sa.selector.mark)), SELECTOR)
        demand(not self.policies or self.goes_on(ip, out) or
               self.admits(through, ip.tuple(out, p.ifindex, p.if_id, p.mark)), POLICY)
        return answer(2, packets=[out], flags=2 * bool(sa.udp and not sa.tunnel or has_right_checksum(out, ip)))
    def goes_on(self, ip, data):                             # 5.4.3
        spi, end = data[ip.header:ip.header + 4], ip.addresses[1]
        return ip.protocol == 50 and not ip.fragment and len(data) >= ip.header + 8 and any(
            sa.direction == IN and not sa.udp and (sa.family, sa.spi, sa.destination) == (ip.version, spi, end)
            for sa in self.sas.values())
    def admits(self, through, t):
        pick = lambda _, one, now, n: n < len(through) and through[n].fits(one, now) and through[n]
        found = [self.find(t, way, through[0].label) for way in (IN, FWD)]
        return found == [None, None] or any(f and f.action == 2 and f.bundle(t, pick) == through for f in found)
    def control(self, kind, part, data):                     # 2
        if kind in (17, 18):
            sa = Sa(part)
            demand(sa.handle in self.sas or len(self.sas) < ROOM, STACK_ERROR)
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
        demand(len(data) == count * 288)
        self.policies = self.policies if operation else []
        for new in (Policy(data[288 * i:288 * i + 288]) for i in range(count)):
            self.policies = [p for p in self.policies if p.index != new.index]
            if operation != 2:
                demand(len(self.policies) < ROOM, STACK_ERROR)
                self.policies = sorted(self.policies + [new], key=lambda p: p.priority)
    def packet(self, kind, part, data):
        stamps = struct.unpack_from("=I12xI12xI12xI", part, 40)
        through = [handle for i, handle in enumerate(stamps) if all(stamps[1:i + 1])]
        packet = Packet(struct.unpack_from("=BBHHHHH", part), *struct.unpack_from("=H4xIIIIIIIQ", part, 14), through)
        return {CLASSIFY: self.classify, PROTECT: self.protect, UNPROTECT: self.unprotect}[kind](packet, data)
    def give(self, raw):
        """A down record in; an up record, or nothing."""
        _, kind, _, control, at, length, generation, ticket = struct.unpack_from("=IHHIIIIQ", raw)
        part, data = raw[64:64 + control], raw[at:at + length] if length else b""
        is_packet = kind in (CLASSIFY, PROTECT, UNPROTECT) and control >= LEAST[kind]
        try:
            demand(control >= LEAST.get(kind, 1 << 32), UNSUPPORTED)
            if not is_packet:
                return self.control(kind, part, data) or b""
            body, packets, *before = self.packet(kind, part, data)
        except Drop as drop:
            if not is_packet:
                return struct.pack("=IHHI52xIHHQ48x", 128, 34, 0, 32, 0, drop.args[0], 0, 1)
            body, packets, *before = answer(5, drop.args[0])
        whole = (128 + len(packets) + 63) & ~63
        head = struct.pack("=IHHIIIIQ32x", whole, 32, 0, 64, 128, len(packets), generation, ticket)
        return b"".join(before) + (head + body + packets).ljust(whole, b"\0")

# ---- 6. the program ---------------------------------------------------------------------------------------------
def run_records(stack):
    waiting = b""
    while more := sys.stdin.buffer.raw.read(1 << 16):
        waiting += more
        while len(waiting) >= 4 and len(waiting) >= (end := 4 + int.from_bytes(waiting[:4], sys.byteorder)):
            up = stack.give(waiting[4:end])
            sys.stdout.buffer.write(len(up).to_bytes(4, sys.byteorder) + up)
            waiting = waiting[end:]
        sys.stdout.buffer.flush()
def move(fd, number, buffer):
    message = struct.pack("=QI20x", ctypes.addressof(buffer), len(buffer))
    return struct.unpack_from("=I", fcntl.ioctl(fd, number, message), 8)[0]
def run_port(stack, fd, index):
    fcntl.ioctl(fd, ATTACH, struct.pack("=II24x", 1, index)) # IPSP_ROLE_STACK
    room = ctypes.create_string_buffer(128 << 10)
    while True:
        up = stack.give(ctypes.string_at(room, move(fd, GETMSG, room)))
        while up:
            one = up[:struct.unpack_from("=I", up)[0]]
            move(fd, PUTMSG, ctypes.create_string_buffer(one, len(one)))
            up = up[len(one):]
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
if sys.argv[1:] == ["--records"]:
    run_records(Stack())
elif "--port" in options or "--port-fd" in options:
    fd = os.open(options["--port"], os.O_RDWR) if "--port" in options else int(options["--port-fd"])
    run_port(Stack(), fd, int(options.get("--index", 0)))
else:
    sys.exit("usage: toy-stack.py --records | --port DEVICE | --port-fd N [--index I]")
