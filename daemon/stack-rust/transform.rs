// SPDX-License-Identifier: GPL-2.0
//! transform - each down record to its handler: a function of this record and of what control records left

use crate::acquire::{self, Wanted};
use crate::answer::{self, Reason, Verdict, HEAD};
use crate::bundle::{Bundle, Lacks};
use crate::ip::Ip;
use crate::protect;
use crate::record::{self, align, Record};
use crate::sad::{Refused, Sad, OUT, SA_LEN};
use crate::spd::{Spd, APPLY, BYPASS, ENTRY_LEN};
use crate::unprotect;

const PACKET_LEN: usize = 128;
const DEFAULT_DROP: u32 = 1;
const SAS_DEFAULT: u32 = 1024;
const POLICIES_DEFAULT: u32 = 4096;

/// 0: the default.
pub struct Config {
    pub sas_max: u32,
    pub policies_max: u32,
}

pub struct Transform {
    sad: Sad,
    spd: Spd,
    default_drop: bool,
}

#[derive(Clone, Copy)]
enum Handler {
    Ticket(fn(&mut Transform, &Record, &mut [u8]) -> Result<Verdict, Reason>),
    Control(fn(&mut Transform, &Record) -> Result<(), Reason>),
}

/// A type, the least length of its control part, and what answers it.
const TYPES: [(u16, usize, Handler); 14] = [
    (record::CLASSIFY, PACKET_LEN, Handler::Ticket(Transform::classify)),
    (record::PROTECT, PACKET_LEN, Handler::Ticket(Transform::protect)),
    (record::UNPROTECT, PACKET_LEN, Handler::Ticket(Transform::unprotect)),
    (record::FLUSH, 0, Handler::Control(Transform::nothing)),
    (record::SA_ADD, SA_LEN, Handler::Control(Transform::sa_add)),
    (record::SA_UPDATE, SA_LEN, Handler::Control(Transform::sa_add)),
    (record::SA_DELETE, SA_LEN, Handler::Control(Transform::sa_delete)),
    (record::POLICY, 32, Handler::Control(Transform::policy)),
    (record::RELEASE, 0, Handler::Control(Transform::nothing)),
    (record::REFUSE, 0, Handler::Control(Transform::nothing)),
    (record::TIME, 0, Handler::Control(Transform::nothing)),
    (record::CONFIG, 64, Handler::Control(Transform::config)),
    (record::SNAPSHOT_BEGIN, 0, Handler::Control(Transform::snapshot_begin)),
    (record::SNAPSHOT_END, 0, Handler::Control(Transform::nothing)),
];

/// Bytes that the answer to a record takes at most, with an ACQUIRE in front of it.
pub fn room(bytes: &[u8]) -> usize {
    let down = Record::new(bytes);
    match down.kind {
        record::CLASSIFY if down.control.0.len() >= PACKET_LEN => acquire::LEN + HEAD,
        record::PROTECT if down.control.0.len() >= PACKET_LEN => protect::room(&down),
        record::UNPROTECT => align(HEAD + down.data.len()),
        _ => HEAD,
    }
}

impl Transform {
    pub fn new(config: &Config) -> Transform {
        let or = |asked, default| if asked == 0 { default } else { asked };
        Transform {
            sad: Sad::new(or(config.sas_max, SAS_DEFAULT)),
            spd: Spd::new(or(config.policies_max, POLICIES_DEFAULT)),
            default_drop: false,
        }
    }

    fn classify(&mut self, down: &Record, up: &mut [u8]) -> Result<Verdict, Reason> {
        let ip = Ip::parse(down.data).ok_or(Reason::Malformed)?;
        let f = down.control;
        let t = ip.tuple(f.u32(24), f.u32(28), f.u32(32));
        let policy = match self.spd.find(OUT, &t, f.u32(36)) {
            Some(policy) => policy,
            None if self.default_drop => return Err(Reason::Policy),
            None => return Ok(Verdict::Bypass),
        };
        match policy.action {
            BYPASS => return Ok(Verdict::Bypass),
            APPLY => (),
            _ => return Err(Reason::Policy),
        }
        match Bundle::of(policy.templates().ok_or(Reason::Unsupported)?, policy.label, &self.sad, &t) {
            Ok(bundle) => Ok(bundle.handles().map_or(Verdict::Bypass, |handles| Verdict::Classify { handles })),
            Err(Lacks::Support) => Err(Reason::Unsupported),
            Err(Lacks::Sa) if policy.acquire == 0 => Err(Reason::NoSa),
            Err(Lacks::Sa) => {
                let wanted = Wanted { acquire: policy.acquire, policy: policy.index, label: f.u32(36) };
                acquire::write(up, &wanted, &t);
                Ok(Verdict::Hold { acquire: policy.acquire })
            }
        }
    }

    fn protect(&mut self, down: &Record, up: &mut [u8]) -> Result<Verdict, Reason> {
        protect::protect(&mut self.sad, down, up.get_mut(HEAD..).ok_or(Reason::StackError)?)
    }

    fn unprotect(&mut self, down: &Record, up: &mut [u8]) -> Result<Verdict, Reason> {
        unprotect::unprotect(&mut self.sad, &self.spd, down, up.get_mut(HEAD..).ok_or(Reason::StackError)?)
    }

    fn nothing(&mut self, _down: &Record) -> Result<(), Reason> {
        Ok(())
    }

    fn sa_add(&mut self, down: &Record) -> Result<(), Reason> {
        self.sad.add(down.control).map_err(Reason::from)
    }

    fn sa_delete(&mut self, down: &Record) -> Result<(), Reason> {
        self.sad.delete(down.control.u32(0));
        Ok(())
    }

    fn policy(&mut self, down: &Record) -> Result<(), Reason> {
        let (operation, count) = (down.control.u32(0), down.control.u32(4));
        if u64::from(count) * ENTRY_LEN as u64 != down.data.len() as u64 {
            return Err(Reason::Malformed);
        }
        self.spd.change(operation, down.data).map_err(Reason::from)
    }

    fn config(&mut self, down: &Record) -> Result<(), Reason> {
        self.default_drop = down.control.u32(0) & DEFAULT_DROP != 0;
        Ok(())
    }

    fn snapshot_begin(&mut self, _down: &Record) -> Result<(), Reason> {
        self.sad.clear();
        self.spd.clear();
        Ok(())
    }

    /// Answers a sane record into `up`, of room() bytes. Gives the bytes that go up, 0: nothing.
    pub fn answer(&mut self, bytes: &[u8], up: &mut [u8]) -> usize {
        let down = Record::new(bytes);
        let handler = TYPES.iter().find(|t| t.0 == down.kind && down.control.0.len() >= t.1).map(|t| t.2);
        match handler {
            None => answer::note(up, Reason::Unsupported),
            Some(Handler::Ticket(ticket)) => {
                let result = ticket(self, &down, up);
                answer::answer(up, &down, result)
            }
            Some(Handler::Control(control)) => match control(self, &down) {
                Ok(()) => 0,
                Err(reason) => answer::note(up, reason),
            },
        }
    }
}

impl From<Refused> for Reason {
    fn from(refused: Refused) -> Reason {
        match refused {
            Refused::Unsupported => Reason::Unsupported,
            Refused::NoRoom => Reason::StackError,
        }
    }
}
