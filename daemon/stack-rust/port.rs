// SPDX-License-Identifier: GPL-2.0
//! port - the rings of an attached port, and what is C: attaching, the sandbox, locking memory, the end.
//!
//! With nettle.rs the only file that holds `unsafe`. What of the program is C: daemon/stack/port.c, which
//! attaches and maps, and daemon/stack/sandbox.c. The rings' verbs and orders are those of
//! uapi/ipsec_port_ring.h: acquire what the kernel published, release what we publish, read back neither.

use core::sync::atomic::{AtomicU32, Ordering};
use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_uint, c_void};

use crate::record::{self, ALIGN, HEADER_LEN};

pub const KICK_WAIT: u32 = 1;
const MCL_CURRENT: c_int = 1;
const MCL_FUTURE: c_int = 2;
const MCL_ONFAULT: c_int = 4;

/// struct ipsp_ring, as port_attach() fills it. Only where it lies is taken from there.
#[repr(C)]
struct RawRing {
    base: *mut u8,
    size: u32,
    head: u32,
    own: u32,
    peer: u32,
    own_word: *mut u32,
    peer_word: *const u32,
}

/// struct port of daemon/stack/port.h
#[repr(C)]
struct RawPort {
    down: RawRing,
    up: RawRing,
    fd: c_int,
    kick: Option<unsafe extern "C" fn(*mut RawPort, c_uint) -> c_int>,
    context: *mut c_void,
}

extern "C" {
    fn port_attach(port: *mut RawPort, fd: c_int, index: c_uint) -> *const c_char;
    fn sandbox_early(port_fd: c_int) -> *const c_char;
    fn sandbox_namespaces() -> *const c_char;
    fn sandbox_identity(uid: c_uint, gid: c_uint) -> *const c_char;
    fn sandbox_close(port_fd: c_int) -> *const c_char;
    fn mlockall(flags: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
}

/// The start: not Rust's own, which would install signal handlers that the sandbox knows nothing of.
#[no_mangle]
extern "C" fn main(_argc: c_int, _argv: *const *const c_char) -> c_int {
    crate::run()
}

/// Ends the process with one system call, and writes nothing.
pub fn exit(status: i32) -> ! {
    // SAFETY: does not return.
    unsafe { _exit(status) }
}

/// SAFETY: `text` is NULL or a C string that stays.
unsafe fn failed(text: *const c_char) -> Result<(), &'static str> {
    if text.is_null() {
        return Ok(());
    }
    // SAFETY: the caller's.
    Err(unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("a stage of the sandbox"))
}

pub fn early(fd: i32) -> Result<(), &'static str> {
    // SAFETY: each of these returns NULL or a literal.
    unsafe { failed(sandbox_early(fd)) }
}

pub fn namespaces() -> Result<(), &'static str> {
    // SAFETY: as above.
    unsafe { failed(sandbox_namespaces()) }
}

pub fn identity(uid: u32, gid: u32) -> Result<(), &'static str> {
    // SAFETY: as above.
    unsafe { failed(sandbox_identity(uid, gid)) }
}

pub fn close(fd: i32) -> Result<(), &'static str> {
    // SAFETY: as above.
    unsafe { failed(sandbox_close(fd)) }
}

pub fn lock_memory() -> Result<(), &'static str> {
    // SAFETY: takes no pointer.
    match unsafe { mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) } {
        0 => Ok(()),
        _ => Err("mlockall"),
    }
}

/// The stack's own pages are there before page faults could tell anybody anything.
pub fn touch_stack() {
    let mut room = [0u8; 128 << 10];
    for byte in room.iter_mut().step_by(4096) {
        // SAFETY: a valid, exclusive reference.
        unsafe { core::ptr::write_volatile(byte, 1) }
    }
}

/// One stream's memory: `size` bytes (a power of two), mapped twice in a row, and two words.
struct Ring {
    base: *mut u8,
    size: u32,
    head: u32, // private: bytes peeked at or reserved
    own: u32,  // private: what was last published of ours
    peer: u32, // the kernel's index as last observed
    own_word: *const AtomicU32,
    peer_word: *const AtomicU32,
}

impl Ring {
    fn new(raw: &RawRing) -> Ring {
        Ring {
            base: raw.base,
            size: raw.size,
            head: 0,
            own: 0,
            peer: 0,
            own_word: raw.own_word as *const AtomicU32,
            peer_word: raw.peer_word as *const AtomicU32,
        }
    }

    fn at(&self, index: u32) -> *mut u8 {
        // SAFETY: the offset is below size, and 2 * size bytes are mapped.
        unsafe { self.base.add((index & (self.size - 1)) as usize) }
    }

    fn observe(&self) -> u32 {
        // SAFETY: the word is mapped, aligned, and only ever used atomically.
        unsafe { (*self.peer_word).load(Ordering::Acquire) }
    }

    fn publish(&mut self) {
        self.own = self.head;
        // SAFETY: as above.
        unsafe { (*self.own_word).store(self.own, Ordering::Release) }
    }
}

pub struct Down(Ring);
pub struct Up(Ring);

impl Down {
    /// Bytes that may be read; None: the kernel's index makes no sense.
    pub fn peek(&mut self) -> Option<u32> {
        if self.0.peer == self.0.head {
            self.0.peer = self.0.observe();
        }
        let there = self.0.peer.wrapping_sub(self.0.head);
        (self.0.peer.wrapping_sub(self.0.own) <= self.0.size && there % ALIGN as u32 == 0).then(|| there)
    }

    /// The next record, of `there` bytes at most. None: not a sane one.
    pub fn record(&self, there: u32) -> Option<&[u8]> {
        if (there as usize) < HEADER_LEN || there > self.0.size {
            return None;
        }
        // SAFETY: the kernel published `there` <= size bytes from head on, and leaves them alone until we publish.
        let bytes = unsafe { core::slice::from_raw_parts(self.0.at(self.0.head), there as usize) };
        record::sane(bytes)
    }

    /// Gives the room of a record back; where our index stands says which record a stack died on.
    pub fn release(&mut self, length: u32) {
        self.0.head = self.0.head.wrapping_add(length);
        self.0.publish();
    }
}

impl Up {
    fn room(&mut self, need: u32) -> bool {
        if self.0.size.wrapping_sub(self.0.head.wrapping_sub(self.0.peer)) >= need {
            return true;
        }
        let peer = self.0.observe();
        // An index that went back, or beyond what was submitted, is a lie; the old one stays in force.
        if peer.wrapping_sub(self.0.peer) <= self.0.own.wrapping_sub(self.0.peer) {
            self.0.peer = peer;
        }
        self.0.size.wrapping_sub(self.0.head.wrapping_sub(self.0.peer)) >= need
    }

    pub fn size(&self) -> usize {
        self.0.size as usize
    }

    /// Room for `need` bytes (a multiple of ALIGN), or None.
    pub fn reserve(&mut self, need: usize) -> Option<&mut [u8]> {
        let bytes = u32::try_from(need).ok()?;
        if bytes > self.0.size || !self.room(bytes) {
            return None;
        }
        // SAFETY: `need` <= size bytes from head on are ours until they are submitted; the borrow ends before that.
        Some(unsafe { core::slice::from_raw_parts_mut(self.0.at(self.0.head), need) })
    }

    /// Of what was reserved, so many bytes (a multiple of ALIGN) will go.
    pub fn keep(&mut self, used: usize) {
        self.0.head = self.0.head.wrapping_add(used as u32);
    }

    pub fn submit(&mut self) {
        self.0.publish();
    }
}

pub struct Port {
    pub down: Down,
    pub up: Up,
    raw: RawPort,
}

impl Port {
    pub fn attach(fd: i32, index: u32) -> Result<Port, &'static str> {
        // SAFETY: a struct of pointers, integers and an optional function: all zero is a value of it.
        let mut raw: RawPort = unsafe { core::mem::zeroed() };
        // SAFETY: port_attach fills the struct, whose layout is that of daemon/stack/port.h.
        unsafe { failed(port_attach(&mut raw, fd, index)) }?;
        Ok(Port { down: Down(Ring::new(&raw.down)), up: Up(Ring::new(&raw.up)), raw })
    }

    /// Hands in what was submitted; with KICK_WAIT sleeps until there is more. False: the attachment is over.
    pub fn kick(&mut self, flags: u32) -> bool {
        match self.raw.kick {
            // SAFETY: port_attach gave the function and filled the struct.
            Some(kick) => unsafe { kick(&mut self.raw, flags) == 0 },
            None => false,
        }
    }
}
