// SPDX-License-Identifier: GPL-2.0
//! acquire - what a stack asks for when a policy has no SA: an ACQUIRE, in front of the HOLD that it belongs to

use crate::answer::{put, put16, put32, start};
use crate::record::{ACQUIRE, HEADER_LEN};
use crate::selector::Tuple;

/// Bytes of the whole record.
pub const LEN: usize = 192;
const CONTROL_LEN: u32 = 96;
const SELECTOR_AT: usize = HEADER_LEN + 8;
const LABEL_AT: usize = HEADER_LEN + 72;

/// The ids of the policy that lacks an SA, and the label of the packet that asks.
#[derive(Clone, Copy)]
pub struct Wanted {
    pub acquire: u32,
    pub policy: u32,
    pub label: u32,
}

/// struct ipsp_selector at `at`: this packet's own. What it does not say stays 0.
fn selector(up: &mut [u8], at: usize, t: &Tuple) {
    let prefix = if t.family == 4 { 32 } else { 128 };
    let ports = t.ports.map_or([0, 0xffff, 0, 0xffff], |(source, destination)| {
        [source, source, destination, destination]
    });
    put(up, at, t.source);
    put(up, at + 16, t.destination);
    put(up, at + 32, [prefix, prefix, t.family, t.protocol]);
    for (i, port) in ports.into_iter().enumerate() {
        put16(up, at + 36 + 2 * i, port);
    }
    put32(up, at + 44, t.ifindex);
    put32(up, at + 48, t.if_id);
    put32(up, at + 52, t.mark);
    put32(up, at + 56, if t.mark == 0 { 0 } else { u32::MAX });
}

/// Writes the record to the first LEN bytes.
pub fn write(up: &mut [u8], wanted: &Wanted, t: &Tuple) {
    start(up, LEN, LEN, ACQUIRE, CONTROL_LEN);
    put32(up, 12, LEN as u32);
    put32(up, HEADER_LEN, wanted.acquire);
    put32(up, HEADER_LEN + 4, wanted.policy);
    selector(up, SELECTOR_AT, t);
    put32(up, LABEL_AT, wanted.label);
}
