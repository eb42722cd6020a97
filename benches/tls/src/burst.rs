//! Case 5: the latency of clients that are connected, while a thousand others come at once and shake hands. The others have what the
//! clients leave of their CPU: it is the server that is measured, not how the scheduler divides a CPU among clients.

use crate::load;
use crate::servers::{Kit, Who};
use oneloop_benches::figures::median;
use oneloop_benches::machine;
use oneloop_benches::trial::polite::Outcome;
use oneloop_benches::trial::{Running, with_connections};
use std::io;
use std::thread;
use std::time::Duration;

const ACTIVE: u64 = 100;
const COMING: u64 = 1000;
/// How long the clients are measured while nobody comes.
const CALM: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);
/// How many times the calm latency they may have.
const MOST_TIMES: f64 = 2.0;

/// Measures the servers. Returns whether the bar is met: in the median of the rounds the p99 at most doubles.
pub fn run(kit: &Kit, pin: &[String], rounds: usize) -> io::Result<bool> {
    println!("case 5: p99 of {ACTIVE} clients, while {COMING} others shake hands");
    let mut met = true;
    for (pace, interval) in [("50 a second each", 20), ("10 a second each", 100)] {
        for who in [Who::Oneloop, Who::Nginx] {
            let rounds = (0..rounds).map(|_| measure(kit, who, pin, interval)).collect::<io::Result<Vec<_>>>()?;
            let rounds: Vec<_> = rounds.into_iter().flatten().collect();
            if rounds.is_empty() {
                continue;
            }
            let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
            let (calm, loaded) = (of(|round| round.calm.p99), of(|round| round.loaded.p99));
            let times = of(|round| round.loaded.p99 / round.calm.p99);
            println!(
                "  {:8} {pace:20} p99 {calm:.2} ms, with the others {loaded:.2} ms, {times:.2} times; p50 {:.2} and {:.2} ms; \
                 the handshakes took {:.0} ms",
                who.name(),
                of(|round| round.calm.p50),
                of(|round| round.loaded.p50),
                of(|round| round.took)
            );
            if who == Who::Oneloop {
                let ok = times <= MOST_TIMES;
                println!("  at most {MOST_TIMES} times: {}", if ok { "ok" } else { "MISSED" });
                met &= ok;
            }
        }
    }
    println!();
    Ok(met)
}

struct Round {
    calm: Outcome,
    loaded: Outcome,
    /// Milliseconds until all handshakes were over.
    took: f64,
}

fn measure(kit: &Kit, who: Who, pin: &[String], interval: u64) -> io::Result<Option<Round>> {
    let Some(started) = kit.start(who, ACTIVE + COMING)? else { return Ok(None) };
    let mut active = Running::start(&load::launch(load::ACTIVE, &[started.port.into(), ACTIVE, interval], pin)?)?;
    let modest = others(pin);
    let burst = load::launch(load::BURST, &[started.port.into(), COMING], &modest)?;
    let mut burst = Running::start(&with_connections(burst, COMING)?)?;
    expect(&burst)?;
    let mut since_last = || {
        active.tell("\n")?;
        let outcome = load::outcome(&expect(&active)?)?;
        if outcome.failed > 0 { Err(io::Error::other("a client was closed")) } else { Ok(outcome) }
    };
    thread::sleep(CALM / 2);
    since_last()?;
    thread::sleep(CALM);
    let calm = since_last()?;
    burst.tell("\n")?;
    let took = expect(&burst)?.parse().map_err(io::Error::other)?;
    Ok(Some(Round { calm, loaded: since_last()?, took }))
}

fn expect(running: &Running) -> io::Result<String> {
    running.line(PATIENCE).ok_or_else(|| io::Error::other("a client said nothing"))
}

/// Where the others run: in the idle class, if it is available. A process that is merely nice would keep the CPU for a whole slice of
/// some milliseconds, which would count as the server's.
fn others(pin: &[String]) -> Vec<String> {
    let modest: &[&str] = match () {
        () if machine::find_program("chrt").is_some() => &["chrt", "--idle", "0"],
        () if machine::find_program("nice").is_some() => &["nice", "-n", "19"],
        () => &[],
    };
    pin.iter().cloned().chain(modest.iter().map(ToString::to_string)).collect()
}
