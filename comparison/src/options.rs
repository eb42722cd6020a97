//! The command line.

use crate::workloads::Mode;
use crate::workloads::schedule::ROUNDS;
use oneloop_benches::machine;
use std::path::PathBuf;

pub const HELP: &str = "\
One event loop or threads, for which work? Measures both on this machine, over loopback, and reports.

    cargo run --release -p comparison -- [options]

  --quick              in two minutes, fewer points and short windows (without it: in three quarters of an hour)
  --only W3,W5         these workloads only, W1 to W10
  --rounds N           rounds (3)
  --out DIR            where run.json and the report go (target/comparison)
  --server-cpus LIST   the server's CPUs, such as 0-3 (the first half)
  --client-cpus LIST   the generator's CPUs (the second half)
  --syscalls           count system calls too, in extra runs (needs strace)

    cargo run --release -p comparison -- compare A.json B.json

  says which wins of one run the other contradicts.
";

#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub mode: Mode,
    /// Names of workloads; all where there are none.
    pub only: Vec<String>,
    pub rounds: u32,
    pub out: PathBuf,
    pub server_cpus: Option<Vec<usize>>,
    pub client_cpus: Option<Vec<usize>>,
    pub syscalls: bool,
}

impl Options {
    /// Reads the arguments; the error is for the user.
    pub fn read(args: &[String]) -> Result<Options, String> {
        let mut options = Options {
            mode: Mode::Full,
            only: Vec::new(),
            rounds: ROUNDS,
            out: default_out(),
            server_cpus: None,
            client_cpus: None,
            syscalls: false,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (name, joined) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (arg.as_str(), None),
            };
            let mut value = || joined.clone().or_else(|| args.next().cloned()).ok_or(format!("{name} wants a value"));
            match name {
                "--quick" => options.mode = Mode::Quick,
                "--syscalls" => options.syscalls = true,
                "--out" => options.out = value()?.into(),
                "--server-cpus" => options.server_cpus = Some(cpu_list(&value()?)?),
                "--client-cpus" => options.client_cpus = Some(cpu_list(&value()?)?),
                "--rounds" => {
                    options.rounds =
                        value()?.parse().ok().filter(|n| *n > 0).ok_or("--rounds wants a number from 1 on")?;
                }
                "--only" => options.only = value()?.split(',').map(workload).collect::<Result<_, _>>()?,
                _ => return Err(format!("no such option: {arg}")),
            }
        }
        Ok(options)
    }
}

fn workload(name: &str) -> Result<String, String> {
    let name = name.trim().to_ascii_uppercase();
    let number = name.strip_prefix('W').and_then(|number| number.parse::<u32>().ok());
    if number.is_some_and(|number| (1..=10).contains(&number)) {
        Ok(name)
    } else {
        Err(format!("no such workload: {name}"))
    }
}

/// Reads `0-3,8`.
fn cpu_list(list: &str) -> Result<Vec<usize>, String> {
    let wrong = || format!("not a list of CPUs: {list}");
    let mut cpus = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<usize>().map_err(|_| wrong());
        cpus.extend(number(first)?..=number(last)?);
    }
    let allowed = machine::cpus();
    match cpus.iter().find(|cpu| !allowed.contains(cpu)) {
        Some(cpu) => Err(format!("CPU {cpu} is not among those that this process may use: {allowed:?}")),
        None if cpus.is_empty() => Err(wrong()),
        None => Ok(cpus),
    }
}

/// `comparison` in the folder of builds, in whose `release` this program is.
fn default_out() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(2).map_or(PathBuf::from("comparison"), |target| target.join("comparison"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        Options::read(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line_is_read() {
        let options = read("--quick --only w3,W10 --rounds=5 --out /tmp/x").unwrap();
        assert_eq!((options.mode, options.rounds, options.out), (Mode::Quick, 5, "/tmp/x".into()));
        assert_eq!(options.only, ["W3", "W10"]);
        assert_eq!(read("").unwrap().mode, Mode::Full);
        for wrong in ["--only W11", "--rounds 0", "--server-cpus a", "--slow", "--out", "--client-cpus 4096"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
