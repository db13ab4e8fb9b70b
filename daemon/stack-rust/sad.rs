// SPDX-License-Identifier: GPL-2.0
//! sad - the SAs of a stack, found by handle. All room is made before the first record.

use crate::nettle::{Aead, Cipher, KEY_LEN, NONCE_LEN};
use crate::record::Fields;
use crate::selector::{Selector, Tuple};
use crate::spd::Template;

pub const SA_LEN: usize = 600;
pub const OUT: u8 = 0;
pub const IN: u8 = 1;
pub const TRANSPORT: u8 = 0;
pub const TUNNEL: u8 = 1;

pub const ESN: u32 = 1 << 0;
pub const NOECN: u32 = 1 << 1;
pub const DECAP_DSCP: u32 = 1 << 2;
pub const DONT_ENCAP_DSCP: u32 = 1 << 3;
pub const NOPMTUDISC: u32 = 1 << 4;
const FLAGS_ALL: u32 = 0x7f;
const ESP: u8 = 50;
const KEY_BITS: u32 = 8 * (KEY_LEN as u32 + 4);
const ICV_BITS: u32 = 128;
const KEY_AT: usize = 136 + 72;
const CIPHERS: [(&[u8], Cipher); 2] = [
    (b"rfc4106(gcm(aes))", Cipher::Aes256Gcm),
    (b"rfc7539esp(chacha20,poly1305)", Cipher::ChaCha20Poly1305),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    Unsupported,
    NoRoom,
}

/// What is remembered of an SA beside its key.
#[derive(Clone, Copy)]
pub struct Facts {
    pub handle: u32,
    pub flags: u32,
    pub direction: u8,
    pub family: u8,
    pub mode: u8,
    pub protocol: u8,
    pub spi: [u8; 4],
    pub source: [u8; 16],
    pub destination: [u8; 16],
    pub reqid: u32,
    /// Source and destination port of ESP in UDP, as on the wire.
    pub encap: Option<([u8; 2], [u8; 2])>,
    mark: u32,
    mark_mask: u32,
    if_id: u32,
    pub selector: Selector,
    /// 0: none.
    pub label: u32,
}

pub struct Sa {
    pub facts: Facts,
    pub aead: Aead,
    salt: [u8; 4],
    /// Rises with each SA that is added: the newest has the highest.
    age: u64,
}

/// The name of a struct ipsp_algorithm; None: no NUL ends it.
fn name(algorithm: Fields) -> Option<&[u8]> {
    algorithm.part(0, 64).0.split(|&b| b == 0).next().filter(|n| n.len() < 64)
}

fn cipher(sa: Fields) -> Option<Cipher> {
    let (aead, cipher, auth) = (sa.part(136, 144), sa.part(280, 144), sa.part(424, 144));
    if cipher.u8(0) != 0 || auth.u8(0) != 0 || aead.u32(64) != KEY_BITS || aead.u32(68) != ICV_BITS {
        return None;
    }
    let wanted = name(aead)?;
    CIPHERS.iter().find(|(n, _)| *n == wanted).map(|&(_, c)| c)
}

impl Facts {
    fn empty() -> Facts {
        Facts::read(Fields(&[]))
    }

    fn read(f: Fields) -> Facts {
        let encap = (f.bytes(56), f.bytes(58));
        Facts {
            handle: f.u32(0),
            flags: f.u32(4),
            direction: f.u8(8),
            family: f.u8(9),
            protocol: f.u8(10),
            mode: f.u8(11),
            spi: f.bytes(12),
            source: f.bytes(16),
            destination: f.bytes(32),
            reqid: f.u32(48),
            encap: (encap != ([0; 2], [0; 2])).then(|| encap),
            mark: f.u32(60),
            mark_mask: f.u32(64),
            if_id: f.u32(68),
            selector: Selector::read(f.part(72, 64)),
            label: f.u32(568),
        }
    }

    fn is_served(&self, f: Fields) -> bool {
        self.handle != 0
            && self.flags & !FLAGS_ALL == 0
            && self.protocol == ESP
            && (self.mode == TRANSPORT || self.mode == TUNNEL)
            && (self.family == 4 || self.family == 6)
            && self.encap.map_or(true, |(s, d)| s != [0; 2] && d != [0; 2])
            && f.u32(52) == 0
    }

    pub fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    fn is_for(&self, t: &Tuple) -> bool {
        (t.mark ^ self.mark) & self.mark_mask == 0 && (self.if_id == 0 || self.if_id == t.if_id)
    }
}

impl Sa {
    fn empty() -> Sa {
        Sa { facts: Facts::empty(), aead: Aead::empty(), salt: [0; 4], age: 0 }
    }

    /// Salt and IV (RFC 4106 4, RFC 7634 2).
    pub fn nonce(&self, iv: &[u8; 8]) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        let (salt, rest) = nonce.split_at_mut(4);
        salt.copy_from_slice(&self.salt);
        rest.copy_from_slice(iv);
        nonce
    }

    fn set(&mut self, facts: Facts, cipher: Cipher, key: &[u8; KEY_LEN], salt: [u8; 4], age: u64) {
        self.facts = facts;
        self.aead.set_key(cipher, key);
        self.salt = salt;
        self.age = age;
    }

    fn wipe(&mut self) {
        self.aead.wipe();
        self.salt = [0; 4];
        self.facts = Facts::empty();
        self.age = 0;
    }
}

pub struct Sad {
    /// Sorted by handle; each says which place the SA has.
    index: Vec<(u32, u32)>,
    free: Vec<u32>,
    place: Vec<Sa>,
    last_age: u64,
}

impl Sad {
    pub fn new(most: u32) -> Sad {
        let room = most as usize;
        let mut place = Vec::with_capacity(room);
        place.resize_with(room, Sa::empty);
        Sad { index: Vec::with_capacity(room), free: (0..most).rev().collect(), place, last_age: 0 }
    }

    fn find(&self, handle: u32) -> Result<usize, usize> {
        self.index.binary_search_by_key(&handle, |&(h, _)| h)
    }

    pub fn get(&mut self, handle: u32) -> Option<&mut Sa> {
        let at = self.find(handle).ok()?;
        let &(_, place) = self.index.get(at)?;
        self.place.get_mut(place as usize)
    }

    /// The place of the SA of that handle, or a free one that is its from now on.
    fn take(&mut self, handle: u32) -> Option<u32> {
        match self.find(handle) {
            Ok(at) => self.index.get(at).map(|&(_, place)| place),
            Err(at) => {
                let place = self.free.pop()?;
                self.index.insert(at, (handle, place));
                Some(place)
            }
        }
    }

    /// Adds the SA, or puts it in the place of the one with its handle.
    pub fn add(&mut self, f: Fields) -> Result<(), Refused> {
        let facts = Facts::read(f);
        let cipher = cipher(f).filter(|_| facts.is_served(f)).ok_or(Refused::Unsupported)?;
        let key = f.borrow(KEY_AT).ok_or(Refused::Unsupported)?;
        let place = self.take(facts.handle).ok_or(Refused::NoRoom)?;
        let sa = self.place.get_mut(place as usize).ok_or(Refused::NoRoom)?;
        self.last_age += 1;
        sa.set(facts, cipher, key, f.bytes(KEY_AT + KEY_LEN), self.last_age);
        Ok(())
    }

    pub fn delete(&mut self, handle: u32) {
        let at = match self.find(handle) {
            Ok(at) => at,
            Err(_) => return,
        };
        let (_, place) = self.index.remove(at);
        if let Some(sa) = self.place.get_mut(place as usize) {
            sa.wipe();
        }
        self.free.push(place);
    }

    pub fn clear(&mut self) {
        while let Some(&(handle, _)) = self.index.last() {
            self.delete(handle);
        }
    }

    /// The newest outbound SA that a packet may use under a template of a policy with that label.
    pub fn newest(&self, template: &Template, label: u32, t: &Tuple) -> Option<Facts> {
        self.index
            .iter()
            .filter_map(|&(_, place)| self.place.get(place as usize))
            .filter(|sa| sa.facts.direction == OUT && sa.facts.label == label && sa.facts.is_for(t))
            .filter(|sa| template.fits(&sa.facts, t) && sa.facts.selector.matches(t))
            .max_by_key(|sa| sa.age)
            .map(|sa| sa.facts)
    }

    /// Is there an inbound one without UDP of the packet's destination and protocol, and this SPI?
    pub fn opens(&self, t: &Tuple, spi: &[u8]) -> bool {
        self.index.iter().filter_map(|&(_, place)| self.place.get(place as usize)).map(|sa| &sa.facts).any(|sa| {
            sa.direction == IN
                && sa.protocol == t.protocol
                && sa.family == t.family
                && sa.spi == *spi
                && sa.destination == t.destination
                && sa.encap.is_none()
        })
    }
}
