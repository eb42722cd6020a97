//! Our own generator: one thread on mio, as a closed loop. Every connection has one batch under way. When the last answer
//! of a batch has come, the next batch is sent. The status and length of every answer are checked.

use super::{GRACE, Load, TIMEOUT};
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};
use oneloop_benches::child::{self, Launch};
use oneloop_benches::traffic::{self, Case};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The role of the generator's process.
pub const GENERATE: &str = "generate";

/// With this many errors the figures mean nothing, and the run ends early.
const MOST_ERRORS: u64 = 10_000;
/// How often the end of the run is checked while no event comes.
const GLANCE: Duration = Duration::from_millis(50);

pub fn run(case: &Case, port: u16, seconds: u64, wrapper: &[String]) -> io::Result<Load> {
    let launch = Launch::own(GENERATE)?.arg(case.name).arg(port.to_string()).arg(seconds.to_string()).under(wrapper);
    let said = child::run(&launch, Duration::from_secs(seconds + GRACE))?;
    parse(&said).ok_or_else(|| io::Error::other(format!("said {said:?}")))
}

fn parse(said: &str) -> Option<Load> {
    let mut words = said.split_ascii_whitespace().map(|word| word.parse::<f64>().ok());
    let mut next = || words.next().flatten();
    Some(Load { requests: next()? as u64, seconds: next()?, errors: next()? as u64, p50: next()?, p99: next()? })
}

/// The main function of the generator's process, with the arguments CASE PORT SECONDS.
pub fn main(args: &[String]) -> ExitCode {
    child::end_with_parent();
    let load = (|| {
        let [case, port, seconds] = args else { return Err(io::Error::other("wants CASE PORT SECONDS")) };
        let case = Case::named(case).ok_or_else(|| io::Error::other("no such case"))?;
        let port = port.parse().map_err(io::Error::other)?;
        generate(&case, port, Duration::from_secs(seconds.parse().map_err(io::Error::other)?))
    })();
    match load {
        Ok(Load { requests, seconds, errors, p50, p99 }) => {
            println!("{requests} {seconds} {errors} {p50} {p99}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

struct Connection {
    stream: TcpStream,
    /// How many bytes of the batch have been sent.
    sent: usize,
    /// How many answers to the batch have come.
    answered: usize,
    /// The bytes after the last whole answer.
    unread: Vec<u8>,
    begun: Instant,
}

impl Connection {
    fn open(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<Connection> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Connection { stream, sent: 0, answered: 0, unread: Vec::new(), begun: Instant::now() })
    }

    /// Sends the rest of the batch.
    fn send(&mut self, batch: &[u8]) -> io::Result<()> {
        while self.sent < batch.len() {
            match self.stream.write(&batch[self.sent..]) {
                Ok(n) => self.sent += n,
                // A connection that is not made yet is no error: the writable event comes when it is.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes whole answers from what has been read. Returns how many there were.
    fn take_answers(&mut self) -> io::Result<u64> {
        let (mut at, mut count) = (0, 0);
        while let Some(answer) = traffic::answer(&self.unread[at..])? {
            if answer.status != 200 {
                return Err(io::Error::other(format!("status {}", answer.status)));
            }
            at += answer.length;
            count += 1;
        }
        self.unread.drain(..at);
        Ok(count)
    }
}

struct Run {
    batch: Vec<u8>,
    depth: usize,
    requests: u64,
    latencies: Histogram<u64>,
    landing: Vec<u8>,
}

impl Run {
    /// One turn of a connection: read to the end, count, and send the next batch when this one is answered.
    fn turn(&mut self, connection: &mut Connection) -> io::Result<()> {
        connection.send(&self.batch)?;
        loop {
            match connection.stream.read(&mut self.landing) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    connection.unread.extend_from_slice(&self.landing[..n]);
                    self.count(connection)?;
                    if n < self.landing.len() {
                        return Ok(());
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn count(&mut self, connection: &mut Connection) -> io::Result<()> {
        let answers = connection.take_answers()?;
        self.requests += answers;
        connection.answered += answers as usize;
        if connection.answered > self.depth {
            return Err(io::Error::other("more answers than requests"));
        }
        if connection.answered == self.depth {
            let now = Instant::now();
            self.latencies.saturating_record(now.duration_since(connection.begun).as_micros() as u64);
            (connection.sent, connection.answered, connection.begun) = (0, 0, now);
            connection.send(&self.batch)?;
        }
        Ok(())
    }
}

fn generate(case: &Case, port: u16, duration: Duration) -> io::Result<Load> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut connections = Vec::new();
    for key in 0..case.connections {
        connections.push(Connection::open(address, poll.registry(), Token(key))?);
    }
    let mut run = Run {
        batch: case.batch(port),
        depth: case.depth,
        requests: 0,
        // Up to a minute in microseconds, to three digits.
        latencies: Histogram::new_with_bounds(1, 60_000_000, 3).map_err(io::Error::other)?,
        landing: vec![0; 64 * 1024],
    };
    let mut errors = 0;
    let begun = Instant::now();
    while begun.elapsed() < duration && errors < MOST_ERRORS {
        match poll.poll(&mut events, Some(GLANCE)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            let key = event.token().0;
            if run.turn(&mut connections[key]).is_err() {
                errors += 1;
                connections[key] = Connection::open(address, poll.registry(), Token(key))?;
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let timeout = Duration::from_secs(TIMEOUT);
    errors += connections.iter().filter(|connection| connection.begun.elapsed() > timeout).count() as u64;
    let latency = |share| run.latencies.value_at_quantile(share) as f64;
    Ok(Load { requests: run.requests, seconds, errors, p50: latency(0.50), p99: latency(0.99) })
}
