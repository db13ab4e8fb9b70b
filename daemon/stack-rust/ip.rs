// SPDX-License-Identifier: GPL-2.0
//! ip - what a stack reads of a packet's headers (RFC 791, RFC 8200), of whatever bytes there are

use crate::record::Fields;
use crate::selector::Tuple;

pub const V4_LEN: usize = 20;
pub const V6_LEN: usize = 40;

const HOP_BY_HOP: u8 = 0;
const ICMP: u8 = 1;
pub const IPIP: u8 = 4;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const IPV6: u8 = 41;
const DCCP: u8 = 33;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
pub const ESP: u8 = 50;
const ICMPV6: u8 = 58;
pub const NO_NEXT: u8 = 59;
const DESTINATION: u8 = 60;
pub const SCTP: u8 = 132;
const UDP_LITE: u8 = 136;

/// A packet's headers, walked through.
#[derive(Clone, Copy)]
pub struct Ip<'a> {
    pub bytes: &'a [u8],
    pub family: u8,
    /// All headers before what `protocol` names.
    pub header_len: usize,
    pub protocol: u8,
    /// The byte that says so.
    pub protocol_at: usize,
    pub dont_fragment: bool,
    pub is_fragment: bool,
    /// A fragment that is not the first: no ports.
    pub is_later: bool,
    /// Transport mode: where ESP goes, what lies there, and the byte that names it.
    pub esp_at: usize,
    pub esp_next: u8,
    pub esp_next_at: usize,
}

impl<'a> Ip<'a> {
    /// None: no IP packet.
    pub fn parse(bytes: &'a [u8]) -> Option<Ip<'a>> {
        match bytes.first()? >> 4 {
            4 => Ip::parse4(bytes),
            6 => Ip::parse6(bytes),
            _ => None,
        }
    }

    fn parse4(bytes: &'a [u8]) -> Option<Ip<'a>> {
        let f = Fields(bytes.get(..V4_LEN)?);
        let header_len = 4 * usize::from(f.u8(0) & 0x0f);
        if header_len < V4_LEN || usize::from(f.be16(2)) < header_len || bytes.len() < header_len {
            return None;
        }
        let part = f.be16(6);
        Some(Ip {
            bytes,
            family: 4,
            header_len,
            protocol: f.u8(9),
            protocol_at: 9,
            dont_fragment: part & 0x4000 != 0,
            is_fragment: part & 0x3fff != 0,
            is_later: part & 0x1fff != 0,
            esp_at: header_len,
            esp_next: f.u8(9),
            esp_next_at: 9,
        })
    }

    fn parse6(bytes: &'a [u8]) -> Option<Ip<'a>> {
        let f = Fields(bytes.get(..V6_LEN)?);
        let mut ip = Ip {
            bytes,
            family: 6,
            header_len: V6_LEN,
            protocol: f.u8(6),
            protocol_at: 6,
            dont_fragment: false,
            is_fragment: false,
            is_later: false,
            esp_at: V6_LEN,
            esp_next: f.u8(6),
            esp_next_at: 6,
        };
        while !ip.is_later && matches!(ip.protocol, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION) {
            ip.step()?;
        }
        (ip.header_len <= V6_LEN + usize::from(f.be16(4))).then(|| ip)
    }

    /// Over one extension header.
    fn step(&mut self) -> Option<()> {
        let at = self.header_len;
        let head = Fields(self.bytes.get(at..at.checked_add(8)?)?);
        let kind = self.protocol;
        let length = if kind == FRAGMENT { 8 } else { 8 * (usize::from(head.u8(1)) + 1) };
        self.bytes.get(at..at.checked_add(length)?)?;
        if kind == FRAGMENT {
            self.is_fragment = head.be16(2) & 0xfff9 != 0;
            self.is_later = head.be16(2) & 0xfff8 != 0;
        }
        self.header_len = at + length;
        self.protocol = head.u8(0);
        self.protocol_at = at;
        if kind != DESTINATION {
            self.esp_at = self.header_len;
            self.esp_next = self.protocol;
            self.esp_next_at = at;
        }
        Some(())
    }

    pub fn fields(&self) -> Fields<'a> {
        Fields(self.bytes)
    }

    fn address(&self, which: usize) -> [u8; 16] {
        if self.family == 6 {
            return self.fields().bytes(8 + 16 * which);
        }
        let four: [u8; 4] = self.fields().bytes(12 + 4 * which);
        let mut address = [0; 16];
        address[..4].copy_from_slice(&four);
        address
    }

    pub fn source(&self) -> [u8; 16] {
        self.address(0)
    }

    pub fn destination(&self) -> [u8; 16] {
        self.address(1)
    }

    /// Both addresses, in a row.
    pub fn addresses(&self) -> &'a [u8] {
        match self.family {
            4 => self.fields().part(12, 8).0,
            _ => self.fields().part(8, 32).0,
        }
    }

    /// The length that the header says.
    pub fn total(&self) -> usize {
        match self.family {
            4 => usize::from(self.fields().be16(2)),
            _ => V6_LEN + usize::from(self.fields().be16(4)),
        }
    }

    fn ports(&self) -> Option<(u16, u16)> {
        let at = self.header_len;
        let head = Fields(self.bytes.get(at..at.checked_add(4)?)?);
        match (self.is_later, self.protocol, self.family) {
            (true, ..) => None,
            (_, TCP | UDP | DCCP | SCTP | UDP_LITE, _) => Some((head.be16(0), head.be16(2))),
            (_, ICMP, 4) | (_, ICMPV6, 6) => Some((u16::from(head.u8(0)), u16::from(head.u8(1)))),
            _ => None,
        }
    }

    pub fn tuple(&self, ifindex: u32, if_id: u32, mark: u32) -> Tuple {
        Tuple {
            source: self.source(),
            destination: self.destination(),
            ports: self.ports(),
            family: self.family,
            protocol: self.protocol,
            ifindex,
            if_id,
            mark,
        }
    }

    /// Type of service or traffic class.
    pub fn class(&self) -> u8 {
        match self.family {
            4 => self.fields().u8(1),
            _ => (self.fields().be16(0) >> 4) as u8,
        }
    }
}
