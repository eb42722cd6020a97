//! The loops that make the load: each on a thread of its own, with its part of the plan, in the same phases.

use super::clients::Clients;
use super::events::Events;
use super::peers::{Idle, SlowSenders};
use super::slow_reader::SlowReaders;
use super::tally::{Tally, Window};
use super::{Load, Outcome, Peers, Plan};
use std::io;
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often a loop looks whether its phase is over, when nothing else wakes it.
const GLANCE: Duration = Duration::from_millis(5);
/// How often requests are looked at that may be too old.
const EXPIRE_EVERY: Duration = Duration::from_millis(20);
/// A send time that is nearer than this is waited for without sleeping: the kernel's wait ends up to a millisecond late,
/// and then the loop has to come round.
const NEAR: Duration = Duration::from_millis(5);

/// A moment of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The warm-up is over: what comes counts.
    Begins,
    /// The window is over. All connections stay open until this has been heard.
    Ends,
}

/// What a loop drives.
pub trait Driven {
    /// Opens as many connections as may be opened at a time. Returns whether all are open.
    fn set_up(&self, now: Instant) -> bool;
    /// How many are not.
    fn missing(&self) -> usize;
    /// The warm-up begins, at `from`, and after it the window.
    fn begin(&self, from: Instant, window: Window, rate: f64);
    /// Sends what is due.
    fn pace(&self, now: Instant);
    /// When the next request is due.
    fn next(&self) -> Option<Instant>;
    /// Gives up what is too old.
    fn expire(&self, now: Instant);
    /// Returns whether nothing is under way.
    fn is_settled(&self) -> bool;
    /// Changes when anything happens.
    fn happened(&self) -> u64;
    /// How many are open.
    fn connections(&self) -> usize;
    /// The counts.
    fn tally(&self) -> Tally;
}

/// What the loops and the thread that leads them tell each other.
#[derive(Default)]
struct Signals {
    set_up: AtomicUsize,
    times: OnceLock<(Instant, Window)>,
    /// The end of the window was heard of.
    heard: AtomicBool,
}

/// What a loop brings back.
struct Part {
    tally: Tally,
    cpu: f64,
    connections: usize,
    missing: usize,
}

/// Runs a plan. `phase` is called when the window begins and when it ends; the load goes on in the first call, and the
/// connections stay open during the second.
pub fn run(plan: &Plan, mut phase: impl FnMut(Phase)) -> io::Result<Outcome> {
    let threads = if matches!(plan.load, Load::Events { .. }) { 1 } else { plan.threads.max(1) };
    let signals = Signals::default();
    thread::scope(|scope| {
        let loops: Vec<_> = (0..threads)
            .map(|part| {
                let (plan, signals) = (share(plan, threads, part), &signals);
                scope.spawn(move || work(&plan, threads, part, signals))
            })
            .collect();
        while signals.set_up.load(Ordering::Acquire) < threads && !loops.iter().any(|handle| handle.is_finished()) {
            thread::sleep(Duration::from_millis(1));
        }
        let from = Instant::now();
        let begin = from + Duration::from_secs_f64(plan.warm_up);
        let end = begin + Duration::from_secs_f64(plan.seconds);
        let _ = signals.times.set((from, Window { begin, end }));
        thread::sleep(begin.saturating_duration_since(Instant::now()));
        phase(Phase::Begins);
        thread::sleep(end.saturating_duration_since(Instant::now()));
        phase(Phase::Ends);
        signals.heard.store(true, Ordering::Release);
        let parts = loops.into_iter().map(|handle| handle.join().map_err(|_| io::Error::other("a loop panicked")));
        let parts = parts.collect::<io::Result<io::Result<Vec<Part>>>>()??;
        Ok(sum(plan, &parts))
    })
}

fn sum(plan: &Plan, parts: &[Part]) -> Outcome {
    let mut tally = Tally::default();
    parts.iter().for_each(|part| tally.add(&part.tally));
    let open = matches!(plan.load, Load::Open { .. });
    Outcome {
        cpu: parts.iter().map(|part| part.cpu).fold(0.0, f64::max),
        connections: parts.iter().map(|part| part.connections as u64).sum(),
        missing: parts.iter().map(|part| part.missing as u64).sum(),
        ..tally.outcome(Duration::from_secs_f64(plan.seconds), open)
    }
}

/// One loop's part of a plan. The peers are all with the first.
fn share(plan: &Plan, threads: usize, part: usize) -> Plan {
    let of = |total: usize| total / threads + usize::from(part < total % threads);
    let load = match plan.load {
        Load::Closed { connections } => Load::Closed { connections: of(connections) },
        Load::Open { rate, connections } => {
            Load::Open { rate: rate / threads as f64, connections: of(connections).max(1) }
        }
        Load::Events { waiters } => Load::Events { waiters },
    };
    let peers = if part == 0 { plan.peers } else { Peers::default() };
    Plan { load, peers, ..plan.clone() }
}

fn work(plan: &Plan, threads: usize, part: usize, signals: &Signals) -> io::Result<Part> {
    let glance = oneloop::set_interval(GLANCE, || ());
    // The peers come first: it is they who are in the way.
    let (idle, slow_senders, slow_readers) = (Idle::new(plan), SlowSenders::start(plan), SlowReaders::start(plan));
    let ramp = Duration::from_secs_f64(plan.ramp);
    let late = Instant::now() + ramp;
    while !(idle.set_up() & slow_readers.set_up()) && Instant::now() < late {
        oneloop::run_once()?;
    }
    let quiet = Instant::now() + plan.peers.fill();
    while Instant::now() < quiet {
        oneloop::run_once()?;
    }
    let load: Rc<dyn Driven> = match plan.load {
        Load::Events { waiters } => Events::new(plan, waiters),
        _ => Clients::new(plan, part),
    };
    let late = Instant::now() + ramp;
    while !load.set_up(Instant::now()) && Instant::now() < late {
        oneloop::run_once()?;
        load.expire(Instant::now());
    }
    let peers = || idle.connections() + slow_senders.connections() + slow_readers.connections();
    let wanted = plan.peers.idle + plan.peers.slow_senders + plan.peers.slow_readers;
    let missing = load.missing() + wanted.saturating_sub(peers());
    signals.set_up.fetch_add(1, Ordering::AcqRel);
    let (from, window) = loop {
        if let Some(times) = signals.times.get() {
            break *times;
        }
        oneloop::run_once()?;
    };
    let rate = if let Load::Open { rate, .. } = plan.load { rate } else { 0.0 };
    // The loops take turns, instead of sending all at the same moments.
    let turn = if rate > 0.0 { Duration::from_secs_f64(part as f64 / (rate * threads as f64)) } else { Duration::ZERO };
    load.begin(from + turn, window, rate);
    let mut drive = Drive::new(&*load, plan.spin);
    let before = drive.until(|now| now >= window.begin)?;
    let after = drive.until(|now| now >= window.end)?;
    let connections = load.connections() + peers();
    drive.until(|_| load.is_settled() && signals.heard.load(Ordering::Acquire))?;
    glance.clear();
    let cpu = after.checked_sub(before).unwrap_or_default().as_secs_f64() / plan.seconds;
    Ok(Part { tally: load.tally(), cpu, connections, missing })
}

/// Turns a loop round and round.
struct Drive<'a> {
    load: &'a dyn Driven,
    spin: bool,
    /// The CPU time is all waiting, but for this: the turns in which something happened.
    busy: Option<Duration>,
    expired: Instant,
    /// As it was after the last turn.
    happened: u64,
}

impl<'a> Drive<'a> {
    fn new(load: &'a dyn Driven, spin: bool) -> Drive<'a> {
        let busy = (spin && load.next().is_some()).then_some(Duration::ZERO);
        Drive { load, spin, busy, expired: Instant::now(), happened: 0 }
    }

    /// Until this holds; the CPU time that this loop has needed so far.
    fn until(&mut self, is_over: impl Fn(Instant) -> bool) -> io::Result<Duration> {
        loop {
            let now = Instant::now();
            self.load.pace(now);
            if now.saturating_duration_since(self.expired) >= EXPIRE_EVERY {
                self.load.expire(now);
                self.expired = now;
            }
            if is_over(now) {
                // A turn may have been interrupted, so that its CPU time is the less.
                return Ok(self.busy.map_or(thread_cpu(), |busy| busy.min(thread_cpu())));
            }
            self.turn(now)?;
        }
    }

    fn turn(&mut self, now: Instant) -> io::Result<()> {
        let next = self.load.next().map(|next| next.saturating_duration_since(now));
        match next {
            Some(wait) if self.spin && wait < NEAR => {
                oneloop::run_nowait()?;
                // Between two turns requests are sent, which makes the next of them one with something to do.
                if self.load.happened() != self.happened {
                    self.busy = self.busy.map(|busy| busy + now.elapsed());
                }
                self.happened = self.load.happened();
            }
            Some(wait) if wait < GLANCE => {
                let timer = oneloop::set_timeout(wait, || ());
                oneloop::run_once()?;
                timer.clear();
            }
            _ => drop(oneloop::run_once()?),
        }
        Ok(())
    }
}

/// CPU time of this thread; zero where the system does not tell.
fn thread_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::Request;
    use super::*;

    #[test]
    fn loops_share_a_plan_without_losing_any() {
        let peers = Peers { idle: 7, ..Peers::default() };
        let plan = |load| Plan {
            port: 1,
            load,
            requests: vec![Request::get("/")],
            fresh: false,
            peers,
            ramp: 1.0,
            warm_up: 1.0,
            seconds: 1.0,
            timeout: 1.0,
            threads: 3,
            spin: false,
        };
        let parts: Vec<Plan> = (0..3).map(|part| share(&plan(Load::Closed { connections: 10 }), 3, part)).collect();
        let connections = parts.iter().map(|part| match part.load {
            Load::Closed { connections } => connections,
            _ => 0,
        });
        assert_eq!(connections.sum::<usize>(), 10);
        assert_eq!(parts.iter().map(|part| part.peers.idle).sum::<usize>(), 7);
        let part = share(&plan(Load::Open { rate: 300.0, connections: 9 }), 3, 1);
        assert_eq!(part.load, Load::Open { rate: 100.0, connections: 3 });
    }
}
