//! The quiz: small programs whose order of callbacks is to be guessed. Each really runs on this loop, and the page shows
//! the order that it had.

mod programs;

use super::{json, site};
use oneloop::event_loop::{Phase, mark_turn_as_own, recording, recording_part};
use oneloop::http::Response;
use oneloop::{now, set_timeout};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A program: its subject, its lines in the order in which it will print them, and the explanation.
pub struct Program {
    name: &'static str,
    title: &'static str,
    run: fn(Say),
    lines: &'static [(&'static str, &'static str)],
}

/// The page shows the very source that runs.
const SOURCE: &str = include_str!("programs.rs");
/// How long to wait until the iteration of the last line has ended and is recorded.
const SETTLE: Duration = Duration::from_millis(20);
/// A program that has not printed everything after this time has a mistake.
const LONGEST: Duration = Duration::from_secs(3);

/// Takes the lines of a program.
#[derive(Clone)]
pub struct Say(Rc<Said>);

struct Said {
    program: &'static Program,
    /// The address of this program's own server.
    server: SocketAddr,
    /// When the program's callback began, and in which iteration.
    began: Instant,
    first: u64,
    lines: RefCell<Vec<Line>>,
    over: Cell<bool>,
    answer: RefCell<Option<Response>>,
}

/// A line that was printed.
struct Line {
    text: &'static str,
    /// When the turn began in which it was printed: the loop's clock stands still within a callback.
    turn: Duration,
    /// The time since the program's callback began.
    after: Duration,
}

impl Say {
    pub fn now(&self, text: &'static str) {
        let lines = &mut *self.0.lines.borrow_mut();
        lines.push(Line { text, turn: now(), after: self.0.began.elapsed() });
        if lines.len() == self.0.program.lines.len() && !self.0.over.replace(true) {
            let say = self.clone();
            set_timeout(SETTLE, move || say.answer());
        }
    }

    pub fn later(&self, text: &'static str) -> impl FnOnce() + 'static {
        let say = self.clone();
        move || say.now(text)
    }

    pub fn server(&self) -> SocketAddr {
        self.0.server
    }

    fn answer(&self) {
        mark_turn_as_own();
        if let Some(res) = self.0.answer.take() {
            site::json(&res, self.to_json());
        }
    }

    fn to_json(&self) -> String {
        let lines = self.0.lines.borrow();
        // Only this program's iterations are copied, since copying a full recording takes milliseconds.
        let first = self.0.first;
        let iterations = recording(first).map(|recording| recording.iterations).unwrap_or_default();
        let found = |at: Duration| {
            let of = |turns: &[oneloop::event_loop::TurnRecord]| {
                turns.iter().find(|turn| turn.began == at).map(|turn| turn.phase)
            };
            iterations.iter().rev().find_map(|iteration| Some((iteration.serial, of(&iteration.turns)?)))
        };
        json::list(lines.iter().map(|Line { text, turn, after }| {
            let (serial, phase) = found(*turn).unwrap_or((first, Phase::Poll));
            let why = self.0.program.lines.iter().find(|(line, _)| line == text).map_or("", |(_, why)| why);
            format!(
                "{{\"line\":{},\"phase\":\"{phase}\",\"iteration\":{},\"after\":{},\"why\":{}}}",
                json::quoted(text),
                serial.saturating_sub(first),
                after.as_micros(),
                json::quoted(why)
            )
        }))
    }
}

/// Lists all programs, with their sources and with their lines in an order that tells nothing.
pub fn list() -> String {
    json::list(programs::ALL.iter().map(|program| {
        let mut lines: Vec<&str> = program.lines.iter().map(|(line, _)| *line).collect();
        lines.sort_unstable();
        format!(
            "{{\"name\":{},\"title\":{},\"source\":{},\"lines\":{}}}",
            json::quoted(program.name),
            json::quoted(program.title),
            json::quoted(&source(program.name)),
            json::list(lines.into_iter().map(json::quoted))
        )
    }))
}

/// The body of a program's function, with its indentation removed.
fn source(name: &str) -> String {
    let function = name.replace('-', "_");
    let start = format!("fn {function}(");
    let after = SOURCE.split_once(&start).map_or("", |(_, after)| after);
    let body = after.split_once("{\n").map_or("", |(_, body)| body);
    let body = body.split_once("\n}\n").map_or(body, |(body, _)| body);
    body.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Runs a program in the callback of this request, and answers when it has printed all its lines.
pub fn run(name: &str, server: SocketAddr, res: Response) {
    let Some(program) = programs::ALL.iter().find(|program| program.name == name) else {
        res.set_status(404).end("There is no such program.\n");
        return;
    };
    res.set_timeout(LONGEST, |res| {
        res.set_status(500);
        res.end("The program did not say all its lines.\n");
    });
    let said = Said {
        program,
        server,
        began: Instant::now(),
        first: recording_part(u64::MAX, 0).map_or(0, |recording| recording.next),
        lines: RefCell::default(),
        over: Cell::new(false),
        answer: RefCell::new(Some(res)),
    };
    (program.run)(Say(Rc::new(said)));
}
