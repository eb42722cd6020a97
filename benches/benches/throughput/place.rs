//! Chooses the CPUs on which the server and the generator run.

use crate::options::Options;
use oneloop_benches::machine;
use std::io;

/// The CPUs of the server and of the generator, and the commands that pin them there.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub server_cpu: Option<usize>,
    pub server: Vec<String>,
    pub generator_cpu: Option<usize>,
    pub generator: Vec<String>,
}

impl Place {
    /// Two CPUs and `taskset` make a fair comparison; without them the scheduler decides, and the report says so.
    pub fn find(options: &Options) -> io::Result<Place> {
        let cpus = machine::cpus();
        for wanted in [options.server_cpu, options.generator_cpu].into_iter().flatten() {
            if !cpus.contains(&wanted) {
                return Err(io::Error::other(format!(
                    "CPU {wanted} is not among those this process may use: {cpus:?}"
                )));
            }
        }
        let mut place = Place::default();
        if options.realtime {
            if machine::find_program("chrt").is_none() {
                return Err(io::Error::other("--realtime needs chrt on the PATH"));
            }
            // Above all ordinary processes, below the kernel's own threads.
            place.server = ["chrt", "-r", "10"].map(String::from).to_vec();
            place.generator = place.server.clone();
        }
        // The first and the last CPU are the least likely to be two halves of one core.
        let (Some(first), Some(last)) = (cpus.first(), cpus.last()) else { return Ok(place) };
        if first == last || machine::find_program("taskset").is_none() {
            return Ok(place);
        }
        let server = options.server_cpu.unwrap_or(*first);
        let generator = options.generator_cpu.unwrap_or(if server == *last { *first } else { *last });
        let pin = |cpu: usize| ["taskset".to_string(), "-c".to_string(), cpu.to_string()];
        place.server.extend(pin(server));
        place.generator.extend(pin(generator));
        place.server_cpu = Some(server);
        place.generator_cpu = Some(generator);
        Ok(place)
    }

    /// The text for the head of the report.
    pub fn description(&self) -> String {
        match (self.server_cpu, self.generator_cpu) {
            (Some(server), Some(generator)) => format!("server on CPU {server}, generator on CPU {generator}"),
            _ => "NOT PINNED (one CPU, or no taskset): ratios are rough".to_string(),
        }
    }
}
