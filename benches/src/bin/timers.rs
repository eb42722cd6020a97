//! A million timers: the cost of arming, refreshing, clearing and running one of them, and the length of an iteration.
//!
//!     cargo run --release -p oneloop-benches --bin timers [-- --timers N] [--rounds N]
//!
//! Figures are nanoseconds per timer, the median of the rounds. Beside them are those of a `BTreeMap` from (deadline,
//! number) to the boxed callback, measured in the same round. The processor's caches have a large effect on both, so the
//! ratio tells more than the figure. Time in which other programs had the processor is not counted. The longest iteration
//! is that of the calmest round, since interrupts and the host of a virtual machine take time too.
//!
//! It fails if arming or clearing takes over 150 ns, refreshing over 20 ns, or an iteration over 5 ms.

use oneloop::{Timeout, run_nowait, set_immediate, set_timeout};
use oneloop_benches::figures::median;
use oneloop_benches::machine;
use oneloop_benches::trial::{option, options};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::ExitCode;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

const HELP: &str = "\
cargo run --release -p oneloop-benches --bin timers [-- OPTIONS]
  --timers N   that are armed at a time (1000000)
  --rounds N   of all measurements (3)
";

/// How many nanoseconds arming or clearing a timer may take.
const CHANGE: f64 = 150.0;
/// How many nanoseconds refreshing a timer may take.
const REFRESH: f64 = 20.0;
/// How many milliseconds an iteration may take that has only timers to handle.
const ITERATION: f64 = 5.0;

/// Changes in one iteration under churn: how many timers are refreshed, and how many are cleared and armed anew.
const REFRESHED: usize = 1_000;
const REPLACED: usize = 100;
/// Enough iterations to refresh each timer twice.
const CHURNS: usize = 2_000;

fn main() -> ExitCode {
    let Some(options) = options(&["timers", "rounds"]) else {
        eprint!("{HELP}");
        return ExitCode::from(2);
    };
    let timers = option(&options, "timers", 1_000_000) as usize;
    let rounds = option(&options, "rounds", 3).max(1);
    println!("{timers} timers, {rounds} rounds; {}", machine::description());
    let mut held = true;
    for (name, spread) in [("all of 60 s", false), ("from 60 s to 120 s, at random", true)] {
        let of_loop: Vec<Changes> = (0..rounds).map(|round| apart(move || changes(timers, spread, round))).collect();
        let of_tree: Vec<Changes> = (0..rounds).map(|round| tree(timers, spread, round)).collect();
        println!("{name}");
        println!("  {:28} {:>8} {:>10} {:>6}", "", "ns", "BTreeMap", "ratio");
        for (name, of, most) in [
            ("arm", (|changes| changes.arm) as fn(&Changes) -> f64, CHANGE),
            ("refresh, in order", |changes| changes.refresh, REFRESH),
            ("refresh, at random", |changes| changes.refresh_at_random, f64::INFINITY),
            ("replace, at random", |changes| changes.replace, f64::INFINITY),
            ("clear, at random (half)", |changes| changes.clear_at_random, CHANGE),
            ("clear, in order (the rest)", |changes| changes.clear, CHANGE),
        ] {
            let (one, other) = (median(of_loop.iter().map(of)), median(of_tree.iter().map(of)));
            println!("  {name:28} {one:8.0} {other:10.0} {:6.2}{}", one / other, verdict(one, most, &mut held));
        }
        // Later rounds reuse the memory of earlier ones.
        let bytes = of_loop.iter().map(|changes| changes.bytes).fold(0.0, f64::max);
        if !spread {
            println!("  {:28} {bytes:8.0} bytes, the callback's 8 and the handle's 16 included", "memory");
        }
    }
    println!("iterations, in ms");
    println!("  {:48} {:>8} {:>8} {:>10}", "", "longest", "median", "ns a timer");
    for (name, measure) in [
        ("1,000 refreshed, 100 replaced in each", churn as fn(usize, u64) -> Iterations),
        ("all are due at once", due_at_once),
        ("all are due within a second", due_within_a_second),
        ("all were refreshed, and are not due after all", refreshed_in_time),
    ] {
        let measured: Vec<Iterations> = (0..rounds).map(|round| apart(move || measure(timers, round))).collect();
        let longest = measured.iter().map(|of| of.longest).fold(f64::INFINITY, f64::min);
        let (middle, each) = (median(measured.iter().map(|of| of.median)), median(measured.iter().map(|of| of.each)));
        println!("  {name:48} {longest:8.2} {middle:8.3} {each:10.0}{}", verdict(longest, ITERATION, &mut held));
    }
    println!("{}", if held { "HELD" } else { "NOT HELD" });
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn verdict(figure: f64, most: f64, held: &mut bool) -> String {
    *held &= figure <= most;
    if figure <= most { String::new() } else { format!("  ABOVE {most}") }
}

/// Runs `f` on a thread with a loop of its own.
fn apart<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    thread::spawn(f).join().unwrap_or_else(|_| panic!("a measurement panicked"))
}

/// The cost of changes, in nanoseconds per timer, and the memory of a timer in bytes.
#[derive(Default)]
struct Changes {
    arm: f64,
    refresh: f64,
    refresh_at_random: f64,
    /// Clear one timer and arm another, in the long run.
    replace: f64,
    clear_at_random: f64,
    clear: f64,
    bytes: f64,
}

/// Measures time, without the time in which the thread was ready to run but other programs had the processor (on Linux).
struct Stopwatch {
    began: Instant,
    waited: f64,
}

impl Stopwatch {
    fn start() -> Stopwatch {
        let waited = machine::this_thread_waited_for_cpu();
        Stopwatch { began: Instant::now(), waited }
    }

    fn seconds(&self) -> f64 {
        let took = self.began.elapsed().as_secs_f64();
        took - (machine::this_thread_waited_for_cpu() - self.waited)
    }
}

/// The time of `f` in nanoseconds, divided by `count`.
fn each(count: usize, f: impl FnOnce()) -> f64 {
    let began = Stopwatch::start();
    f();
    began.seconds() * 1e9 / count as f64
}

fn changes(timers: usize, spread: bool, round: u64) -> Changes {
    // In a callback, as in programs: there the loop's clock stands still.
    in_a_callback(move || {
        let mut random = Random(round);
        let after: Vec<Duration> = (0..timers).map(|_| Duration::from_nanos(nanos(spread, &mut random))).collect();
        let (order, ran) = (random.order(timers), Rc::new(Cell::new(0_u64)));
        let mut handles: Vec<Timeout> = Vec::with_capacity(timers);
        let mut changes = Changes::default();
        let before = resident();
        changes.arm = each(timers, || handles.extend(after.iter().map(|after| set_timeout(*after, count(&ran)))));
        changes.bytes = (resident() - before) / timers as f64;
        changes.refresh = each(timers, || handles.iter().for_each(Timeout::refresh));
        changes.refresh_at_random = each(timers, || order.iter().for_each(|at| handles[*at].refresh()));
        changes.replace = each(3 * timers, || {
            for at in order.iter().cycle().take(3 * timers) {
                handles[*at].clear();
                handles[*at] = set_timeout(after[*at], count(&ran));
            }
        });
        let (half, rest) = order.split_at(timers / 2);
        changes.clear_at_random = each(half.len(), || half.iter().for_each(|at| handles[*at].clear()));
        let mut rest = rest.to_vec();
        rest.sort_unstable();
        changes.clear = each(rest.len(), || rest.iter().for_each(|at| handles[*at].clear()));
        changes
    })
}

/// The same changes on the standard library's ordered map.
fn tree(timers: usize, spread: bool, round: u64) -> Changes {
    let mut random = Random(round);
    let after: Vec<u64> = (0..timers).map(|_| nanos(spread, &mut random)).collect();
    let (order, ran) = (random.order(timers), Rc::new(Cell::new(0_u64)));
    let (mut tree, mut keys) = (BTreeMap::<(u64, u64), Box<dyn FnOnce()>>::new(), Vec::with_capacity(timers));
    let mut number = 0;
    let mut arm = |tree: &mut BTreeMap<_, _>, after: u64, callback| {
        number += 1;
        tree.insert((after + number, number), callback);
        (after + number, number)
    };
    let mut changes = Changes {
        arm: each(timers, || keys.extend(after.iter().map(|after| arm(&mut tree, *after, Box::new(count(&ran)))))),
        ..Changes::default()
    };
    let mut refresh = |tree: &mut BTreeMap<_, Box<dyn FnOnce()>>, keys: &mut Vec<_>, at: usize| {
        if let Some(callback) = tree.remove(&keys[at]) {
            keys[at] = arm(tree, after[at], callback);
        }
    };
    changes.refresh = each(timers, || (0..timers).for_each(|at| refresh(&mut tree, &mut keys, at)));
    changes.refresh_at_random = each(timers, || order.iter().for_each(|at| refresh(&mut tree, &mut keys, *at)));
    changes.replace = each(3 * timers, || {
        for at in order.iter().cycle().take(3 * timers) {
            drop(tree.remove(&keys[*at]));
            keys[*at] = arm(&mut tree, after[*at], Box::new(count(&ran)));
        }
    });
    let (half, rest) = order.split_at(timers / 2);
    changes.clear_at_random = each(half.len(), || half.iter().for_each(|at| drop(tree.remove(&keys[*at]))));
    let mut rest = rest.to_vec();
    rest.sort_unstable();
    changes.clear = each(rest.len(), || rest.iter().for_each(|at| drop(tree.remove(&keys[*at]))));
    changes
}

/// The length of iterations in milliseconds, and the nanoseconds of all of them per timer.
struct Iterations {
    longest: f64,
    median: f64,
    each: f64,
}

/// Runs iterations until `over`.
fn iterations(timers: usize, mut over: impl FnMut(usize) -> bool) -> Iterations {
    let mut took = Vec::new();
    while !over(took.len()) {
        let began = Stopwatch::start();
        run_nowait().unwrap_or_else(|error| panic!("the loop: {error}"));
        took.push(began.seconds() * 1e3);
    }
    Iterations {
        longest: took.iter().copied().fold(0.0, f64::max),
        each: took.iter().sum::<f64>() * 1e6 / timers as f64,
        median: median(took),
    }
}

fn churn(timers: usize, round: u64) -> Iterations {
    let (mut random, ran) = (Random(round), Rc::new(Cell::new(0)));
    let minute = Duration::from_secs(60);
    let mut handles: Vec<Timeout> = (0..timers).map(|_| set_timeout(minute, count(&ran))).collect();
    let handles = Rc::new(Cell::new(Some((std::mem::take(&mut handles), random.order(timers)))));
    let mut next = 0;
    iterations(CHURNS * (REFRESHED + REPLACED), |done| {
        let (handles, ran) = (handles.clone(), ran.clone());
        let from = next;
        next += REFRESHED + REPLACED;
        set_immediate(move || {
            let Some((mut all, order)) = handles.take() else { return };
            for step in 0..REFRESHED {
                all[order[(from + step) % order.len()]].refresh();
            }
            for step in REFRESHED..REFRESHED + REPLACED {
                let at = order[(from + step) % order.len()];
                all[at].clear();
                all[at] = set_timeout(minute, count(&ran));
            }
            handles.set(Some((all, order)));
        });
        done == CHURNS
    })
}

fn due_at_once(timers: usize, _: u64) -> Iterations {
    let ran = Rc::new(Cell::new(0));
    let inner = ran.clone();
    let second = Duration::from_secs(1);
    in_a_callback(move || (0..timers).for_each(|_| drop(set_timeout(second, count(&inner)))));
    thread::sleep(second);
    iterations(timers, |_| ran.get() >= timers as u64)
}

fn due_within_a_second(timers: usize, round: u64) -> Iterations {
    let (mut random, ran) = (Random(round), Rc::new(Cell::new(0)));
    let inner = ran.clone();
    in_a_callback(move || {
        for _ in 0..timers {
            drop(set_timeout(Duration::from_nanos(1 + random.below(1_000_000_000)), count(&inner)));
        }
    });
    thread::sleep(Duration::from_secs(1));
    iterations(timers, |_| ran.get() >= timers as u64)
}

fn refreshed_in_time(timers: usize, _: u64) -> Iterations {
    let (ran, after) = (Rc::new(Cell::new(0)), Duration::from_secs(3));
    let inner = ran.clone();
    let handles: Vec<Timeout> = in_a_callback(move || (0..timers).map(|_| set_timeout(after, count(&inner))).collect());
    thread::sleep(after / 2);
    in_a_callback(move || handles.iter().for_each(Timeout::refresh));
    thread::sleep(after / 2);
    let measured = iterations(timers, |done| done == timers / 100);
    assert_eq!(ran.get(), 0, "they were refreshed, and not long ago");
    measured
}

/// Runs `f` as a callback of the loop, and returns its result.
fn in_a_callback<R: 'static>(f: impl FnOnce() -> R + 'static) -> R {
    let result = Rc::new(Cell::new(None));
    let inner = result.clone();
    set_immediate(move || inner.set(Some(f())));
    run_nowait().unwrap_or_else(|error| panic!("the loop: {error}"));
    result.take().unwrap_or_else(|| panic!("it did not run"))
}

/// A callback that captures something, as most callbacks do.
fn count(ran: &Rc<Cell<u64>>) -> impl FnOnce() + 'static {
    let ran = ran.clone();
    move || ran.set(black_box(ran.get() + 1))
}

fn nanos(spread: bool, random: &mut Random) -> u64 {
    let minute = 60_000_000_000;
    minute + if spread { random.below(minute) } else { 0 }
}

fn resident() -> f64 {
    machine::resident_bytes(std::process::id()).map_or(f64::NAN, |bytes| bytes as f64)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// The numbers below `count`, shuffled.
    fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            order.swap(last, self.below(last as u64 + 1) as usize);
        }
        order
    }
}
