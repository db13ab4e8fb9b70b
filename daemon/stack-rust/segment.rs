// SPDX-License-Identifier: GPL-2.0
//! segment - what an outbound packet is cut into, and each segment made ready: checksums, lengths, numbers

use crate::answer::Reason;
use crate::checksum;
use crate::ip::{self, Ip, V6_LEN};
use crate::record::Fields;

/// A header is repeated in each segment, from memory of so many bytes.
pub const HEADER_MAX: usize = 384;
const NEEDS_CSUM: u8 = 1;
const GSO_UDP: u8 = 5;
const GSO_ECN: u8 = 0x80;
const TCP_LEN: usize = 20;
const UDP_LEN: usize = 8;
const FIN_PSH: u8 = 0x09;
const CWR: u8 = 0x80;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tcp,
    Udp,
    Whole,
}

/// struct ipsp_offload, what of it is looked at.
pub struct Offload {
    needs_csum: bool,
    gso_type: u8,
    gso_size: usize,
    csum_start: usize,
    csum_offset: usize,
}

impl Offload {
    pub fn read(f: Fields) -> Offload {
        Offload {
            needs_csum: f.u8(0) & NEEDS_CSUM != 0,
            gso_type: f.u8(1) & !GSO_ECN,
            gso_size: usize::from(f.u16(4)),
            csum_start: usize::from(f.u16(6)),
            csum_offset: usize::from(f.u16(8)),
        }
    }
}

/// How a packet is cut: `header` bytes are repeated, `size` bytes of the rest go behind each.
pub struct Plan {
    kind: Kind,
    pub header: usize,
    size: usize,
    pub segments: usize,
    /// Whole: where the checksum starts that is to be finished, and where its field is.
    finish: Option<(usize, usize)>,
}

fn plan_cut(kind: Kind, header: usize, size: usize, length: usize) -> Result<Plan, Reason> {
    let rest = length.checked_sub(header).ok_or(Reason::Malformed)?;
    if header > HEADER_MAX || size == 0 {
        return Err(Reason::Malformed);
    }
    let segments = ((rest + size - 1) / size).max(1);
    Ok(Plan { kind, header, size, segments, finish: None })
}

fn plan_tcp(ip: &Ip, o: &Offload, mtu: usize) -> Result<Plan, Reason> {
    let tcp = ip.fields().part(ip.header_len, TCP_LEN);
    let tcp_len = 4 * usize::from(tcp.u8(12) >> 4);
    if tcp.0.is_empty() || tcp_len < TCP_LEN {
        return Err(Reason::Malformed);
    }
    let header = ip.header_len + tcp_len;
    let most = mtu.saturating_sub(header);
    let size = if o.gso_size == 0 { most } else { most.min(o.gso_size) };
    plan_cut(Kind::Tcp, header, size, ip.bytes.len())
}

fn plan_whole(ip: &Ip, o: &Offload) -> Result<Plan, Reason> {
    let mut header = ip.header_len;
    let mut finish = None;
    if o.needs_csum {
        let field = o.csum_start + o.csum_offset;
        if o.csum_start < header {
            return Err(Reason::Malformed);
        }
        header = field + if ip.protocol == ip::SCTP { 4 } else { 2 };
        finish = Some((o.csum_start, field));
    }
    if header > HEADER_MAX || header > ip.bytes.len() {
        return Err(Reason::Malformed);
    }
    Ok(Plan { kind: Kind::Whole, header, size: ip.bytes.len() - header, segments: 1, finish })
}

impl Plan {
    pub fn is_whole(&self) -> bool {
        self.kind == Kind::Whole
    }
}

pub fn plan(ip: &Ip, o: &Offload, mtu: usize) -> Result<Plan, Reason> {
    let cut = o.gso_size != 0;
    let udp = cut && o.gso_type == GSO_UDP;
    if udp && ip.protocol == ip::UDP && !ip.is_fragment {
        return plan_cut(Kind::Udp, ip.header_len + UDP_LEN, o.gso_size, ip.bytes.len());
    }
    if !udp && ip.protocol == ip::TCP && !ip.is_fragment && (cut || ip.bytes.len() > mtu) {
        return plan_tcp(ip, o, mtu);
    }
    if cut {
        return Err(Reason::Unsupported);
    }
    plan_whole(ip, o)
}

/// One segment: a header of its own, and what of the packet is behind it.
pub struct Segment<'a> {
    head: [u8; HEADER_MAX],
    head_len: usize,
    tail: &'a [u8],
}

fn set<const N: usize>(head: &mut [u8], at: usize, bytes: [u8; N]) {
    if let Some(place) = head.get_mut(at..at.saturating_add(N)) {
        place.copy_from_slice(&bytes);
    }
}

impl<'a> Segment<'a> {
    /// Segment `i` of the plan, ready to be protected.
    pub fn cut(ip: &Ip<'a>, plan: &Plan, i: usize) -> Option<Segment<'a>> {
        let start = plan.header.checked_add(i.checked_mul(plan.size)?)?;
        let end = start.checked_add(plan.size)?.min(ip.bytes.len());
        let mut s = Segment { head: [0; HEADER_MAX], head_len: plan.header, tail: ip.bytes.get(start..end)? };
        s.head.get_mut(..plan.header)?.copy_from_slice(ip.bytes.get(..plan.header)?);
        match plan.kind {
            Kind::Whole => s.finish_checksum(ip, plan.finish),
            Kind::Tcp => s.renew_tcp(ip, plan, i),
            Kind::Udp => s.renew_udp(ip, i),
        }
        Some(s)
    }

    pub fn len(&self) -> usize {
        self.head_len + self.tail.len()
    }

    /// The segment's bytes from `from` (within its header) on, to the same number of bytes.
    pub fn copy(&self, from: usize, to: &mut [u8]) -> Option<()> {
        let head = self.head.get(from..self.head_len)?;
        to.get_mut(..head.len())?.copy_from_slice(head);
        to.get_mut(head.len()..head.len() + self.tail.len())?.copy_from_slice(self.tail);
        Some(())
    }

    pub fn front(&self, length: usize) -> Option<&[u8]> {
        self.head.get(..length)
    }

    fn finish_checksum(&mut self, ip: &Ip, finish: Option<(usize, usize)>) {
        let (start, field) = match finish_there(ip, finish) {
            Some(there) => there,
            None => return,
        };
        if ip.protocol == ip::SCTP {
            set(&mut self.head, field, checksum::crc32c(start).to_le_bytes());
            return;
        }
        let sum = checksum::finish(checksum::add(0, start));
        let zero = sum == 0 && ip.protocol == ip::UDP;
        set(&mut self.head, field, (if zero { 0xffff } else { sum }).to_be_bytes());
    }

    fn renew_ip(&mut self, ip: &Ip, i: usize) {
        let length = self.len();
        if ip.family == 6 {
            set(&mut self.head, 4, ((length - V6_LEN) as u16).to_be_bytes());
            return;
        }
        let id = ip.fields().be16(4).wrapping_add(i as u16);
        set(&mut self.head, 2, (length as u16).to_be_bytes());
        set(&mut self.head, 4, id.to_be_bytes());
        checksum::renew_v4(&mut self.head, ip.header_len);
    }

    /// The checksum of TCP or UDP: the header behind IP's is of even length, so that the tail adds on.
    fn transport_sum(&self, ip: &Ip) -> u16 {
        let length = self.len() - ip.header_len;
        let head = self.head.get(ip.header_len..self.head_len).unwrap_or(&[]);
        let sum = checksum::pseudo(ip.addresses(), ip.protocol, length);
        checksum::finish(checksum::add(checksum::add(sum, head), self.tail))
    }

    fn renew_tcp(&mut self, ip: &Ip, plan: &Plan, i: usize) {
        let tcp = ip.fields().part(ip.header_len, TCP_LEN);
        let sequence = tcp.be32(4).wrapping_add((i * plan.size) as u32);
        let mut flags = tcp.u8(13);
        if i + 1 < plan.segments {
            flags &= !FIN_PSH;
        }
        if i > 0 {
            flags &= !CWR;
        }
        self.renew_ip(ip, i);
        set(&mut self.head, ip.header_len + 4, sequence.to_be_bytes());
        set(&mut self.head, ip.header_len + 13, [flags]);
        set(&mut self.head, ip.header_len + 16, [0, 0]);
        let sum = self.transport_sum(ip);
        set(&mut self.head, ip.header_len + 16, sum.to_be_bytes());
    }

    fn renew_udp(&mut self, ip: &Ip, i: usize) {
        self.renew_ip(ip, i);
        set(&mut self.head, ip.header_len + 4, ((UDP_LEN + self.tail.len()) as u16).to_be_bytes());
        set(&mut self.head, ip.header_len + 6, [0, 0]);
        let sum = self.transport_sum(ip);
        set(&mut self.head, ip.header_len + 6, (if sum == 0 { 0xffff } else { sum }).to_be_bytes());
    }
}

/// The bytes that a checksum to be finished covers, and where its field is.
fn finish_there<'a>(ip: &Ip<'a>, finish: Option<(usize, usize)>) -> Option<(&'a [u8], usize)> {
    let (start, field) = finish?;
    Some((ip.bytes.get(start..)?, field))
}
