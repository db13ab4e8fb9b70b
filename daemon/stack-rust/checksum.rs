// SPDX-License-Identifier: GPL-2.0
//! checksum - the Internet checksum (RFC 1071), and CRC32c

use crate::ip::Ip;

/// Adds the 16-bit words of `bytes`, an odd last byte as the high half of one.
pub fn add(sum: u64, bytes: &[u8]) -> u64 {
    let pairs = bytes.chunks_exact(2);
    let odd = pairs.remainder().first().map_or(0, |&b| u64::from(b) << 8);
    pairs.fold(sum + odd, |s, p| match *p {
        [high, low] => s + u64::from(u16::from_be_bytes([high, low])),
        _ => s,
    })
}

/// Folds to 16 bits, not complemented.
pub fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

pub fn finish(sum: u64) -> u16 {
    !fold(sum)
}

/// The sum of a pseudo-header (RFC 9293 3.1, RFC 8200 8.1): `addresses` are both, in a row.
pub fn pseudo(addresses: &[u8], protocol: u8, length: usize) -> u64 {
    add(u64::from(protocol) + (length as u64 & 0xffff) + (length as u64 >> 16), addresses)
}

/// The IPv4 header's, made anew over `length` bytes.
pub fn renew_v4(header: &mut [u8], length: usize) {
    if let Some(field) = header.get_mut(10..12) {
        field.fill(0);
    }
    let sum = finish(add(0, header.get(..length).unwrap_or(&[])));
    if let Some(field) = header.get_mut(10..12) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}

pub fn is_right_v4(ip: &Ip) -> bool {
    fold(add(0, ip.fields().part(0, ip.header_len).0)) == 0xffff
}

/// The checksum after one word changed (RFC 1624).
pub fn update(sum: u16, old: u16, new: u16) -> u16 {
    finish(u64::from(!sum) + u64::from(!old) + u64::from(new))
}

const fn crc32c_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
}

static CRC32C: [u32; 256] = crc32c_table();

/// SCTP's (RFC 9260 appendix A).
pub fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, &b| crc >> 8 ^ CRC32C[((crc ^ u32::from(b)) & 0xff) as usize])
}
