//! The load: one thread on mio, as a closed loop. A sender has one batch under way: when its last answer has come, or when all
//! subscribers have what it has sent, it sends the next one. The process and its sockets stay from one measurement to the next.

use crate::compare::Case;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use oneloop_benches::child::Launch;
use oneloop_benches::trial::{Running, with_connections};
use oneloop_benches::websocket::{self, Client, SUBSCRIBE};
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The role of the generator's process.
pub const GENERATE: &str = "generate";
/// How often the end of a measurement is checked while no event comes.
const GLANCE: Duration = Duration::from_millis(20);
/// How long the last answers of a measurement, and the opening of all sockets, may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running generator.
pub struct Generator {
    running: Running,
}

impl Generator {
    /// Starts it, and returns when all of its sockets are open.
    pub fn start(port: u16, case: &Case, pin: &[String]) -> io::Result<Generator> {
        let sockets = case.connections + case.subscribers;
        let launch = Launch::own(GENERATE)?.arg(port.to_string()).arg(case.path).arg(u8::from(case.text).to_string());
        let numbers = [case.connections, case.subscribers, case.depth, case.length];
        let launch = numbers.into_iter().fold(launch, |launch, number| launch.arg(number.to_string())).under(pin);
        let running = Running::start(&with_connections(launch, sockets as u64)?)?;
        match running.line(PATIENCE) {
            Some(_) => Ok(Generator { running }),
            None => Err(io::Error::other("the generator could not open its sockets")),
        }
    }

    /// Lets it send for some seconds. Returns how many messages came.
    pub fn run(&mut self, seconds: usize) -> io::Result<u64> {
        self.running.tell(&format!("{seconds}\n"))?;
        let line = self.running.line(Duration::from_secs(seconds as u64) + PATIENCE);
        let count = line.and_then(|line| line.parse().ok()).filter(|count| *count > 0);
        count.ok_or_else(|| io::Error::other("the generator said no count"))
    }
}

/// The main function of the process, with the arguments PORT PATH TEXT CONNECTIONS SUBSCRIBERS DEPTH LENGTH.
pub fn main(args: &[String]) -> ExitCode {
    let numbers: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let (Some(path), &[port, text, connections, subscribers, depth, length]) = (args.get(1), &numbers[..]) else {
        eprintln!("{GENERATE} wants PORT PATH TEXT CONNECTIONS SUBSCRIBERS DEPTH LENGTH");
        return ExitCode::FAILURE;
    };
    let load = Load::open(port as u16, path, connections, subscribers);
    let ended = load.and_then(|mut load| {
        load.batch = websocket::sent(text == 1, &websocket::content(length)).repeat(depth);
        load.depth = depth;
        println!("ready");
        for line in io::stdin().lock().lines() {
            let seconds = line?.parse().map_err(io::Error::other)?;
            println!("{}", load.run(Duration::from_secs(seconds))?);
        }
        Ok(())
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("generator: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Socket {
    stream: TcpStream,
    /// How many bytes of the batch have been sent; all, if none is under way.
    sent: usize,
    /// How many answers to the batch have come.
    answered: usize,
    frames: Frames,
}

/// Counts the messages in what a server sends, in pieces of any size.
#[derive(Default)]
struct Frames {
    /// What has come of a head.
    head: Vec<u8>,
    /// How many bytes of the content are still to come.
    left: usize,
}

impl Frames {
    /// How many messages, and how many pings, end in these bytes.
    fn count(&mut self, mut bytes: &[u8]) -> (usize, usize) {
        let (mut messages, mut pings) = (0, 0);
        loop {
            while self.head.len() < self.head_length() {
                let Some((&byte, rest)) = bytes.split_first() else { return (messages, pings) };
                self.head.push(byte);
                bytes = rest;
                if self.head.len() == self.head_length() {
                    self.left = self.content_length();
                }
            }
            let taken = self.left.min(bytes.len());
            (self.left, bytes) = (self.left - taken, &bytes[taken..]);
            if self.left > 0 {
                return (messages, pings);
            }
            match self.head[0] {
                0x80..0x83 => messages += 1,
                0x89 => pings += 1,
                _ => {}
            }
            self.head.clear();
        }
    }

    fn head_length(&self) -> usize {
        match self.head.get(1).map(|second| second & 0x7f) {
            Some(126) => 4,
            Some(127) => 10,
            _ => 2,
        }
    }

    fn content_length(&self) -> usize {
        match &self.head[2..] {
            [] => usize::from(self.head[1]),
            more => more.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
        }
    }
}

struct Load {
    poll: Poll,
    sockets: Vec<Socket>,
    /// So many of them, the first ones, send.
    senders: usize,
    batch: Vec<u8>,
    depth: usize,
    landing: Vec<u8>,
    counted: u64,
    /// How many deliveries of the batch are still to come.
    awaited: usize,
}

impl Load {
    fn open(port: u16, path: &str, connections: usize, subscribers: usize) -> io::Result<Load> {
        let poll = Poll::new()?;
        let mut sockets = Vec::new();
        for number in 0..connections + subscribers {
            let stream = Client::open(port, if number < connections { path } else { SUBSCRIBE })?.into_stream();
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(number), Interest::READABLE | Interest::WRITABLE)?;
            sockets.push(Socket { stream, sent: 0, answered: 0, frames: Frames::default() });
        }
        let landing = vec![0; 256 * 1024];
        Ok(Load { poll, sockets, senders: connections, batch: Vec::new(), depth: 1, landing, counted: 0, awaited: 0 })
    }

    fn subscribers(&self) -> usize {
        self.sockets.len() - self.senders
    }

    /// Sends and counts for this time, and then waits for the last answers.
    fn run(&mut self, duration: Duration) -> io::Result<u64> {
        (self.counted, self.awaited) = (0, self.subscribers() * self.depth);
        let end = Instant::now() + duration;
        let mut events = Events::with_capacity(1024);
        let mut under_way = self.senders;
        for sender in 0..self.senders {
            self.begin(sender)?;
        }
        while under_way > 0 {
            match self.poll.poll(&mut events, Some(GLANCE)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            let now = Instant::now();
            if now > end + PATIENCE {
                return Err(io::Error::other("the last answers did not come"));
            }
            for event in &events {
                if let Some(answered) = self.turn(event.token().0)? {
                    if now < end {
                        self.begin(answered)?;
                    } else {
                        under_way -= 1;
                    }
                }
            }
        }
        Ok(self.counted)
    }

    /// Begins to send a batch.
    fn begin(&mut self, sender: usize) -> io::Result<()> {
        (self.sockets[sender].sent, self.sockets[sender].answered) = (0, 0);
        self.awaited = self.subscribers() * self.depth;
        self.sockets[sender].send(&self.batch)
    }

    /// One turn of a socket. Returns a sender whose batch is answered.
    fn turn(&mut self, number: usize) -> io::Result<Option<usize>> {
        let is_sender = number < self.senders;
        let socket = &mut self.sockets[number];
        if is_sender {
            socket.send(&self.batch)?;
        }
        let mut messages = 0;
        loop {
            match socket.stream.read(&mut self.landing) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    let (more, pings) = socket.frames.count(&self.landing[..count]);
                    messages += more;
                    for _ in 0..pings {
                        // A pong without content, whose mask masks nothing. It fits, since little is under way.
                        socket.stream.write_all(b"\x8a\x80\0\0\0\0")?;
                    }
                    if count < self.landing.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.counted += messages as u64;
        if !is_sender {
            let awaited = self.awaited.checked_sub(messages);
            self.awaited = awaited.ok_or_else(|| io::Error::other("more messages than were sent"))?;
            return Ok((messages > 0 && self.awaited == 0).then_some(0));
        }
        socket.answered += messages;
        match socket.answered {
            answered if answered > self.depth => Err(io::Error::other("more answers than messages")),
            answered => Ok((messages > 0 && answered == self.depth).then_some(number)),
        }
    }
}

impl Socket {
    /// Sends the rest of the batch.
    fn send(&mut self, batch: &[u8]) -> io::Result<()> {
        while self.sent < batch.len() {
            match self.stream.write(&batch[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_pings_are_counted_in_any_split() {
        let content = websocket::content(70_000);
        let small = websocket::answered(true, b"hello");
        let all = [&small[..], b"\x89\x02hi", &websocket::answered(false, &content), b"\x81\x00", &small].concat();
        for size in [1, 2, 3, 7, 1000, all.len()] {
            let mut frames = Frames::default();
            let counts: Vec<_> = all.chunks(size).map(|piece| frames.count(piece)).collect();
            let sum = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
            assert_eq!(sum, (4, 1), "by {size}");
        }
    }
}
