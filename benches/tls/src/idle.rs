//! Case 4: how much resident memory an idle connection costs a server: the growth of its `Rss` over many of them. A process of its own has
//! the other ends.

use crate::load;
use crate::servers::{Kit, Who};
use oneloop_benches::figures::median;
use oneloop_benches::machine;
use oneloop_benches::trial::{Running, with_connections};
use std::io;
use std::thread;
use std::time::Duration;

/// How long all of them may take to open.
const ALL: Duration = Duration::from_secs(120);
/// How long to wait before memory is read, for allocators and the kernel to come to rest.
const REST: Duration = Duration::from_secs(1);
/// How many connections come before memory is first read, so that what is set up lazily does not count for the others.
const SETTLING: u64 = 20;
/// The most bytes that an idle connection of oneloop may cost.
const MOST: f64 = 5.0 * 1024.0;

/// Measures the servers. Returns whether oneloop's connections are small enough.
pub fn run(kit: &Kit, pin: &[String], rounds: usize, connections: usize) -> io::Result<bool> {
    println!("case 4: resident memory of an idle connection, over {connections}");
    let mut small = true;
    for who in [Who::Oneloop, Who::Nginx] {
        let bytes = (0..rounds).map(|_| measure(kit, who, pin, connections as u64)).collect::<io::Result<Vec<_>>>()?;
        let bytes: Vec<f64> = bytes.into_iter().flatten().collect();
        if bytes.is_empty() {
            continue;
        }
        let middle = median(bytes.iter().copied());
        println!("  {:22} {middle:9.0} bytes {bytes:.0?}", who.name());
        if who == Who::Oneloop {
            small = middle <= MOST;
            println!("  at most {MOST:.0}: {}", if small { "ok" } else { "MISSED" });
        }
    }
    println!();
    Ok(small)
}

fn measure(kit: &Kit, who: Who, pin: &[String], connections: u64) -> io::Result<Option<f64>> {
    let Some(started) = kit.start(who, connections + SETTLING)? else { return Ok(None) };
    let hold = |count: u64| {
        let launch = load::launch(load::HOLD, &[started.port.into(), count], pin)?;
        let holder = Running::start(&with_connections(launch, count)?)?;
        match holder.line(ALL) {
            Some(_) => Ok(holder),
            None => Err(io::Error::other("not all connections could be opened")),
        }
    };
    let rested = || {
        thread::sleep(REST);
        machine::resident_bytes(started.server.pid).ok_or_else(|| io::Error::other("no figure (no /proc?)"))
    };
    let _settling = hold(SETTLING)?;
    let before = rested()?;
    let _held = hold(connections)?;
    Ok(Some((rested()? as f64 - before as f64) / connections as f64))
}
