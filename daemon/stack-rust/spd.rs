// SPDX-License-Identifier: GPL-2.0
//! spd - the policies of a stack in their order. All room is made before the first record.

use crate::bundle::{Bundle, MOST};
use crate::record::Fields;
use crate::sad::{Facts, Refused, TRANSPORT};
use crate::selector::{Selector, Tuple};

pub const ENTRY_LEN: usize = 288;
const REPLACE: u32 = 0;
const DELETE: u32 = 2;

pub const BYPASS: u8 = 1;
pub const APPLY: u8 = 2;
pub const FWD: u8 = 2;
const TEMPLATE_LEN: usize = 48;

#[derive(Clone, Copy)]
pub struct Template {
    source: [u8; 16],
    destination: [u8; 16],
    spi: [u8; 4],
    reqid: u32,
    protocol: u8,
    mode: u8,
    pub optional: bool,
}

#[derive(Clone, Copy)]
pub struct Policy {
    selector: Selector,
    direction: u8,
    priority: u32,
    pub index: u32,
    pub action: u8,
    templates: u8,
    /// The id to ask for an SA with; 0: none is asked for.
    pub acquire: u32,
    /// 0: for all.
    pub label: u32,
    template: [Template; MOST],
}

fn is_zero_or(asked: &[u8; 16], address: &[u8; 16]) -> bool {
    *asked == [0; 16] || asked == address
}

impl Template {
    fn read(f: Fields) -> Template {
        Template {
            source: f.bytes(0),
            destination: f.bytes(16),
            spi: f.bytes(32),
            reqid: f.u32(36),
            protocol: f.u8(41),
            mode: f.u8(42),
            optional: f.u8(43) != 0,
        }
    }

    fn addresses_fit(&self, sa: &Facts, t: &Tuple) -> bool {
        if self.mode != TRANSPORT {
            return is_zero_or(&self.source, &sa.source) && is_zero_or(&self.destination, &sa.destination);
        }
        sa.family == t.family
            && is_zero_or(&t.source, &sa.source)
            && is_zero_or(&t.destination, &sa.destination)
    }

    pub fn fits(&self, sa: &Facts, t: &Tuple) -> bool {
        self.mode == sa.mode
            && self.protocol == sa.protocol
            && (self.reqid == 0 || self.reqid == sa.reqid)
            && (self.spi == [0; 4] || self.spi == sa.spi)
            && self.addresses_fit(sa, t)
    }
}

impl Policy {
    fn read(f: Fields) -> Policy {
        Policy {
            selector: Selector::read(f.part(0, 64)),
            direction: f.u8(64),
            priority: f.u32(68),
            index: f.u32(72),
            label: f.u32(76),
            action: f.u8(80),
            templates: f.u8(81),
            acquire: f.u32(84),
            template: core::array::from_fn(|i| Template::read(f.part(88 + TEMPLATE_LEN * i, TEMPLATE_LEN))),
        }
    }

    /// None: more than there is room for, or none.
    pub fn templates(&self) -> Option<&[Template]> {
        self.template.get(..usize::from(self.templates)).filter(|all| !all.is_empty())
    }

    fn suits(&self, label: u32) -> bool {
        self.label == 0 || self.label == label
    }

    fn takes(&self, through: &Bundle, t: &Tuple) -> bool {
        let count = usize::from(self.templates).min(MOST);
        self.action == APPLY && through.is_wanted(self.template.get(..count).unwrap_or(&[]), t)
    }
}

pub struct Spd {
    list: Vec<Policy>,
    most: usize,
}

impl Spd {
    pub fn new(most: u32) -> Spd {
        let mut list = Vec::with_capacity(most as usize);
        // Written once, so that its pages are there.
        list.resize(most as usize, Policy::read(Fields(&[])));
        list.clear();
        Spd { list, most: most as usize }
    }

    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// Behind all of its priority.
    fn insert(&mut self, policy: Policy) -> Result<(), Refused> {
        if self.list.len() >= self.most {
            return Err(Refused::NoRoom);
        }
        let at = self.list.partition_point(|p| p.priority <= policy.priority);
        self.list.insert(at, policy);
        Ok(())
    }

    fn remove(&mut self, index: u32) {
        if let Some(at) = self.list.iter().position(|p| p.index == index) {
            self.list.remove(at);
        }
    }

    /// The entries of a POLICY record whose data part has the right length.
    pub fn change(&mut self, operation: u32, entries: &[u8]) -> Result<(), Refused> {
        if operation == REPLACE {
            self.clear();
        }
        for entry in entries.chunks_exact(ENTRY_LEN) {
            let policy = Policy::read(Fields(entry));
            self.remove(policy.index);
            if operation != DELETE {
                self.insert(policy)?;
            }
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Does the policy of that direction want what came through those SAs? None: there is no policy.
    pub fn says(&self, direction: u8, t: &Tuple, through: &Bundle) -> Option<bool> {
        self.find(direction, t, through.label()).map(|p| p.takes(through, t))
    }

    /// `label` is the packet's, or of the SA that it came under.
    pub fn find(&self, direction: u8, t: &Tuple, label: u32) -> Option<&Policy> {
        self.list.iter().find(|p| p.direction == direction && p.suits(label) && p.selector.matches(t))
    }
}
