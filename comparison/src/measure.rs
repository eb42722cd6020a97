//! One cell: a server, freshly started on its CPUs, the load beside it, `/proc` before and after.

use crate::designs::{self, references};
use crate::generator::{self, Load, Outcome, Phase, Plan};
use crate::process::{Counters, Family};
use crate::results::{Measured, Process};
use crate::workloads::{Contender, Position, Reference, Stress};
use oneloop_benches::child::{Launch, Server};
use oneloop_benches::machine;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// Share of a CPU from which on the generator may be the limit.
const BUSY: f64 = 0.9;
/// Microseconds by which requests of an open loop may leave late, 99th percentile, without the generator being the limit.
const LATE: f64 = 2_000.0;
/// Share of a latency from which on the generator's own lateness matters.
const MATTERS: f64 = 0.1;
/// Seconds of CPU from which on they are told per request: the system counts in ticks of 10 ms.
const LEAST_CPU: f64 = 0.05;
/// Connections from which on memory is told per connection: below, it is that of the first requests.
const ENOUGH_CONNECTIONS: u64 = 100;
/// Seconds that a generator may take beyond its plan, on a machine that has much else to do.
const GRACE: f64 = 20.0;
/// Connections with which the capacity is measured: enough to keep a CPU busy with milliseconds of computing, and no more
/// than any pool here has threads.
const CAPACITY_CONNECTIONS: usize = 32;
/// Threads that answer for tiny_http: a handful, as in its documentation.
const TINY_HTTP_THREADS: usize = 4;
/// References that are roles of this program, and compute as our designs do.
const OWN_REFERENCES: [&str; 2] = ["hyper", "tiny_http"];
/// How long strace may take to write its table.
const WRITTEN: Duration = Duration::from_secs(5);

/// Who runs where.
#[derive(Clone, Debug)]
pub struct Place {
    pub server_cpus: Vec<usize>,
    pub client_cpus: Vec<usize>,
    /// True if server and generator have CPUs of their own, and processes can be pinned.
    pub pinned: bool,
}

impl Place {
    fn on(&self, cpus: &[usize]) -> Vec<String> {
        if !self.pinned {
            return Vec::new();
        }
        let list: Vec<String> = cpus.iter().map(usize::to_string).collect();
        ["taskset".to_string(), "-c".to_string(), list.join(",")].to_vec()
    }
}

/// A server that runs; it ends with this.
struct Started {
    server: Server,
    family: Family,
    /// Its files, which outlive it.
    _reference: Option<references::Reference>,
}

/// All that measuring needs to know.
pub struct Rig {
    pub place: Place,
    /// What servers and generators may open, where it is more than they would be allowed.
    pub open_files: Option<u64>,
    /// Iterations that stand for a millisecond of computing.
    pub work_per_ms: u64,
}

impl Rig {
    /// How one of our designs is started.
    fn launch(&self, contender: &Contender) -> io::Result<Launch> {
        let mut launch = Launch::own(designs::SERVER)?.arg("--design").arg(&contender.design);
        if let Some(threads) = contender.threads {
            launch = launch.arg("--threads").arg(threads.to_string());
        }
        if let Some(stack) = contender.stack {
            launch = launch.arg("--stack").arg(stack.to_string());
        }
        Ok(launch.arg("--work-per-ms").arg(self.work_per_ms.to_string()))
    }

    fn start(&self, position: &Position, contender: &Contender, under: &[String]) -> io::Result<Started> {
        let most = position.server_cpus.unwrap_or(usize::MAX).min(self.place.server_cpus.len());
        let dress = |launch: Launch| {
            let launch = launch.under(under).under(self.place.on(&self.place.server_cpus[..most]));
            if let Some(limit) = self.open_files { launch.open_files(limit) } else { launch }
        };
        if !contender.outside {
            let server = Server::start(&dress(self.launch(contender)?))?;
            return Ok(Started { family: Family::single(server.pid), server, _reference: None });
        }
        let reference = references::prepare(&contender.design, contender.threads)?;
        let reference = reference.ok_or_else(|| io::Error::other("not installed"))?;
        let computes = OWN_REFERENCES.contains(&contender.design.as_str());
        let server = reference.start(|launch| {
            let work = self.work_per_ms.to_string();
            dress(if computes { launch.arg("--work-per-ms").arg(work) } else { launch })
        })?;
        let family = if reference.has_children { Family::of(server.pid) } else { Family::single(server.pid) };
        Ok(Started { server, family, _reference: Some(reference) })
    }

    fn plan(&self, stress: &Stress, contender: &Contender, port: u16, load: Load) -> Plan {
        let mut requests = stress.requests.clone();
        if let Some(path) = contender.path {
            requests = vec![generator::Request::get(path)];
        }
        Plan {
            port,
            load,
            requests,
            fresh: stress.fresh,
            peers: stress.peers,
            ramp: stress.ramp,
            warm_up: stress.warm_up,
            seconds: stress.seconds,
            timeout: stress.timeout,
            threads: self.place.client_cpus.len(),
            spin: self.place.pinned,
        }
    }

    /// Runs a plan against a server; the server's counters at the beginning and at the end of the window, and what it was
    /// made of at its end.
    fn drive(&self, plan: &Plan, family: &Family) -> io::Result<(Outcome, Window)> {
        let mut generator = generator::start(plan, &self.place.on(&self.place.client_cpus), self.open_files)?;
        let until = |seconds: f64| Instant::now() + Duration::from_secs_f64(seconds + GRACE);
        generator.wait_for(Phase::Begins, until(2.0 * plan.ramp + plan.peers.fill().as_secs_f64() + plan.warm_up))?;
        let (before, begun) = (family.counters(), Instant::now());
        generator.wait_for(Phase::Ends, until(plan.seconds))?;
        let (after, seconds) = (family.counters(), begun.elapsed().as_secs_f64());
        let window = Window { before, after, seconds, threads: family.threads(), resident: family.resident() };
        Ok((generator.outcome(until(plan.timeout))?, window))
    }

    /// Measures a contender at a position. `capacity` is what the load is a multiple of, where it is one.
    ///
    /// Beside the figures: how many connections were missing when the load began.
    pub fn cell(&self, position: &Position, contender: &Contender, capacity: f64) -> io::Result<(Measured, u64)> {
        let Started { server, mut family, _reference } = self.start(position, contender, &[])?;
        check(&server)?;
        if family.has_several() {
            // It may have started more when it was asked.
            family = Family::of(server.pid);
        }
        let idle = family.resident();
        let load = match &position.stress.load {
            Load::Open { rate, connections } if position.stress.of_capacity => {
                Load::Open { rate: rate * capacity, connections: *connections }
            }
            load => load.clone(),
        };
        let plan = self.plan(&position.stress, contender, server.port, load);
        let (outcome, window) = self.drive(&plan, &family)?;
        server.stop();
        let cpus = match contender.design.as_str() {
            "loop" | "node" => 1,
            _ => position.server_cpus.unwrap_or(self.place.server_cpus.len()),
        };
        if outcome.answers + outcome.errors + outcome.timeouts + outcome.refusals == 0 {
            return Err(io::Error::other(
                "nothing was answered in the window, and nothing had waited to its time limit",
            ));
        }
        Ok((measured(&outcome, &window, idle, cpus), outcome.missing))
    }

    /// What a contender can do, in requests a second: a closed loop of the same requests.
    pub fn capacity(&self, position: &Position, contender: &Contender) -> io::Result<f64> {
        let Started { server, family, _reference } = self.start(position, contender, &[])?;
        check(&server)?;
        let load = Load::Closed { connections: CAPACITY_CONNECTIONS };
        let plan = self.plan(&position.stress, contender, server.port, load);
        let (outcome, _) = self.drive(&plan, &family)?;
        server.stop();
        if outcome.answers == 0 {
            return Err(io::Error::other("no capacity: nothing was answered"));
        }
        Ok(outcome.answers as f64 / outcome.seconds)
    }

    /// Starts a contender, for another generator or for ours, and ends it afterwards.
    pub fn against<T>(
        &self,
        position: &Position,
        contender: &Contender,
        with: impl FnOnce(&Drive<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        let Started { server, _reference, .. } = self.start(position, contender, &[])?;
        check(&server)?;
        let plan = self.plan(&position.stress, contender, server.port, position.stress.load.clone());
        let result = with(&Drive { rig: self, plan, pid: server.pid });
        server.stop();
        result
    }

    /// System calls per request, counted by strace in a run of its own. Start-up and the check are in it: a few hundred.
    pub fn syscalls(&self, position: &Position, contender: &Contender, folder: &Path) -> io::Result<f64> {
        let table = folder.join("strace.txt");
        let _ = std::fs::remove_file(&table);
        let tracer = ["strace", "-D", "-f", "-c", "-o"].map(String::from).to_vec();
        let tracer = [tracer, vec![table.display().to_string()]].concat();
        let Started { server, .. } = self.start(position, contender, &tracer)?;
        let stress = Stress { warm_up: 0.0, seconds: 1.0, ..position.stress.clone() };
        let plan = self.plan(&stress, contender, server.port, stress.load.clone());
        let (outcome, _) = self.drive(&plan, &Family::single(server.pid))?;
        server.stop();
        let calls = strace_total(&table);
        let _ = std::fs::remove_file(&table);
        match (calls, outcome.answers) {
            (Some(calls), 1..) => Ok(calls / outcome.answers as f64),
            _ => Err(io::Error::other("strace wrote no table (is tracing allowed here?)")),
        }
    }
}

/// A server that is ready for a load.
pub struct Drive<'a> {
    rig: &'a Rig,
    plan: Plan,
    pid: u32,
}

impl Drive<'_> {
    /// What our generator sees.
    pub fn own(&self) -> io::Result<Outcome> {
        Ok(self.rig.drive(&self.plan, &Family::single(self.pid))?.0)
    }

    /// Another generator, where ours would run, which is told the address last.
    pub fn foreign(&self, launch: Launch) -> Launch {
        launch
            .arg(format!("http://127.0.0.1:{}/", self.plan.port))
            .under(self.rig.place.on(&self.rig.place.client_cpus))
    }
}

/// Looks whether a server answers at all, before it is measured.
fn check(server: &Server) -> io::Result<()> {
    let request = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", server.port);
    oneloop_benches::traffic::Client::connect(server.port)?.exchange(request.as_bytes(), 1, None)?;
    Ok(())
}

/// What was read of the server's process around a window.
struct Window {
    before: Counters,
    after: Counters,
    seconds: f64,
    threads: Option<u64>,
    resident: Option<u64>,
}

fn measured(outcome: &Outcome, window: &Window, idle: Option<u64>, cpus: usize) -> Measured {
    let answers = outcome.answers as f64;
    let each = |total: f64| (outcome.answers > 0).then(|| total / answers);
    let used = window.after.cpu_since(&window.before);
    let cpu = used.filter(|cpu| cpu.total() >= LEAST_CPU);
    let switches = window.after.switches_since(&window.before);
    let share = used.map_or(0.0, |cpu| cpu.total() / window.seconds);
    // A server without a CPU to spare is the limit itself, however busy its client is.
    let server_is_full = share > BUSY * cpus as f64;
    let is_late = outcome.late.is_some_and(|late| late > LATE && late > MATTERS * outcome.latency.p99);
    let growth = window.resident.zip(idle).map(|(now, before)| now.saturating_sub(before) as f64);
    Measured {
        seconds: outcome.seconds,
        answers: outcome.answers,
        offered: outcome.offered,
        rate: answers / outcome.seconds,
        latency: outcome.latency.clone(),
        errors: outcome.errors,
        timeouts: outcome.timeouts,
        refusals: outcome.refusals,
        server: Process {
            user: cpu.and_then(|cpu| each(cpu.user * 1e6)),
            system: cpu.and_then(|cpu| each(cpu.system * 1e6)),
            switches: switches.and_then(|(voluntary, forced)| each(voluntary as f64).zip(each(forced as f64))),
            threads: window.threads,
            resident: window.resident,
            per_connection: growth
                .filter(|_| outcome.connections >= ENOUGH_CONNECTIONS)
                .map(|growth| growth / outcome.connections as f64),
            syscalls: None,
        },
        generator_cpu: outcome.cpu,
        generator_limited: is_late || outcome.cpu > BUSY && !server_is_full,
    }
}

/// The sum in strace's table, once it is written.
fn strace_total(table: &Path) -> Option<f64> {
    let end = Instant::now() + WRITTEN;
    loop {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        if let Some(line) = text.lines().find(|line| line.ends_with(" total")) {
            // % time, seconds, usecs/call (in newer versions), calls, errors (where there are any), "total".
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let whole =
                words[..words.len() - 1].iter().filter(|word| !word.contains('.')).filter_map(|word| word.parse().ok());
            return whole.reduce(f64::max);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A fixed number of iterations takes so long that this many are a millisecond, on a CPU that has nothing else to do.
pub fn calibrate() -> u64 {
    /// Iterations of a try: some tens of milliseconds.
    const STEPS: u64 = 10_000_000;
    let fastest = (0..5).map(|_| {
        let begun = Instant::now();
        std::hint::black_box(designs::handlers::burn(STEPS));
        begun.elapsed()
    });
    let seconds = fastest.min().unwrap_or(Duration::from_millis(25)).as_secs_f64();
    (STEPS as f64 / (seconds * 1000.0)) as u64
}

/// What servers of others there are.
pub fn references(place: &Place) -> Vec<Reference> {
    let reference = |name: &str| {
        let threads = match name {
            // As many as they have CPUs, as is usual; nginx's are processes.
            "hyper" | "nginx" => Some(place.server_cpus.len()),
            "tiny_http" => Some(TINY_HTTP_THREADS),
            _ => None,
        };
        let found = references::prepare(name, threads).ok().flatten();
        let serves =
            found.as_ref().map_or(Vec::new(), |found| found.serves.iter().map(|path| path.to_string()).collect());
        Reference { name: name.into(), installed: found.is_some(), serves, threads }
    };
    references::NAMES.map(reference).to_vec()
}

/// Threads that a process may have: the least of what the system says.
pub fn most_threads() -> usize {
    let number = |path: &str| std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<usize>().ok());
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max processes")).unwrap_or_default();
    let processes = line.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
    // A thread's stack and its guard page are two mappings.
    let maps = number("/proc/sys/vm/max_map_count").map(|count| count / 2);
    let group = number("/sys/fs/cgroup/pids.max").or_else(|| number("/sys/fs/cgroup/pids/pids.max"));
    let all = [processes, maps, group, number("/proc/sys/kernel/threads-max"), number("/proc/sys/kernel/pid_max")];
    all.into_iter().flatten().min().unwrap_or(4096)
}

/// Local ports: connections to one address at most.
pub fn local_ports() -> usize {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let ports: Vec<usize> = text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
    // The range that IANA assigned, where the system does not say.
    if let [first, last] = ports[..] { last.saturating_sub(first) + 1 } else { 16_384 }
}

/// What a process may open at most, and whether it has to be raised for that.
pub fn open_files() -> (usize, Option<u64>) {
    match machine::open_files() {
        (Some(now), Some(most)) => (most.max(now) as usize, (most > now).then_some(most)),
        (Some(now), None) => (now as usize, None),
        (None, _) => (usize::MAX, None),
    }
}
