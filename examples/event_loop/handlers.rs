//! The handlers that the loads ask for, on the loop. The thread pool has the same ones, as far as they have a meaning
//! there.

use oneloop::http::Response;
use oneloop::{next_tick, now, set_immediate, set_timeout, worker};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long the work of a request takes that does too much.
pub const WORK: Duration = Duration::from_millis(200);
/// How long a slice of that work takes: nobody minds waiting for this long.
const SLICE: Duration = Duration::from_millis(2);
/// The size of the download, in bytes.
pub const DOWNLOAD: usize = 8 * 1024 * 1024;
/// A part of the download, of the size in which a file would be read.
pub const PART: [u8; 16 * 1024] = [b'.'; 16 * 1024];

pub fn has(path: &str) -> bool {
    matches!(path, "/hello" | "/block" | "/worker" | "/slices" | "/ticks" | "/download")
}

pub fn answer(path: &str, res: Response) {
    match path {
        "/block" => block(res),
        "/worker" => on_a_worker(res),
        "/slices" => in_slices(WORK, res),
        "/ticks" => in_ticks(res),
        "/download" => download(res),
        _ => res.end("hello\n"),
    }
}

/// Computes for this long, as a handler does that parses something large or looks for primes.
pub fn compute(length: Duration) {
    let until = Instant::now() + length;
    let mut number = 1_u64;
    while Instant::now() < until {
        for _ in 0..1_000 {
            number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
}

/// Computes in the callback: nothing else happens on this thread meanwhile.
fn block(res: Response) {
    compute(WORK);
    res.end("computed on the loop\n");
}

/// Does the same work on another thread: the loop goes on, and gets the result in a later poll phase.
fn on_a_worker(res: Response) {
    worker::run(|| compute(WORK), move |_| res.end("computed by a worker\n"));
}

/// Does the same work in slices: after each of them all others have their turns.
fn in_slices(left: Duration, res: Response) {
    compute(SLICE);
    match left.saturating_sub(SLICE) {
        Duration::ZERO => res.end("computed in slices\n"),
        left => drop(set_immediate(move || in_slices(left, res))),
    }
}

/// Sets ticks that set ticks: all of them run before the loop does anything else, even before a timer that is long overdue.
fn in_ticks(res: Response) {
    let (began, set_at) = (Instant::now(), now());
    let ticks = Rc::new(Cell::new(0_u64));
    let counted = ticks.clone();
    set_timeout(Duration::from_millis(1), move || {
        let late = now().saturating_sub(set_at + Duration::from_millis(1));
        res.end(format!("{} {}\n", counted.get(), late.as_micros()));
    });
    fn tick(began: Instant, ticks: Rc<Cell<u64>>) {
        ticks.set(ticks.get() + 1);
        if began.elapsed() < WORK {
            next_tick(move || tick(began, ticks));
        }
    }
    next_tick(move || tick(began, ticks));
}

/// Writes as much as the connection takes, and goes on when that has been sent.
fn download(res: Response) {
    res.set_header("Content-Length", DOWNLOAD);
    let left = Rc::new(Cell::new(DOWNLOAD));
    let write = move |res: &Response| {
        while left.get() > 0 {
            let part = PART.len().min(left.get());
            left.set(left.get() - part);
            if res.write(&PART[..part]).is_full() {
                return;
            }
        }
        res.end(());
    };
    write(&res);
    let kept = res.clone();
    res.on_drain(move |_| write(&kept));
}
