//! The command line.

use crate::servers::NAMES;
use oneloop_benches::traffic::{CASES, Case};
use std::path::PathBuf;

pub const HELP: &str = "\
Compares HTTP servers on this machine, over loopback.

    cargo bench -p oneloop-benches --bench throughput -- [options]

  --quick              one round of one second, three servers: does it run at all?
  --rounds N           rounds; the medians over them are reported (5)
  --duration S         seconds measured, per server, case and round; a second each in turn (6)
  --warmup S           seconds of the same load before (2)
  --only A,B           servers: ceiling, httparse, oneloop, may_minihttp, hyper, tiny_http, node (all that are installed)
  --cases A,B          cases: ka64, ka256, pipe16, browser (all)
  --generator wrk|own  load generator (wrk where it is installed, else our own)
  --max-steal PERCENT  a second in which the hypervisor took more of the CPUs is measured again (5)
  --max-others PERCENT a second in which other processes used more of the server's CPU is measured again (10)
  --server-cpu N, --generator-cpu N
                       where they are pinned (the first and the last CPU that this process may use)
  --realtime           both at real-time priority, for a machine with other work (needs chrt and the right to use it)
  --out FILE.json      write every round's figures there
other measurements:
  --idle N             memory of N idle connections, and what they cost 64 active ones
  --syscalls           system calls per request, counted by strace
";

/// The kind of measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Load,
    Idle(usize),
    Syscalls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generator {
    Wrk,
    Own,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub mode: Mode,
    pub rounds: usize,
    /// In seconds.
    pub duration: u64,
    /// In seconds.
    pub warmup: u64,
    /// The servers to measure, in the order of the tables.
    pub servers: Vec<&'static str>,
    /// True if the user named the servers. Then it is an error if one is not available.
    pub chosen: bool,
    pub cases: Vec<Case>,
    pub generator: Option<Generator>,
    /// A share, not percent.
    pub max_steal: f64,
    /// A share, not percent.
    pub max_others: f64,
    pub server_cpu: Option<usize>,
    pub generator_cpu: Option<usize>,
    pub realtime: bool,
    pub out: Option<PathBuf>,
}

impl Options {
    /// Reads the arguments. The error is a message for the user.
    pub fn read(args: impl IntoIterator<Item = String>) -> Result<Options, String> {
        let mut options = Options {
            mode: Mode::Load,
            rounds: 5,
            duration: 6,
            warmup: 2,
            servers: NAMES.to_vec(),
            chosen: false,
            cases: CASES.to_vec(),
            generator: None,
            max_steal: 0.05,
            max_others: 0.10,
            server_cpu: None,
            generator_cpu: None,
            realtime: false,
            out: None,
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            // Accepts both `--rounds 3` and `--rounds=3`.
            let (name, joined) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (arg.as_str(), None),
            };
            let mut value = || joined.clone().or_else(|| args.next()).ok_or(format!("{name} wants a value"));
            match name {
                // Added by cargo.
                "--bench" => {}
                "--quick" => {
                    options.rounds = 1;
                    options.duration = 1;
                    options.warmup = 1;
                    if !options.chosen {
                        options.servers.retain(|name| ["ceiling", "oneloop", "hyper"].contains(name));
                    }
                }
                "--rounds" => options.rounds = at_least(1, number(name, &value()?)?)?,
                "--duration" => options.duration = at_least(1, number(name, &value()?)?)?,
                "--warmup" => options.warmup = number(name, &value()?)?,
                "--only" => {
                    options.servers =
                        choice(name, &value()?, |wanted| NAMES.into_iter().find(|known| *known == wanted))?;
                    options.chosen = true;
                }
                "--cases" => options.cases = choice(name, &value()?, Case::named)?,
                "--generator" => {
                    options.generator = Some(match value()?.as_str() {
                        "wrk" => Generator::Wrk,
                        "own" => Generator::Own,
                        other => return Err(format!("--generator is wrk or own, not {other:?}")),
                    })
                }
                "--max-steal" => options.max_steal = number::<f64>(name, &value()?)? / 100.0,
                "--max-others" => options.max_others = number::<f64>(name, &value()?)? / 100.0,
                "--server-cpu" => options.server_cpu = Some(number(name, &value()?)?),
                "--generator-cpu" => options.generator_cpu = Some(number(name, &value()?)?),
                "--realtime" => options.realtime = true,
                "--out" => options.out = Some(value()?.into()),
                "--idle" => options.mode = Mode::Idle(at_least(1, number(name, &value()?)?)?),
                "--syscalls" => options.mode = Mode::Syscalls,
                _ => return Err(format!("no such option: {arg}")),
            }
        }
        Ok(options)
    }
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} wants a number, not {text:?}"))
}

fn at_least<T: PartialOrd + std::fmt::Display>(least: T, given: T) -> Result<T, String> {
    if given < least { Err(format!("{given} is too little; at least {least}")) } else { Ok(given) }
}

fn choice<T>(name: &str, list: &str, known: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    list.split(',').map(|word| known(word).ok_or(format!("{name}: there is no {word:?}"))).collect()
}
