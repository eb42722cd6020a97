//! What a seed decides for its WebSockets.

use super::super::plan::{call_faults, rough, stops, waits};
use super::super::random::Random;
use oneloop::sim::{Network, Waits};
use oneloop::ws::Limits;
use std::io::ErrorKind;
use std::time::Duration;

pub use super::super::plan::{CallFault, MS};

pub const TOPICS: usize = 3;
/// Guests come and act within so many milliseconds.
const OPENING: u64 = 3_000;

pub struct Plan {
    pub network: Network,
    pub waits: Waits,
    /// When the process is stopped, and for how long, in milliseconds.
    pub stops: Vec<(u64, u64)>,
    pub calls: Vec<CallFault>,
    /// Limits of a few seconds, and small buffers.
    pub tight: bool,
    pub ending: Ending,
    pub end_at: Duration,
    pub guests: Vec<Guest>,
    /// So few deliveries of published messages go out in one iteration that most of them wait.
    pub deliveries: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// When all has been said.
    Last,
    /// `Server::close` among the traffic.
    Server,
    /// `Endpoint::close_all` among the traffic.
    All,
}

pub struct Guest {
    /// When it comes, in milliseconds.
    pub at: u64,
    /// It reads all, answers all, sends what may be sent, and stays.
    pub good: bool,
    /// It is accepted by a handler, later.
    pub late: bool,
    /// What it does when, in milliseconds from its coming.
    pub acts: Vec<(u64, Act)>,
}

#[derive(Clone, Debug)]
pub enum Act {
    /// Sends a message with so many more bytes, in so many fragments.
    Say {
        wish: Wish,
        size: usize,
        parts: usize,
    },
    Ping,
    Close(u16),
    // The others are those of guests that are not good.
    Pause,
    Slow(usize),
    Resume,
    Silent,
    Finish,
    Reset,
    /// Sends a frame with this first byte.
    Bad(u8),
    /// Sends a message byte by byte, and nothing else after it.
    Drip(usize),
}

/// What a message asks the hall to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Echo,
    Subscribe(usize),
    Leave(usize),
    /// To the others.
    Publish(usize),
    All(usize),
    Skip(usize),
    /// Many messages at once.
    Burst(usize),
    Ping,
    Pause(u64),
    Close(u16),
    Terminate,
    Panic,
}

impl Plan {
    pub fn of(seed: u64) -> Plan {
        // Not the numbers of the plan for HTTP.
        let mut random = Random::new(!seed ^ 0x5753);
        let (tight, ideal) = (random.percent(40), random.percent(30));
        let mut network = if ideal { Network::default() } else { rough(&mut random, tight) };
        // What takes minutes to arrive is for HTTP.
        network.buffer = network.buffer.max(2_000);
        let count = random.between(4, 20);
        Plan {
            network,
            waits: if ideal { Waits::default() } else { waits(&mut random) },
            stops: if ideal { Vec::new() } else { stops(&mut random) },
            calls: if random.percent(8) { call_faults(&mut random) } else { Vec::new() },
            tight,
            ending: *random.pick(&[Ending::Last, Ending::Last, Ending::Last, Ending::Server, Ending::All]),
            end_at: random.between(500, OPENING + 2_000) as u32 * MS,
            guests: (0..count).map(|_| guest(&mut random)).collect(),
            deliveries: if random.percent(30) { Some(random.below(4) as usize) } else { None },
        }
    }

    /// Returns whether a failing call may cost a connection; an interrupted one does not.
    pub fn loses_calls(&self) -> bool {
        self.calls.iter().any(|fault| fault.kind != ErrorKind::Interrupted)
    }

    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        if self.tight {
            limits.message = 50_000;
            limits.message_time = 20_000 * MS;
            limits.ping = 5_000 * MS;
            limits.pong = 5_000 * MS;
            limits.close = 5_000 * MS;
            limits.pending_output = 2_000;
            limits.max_pending = 30_000;
            limits.frames = 3;
        }
        limits.deliveries = self.deliveries.unwrap_or(limits.deliveries);
        limits
    }
}

fn guest(random: &mut Random) -> Guest {
    let good = random.percent(60);
    let (mut acts, mut at) = (Vec::new(), 0);
    for _ in 0..random.below(24) {
        if random.percent(60) {
            at += random.below(300);
        }
        let act = if good || random.percent(70) { say(random, good) } else { mischief(random) };
        let is_last = matches!(act, Act::Drip(_) | Act::Close(_));
        acts.push((at, act));
        if is_last {
            break;
        }
    }
    Guest { at: random.below(OPENING), good, late: random.percent(40), acts }
}

fn say(random: &mut Random, good: bool) -> Act {
    let topic = random.below(TOPICS as u64) as usize;
    let wish = match random.below(36) {
        0..=5 => Wish::Echo,
        6..=12 => Wish::Subscribe(topic),
        13 | 14 => Wish::Leave(topic),
        15..=18 => Wish::Publish(topic),
        19..=21 => Wish::All(topic),
        22 => Wish::Skip(topic),
        23 => Wish::Burst(random.size(60)),
        24 => Wish::Ping,
        25 => Wish::Pause(random.below(2_000)),
        26 => Wish::Close(*random.pick(&[1000, 1001, 4000, 4999])),
        27 if !good => *random.pick(&[Wish::Terminate, Wish::Panic]),
        28 | 29 => return Act::Ping,
        30 => return Act::Close(*random.pick(&[1000, 1001, 3000, 4999])),
        _ => Wish::Echo,
    };
    Act::Say { wish, size: random.size(super::hall::LARGEST / 2), parts: 1 + random.below(4) as usize }
}

fn mischief(random: &mut Random) -> Act {
    match random.below(12) {
        0 | 1 => Act::Pause,
        2 => Act::Slow(1 + random.size(2_000)),
        3 => Act::Resume,
        4 => Act::Silent,
        5 => Act::Finish,
        6 | 7 => Act::Reset,
        8 => Act::Drip(random.size(3_000)),
        _ => Act::Bad(random.next() as u8),
    }
}

/// What a wish is called in a message.
pub fn word(wish: Wish) -> String {
    match wish {
        Wish::Echo => "echo".to_owned(),
        Wish::Subscribe(topic) => format!("subscribe:{topic}"),
        Wish::Leave(topic) => format!("leave:{topic}"),
        Wish::Publish(topic) => format!("publish:{topic}"),
        Wish::All(topic) => format!("all:{topic}"),
        Wish::Skip(topic) => format!("skip:{topic}"),
        Wish::Burst(count) => format!("burst:{count}"),
        Wish::Ping => "ping".to_owned(),
        Wish::Pause(millis) => format!("pause:{millis}"),
        Wish::Close(code) => format!("close:{code}"),
        Wish::Terminate => "terminate".to_owned(),
        Wish::Panic => "panic".to_owned(),
    }
}

/// Reads it.
pub fn wish_of(word: &str) -> Option<Wish> {
    let (word, number) = word.split_once(':').unwrap_or((word, "0"));
    let number: usize = number.parse().ok()?;
    Some(match word {
        "echo" => Wish::Echo,
        "subscribe" => Wish::Subscribe(number),
        "leave" => Wish::Leave(number),
        "publish" => Wish::Publish(number),
        "all" => Wish::All(number),
        "skip" => Wish::Skip(number),
        "burst" => Wish::Burst(number),
        "ping" => Wish::Ping,
        "pause" => Wish::Pause(number as u64),
        "close" => Wish::Close(number as u16),
        "terminate" => Wish::Terminate,
        "panic" => Wish::Panic,
        _ => return None,
    })
}
