// SPDX-License-Identifier: GPL-2.0
//! answer - what comes up: an ANSWER behind each ticket, a NOTE behind what cannot be served

use crate::acquire;
use crate::bundle::MOST;
use crate::record::{align, Record, ANSWER, HEADER_LEN, NOTE};

/// Bytes in front of an answer's packets.
pub const HEAD: usize = 128;
const ANSWER_LEN: u32 = 64;
const NOTE_LEN: u32 = 32;

/// Drop reasons, by their place in enum ipsp_drop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Reason {
    Policy = 23,
    NoSa = 24,
    Integrity = 25,
    Malformed = 26,
    Padding = 27,
    Dummy = 28,
    Selector = 29,
    Unsupported = 30,
    Ecn = 31,
    StackError = 34,
}

#[derive(Clone, Copy)]
pub enum Verdict {
    /// Innermost first, zeros behind them.
    Classify { handles: [u32; MOST] },
    /// `length` bytes of packets lie behind HEAD.
    Transformed { segments: u32, segment_len: usize, length: usize, flags: u8 },
    Bypass,
    /// An ACQUIRE lies in front of the answer.
    Hold { acquire: u32 },
    TooBig { mtu: u32 },
}

pub fn put<const N: usize>(up: &mut [u8], at: usize, bytes: [u8; N]) {
    if let Some(place) = up.get_mut(at..at + N) {
        place.copy_from_slice(&bytes);
    }
}

pub fn put16(up: &mut [u8], at: usize, value: u16) {
    put(up, at, value.to_ne_bytes());
}

pub fn put32(up: &mut [u8], at: usize, value: u32) {
    put(up, at, value.to_ne_bytes());
}

fn zero(up: &mut [u8], from: usize, to: usize) {
    if let Some(place) = up.get_mut(from..to) {
        place.fill(0);
    }
}

/// Zeros, `head` bytes of them, and what the header says of a record.
pub fn start(up: &mut [u8], head: usize, length: usize, kind: u16, control_len: u32) {
    zero(up, 0, head);
    put32(up, 0, length as u32);
    put16(up, 4, kind);
    put32(up, 8, control_len);
}

fn verdict(up: &mut [u8], verdict: Verdict) {
    match verdict {
        Verdict::Classify { handles } => {
            put16(up, HEADER_LEN, 1);
            for (i, handle) in handles.iter().enumerate() {
                put32(up, 96 + 4 * i, *handle);
            }
            put32(up, 112, handles.iter().filter(|handle| **handle != 0).count() as u32);
        }
        Verdict::Transformed { segments, segment_len, length, flags } => {
            put32(up, 16, length as u32);
            put16(up, HEADER_LEN, 2);
            put32(up, 68, segments);
            put32(up, 72, segment_len as u32);
            put(up, 80, [flags]);
        }
        Verdict::Bypass => put16(up, HEADER_LEN, 4),
        Verdict::Hold { acquire } => {
            put16(up, HEADER_LEN, 6);
            put32(up, 92, acquire);
        }
        Verdict::TooBig { mtu } => {
            put16(up, HEADER_LEN, 7);
            put32(up, 76, mtu);
        }
    }
}

/// Writes what stands in front of the packets, which are there; a HOLD behind its ACQUIRE, which is there. Gives the
/// bytes of all that goes up.
pub fn answer(up: &mut [u8], down: &Record, result: Result<Verdict, Reason>) -> usize {
    let data = match result {
        Ok(Verdict::Transformed { length, .. }) => length,
        _ => 0,
    };
    let front = match result {
        Ok(Verdict::Hold { .. }) => acquire::LEN,
        _ => 0,
    };
    let up = up.get_mut(front..).unwrap_or_default();
    let length = align(HEAD + data);
    start(up, HEAD, length, ANSWER, ANSWER_LEN);
    zero(up, HEAD + data, length);
    put32(up, 12, HEAD as u32);
    put32(up, 20, down.generation);
    put(up, 24, down.ticket.to_ne_bytes());
    match result {
        Ok(v) => verdict(up, v),
        Err(reason) => {
            put16(up, HEADER_LEN, 5);
            put16(up, 66, reason as u16);
        }
    }
    front + length
}

pub fn note(up: &mut [u8], reason: Reason) -> usize {
    start(up, HEAD, HEAD, NOTE, NOTE_LEN);
    put16(up, 68, reason as u16);
    put(up, 72, 1u64.to_ne_bytes());
    HEAD
}
