//! What a seed decides: the network, the limits, who connects when, what they send and how they behave, what the handler of
//! each request does, and how the server ends.

use super::content::LONGEST;
use super::random::Random;
use super::wire;
use oneloop::http::Limits;
use oneloop::sim::{Network, Waits};
use std::io::ErrorKind;
use std::ops::Range;
use std::time::Duration;

pub const MS: Duration = Duration::from_millis(1);
/// Connections of a seed, at least.
const CONNECTIONS: u64 = 100;
/// Peers begin within so many milliseconds.
const OPENING: u64 = 5_000;

pub struct Plan {
    /// Time that passes before anything happens, in milliseconds.
    pub delay: u64,
    pub network: Network,
    pub waits: Waits,
    /// When the process is stopped, and for how long, in milliseconds.
    pub stops: Vec<(u64, u64)>,
    /// Nothing is late or in pieces: who sends is served in the same iteration.
    pub ideal: bool,
    /// Limits of a few seconds, and small buffers.
    pub tight: bool,
    pub max_requests: u32,
    pub max_connections: usize,
    pub checks_continue: bool,
    /// CONNECT makes tunnels.
    pub connects: bool,
    /// Requests are shed while the loop is so many milliseconds late.
    pub sheds: Option<u64>,
    /// Handlers hold up the loop now and then.
    pub blocks: bool,
    pub calls: Vec<CallFault>,
    pub fds: Option<FdFault>,
    /// When an accept finds its connection gone, in milliseconds.
    pub aborts: Vec<u64>,
    pub shutdown: Shutdown,
    /// When that is, in milliseconds.
    pub shutdown_at: u64,
    pub connections: Vec<Connection>,
    pub requests: Vec<Request>,
}

pub struct FdFault {
    pub during: Range<u64>,
    pub limit: usize,
    /// The whole system is out, not only the program.
    pub system: bool,
}

/// One of the program's calls on its sockets fails.
pub struct CallFault {
    /// From then on, in milliseconds,
    pub at: u64,
    /// and after so many others.
    pub after: u64,
    pub kind: ErrorKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// When all has been said.
    Last,
    /// `close` among the traffic.
    Graceful,
    /// The same, and it listens again when it has closed.
    Again,
    /// `close` and `close_all_connections`.
    All,
    /// `close_idle_connections`; it goes on.
    Idle,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Sends these bytes of what there is to send.
    Send(Range<usize>),
    Finish,
    Close,
    Reset,
    Pause,
    /// Reads so many bytes each 50 ms.
    Slow(usize),
    Resume,
}

/// What a peer does when it has all its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    Close,
    Finish,
    /// It has half-closed behind its last request.
    FinishedBefore,
    Stay,
}

pub struct Connection {
    /// When it connects, in milliseconds.
    pub at: u64,
    pub requests: Range<u32>,
    /// All that it sends, in order; an upgrade's bytes are behind.
    pub wire: Vec<u8>,
    /// Where each request ends in `wire`.
    pub ends: Vec<usize>,
    /// What is done when, in milliseconds from `at`.
    pub acts: Vec<(u64, Act)>,
    /// Sends each request when it has the answer to the one before.
    pub in_turn: bool,
    pub after: After,
    /// Nothing that it does, or that its handlers do, may cost it an answer.
    pub polite: bool,
    /// From this request on an octet is wrong.
    pub garbled: u32,
    /// The statuses that may answer what follows the requests and is none.
    pub refusals: &'static [u16],
    /// It stops in the middle of a head, or says nothing at all, and is sent away when the time for heads is over.
    pub stops: bool,
    pub flood: Option<Flood>,
    /// Bytes behind its last request, which is an upgrade.
    pub tunnel: Option<usize>,
}

/// Many requests at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// As small as they can be.
    Small,
    /// Their answers are read late.
    Unread,
    /// They have bodies, and wait for the answer to the first.
    Held,
    /// The same, and that answer never comes.
    Kept,
}

/// When a handler answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Now,
    Tick,
    Immediate,
    Timer,
    Worker,
    /// It reads the body first.
    Body,
    /// The same, and pauses at each part of it.
    PausedBody,
}

/// What it does then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    End,
    /// In parts, as fast as they are taken, chunked.
    Stream,
    /// The same with a length.
    StreamLength,
    /// A part each few milliseconds.
    Drip,
    /// Sends the body back.
    Pipe,
    /// Answers at the first part of the body, and wants no more of it.
    Discard,
    /// 204 or 304.
    Empty,
    EndTwice,
    Informational,
    /// The head first, then the rest.
    Flush,
    Drop,
    Panic,
    Fail,
    BadHeader,
    WorkerPanic,
    /// Panics in a listener: of the body, of its end, of the end of the exchange.
    DataPanic,
    EndPanic,
    ClosePanic,
    /// From here on none is polite: they cost the connection.
    WriteThenDrop,
    WriteThenPanic,
    Destroy,
    TooLong,
    TooShort,
    Keep,
    KeepSelf,
    /// Closes the server.
    CloseServer,
}

const POLITE: &[What] = &[
    What::End,
    What::End,
    What::End,
    What::Stream,
    What::StreamLength,
    What::Drip,
    What::Pipe,
    What::Discard,
    What::Empty,
    What::EndTwice,
    What::Informational,
    What::Flush,
    What::Drop,
    What::Panic,
    What::Fail,
    What::BadHeader,
    What::WorkerPanic,
    What::DataPanic,
    What::EndPanic,
    What::ClosePanic,
];
const RUDE: &[What] = &[
    What::WriteThenDrop,
    What::WriteThenPanic,
    What::Destroy,
    What::TooLong,
    What::TooShort,
    What::Keep,
    What::KeepSelf,
];
const WHEN: &[When] = &[
    When::Now,
    When::Now,
    When::Now,
    When::Tick,
    When::Immediate,
    When::Timer,
    When::Worker,
    When::Body,
    When::PausedBody,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    None,
    Length(usize),
    Chunked(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    Nothing,
    Continue,
    /// Something that nobody knows.
    Other,
}

#[derive(Debug)]
pub struct Request {
    pub connection: u32,
    pub when: When,
    pub what: What,
    pub head: bool,
    pub http10: bool,
    pub closes: bool,
    pub expect: Expect,
    pub upgrade: bool,
    /// The same by CONNECT.
    pub connect: bool,
    /// Its target names a host.
    pub absolute: bool,
    pub body: Body,
    /// Of the answer, in bytes.
    pub size: usize,
    /// Until a timer answers, and between the parts of a drip, in milliseconds.
    pub delay: u64,
    /// So long its handler holds up the loop, in milliseconds.
    pub block: u64,
}

impl Request {
    /// Its handler leaves it to the library where it is one too many.
    pub fn is_left(&self) -> bool {
        self.connect || self.delay % 2 == 1
    }
}

impl Plan {
    pub fn of(seed: u64) -> Plan {
        let mut random = Random::new(seed);
        let tight = random.percent(25);
        let ideal = random.percent(30);
        let network = if ideal { Network::default() } else { rough(&mut random, tight) };
        let shutdown = *random.pick(&[
            Shutdown::Last,
            Shutdown::Last,
            Shutdown::Last,
            Shutdown::Idle,
            Shutdown::Graceful,
            Shutdown::Graceful,
            Shutdown::Again,
            Shutdown::All,
        ]);
        let sheds = random.percent(6).then(|| random.between(5, 60));
        let mut plan = Plan {
            delay: if random.percent(20) { random.below(100_000_000) } else { 0 },
            ideal,
            tight,
            network,
            waits: if ideal { Waits::default() } else { waits(&mut Random::new(!seed)) },
            stops: if ideal { Vec::new() } else { stops(&mut Random::new(!seed ^ 1)) },
            max_requests: if random.percent(12) { random.between(1, 4) as u32 } else { 0 },
            max_connections: if random.percent(10) { random.between(1, 30) as usize } else { usize::MAX },
            checks_continue: random.percent(50),
            connects: random.percent(50),
            sheds,
            blocks: random.percent(if sheds.is_some() { 80 } else { 5 }),
            calls: if random.percent(8) { call_faults(&mut random) } else { Vec::new() },
            fds: random.percent(15).then(|| {
                let from = random.below(OPENING);
                FdFault {
                    during: from..from + random.between(1, 4000),
                    limit: random.between(1, 40) as usize,
                    system: random.percent(50),
                }
            }),
            aborts: if random.percent(10) { vec![random.below(OPENING), random.below(OPENING)] } else { Vec::new() },
            shutdown,
            shutdown_at: random.between(OPENING / 5, OPENING + 2000),
            connections: Vec::new(),
            requests: Vec::new(),
        };
        let burst = random.percent(15);
        let count = CONNECTIONS + random.below(20);
        let floods = [Flood::Small, Flood::Unread, Flood::Held, Flood::Kept];
        let flooder = random.percent(40).then(|| (random.below(count), *random.pick(&floods)));
        for number in 0..count {
            let at = if burst { random.below(2) } else { random.below(OPENING) };
            let flood = flooder.and_then(|(flooder, flood)| (flooder == number).then_some(flood));
            let connection = plan.connection(&mut random, number as u32, at, flood);
            plan.connections.push(connection);
        }
        if plan.shutdown == Shutdown::Graceful && random.percent(50) {
            let last = plan.requests.len() as u64;
            let closer = random.below(last) as usize;
            plan.requests[closer].what = What::CloseServer;
            plan.shutdown = Shutdown::Last;
        }
        plan
    }

    /// Returns whether a failing call may cost a connection; an interrupted one does not.
    pub fn loses_calls(&self) -> bool {
        self.calls.iter().any(|fault| fault.kind != ErrorKind::Interrupted)
    }

    /// Returns whether a connection is refused or closed only for reasons of its own.
    pub fn has_room(&self) -> bool {
        self.max_requests == 0
            && self.max_connections == usize::MAX
            && self.sheds.is_none()
            && self.fds.is_none()
            && self.aborts.is_empty()
            && !self.loses_calls()
    }

    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        if self.tight {
            limits.header = 2000 * MS;
            limits.request = 8000 * MS;
            limits.keep_alive = 3000 * MS;
            limits.receive_window = 3000 * MS;
            limits.send_window = 3000 * MS;
            limits.write_stall = 5000 * MS;
            limits.response = Some(6000 * MS);
            limits.linger_between = 500 * MS;
            limits.linger_total = 2000 * MS;
            limits.linger_bytes = 4096;
            limits.discard = 4096;
            limits.pending_output = 4096;
            limits.held_input = 4096;
            limits.shutdown = 5000 * MS;
        }
        limits
    }

    fn connection(&mut self, random: &mut Random, number: u32, at: u64, flood: Option<Flood>) -> Connection {
        let first = self.requests.len() as u32;
        let floods = flood.is_some();
        let polite = floods && flood != Some(Flood::Kept) || !floods && random.percent(60);
        let garbled = !polite && !floods && random.percent(20);
        let upgrades = !floods && !garbled && random.percent(6);
        let refused = !upgrades && random.percent(15);
        let stops = polite && !upgrades && !refused && random.percent(5);
        let count = match flood {
            Some(Flood::Small) => random.between(150, 400),
            Some(_) => random.between(150, 200),
            None if stops => random.below(3),
            None => random.between(1, 6),
        };
        for nth in 0..count {
            let last = nth + 1 == count && !refused && !stops;
            let mut request = match flood {
                Some(flood) => self.of_flood(random, flood, number, nth),
                None => self.request(random, number, polite, last),
            };
            request.head &= !garbled;
            if upgrades && last {
                let connect = self.connects && random.percent(50);
                request = Request { upgrade: !connect, connect, ..small(number) };
            }
            self.requests.push(request);
        }
        let mut connection = Connection {
            at,
            requests: first..self.requests.len() as u32,
            wire: Vec::new(),
            ends: Vec::new(),
            acts: Vec::new(),
            in_turn: !floods && count > 0 && random.percent(40),
            after: *random.pick(&[After::Close, After::Finish, After::FinishedBefore, After::Stay]),
            polite,
            garbled: u32::MAX,
            refusals: &[],
            stops,
            flood,
            tunnel: upgrades.then(|| random.size(4000)),
        };
        wire::write(self, &mut connection, random, refused, garbled);
        if stops && connection.after == After::FinishedBefore {
            connection.after = After::Stay;
        }
        if connection.in_turn {
            connection.after =
                if upgrades || connection.after == After::FinishedBefore { After::Finish } else { connection.after };
        } else {
            script(&mut connection, random, floods);
        }
        if flood == Some(Flood::Unread) {
            connection.acts.insert(0, (0, Act::Pause));
            connection.acts.push((random.between(100, 2000), Act::Resume));
        }
        if !polite && !floods {
            faults(&mut connection, random);
        }
        connection
    }

    fn request(&self, random: &mut Random, connection: u32, polite: bool, last: bool) -> Request {
        let mut when = *random.pick(WHEN);
        let what = *if polite || random.percent(70) { random.pick(POLITE) } else { random.pick(RUDE) };
        // An unread body of this length is discarded under all limits.
        let unread = if polite { 1000 } else { 20_000 };
        let mut body = match random.below(4) {
            0 => Body::Length(random.size(unread)),
            1 => Body::Chunked(random.size(unread)),
            _ => Body::None,
        };
        if matches!(when, When::Body | When::PausedBody) && body != Body::None && random.percent(10) && !self.tight {
            body = Body::Length(random.size(40_000));
        }
        if matches!(what, What::DataPanic | What::Pipe | What::Discard) {
            when = When::Now;
            body = if random.percent(50) {
                Body::Length(1 + random.size(900))
            } else {
                Body::Chunked(1 + random.size(900))
            };
        } else if matches!(what, What::Fail | What::WorkerPanic) {
            when = When::Now;
        } else if what == What::EndPanic {
            when = When::Timer;
        }
        let expect = match random.below(20) {
            0 if matches!(when, When::Body) && body != Body::None && body != Body::Length(0) => Expect::Continue,
            1 => Expect::Other,
            _ => Expect::Nothing,
        };
        // Behind one that is not the last are others, which are not to be answered.
        let chance = if last { 10 } else { u64::from(!polite && self.max_requests > 0) * 30 };
        let http10 = random.percent(chance) && !matches!(body, Body::Chunked(_)) && expect == Expect::Nothing;
        let largest = if random.percent(3) { LONGEST } else { 4000 };
        let slow = self.network.buffer < 1000;
        Request {
            connection,
            when,
            what,
            head: what == What::End && body == Body::None && random.percent(10),
            http10,
            closes: last && random.percent(20),
            expect,
            upgrade: false,
            connect: false,
            absolute: random.percent(5),
            body,
            size: random.size(if slow { largest.min(2000) } else { largest }),
            delay: random.below(200),
            block: if self.blocks && random.percent(3) { 1 + random.below(100) } else { 0 },
        }
    }

    fn of_flood(&self, random: &mut Random, flood: Flood, connection: u32, nth: u64) -> Request {
        let request = small(connection);
        match flood {
            Flood::Small => request,
            Flood::Unread => Request {
                size: if self.network.buffer < 5000 { 300 } else { random.between(2000, 4000) as usize },
                ..request
            },
            Flood::Held if nth == 0 => Request { when: When::Timer, delay: random.between(500, 3000), ..request },
            Flood::Kept if nth == 0 => Request { what: What::Keep, ..request },
            // Short enough to be discarded under all limits.
            Flood::Held | Flood::Kept => Request { body: Body::Length(random.between(2000, 3000) as usize), ..request },
        }
    }
}

fn small(connection: u32) -> Request {
    Request {
        connection,
        when: When::Now,
        what: What::End,
        head: false,
        http10: false,
        closes: false,
        expect: Expect::Nothing,
        upgrade: false,
        connect: false,
        absolute: false,
        body: Body::None,
        size: 10,
        delay: 0,
        block: 0,
    }
}

/// Waits that are full or interrupted. Drawn by itself, so that the rest of a seed's plan does not depend on it.
pub fn waits(random: &mut Random) -> Waits {
    let events = if random.percent(25) { random.between(1, 9) as usize } else { usize::MAX };
    Waits { events, interrupts: random.percent(25) }
}

pub fn stops(random: &mut Random) -> Vec<(u64, u64)> {
    let count = if random.percent(20) { random.between(1, 4) } else { 0 };
    (0..count).map(|_| (random.below(OPENING), random.between(1, 3_000))).collect()
}

pub fn rough(random: &mut Random, tight: bool) -> Network {
    let latency = random.below(if tight { 5 } else { 25 });
    Network {
        latency: Duration::ZERO..=latency as u32 * MS,
        splits: random.percent(50),
        partial_writes: random.percent(50),
        read_splits: random.percent(50),
        buffer: if random.percent(50) || tight { 65_536 } else { random.between(200, 5000) as usize },
    }
}

pub fn call_faults(random: &mut Random) -> Vec<CallFault> {
    let kinds = [
        ErrorKind::Interrupted,
        ErrorKind::ConnectionReset,
        ErrorKind::BrokenPipe,
        ErrorKind::TimedOut,
        ErrorKind::Other,
    ];
    let kinds = if random.percent(40) { &kinds[..1] } else { &kinds[..] };
    let fault = |random: &mut Random| CallFault {
        at: random.below(OPENING),
        after: random.below(50),
        kind: *random.pick(kinds),
    };
    (0..random.between(1, 8)).map(|_| fault(random)).collect()
}

/// Sends the bytes in some pieces, a while apart.
fn script(connection: &mut Connection, random: &mut Random, floods: bool) {
    let (length, mut at, mut time) = (connection.wire.len(), 0, random.below(50));
    let pieces = if floods { 1 } else { random.between(1, 5) };
    for piece in 1..=pieces {
        let to = if piece == pieces { length } else { at + random.below((length - at) as u64 + 1) as usize };
        connection.acts.push((time, Act::Send(at..to)));
        at = to;
        if random.percent(50) {
            time += random.below(400);
        }
    }
    if connection.after == After::FinishedBefore {
        connection.acts.push((time, Act::Finish));
    }
}

/// What makes a peer a bad one, at any time.
fn faults(connection: &mut Connection, random: &mut Random) {
    let end = connection.acts.last().map_or(2000, |(at, _)| *at + 500);
    for _ in 0..random.below(4) {
        let at = random.below(end);
        match random.below(8) {
            0 => connection.acts.push((at, Act::Close)),
            1 | 2 => connection.acts.push((at, Act::Reset)),
            3 => connection.acts.push((at, Act::Finish)),
            4 => connection.acts.push((at, Act::Pause)),
            5 => connection.acts.push((at, Act::Slow(1 + random.size(2000)))),
            6 => connection.acts.push((at + random.below(70_000), Act::Resume)),
            // It stalls: what was to follow comes late or never.
            _ => {
                let (from, late) = (random.below(end), *random.pick(&[1_000, 20_000, 100_000, 10_000_000]));
                for (at, _) in connection.acts.iter_mut().filter(|(at, _)| *at >= from) {
                    *at += late;
                }
            }
        }
    }
    connection.acts.sort_by_key(|(at, _)| *at);
}
