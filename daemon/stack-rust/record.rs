// SPDX-License-Identifier: GPL-2.0
//! record - one message of a port, as uapi/ipsec_port.h lays it out: checked once, then read by offset

pub const ALIGN: usize = 64;
pub const HEADER_LEN: usize = 64;
pub const RECORD_MAX: usize = 128 << 10;

pub const CLASSIFY: u16 = 1;
pub const PROTECT: u16 = 2;
pub const UNPROTECT: u16 = 3;
pub const FLUSH: u16 = 16;
pub const SA_ADD: u16 = 17;
pub const SA_UPDATE: u16 = 18;
pub const SA_DELETE: u16 = 19;
pub const POLICY: u16 = 20;
pub const RELEASE: u16 = 21;
pub const REFUSE: u16 = 22;
pub const TIME: u16 = 23;
pub const CONFIG: u16 = 24;
pub const SNAPSHOT_BEGIN: u16 = 25;
pub const SNAPSHOT_END: u16 = 26;
pub const ANSWER: u16 = 32;
pub const ACQUIRE: u16 = 33;
pub const NOTE: u16 = 34;

pub fn align(length: usize) -> usize {
    length.saturating_add(ALIGN - 1) & !(ALIGN - 1)
}

/// The integers of a struct by their offsets. What lies beyond the end reads as 0: who needs to know asks the
/// length first.
#[derive(Clone, Copy)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let bytes = at.checked_add(N).and_then(|end| self.0.get(at..end));
        bytes.and_then(|b| b.try_into().ok()).unwrap_or([0; N])
    }
    pub fn u8(&self, at: usize) -> u8 {
        self.array::<1>(at)[0]
    }
    pub fn u16(&self, at: usize) -> u16 {
        u16::from_ne_bytes(self.array(at))
    }
    pub fn u32(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.array(at))
    }
    pub fn u64(&self, at: usize) -> u64 {
        u64::from_ne_bytes(self.array(at))
    }
    pub fn be16(&self, at: usize) -> u16 {
        u16::from_be_bytes(self.array(at))
    }
    pub fn be32(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.array(at))
    }
    pub fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        self.array(at)
    }
    /// The bytes where they lie: of a key no copy is made.
    pub fn borrow<const N: usize>(&self, at: usize) -> Option<&'a [u8; N]> {
        self.0.get(at..at.checked_add(N)?)?.try_into().ok()
    }
    pub fn part(&self, at: usize, length: usize) -> Fields<'a> {
        Fields(at.checked_add(length).and_then(|end| self.0.get(at..end)).unwrap_or(&[]))
    }
}

/// The bytes of the record that `bytes` begins with, if its lengths are sane (ipsp_record_is_sane).
pub fn sane(bytes: &[u8]) -> Option<&[u8]> {
    let head = Fields(bytes.get(..HEADER_LEN)?);
    let length = head.u32(0) as usize;
    let control_len = head.u32(8) as usize;
    let (data_offset, data_len) = (head.u32(12) as usize, head.u32(16) as usize);
    if length < HEADER_LEN || length > bytes.len() || length % ALIGN != 0 || control_len > length - HEADER_LEN {
        return None;
    }
    if data_len != 0
        && (data_offset < HEADER_LEN + control_len
            || data_offset % ALIGN != 0
            || data_offset > length
            || data_len > length - data_offset)
    {
        return None;
    }
    bytes.get(..length)
}

/// A sane record.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    pub kind: u16,
    pub generation: u32,
    pub ticket: u64,
    pub control: Fields<'a>,
    pub data: &'a [u8],
}

impl<'a> Record<'a> {
    /// `bytes` as sane() gave them.
    pub fn new(bytes: &'a [u8]) -> Record<'a> {
        let head = Fields(bytes);
        let data_len = head.u32(16) as usize;
        let data_offset = if data_len == 0 { 0 } else { head.u32(12) as usize };
        Record {
            kind: head.u16(4),
            generation: head.u32(20),
            ticket: head.u64(24),
            control: head.part(HEADER_LEN, head.u32(8) as usize),
            data: head.part(data_offset, data_len).0,
        }
    }
}
