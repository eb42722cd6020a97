//! Shows in which order the loop calls what, and why. Try: `cargo run --example timers`. It ends by itself
//!
//! `RUST_LOG=oneloop=trace` shows the phases that the loop goes through meanwhile.

use oneloop::{next_tick, set_immediate, set_interval_with, set_timeout, worker};
use std::io::Write;
use std::time::Duration;

fn main() -> std::io::Result<()> {
    env_logger::init();
    say("main", "before run(): whatever is set now waits for the loop");
    set_timeout(Duration::from_millis(20), || say("timer", "of 20 ms: the first of the timers below was earlier"));
    set_timeout(Duration::from_millis(10), first_timer);
    set_immediate(|| say("immediate", "set by main: the check phase, after the poll phase"));
    next_tick(|| say("tick", "set by main: before the loop does anything else"));

    // This timer does not keep the loop running: the program ends before it.
    set_timeout(Duration::from_secs(3600), || say("never", "an hour is too long")).unref();
    // Dropping a timer's handle does not cancel the timer; `clear` does.
    set_timeout(Duration::from_millis(30), || say("never", "it is cleared")).clear();
    oneloop::run()?;
    say("main", "after run(): nothing is left that could call back");
    Ok(())
}

fn first_timer() {
    say("timer", "of 10 ms: the timers phase, the last of an iteration");
    next_tick(|| say("tick", "set by the timer: right behind the callback that set it"));
    set_immediate(|| {
        say("immediate", "set by the timer: the next check phase");
        set_immediate(|| say("immediate", "set by an immediate: the check phase of the next iteration"));
        next_tick(|| say("tick", "set by an immediate: before anything of the next iteration"));
    });
    set_timeout(Duration::from_millis(30), from_the_poll_phase);
}

/// Callbacks that are set in the poll phase, where sockets and workers call back, always come in this order.
fn from_the_poll_phase() {
    say("timer", "of 40 ms: gives work to the worker pool");
    worker::run(
        || (1..=20_u64).product::<u64>(),
        |result| {
            say("worker", &format!("20! = {} came back in the poll phase", result.unwrap_or_default()));
            set_timeout(Duration::ZERO, || say("timer", "of 0 ms (1 ms, in truth): the timers phase comes last"));
            set_immediate(|| say("immediate", "set in the poll phase: the check phase is right behind it"));
            next_tick(|| say("tick", "set in the poll phase: before both"));
            count_to_three();
        },
    );
}

/// An interval keeps the loop running until it is cleared, here by itself.
fn count_to_three() {
    let mut count = 0;
    set_interval_with(Duration::from_millis(10), move |timer| {
        count += 1;
        say("interval", &format!("call {count}"));
        if count == 3 {
            timer.clear();
        }
    });
}

fn say(who: &str, what: &str) {
    // If the reader of standard output is gone (`… | head -1`), `println!` would panic in each callback.
    if writeln!(std::io::stdout(), "{:>4} ms  {who:<10}{what}", oneloop::now().as_millis()).is_err() {
        oneloop::stop();
    }
}
