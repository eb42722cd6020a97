//! How a server is set up.

use oneloop::http::Limits;
use std::io;
use std::str::FromStr;
use std::time::Duration;

/// About a millisecond of [`burn`](super::handlers::burn) on a CPU of 3 GHz. A bench measures its own.
const WORK_PER_MS: u64 = 400_000;

/// What a server is told by its command line. What a design has no use for it ignores.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its short name.
    pub design: String,
    /// Threads of a pool, or loops. As many as there are CPUs, unless said otherwise.
    pub threads: usize,
    /// Bytes of stack of each thread; the standard library's default (2 MiB) unless said otherwise.
    pub stack: Option<usize>,
    /// Iterations that stand for a millisecond of computing.
    pub work_per_ms: u64,
    /// Where to listen on 127.0.0.1; 0 is a free port.
    pub port: u16,
    /// Deadlines and limits.
    pub limits: Limits,
}

impl Setup {
    /// A design with its defaults.
    pub fn new(design: &str) -> Setup {
        Setup {
            design: design.to_owned(),
            threads: std::thread::available_parallelism().map_or(1, |n| n.get()),
            stack: None,
            work_per_ms: WORK_PER_MS,
            port: 0,
            limits: Limits::default(),
        }
    }

    /// Reads `--design NAME [--threads N] [--stack BYTES] [--work-per-ms N] [--port P] [--header-ms N]`.
    pub fn read(args: &[String]) -> io::Result<Setup> {
        let mut setup = Setup::new("");
        let mut words = args.iter().map(String::as_str);
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| io::Error::other(format!("{name} wants a value")))?;
            match name {
                "--design" => setup.design = value.to_owned(),
                "--threads" => setup.threads = number::<usize>(name, value)?.max(1),
                "--stack" => setup.stack = Some(number(name, value)?),
                "--work-per-ms" => setup.work_per_ms = number(name, value)?,
                "--port" => setup.port = number(name, value)?,
                "--header-ms" => setup.limits.header = Duration::from_millis(number(name, value)?),
                _ => return Err(io::Error::other(format!("unknown option {name}"))),
            }
        }
        Ok(setup)
    }
}

fn number<N: FromStr>(name: &str, value: &str) -> io::Result<N> {
    value.parse().map_err(|_| io::Error::other(format!("{name} wants a number, not {value:?}")))
}
