// SPDX-License-Identifier: GPL-2.0
//! bundle - the SAs that a policy with several templates has a packet go through, innermost first

use crate::ip::{Ip, ESP};
use crate::record::Fields;
use crate::sad::{self, Facts, Sad};
use crate::selector::Tuple;
use crate::spd::Template;

pub const MOST: usize = 4;
const STAMP_LEN: usize = 16;
const STAMPS_AT: usize = 40;

#[derive(Clone, Copy)]
pub struct Bundle {
    sa: [Option<Facts>; MOST],
    count: usize,
}

pub enum Lacks {
    Sa,
    Support,
}

/// How the packet looks to what comes outside of this SA.
fn wrap(t: &mut Tuple, sa: &Facts) {
    if sa.mode != sad::TRANSPORT {
        t.source = sa.source;
        t.destination = sa.destination;
        t.family = sa.family;
    }
    t.protocol = sa.protocol;
    t.ports = None;
}

impl Bundle {
    fn empty() -> Bundle {
        Bundle { sa: [None; MOST], count: 0 }
    }

    fn add(&mut self, facts: Facts) {
        if let Some(place) = self.sa.get_mut(self.count) {
            *place = Some(facts);
            self.count += 1;
        }
    }

    fn at(&self, index: usize) -> Option<&Facts> {
        self.sa.get(index)?.as_ref()
    }

    /// ESP in UDP has nothing around it.
    fn is_sound(&self) -> bool {
        (1..self.count).all(|i| self.at(i - 1).map_or(false, |sa| sa.encap.is_none()))
    }

    /// Outbound; empty where all templates are optional and none has an SA.
    pub fn of(templates: &[Template], label: u32, sad: &Sad, t: &Tuple) -> Result<Bundle, Lacks> {
        let (mut bundle, mut t) = (Bundle::empty(), *t);
        for template in templates {
            match sad.newest(template, label, &t) {
                None if template.optional => (),
                None => return Err(Lacks::Sa),
                Some(facts) => {
                    bundle.add(facts);
                    wrap(&mut t, &facts);
                }
            }
        }
        Some(bundle).filter(Bundle::is_sound).ok_or(Lacks::Support)
    }

    /// Inbound, of an UNPROTECT ticket: the SA that is to open it, and those before it. None: one is not there.
    pub fn read(f: Fields, sad: &mut Sad) -> Option<Bundle> {
        let mut bundle = Bundle::empty();
        for i in 0..MOST {
            let handle = f.u32(STAMPS_AT + i * STAMP_LEN);
            if i > 0 && handle == 0 {
                break;
            }
            bundle.add(sad.get(handle).map(|sa| sa.facts).filter(|facts| facts.direction == sad::IN)?);
        }
        Some(bundle)
    }

    /// Inbound: of the SA that the packet comes out of last.
    pub fn label(&self) -> u32 {
        self.at(0).map_or(0, |sa| sa.label)
    }

    /// Inbound: all of them are wanted, in this order, and nothing else.
    pub fn is_wanted(&self, templates: &[Template], t: &Tuple) -> bool {
        let (mut taken, mut t) = (0, *t);
        for template in templates {
            match self.at(taken) {
                Some(sa) if template.fits(sa, &t) => {
                    wrap(&mut t, sa);
                    taken += 1;
                }
                _ if template.optional => (),
                _ => return false,
            }
        }
        taken == self.count
    }

    /// None: it is empty.
    pub fn handles(&self) -> Option<[u32; MOST]> {
        self.at(0)?;
        Some(core::array::from_fn(|i| self.at(i).map_or(0, |sa| sa.handle)))
    }
}

/// Inbound: an SA that is here opens this packet again.
pub fn goes_on(sad: &Sad, ip: &Ip) -> bool {
    match ip.bytes.get(ip.header_len..).and_then(|esp| esp.get(..8)).and_then(|esp| esp.get(..4)) {
        Some(spi) if ip.protocol == ESP && !ip.is_fragment => sad.opens(&ip.tuple(0, 0, 0), spi),
        _ => false,
    }
}
