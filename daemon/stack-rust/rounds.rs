// SPDX-License-Identifier: GPL-2.0
//! rounds - down records in, up records out, one call a batch. No system call but the port's kick.

use crate::port::{Port, KICK_WAIT};
use crate::transform::{room, Transform};

/// Answers one record of at most `there` bytes. Gives its length; None: the attachment is over.
fn one(port: &mut Port, transform: &mut Transform, there: u32) -> Option<u32> {
    let need = room(port.down.record(there)?);
    if need > port.up.size() {
        return None; // no such answer is asked for: it could never be handed in
    }
    while port.up.reserve(need).is_none() {
        port.up.submit();
        if !port.kick(0) {
            return None;
        }
    }
    let bytes = port.down.record(there)?;
    let used = transform.answer(bytes, port.up.reserve(need)?);
    let length = bytes.len() as u32;
    port.up.keep(used);
    port.down.release(length);
    Some(length)
}

fn batch(port: &mut Port, transform: &mut Transform) -> Option<()> {
    let mut left = port.down.peek()?;
    while left > 0 {
        left = left.checked_sub(one(port, transform, left)?)?;
    }
    port.up.submit();
    Some(())
}

/// Returns when the attachment is over.
pub fn run(port: &mut Port, transform: &mut Transform) {
    while batch(port, transform).is_some() && port.kick(KICK_WAIT) {}
}
