//! The whole library in a simulated world, seed after seed: thousands of peers that stall, vanish and misbehave, and all
//! promises checked. Try: `cargo run --release -p simulator -- --seeds 1000`
//!
//! `--seeds N` runs so many, from `--from SEED` on (0 at first), on all cores (`--threads N` on fewer); `--verbose` prints
//! each event. It ends at the first seed in which anything is wrong, says how to replay it, and fails.

use simulator::Outcome;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, thread};

/// Each of so many seeds is run twice, to see that it is the same run.
const TWICE: u64 = 64;

#[derive(Default)]
struct Sum {
    seeds: u64,
    outcome: Outcome,
    /// The first seed that failed, with what was wrong.
    failed: Option<(u64, Vec<String>)>,
}

fn main() -> ExitCode {
    // The library complains of what is done on purpose: only who asks hears it.
    if env::var_os("RUST_LOG").is_some() {
        env_logger::init();
    }
    let (mut seeds, mut from, mut verbose) = (100, 0, false);
    let mut threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok());
        let known = match argument.as_str() {
            "--seeds" => number().map(|count| seeds = count),
            "--from" => number().map(|seed| from = seed),
            "--threads" => number().map(|count: u64| threads = count.max(1)),
            "--verbose" => {
                verbose = true;
                Some(())
            }
            _ => None,
        };
        if known.is_none() {
            eprintln!("simulator [--seeds N] [--from SEED] [--threads N] [--verbose], not {argument}");
            return ExitCode::FAILURE;
        }
    }
    if verbose {
        threads = 1;
    }
    let (next, sum, began) = (AtomicU64::new(0), Mutex::new(Sum::default()), Instant::now());
    thread::scope(|scope| {
        for _ in 0..threads.min(seeds) {
            scope.spawn(|| work(seeds, from, verbose, &next, &sum, began));
        }
    });
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    report(&sum, began);
    let Some((seed, faults)) = sum.failed else { return ExitCode::SUCCESS };
    let again = run(seed, false);
    eprintln!("\nseed {seed} FAILED:");
    faults.iter().for_each(|fault| eprintln!("  {fault}"));
    eprintln!("a second run of it is {}", if again.faults == faults { "the same" } else { "NOT the same" });
    eprintln!("replay: cargo run --release -p simulator -- --seeds 1 --from {seed} --verbose");
    ExitCode::FAILURE
}

/// Runs seeds until there are no more, or one has failed.
fn work(seeds: u64, from: u64, verbose: bool, next: &AtomicU64, sum: &Mutex<Sum>, began: Instant) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= seeds {
            return;
        }
        let seed = from.wrapping_add(number);
        let mut outcome = run(seed, verbose);
        if number.is_multiple_of(TWICE) && !verbose && run(seed, false).trace != outcome.trace {
            outcome.faults.push("the same seed gave another run".to_owned());
        }
        let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
        add(&mut sum, seed, outcome);
        if sum.failed.is_some() {
            next.store(seeds, Ordering::Relaxed);
        }
        if sum.seeds.is_multiple_of(100) {
            print!("\r{} seeds, {:.0}/s ", sum.seeds, sum.seeds as f64 / began.elapsed().as_secs_f64());
            let _ = std::io::stdout().flush();
        }
    }
}

/// A seed; a panic that comes out of the loop is a fault like others.
fn run(seed: u64, verbose: bool) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| simulator::run(seed, verbose))).unwrap_or_else(|panic| {
        let text =
            panic.downcast_ref::<String>().cloned().or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Outcome { faults: vec![format!("panicked: {}", text.unwrap_or_default())], ..Outcome::default() }
    })
}

fn add(sum: &mut Sum, seed: u64, outcome: Outcome) {
    sum.seeds += 1;
    sum.outcome.connections += outcome.connections;
    sum.outcome.requests += outcome.requests;
    sum.outcome.answered += outcome.answered;
    sum.outcome.sockets += outcome.sockets;
    sum.outcome.messages += outcome.messages;
    sum.outcome.asked += outcome.asked;
    sum.outcome.chained += outcome.chained;
    sum.outcome.time += outcome.time;
    for (reason, count) in outcome.closes {
        match sum.outcome.closes.iter_mut().find(|(name, _)| *name == reason) {
            Some((_, total)) => *total += count,
            None => sum.outcome.closes.push((reason, count)),
        }
    }
    if !outcome.faults.is_empty() && sum.failed.as_ref().is_none_or(|(failed, _)| *failed > seed) {
        sum.failed = Some((seed, outcome.faults));
    }
}

fn report(sum: &Sum, began: Instant) {
    let (all, took) = (&sum.outcome, began.elapsed());
    let days = Duration::from_secs(all.time.as_secs()).as_secs_f64() / 86_400.0;
    println!(
        "\r{} seeds, {} connections, {} requests, {} answered; {} WebSockets, {} messages; {} requests of the client; {} through chains",
        sum.seeds, all.connections, all.requests, all.answered, all.sockets, all.messages, all.asked, all.chained
    );
    let mut closes = all.closes.clone();
    closes.sort();
    let closes: Vec<_> = closes.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    println!("closed: {}", closes.join(", "));
    let rate = sum.seeds as f64 / took.as_secs_f64();
    println!("{days:.1} days of virtual time in {:.1} s, {rate:.0} seeds/s", took.as_secs_f64());
}
