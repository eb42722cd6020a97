//! The comparison under load. Every round measures every case on every server: all servers are started anew and warmed up,
//! and then driven in turn, a slice at a time, so that a disturbance of some seconds affects all of them.

use crate::generator::{self, Load};
use crate::measure::{self, Sample};
use crate::options::{Generator, Options};
use crate::place::Place;
use crate::report;
use crate::servers::Servers;
use oneloop_benches::child::{Launch, Server};
use oneloop_benches::machine;
use oneloop_benches::traffic::Case;
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};

/// The length of a slice, in seconds. In shorter ones, opening connections would take too much of the time.
const SLICE: u64 = 1;
/// How often a disturbed slice is measured again at most. Then its figures stand, and the report says what disturbed it.
const MOST_AGAIN: usize = 2;

/// Everything that a measurement needs.
pub struct Rig {
    pub options: Options,
    pub generator: Generator,
    pub place: Place,
    pub folder: Folder,
    /// The servers that are measured, in the order of the tables.
    pub names: Vec<&'static str>,
    servers: Servers,
}

impl Rig {
    pub fn prepare(options: &Options) -> io::Result<Rig> {
        let wrk = machine::find_program("wrk").is_some();
        let generator = match options.generator {
            Some(Generator::Wrk) if !wrk => {
                return Err(io::Error::other("--generator wrk: there is no wrk on the PATH"));
            }
            Some(wanted) => wanted,
            None if wrk => Generator::Wrk,
            None => Generator::Own,
        };
        let place = Place::find(options)?;
        let servers = Servers::prepare(&options.servers)?;
        let mut names = Vec::new();
        for &name in &options.servers {
            match servers.launch(name)? {
                Some(_) => names.push(name),
                None if options.chosen => return Err(io::Error::other(format!("{name} is not installed"))),
                None => eprintln!("{name} is not installed: left out"),
            }
        }
        Ok(Rig { options: options.clone(), generator, place, folder: Folder::new()?, names, servers })
    }

    /// Starts a server on its CPU; `adapt` may add to the command.
    pub fn start(&self, name: &str, adapt: impl FnOnce(Launch) -> Launch) -> io::Result<Server> {
        let launch = self.servers.launch(name)?.ok_or_else(|| io::Error::other("not installed"))?;
        Server::start(&adapt(launch).under(&self.place.server))
    }

    /// Drives a case against a server for some seconds.
    pub fn drive(&self, server: &Server, case: &Case, seconds: u64) -> io::Result<Load> {
        generator::run(self.generator, case, server.port, seconds, &self.place.generator, self.folder.path())
    }

    /// The machine and the method, in two lines.
    pub fn description(&self) -> String {
        let generator = match self.generator {
            Generator::Wrk => "wrk",
            Generator::Own => "our own generator",
        };
        let Options { rounds, duration, warmup, .. } = self.options;
        format!(
            "{}\n{}; {generator}; {duration} s after {warmup} s of warm-up, medians of {rounds} rounds{}",
            machine::description(),
            self.place.description(),
            if self.options.realtime { ", at real-time priority" } else { "" },
        )
    }

    /// The servers in the order of one round. Each round begins one server further on, and every other round runs
    /// backwards, so that no server always follows the same neighbour or always comes first.
    pub fn order(&self, round: usize) -> Vec<&'static str> {
        let mut order = self.names.clone();
        order.rotate_left(round % self.names.len().max(1));
        if round % 2 == 1 {
            order.reverse();
        }
        order
    }
}

/// A folder for scripts and results. It is removed when this is dropped.
pub struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Folder> {
        let path = std::env::temp_dir().join(format!("oneloop-throughput-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The figures of one case on one server, for each round that succeeded.
pub struct Row {
    pub case: Case,
    pub server: &'static str,
    pub rounds: Vec<Round>,
}

/// One round of one case on one server.
pub struct Round {
    pub number: usize,
    /// All slices of the round together.
    pub whole: Sample,
    /// The slices in order. Slices with the same index were measured right after each other, one server after the other.
    pub slices: Vec<Sample>,
}

/// Measures all cases and prints the tables. Returns whether every server could be measured.
pub fn compare(rig: &Rig) -> io::Result<bool> {
    let mut rows: Vec<Row> = Vec::new();
    for case in &rig.options.cases {
        rows.extend(rig.names.iter().map(|&server| Row { case: *case, server, rounds: Vec::new() }));
    }
    let Options { rounds, duration, warmup, .. } = rig.options;
    let seconds = (rounds * rig.options.cases.len() * rig.names.len()) as u64 * (duration + warmup);
    eprintln!("{rounds} rounds, about {} min", seconds.div_ceil(60));
    let mut whole = true;
    for round in 0..rounds {
        for case in &rig.options.cases {
            for (server, measured) in measure_case(rig, case, round) {
                let place = format!("round {} {:8} {server:13}", round + 1, case.name);
                let row = rows.iter_mut().find(|row| row.case == *case && row.server == server);
                match (measured, row) {
                    (Ok(slices), Some(row)) => {
                        let whole = Sample::of(&slices);
                        eprintln!("{place} {:9.0} req/s  {:7.3} CPU µs/req", whole.rate, whole.cpu());
                        row.rounds.push(Round { number: round, whole, slices });
                    }
                    (Err(error), _) => {
                        eprintln!("{place} FAILED: {error}");
                        whole = false;
                    }
                    (Ok(_), None) => {}
                }
            }
        }
    }
    print!("{}", report::tables(&rows));
    let samples: Vec<_> = rows
        .iter()
        .map(|row| {
            let slices = |round: &Round| round.slices.iter().map(Sample::cpu).collect::<Vec<_>>();
            let whole = |round: &Round| round.whole.json();
            let rounds: Vec<_> = row
                .rounds
                .iter()
                .map(|round| json!({ "whole": whole(round), "cpu_us_per_request_by_second": slices(round) }))
                .collect();
            json!({ "case": row.case.name, "server": row.server, "rounds": rounds })
        })
        .collect();
    report::write_json(rig, json!(samples))?;
    Ok(whole)
}

/// Measures one case of one round: the slices of each server.
fn measure_case(rig: &Rig, case: &Case, round: usize) -> Vec<(&'static str, io::Result<Vec<Sample>>)> {
    let order = rig.order(round);
    let mut running: Vec<_> = order.iter().map(|&name| (name, Running::start(rig, name, case))).collect();
    for slice in 0..rig.options.duration.div_ceil(SLICE) as usize {
        let count = running.len();
        for at in 0..count {
            // So each server comes first equally often.
            let at = (at + slice) % count;
            let (name, state) = &mut running[at];
            if let Ok(server) = state
                && let Err(error) = server.measure(rig, name, case)
            {
                *state = Err(error);
            }
        }
    }
    running.into_iter().map(|(name, state)| (name, state.map(|server| server.slices))).collect()
}

/// A server of this round.
struct Running {
    server: Server,
    slices: Vec<Sample>,
}

impl Running {
    fn start(rig: &Rig, name: &str, case: &Case) -> io::Result<Running> {
        let server = rig.start(name, |launch| launch)?;
        measure::warm_up(rig, &server, case)?;
        Ok(Running { server, slices: Vec::new() })
    }

    fn measure(&mut self, rig: &Rig, name: &str, case: &Case) -> io::Result<()> {
        self.slices.push(undisturbed(rig, name, || measure::window(rig, &self.server, case, SLICE))?);
        Ok(())
    }
}

/// Measures a window, and measures it again while the hypervisor or other processes disturb it.
pub fn undisturbed(rig: &Rig, name: &str, mut window: impl FnMut() -> io::Result<Sample>) -> io::Result<Sample> {
    let mut again = 0;
    loop {
        let sample = window()?;
        // An unknown share (NaN) is no reason to repeat. At real-time priority, others only get what the server leaves.
        let crowded = sample.other_share > rig.options.max_others && !rig.options.realtime;
        let disturbed = crowded || sample.steal > rig.options.max_steal;
        if !disturbed || again == MOST_AGAIN {
            return Ok(sample);
        }
        again += 1;
        eprintln!(
            "{name}: disturbed (the hypervisor took {:.0} %, others {:.0} % of the server's CPU), measuring again",
            100.0 * sample.steal,
            100.0 * sample.other_share
        );
    }
}
