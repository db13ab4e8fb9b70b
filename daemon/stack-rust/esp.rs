// SPDX-License-Identifier: GPL-2.0
//! esp - one segment into one protected packet (RFC 4303, 4106, 7634, 3948)

use crate::answer::Reason;
use crate::checksum;
use crate::ip::{self, Ip, V4_LEN, V6_LEN};
use crate::nettle::ICV_LEN;
use crate::sad::{self, Facts, Sa};
use crate::segment::Segment;

/// SPI, number and IV.
pub const ESP_LEN: usize = 16;
pub const UDP_LEN: usize = 8;
/// What a packet grows by at most: IPv6, UDP, ESP, padding and its length, ICV.
pub const OVERHEAD_MAX: usize = V6_LEN + UDP_LEN + ESP_LEN + 5 + ICV_LEN;
const PACKET_MAX: usize = 65535;
const HOPS: u8 = 64;
const DF: u16 = 0x4000;

/// The additional data: without ESN its first 8 bytes are not used.
pub struct Aad([u8; 12], usize);

impl Aad {
    pub fn new(facts: &Facts, number: u64) -> Aad {
        let (spi, n) = (facts.spi, number.to_be_bytes());
        match facts.has(sad::ESN) {
            true => Aad([spi[0], spi[1], spi[2], spi[3], n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]], 12),
            false => Aad([spi[0], spi[1], spi[2], spi[3], n[4], n[5], n[6], n[7], 0, 0, 0, 0], 8),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0[..self.1]
    }
}

/// The lengths of a protected packet's parts.
struct Parts {
    kept: usize, // bytes of the segment that stay in front of ESP
    front: usize,
    udp: usize,
    text: usize,
    pad: usize,
}

impl Parts {
    fn new(facts: &Facts, ip: &Ip, length: usize) -> Option<Parts> {
        let outer = if facts.family == 4 { V4_LEN } else { V6_LEN };
        let (kept, front) = if facts.mode == sad::TUNNEL { (0, outer) } else { (ip.esp_at, ip.esp_at) };
        let text = length.checked_sub(kept)?;
        let udp = if facts.encap.is_some() { UDP_LEN } else { 0 };
        Some(Parts { kept, front, udp, text, pad: (4 - (text + 2) % 4) % 4 })
    }

    fn total(&self) -> usize {
        self.front + self.udp + ESP_LEN + self.text + self.pad + 2 + ICV_LEN
    }
}

fn tunnel_front4(out: &mut [u8], facts: &Facts, ip: &Ip, number: u64, protocol: u8, too_long: bool, total: usize) {
    let df = !too_long && !facts.has(sad::NOPMTUDISC) && (ip.family == 6 || ip.dont_fragment);
    let id = if df { 0 } else { number as u16 };
    let [l0, l1] = (total as u16).to_be_bytes();
    let [i0, i1] = id.to_be_bytes();
    let [d0, d1] = (if df { DF } else { 0 }).to_be_bytes();
    out[..12].copy_from_slice(&[0x45, class(facts, ip), l0, l1, i0, i1, d0, d1, HOPS, protocol, 0, 0]);
    out[12..16].copy_from_slice(&facts.source[..4]);
    out[16..20].copy_from_slice(&facts.destination[..4]);
    checksum::renew_v4(out, V4_LEN);
}

fn tunnel_front6(out: &mut [u8], facts: &Facts, ip: &Ip, protocol: u8, total: usize) {
    let class = class(facts, ip);
    let [l0, l1] = ((total - V6_LEN) as u16).to_be_bytes();
    out[..8].copy_from_slice(&[0x60 | class >> 4, class << 4, 0, 0, l0, l1, protocol, HOPS]);
    out[8..24].copy_from_slice(&facts.source);
    out[24..40].copy_from_slice(&facts.destination);
}

fn class(facts: &Facts, ip: &Ip) -> u8 {
    let dscp = if facts.has(sad::DONT_ENCAP_DSCP) { 0 } else { ip.class() & 0xfc };
    let ecn = if facts.has(sad::NOECN) { 0 } else { ip.class() & 0x03 };
    dscp | ecn
}

fn transport_front(
    out: &mut [u8],
    ip: &Ip,
    segment: &Segment,
    protocol: u8,
    too_long: bool,
    total: usize,
) -> Option<()> {
    out.copy_from_slice(segment.front(out.len())?);
    *out.get_mut(ip.esp_next_at)? = protocol;
    if ip.family == 6 {
        out.get_mut(4..6)?.copy_from_slice(&((total - V6_LEN) as u16).to_be_bytes());
        return Some(());
    }
    out.get_mut(2..4)?.copy_from_slice(&(total as u16).to_be_bytes());
    if too_long {
        *out.get_mut(6)? &= !((DF >> 8) as u8);
    }
    checksum::renew_v4(out, ip.esp_at);
    Some(())
}

/// All from ESP's header on.
fn body(out: &mut [u8], sa: &mut Sa, ip: &Ip, segment: &Segment, number: u64, parts: &Parts) -> Option<()> {
    let next = match (sa.facts.mode == sad::TUNNEL, ip.family) {
        (false, _) => ip.esp_next,
        (true, 4) => ip::IPIP,
        (true, _) => ip::IPV6,
    };
    let iv = number.to_be_bytes();
    let (head, rest) = out.split_at_mut(ESP_LEN);
    head[..4].copy_from_slice(&sa.facts.spi);
    head[4..8].copy_from_slice(&iv[4..]);
    head[8..].copy_from_slice(&iv);
    let (text, icv) = rest.split_at_mut(parts.text + parts.pad + 2);
    segment.copy(parts.kept, text)?;
    let trailer = [1, 2, 3];
    text[parts.text..parts.text + parts.pad].copy_from_slice(&trailer[..parts.pad]);
    text[parts.text + parts.pad..].copy_from_slice(&[parts.pad as u8, next]);
    let nonce = sa.nonce(&iv);
    let aad = Aad::new(&sa.facts, number);
    icv.copy_from_slice(&sa.aead.seal(&nonce, aad.bytes(), text));
    Some(())
}

/// Protects one segment of the packet `ip` into the start of `out`. Gives the packet's length.
pub fn protect(
    out: &mut [u8],
    sa: &mut Sa,
    ip: &Ip,
    segment: &Segment,
    number: u64,
    too_long: bool,
) -> Result<usize, Reason> {
    let parts = Parts::new(&sa.facts, ip, segment.len()).ok_or(Reason::StackError)?;
    let total = parts.total();
    if total > PACKET_MAX {
        return Err(Reason::Malformed);
    }
    let out = out.get_mut(..total).ok_or(Reason::StackError)?;
    let (front, rest) = out.split_at_mut(parts.front);
    let (udp, rest) = rest.split_at_mut(parts.udp);
    let protocol = if parts.udp > 0 { ip::UDP } else { ip::ESP };
    match (sa.facts.mode == sad::TUNNEL, sa.facts.family) {
        (true, 4) => tunnel_front4(front, &sa.facts, ip, number, protocol, too_long, total),
        (true, _) => tunnel_front6(front, &sa.facts, ip, protocol, total),
        (false, _) => {
            transport_front(front, ip, segment, protocol, too_long, total).ok_or(Reason::StackError)?
        }
    }
    if let Some((source, destination)) = sa.facts.encap {
        let length = (udp.len() + rest.len()) as u16;
        udp[..2].copy_from_slice(&source);
        udp[2..4].copy_from_slice(&destination);
        udp[4..6].copy_from_slice(&length.to_be_bytes());
        udp[6..].copy_from_slice(&[0, 0]);
    }
    body(rest, sa, ip, segment, number, &parts).ok_or(Reason::StackError)?;
    Ok(total)
}
