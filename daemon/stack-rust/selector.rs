// SPDX-License-Identifier: GPL-2.0
//! selector - does a packet match a selector? (RFC 4301 4.4.1.1, struct ipsp_selector)

use crate::record::Fields;

/// What of a packet a selector can look at.
#[derive(Clone, Copy)]
pub struct Tuple {
    pub source: [u8; 16],
    pub destination: [u8; 16],
    /// ICMP: type and code. None: the protocol has no ports, or they are in another fragment.
    pub ports: Option<(u16, u16)>,
    pub family: u8,
    pub protocol: u8,
    pub ifindex: u32,
    pub if_id: u32,
    pub mark: u32,
}

#[derive(Clone, Copy)]
pub struct Selector {
    source: [u8; 16],
    destination: [u8; 16],
    source_prefix: u8,
    destination_prefix: u8,
    family: u8,
    protocol: u8,
    source_ports: (u16, u16),
    destination_ports: (u16, u16),
    ifindex: u32,
    if_id: u32,
    pub mark: u32,
    mark_mask: u32,
}

/// Bits beyond 128 are not there, and match.
fn prefix_match(address: &[u8; 16], prefix: &[u8; 16], bits: u8) -> bool {
    let shift = 128u32.saturating_sub(u32::from(bits));
    let differ = u128::from_be_bytes(*address) ^ u128::from_be_bytes(*prefix);
    differ.checked_shr(shift).unwrap_or(0) == 0
}

fn holds((first, last): (u16, u16), port: u16) -> bool {
    first <= port && port <= last
}

impl Selector {
    pub fn read(f: Fields) -> Selector {
        Selector {
            source: f.bytes(0),
            destination: f.bytes(16),
            source_prefix: f.u8(32),
            destination_prefix: f.u8(33),
            family: f.u8(34),
            protocol: f.u8(35),
            source_ports: (f.u16(36), f.u16(38)),
            destination_ports: (f.u16(40), f.u16(42)),
            ifindex: f.u32(44),
            if_id: f.u32(48),
            mark: f.u32(52),
            mark_mask: f.u32(56),
        }
    }

    fn ports_match(&self, t: &Tuple) -> bool {
        match t.ports {
            Some((source, destination)) => {
                holds(self.source_ports, source) && holds(self.destination_ports, destination)
            }
            None => self.source_ports == (0, 0xffff) && self.destination_ports == (0, 0xffff),
        }
    }

    fn place_match(&self, t: &Tuple) -> bool {
        (self.ifindex == 0 || self.ifindex == t.ifindex)
            && (self.if_id == 0 || self.if_id == t.if_id)
            && (t.mark ^ self.mark) & self.mark_mask == 0
    }

    pub fn matches(&self, t: &Tuple) -> bool {
        (self.family == 0 || self.family == t.family)
            && (self.protocol == 0 || self.protocol == t.protocol)
            && self.place_match(t)
            && prefix_match(&t.destination, &self.destination, self.destination_prefix)
            && prefix_match(&t.source, &self.source, self.source_prefix)
            && self.ports_match(t)
    }
}
