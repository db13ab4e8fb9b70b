// SPDX-License-Identifier: GPL-2.0
//! protect - the PROTECT ticket: cut, then protect each segment under its stamped number

use crate::answer::{Reason, Verdict, HEAD};
use crate::esp::{self, OVERHEAD_MAX};
use crate::ip::Ip;
use crate::record::{align, Record};
use crate::sad::{self, Sa, Sad};
use crate::segment::{self, Offload, Plan, Segment};

const IGNORE_DF: u16 = 1 << 1;
const MTU_FLOOR6: u32 = 1280;

/// struct ipsp_packet, what of it PROTECT looks at.
struct Asked {
    offload: Offload,
    flags: u16,
    mtu: u32,
    handle: u32,
    count: u32,
    first: u64,
}

impl Asked {
    fn read(down: &Record) -> Asked {
        let f = down.control;
        Asked {
            offload: Offload::read(f),
            flags: f.u16(14),
            mtu: f.u32(20),
            handle: f.u32(40),
            count: f.u32(44),
            first: f.u64(48),
        }
    }

    fn plan(&self, ip: &Ip) -> Result<Plan, Reason> {
        let plan = segment::plan(ip, &self.offload, self.mtu as usize)?;
        match plan.segments > self.count as usize {
            true => Err(Reason::StackError),
            false => Ok(plan),
        }
    }
}

/// Bytes that the answer takes at most.
pub fn room(down: &Record) -> usize {
    let plan = Ip::parse(down.data).and_then(|ip| Asked::read(down).plan(&ip).ok());
    let packets = plan.map_or(0, |p| down.data.len() + p.segments.saturating_mul(OVERHEAD_MAX + p.header));
    align(HEAD.saturating_add(packets))
}

fn too_big(ip: &Ip, asked: &Asked) -> Option<Verdict> {
    let may = ip.family == 4 && !ip.dont_fragment || asked.flags & IGNORE_DF != 0;
    let floor = if ip.family == 6 { MTU_FLOOR6 } else { 0 };
    (!may).then(|| Verdict::TooBig { mtu: asked.mtu.max(floor) })
}

fn all(out: &mut [u8], sa: &mut Sa, ip: &Ip, plan: &Plan, first: u64, too_long: bool) -> Result<Verdict, Reason> {
    let (mut length, mut segment_len) = (0, 0);
    for i in 0..plan.segments {
        let segment = Segment::cut(ip, plan, i).ok_or(Reason::StackError)?;
        let at = out.get_mut(length..).ok_or(Reason::StackError)?;
        length += esp::protect(at, sa, ip, &segment, first.wrapping_add(i as u64), too_long)?;
        if i == 0 {
            segment_len = length;
        }
    }
    Ok(Verdict::Transformed { segments: plan.segments as u32, segment_len, length, flags: 0 })
}

/// The packets go to `out`.
pub fn protect(sad: &mut Sad, down: &Record, out: &mut [u8]) -> Result<Verdict, Reason> {
    let asked = Asked::read(down);
    let sa = sad.get(asked.handle).filter(|sa| sa.facts.direction == sad::OUT).ok_or(Reason::NoSa)?;
    let ip = Ip::parse(down.data).ok_or(Reason::Malformed)?;
    let plan = asked.plan(&ip)?;
    if ip.is_fragment && sa.facts.mode != sad::TUNNEL {
        return Err(Reason::Unsupported);
    }
    let too_long = plan.is_whole() && down.data.len() > asked.mtu as usize;
    if too_long {
        if let Some(verdict) = too_big(&ip, &asked) {
            return Ok(verdict);
        }
    }
    all(out, sa, &ip, &plan, asked.first, too_long)
}
