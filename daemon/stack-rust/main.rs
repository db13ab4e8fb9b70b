// SPDX-License-Identifier: GPL-2.0
//! ipsec-port-stack-rust - a second IPsec stack, written from Documentation/stack.md and not from daemon/ipsec
//!
//! The life of a stack: warm up, attach, close the sandbox, answer records.
#![no_main]
#![deny(unsafe_op_in_unsafe_fn)]
#![deny(warnings)]

mod acquire;
mod answer;
mod bundle;
mod checksum;
mod esp;
mod ip;
mod nettle;
mod port;
mod protect;
mod record;
mod records;
mod rounds;
mod sad;
mod segment;
mod selector;
mod spd;
mod transform;
mod unprotect;

use std::fs::File;
use std::os::unix::io::IntoRawFd;

use transform::{Config, Transform};

const NAME: &str = "ipsec-port-stack-rust";
const USAGE: &str =
    "--port DEVICE | --port-fd N [--index I] [--sas-max N] [--policies-max N] [--uid U] [--gid G] | --records";

/// Where records come from.
enum Source {
    Device(String),
    Descriptor(i32),
    Input,
}

struct Options {
    source: Option<Source>,
    index: u32,
    uid: u32,
    gid: u32,
    config: Config,
}

impl Options {
    /// Where the value of an option goes, other than --port's.
    fn number(&mut self, name: &str) -> Option<&mut u32> {
        Some(match name {
            "--index" => &mut self.index,
            "--sas-max" => &mut self.config.sas_max,
            "--policies-max" => &mut self.config.policies_max,
            "--uid" => &mut self.uid,
            "--gid" => &mut self.gid,
            _ => return None,
        })
    }

    /// There is one.
    fn comes_from(&mut self, source: Source) -> Result<(), String> {
        match self.source.replace(source) {
            None => Ok(()),
            Some(_) => Err(usage()),
        }
    }

    fn take(&mut self, name: &str, value: Option<String>) -> Result<(), String> {
        let text = value.ok_or_else(|| refused(name))?;
        let number = || {
            let number = text.parse::<i32>().ok().filter(|n| *n >= 0);
            number.ok_or_else(|| format!("{NAME}: {name} \"{text}\": allowed: a number"))
        };
        match name {
            "--port" => self.comes_from(Source::Device(text))?,
            "--port-fd" => self.comes_from(Source::Descriptor(number()?))?,
            _ => {
                let at = self.number(name).ok_or_else(|| refused(name))?;
                *at = number()? as u32;
            }
        }
        Ok(())
    }

    fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
        let config = Config { sas_max: 0, policies_max: 0 };
        let mut o = Options { source: None, index: 0, uid: 65534, gid: 65534, config };
        while let Some(arg) = args.next() {
            if arg == "--records" {
                o.comes_from(Source::Input)?;
            } else if let Some((name, value)) = arg.split_once('=') {
                o.take(name, Some(value.to_string()))?;
            } else {
                let value = args.next();
                o.take(&arg, value)?;
            }
        }
        Ok(o)
    }
}

fn open_port(path: &str) -> Result<i32, String> {
    let file = File::options().read(true).write(true).open(path);
    file.map(File::into_raw_fd).map_err(|e| format!("{NAME}: {path}: {e}"))
}

fn refused(option: &str) -> String {
    format!("{NAME}: option \"{option}\": allowed, each but --records with a value: {USAGE}")
}

fn usage() -> String {
    format!("usage: {NAME} {USAGE}")
}

fn serve(fd: i32, o: &Options) -> Result<(), &'static str> {
    port::early(fd)?;
    let mut transform = Transform::new(&o.config);
    port::touch_stack();
    port::lock_memory()?;
    port::namespaces()?;
    // Only now: the deadlines of what it is dealt do not wait for a start.
    let mut port = port::Port::attach(fd, o.index)?;
    port::identity(o.uid, o.gid)?;
    port::close(fd)?;
    rounds::run(&mut port, &mut transform);
    port::exit(0)
}

fn complain(text: String, status: i32) -> i32 {
    eprintln!("{text}");
    status
}

fn run() -> i32 {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(o) => o,
        Err(text) => return complain(text, 2),
    };
    let port = match &options.source {
        None => return complain(usage(), 2),
        Some(Source::Input) => return records::run(&mut Transform::new(&options.config)),
        Some(Source::Descriptor(fd)) => Ok(*fd),
        Some(Source::Device(path)) => open_port(path),
    };
    let served = port.and_then(|fd| {
        serve(fd, &options).map_err(|what| format!("{NAME}: {what}: {}", std::io::Error::last_os_error()))
    });
    served.map_or_else(|text| complain(text, 1), |()| 1)
}
