// SPDX-License-Identifier: GPL-2.0
//! unprotect - the UNPROTECT ticket: check, decrypt, and what the inner packet must be (RFC 4303 3.4, RFC 4301 5.2)

use crate::answer::{Reason, Verdict};
use crate::bundle::{self, Bundle};
use crate::checksum;
use crate::esp::{Aad, ESP_LEN, UDP_LEN};
use crate::ip::{self, Ip};
use crate::nettle::ICV_LEN;
use crate::record::{Fields, Record};
use crate::sad::{self, Facts, Sa, Sad};
use crate::spd::{Spd, FWD};

const DATA_VALID: u8 = 2;
const TCP_LEN: usize = 20;

/// The parts of an outer packet.
struct Outer<'a> {
    ip: Ip<'a>,
    head: Fields<'a>, // SPI, number, IV
    text: &'a [u8],
    icv: [u8; ICV_LEN],
}

impl<'a> Outer<'a> {
    /// Steps 2 to 4 of the order in which reasons apply.
    fn parse(bytes: &'a [u8], facts: &Facts) -> Option<Outer<'a>> {
        let (protocol, udp) = if facts.encap.is_some() { (ip::UDP, UDP_LEN) } else { (ip::ESP, 0) };
        let ip = Ip::parse(bytes).filter(|ip| ip.protocol == protocol && !ip.is_fragment)?;
        let esp = bytes.get(ip.header_len.checked_add(udp)?..)?;
        let text_len = esp.len().checked_sub(ESP_LEN + ICV_LEN).filter(|n| *n >= 2 && n % 4 == 0)?;
        let f = Fields(esp);
        let (head, text) = (f.part(0, ESP_LEN), f.part(ESP_LEN, text_len).0);
        Some(Outer { ip, head, text, icv: f.bytes(ESP_LEN + text_len) })
    }
}

/// Decrypts into `to`, which is as long as the text. Gives the length without padding, and next.
fn open(to: &mut [u8], sa: &mut Sa, outer: &Outer, number: u64) -> Result<(usize, u8), Reason> {
    if outer.head.bytes(0) != sa.facts.spi {
        return Err(Reason::Malformed);
    }
    let nonce = sa.nonce(&outer.head.bytes(8));
    let aad = Aad::new(&sa.facts, number);
    if outer.head.be32(4) != number as u32 || !sa.aead.open(&nonce, aad.bytes(), outer.text, to, &outer.icv) {
        return Err(Reason::Integrity);
    }
    trailer(to)
}

fn trailer(text: &[u8]) -> Result<(usize, u8), Reason> {
    let (rest, end) = text.split_at(text.len().saturating_sub(2));
    let end = Fields(end);
    let length = rest.len().checked_sub(usize::from(end.u8(0))).ok_or(Reason::Padding)?;
    let padding = rest.get(length..).ok_or(Reason::Padding)?;
    if !padding.iter().zip(1..=255u8).all(|(&byte, wanted)| byte == wanted) {
        return Err(Reason::Padding);
    }
    match end.u8(1) {
        ip::NO_NEXT => Err(Reason::Dummy),
        next => Ok((length, next)),
    }
}

/// The inner traffic class after the tunnel (RFC 6040 4.2); None: the packet may not go on.
fn class(facts: &Facts, inner: u8, outer: u8) -> Option<u8> {
    let dscp = if facts.has(sad::DECAP_DSCP) { outer } else { inner } & 0xfc;
    let ecn = match (facts.has(sad::NOECN), outer & 3, inner & 3) {
        (false, 3, 0) => return None,
        (false, 3, _) => 3,
        (false, 1, 2) => 1,
        (_, _, i) => i,
    };
    Some(dscp | ecn)
}

/// Writes the traffic class of the packet that `packet` is.
fn set_class(packet: &mut [u8], family: u8, class: u8) -> Option<()> {
    let old = Fields(packet).be16(0);
    let new = match family {
        4 => old & 0xff00 | u16::from(class),
        _ => old & 0xf00f | u16::from(class) << 4,
    };
    if old == new {
        return Some(());
    }
    if family == 4 {
        let sum = checksum::update(Fields(packet).be16(10), old, new);
        packet.get_mut(10..12)?.copy_from_slice(&sum.to_be_bytes());
    }
    packet.get_mut(..2)?.copy_from_slice(&new.to_be_bytes());
    Some(())
}

/// What was inside a tunnel becomes a packet; gives its length.
fn tunnel(inside: &mut [u8], facts: &Facts, outer: &Ip, next: u8) -> Result<usize, Reason> {
    let ip = Ip::parse(inside).ok_or(Reason::Malformed)?;
    let (family, total) = (ip.family, ip.total());
    let wanted = if family == 4 { ip::IPIP } else { ip::IPV6 };
    if next != wanted || total > inside.len() || family == 4 && !checksum::is_right_v4(&ip) {
        return Err(Reason::Malformed);
    }
    let class = class(facts, ip.class(), outer.class()).ok_or(Reason::Ecn)?;
    set_class(inside, family, class).ok_or(Reason::Malformed)?;
    Ok(total)
}

/// `packet` has what was inside behind room for the outer packet's headers, which go there.
fn transport(packet: &mut [u8], outer: &Ip, next: u8) -> Option<()> {
    let length = packet.len();
    packet.get_mut(..outer.header_len)?.copy_from_slice(outer.bytes.get(..outer.header_len)?);
    *packet.get_mut(outer.protocol_at)? = next;
    if outer.family == 6 {
        packet.get_mut(4..6)?.copy_from_slice(&((length - ip::V6_LEN) as u16).to_be_bytes());
    } else {
        packet.get_mut(2..4)?.copy_from_slice(&(length as u16).to_be_bytes());
        checksum::renew_v4(packet, outer.header_len);
    }
    Some(())
}

/// TCP with data, whole, and its checksum right.
fn tcp_is_right(ip: &Ip) -> bool {
    let tcp = ip.fields().part(ip.header_len, TCP_LEN);
    let tcp_len = 4 * usize::from(tcp.u8(12) >> 4);
    let plain = if ip.family == 4 { ip::V4_LEN } else { ip::V6_LEN };
    if ip.protocol != ip::TCP || ip.header_len != plain || ip.is_fragment || ip.total() != ip.bytes.len() {
        return false;
    }
    if tcp_len < TCP_LEN || ip.header_len + tcp_len >= ip.bytes.len() {
        return false;
    }
    let body = ip.bytes.get(ip.header_len..).unwrap_or(&[]);
    checksum::fold(checksum::add(checksum::pseudo(ip.addresses(), ip.protocol, body.len()), body)) == 0xffff
}

fn admitted(spd: &Spd, through: &Bundle, ip: &Ip, f: Fields) -> bool {
    if spd.is_empty() {
        return true;
    }
    let t = ip.tuple(f.u32(24), f.u32(28), f.u32(32));
    match (spd.says(sad::IN, &t, through), spd.says(FWD, &t, through)) {
        (None, None) => true,
        (here, beyond) => here == Some(true) || beyond == Some(true),
    }
}

/// Steps 5.4.3 to 5.5; what is opened again is asked of then.
fn judge(packet: &[u8], sad: &Sad, spd: &Spd, through: &Bundle, facts: &Facts, f: Fields) -> Result<Verdict, Reason> {
    let ip = Ip::parse(packet).ok_or(Reason::Malformed)?;
    if !facts.selector.matches(&ip.tuple(0, 0, facts.selector.mark)) {
        return Err(Reason::Selector);
    }
    if !bundle::goes_on(sad, &ip) && !admitted(spd, through, &ip, f) {
        return Err(Reason::Policy);
    }
    let translated = facts.mode == sad::TRANSPORT && facts.encap.is_some();
    let flags = if translated || tcp_is_right(&ip) { DATA_VALID } else { 0 };
    Ok(Verdict::Transformed { segments: 1, segment_len: packet.len(), length: packet.len(), flags })
}

/// The packet goes to the start of `out`.
pub fn unprotect(sad: &mut Sad, spd: &Spd, down: &Record, out: &mut [u8]) -> Result<Verdict, Reason> {
    let f = down.control;
    let through = Bundle::read(f, sad).ok_or(Reason::NoSa)?;
    let sa = sad.get(f.u32(40)).ok_or(Reason::NoSa)?;
    let facts = sa.facts;
    let outer = Outer::parse(down.data, &facts).ok_or(Reason::Malformed)?;
    let at = if facts.mode == sad::TUNNEL { 0 } else { outer.ip.header_len };
    let text = out.get_mut(at..at + outer.text.len()).ok_or(Reason::StackError)?;
    let (length, next) = open(text, sa, &outer, f.u64(48))?;
    let packet = out.get_mut(..at + length).ok_or(Reason::StackError)?;
    let length = match facts.mode {
        sad::TUNNEL => tunnel(packet, &facts, &outer.ip, next)?,
        _ => transport(packet, &outer.ip, next).map(|()| packet.len()).ok_or(Reason::Malformed)?,
    };
    judge(packet.get(..length).ok_or(Reason::Malformed)?, sad, spd, &through, &facts, f)
}
