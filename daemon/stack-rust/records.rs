// SPDX-License-Identifier: GPL-2.0
//! records - the stack without port and sandbox: records on standard input, answers on standard output
//!
//! The framing of tests/sim/ipsec-port-sim.c: each record behind its length in 4 bytes of host order; each is
//! answered by the up record, behind its length; 0: no answer.

use std::io::{self, BufReader, BufWriter, Read, Write};

use crate::record::{self, HEADER_LEN, RECORD_MAX};
use crate::transform::{room, Transform};

/// The next record's length; None: the input has ended.
fn length(input: &mut dyn Read) -> io::Result<Option<usize>> {
    let mut bytes = [0; 4];
    match input.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(u32::from_ne_bytes(bytes) as usize)),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(e) => Err(e),
    }
}

fn not_sane(length: usize) -> io::Error {
    eprintln!("ipsec-port-stack-rust: no record of {} bytes", length);
    io::Error::from(io::ErrorKind::InvalidData)
}

fn answer_all(transform: &mut Transform) -> io::Result<()> {
    let mut input = BufReader::with_capacity(RECORD_MAX, io::stdin().lock());
    let mut output = BufWriter::with_capacity(RECORD_MAX, io::stdout().lock());
    let (mut down, mut up) = (vec![0; RECORD_MAX], Vec::new());
    while let Some(length) = length(&mut input)? {
        if !(HEADER_LEN..=RECORD_MAX).contains(&length) {
            return Err(not_sane(length));
        }
        input.read_exact(&mut down[..length]).map_err(|_| not_sane(length))?;
        let bytes = record::sane(&down[..length]).ok_or_else(|| not_sane(length))?;
        up.resize(up.len().max(room(bytes)), 0);
        let used = transform.answer(bytes, &mut up);
        output.write_all(&(used as u32).to_ne_bytes())?;
        output.write_all(&up[..used])?;
        // Nothing waits to be read: whoever gives records may wait for this answer.
        if input.buffer().is_empty() {
            output.flush()?;
        }
    }
    output.flush()
}

pub fn run(transform: &mut Transform) -> i32 {
    // What was answered before goes out in either case: nobody else empties this buffer.
    match answer_all(transform).and(io::stdout().flush()) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}
