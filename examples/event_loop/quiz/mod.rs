//! The quiz: small programs whose order is to be guessed. Each really runs on this loop, and what is shown is what came.

mod programs;

use super::{json, site};
use oneloop::event_loop::{Phase, mark_turn_as_own, recording, recording_part};
use oneloop::http::Response;
use oneloop::{now, set_timeout};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A program: what it is about, what it says in the order in which it will, and why.
pub struct Program {
    name: &'static str,
    title: &'static str,
    run: fn(Say),
    lines: &'static [(&'static str, &'static str)],
}

/// The source that is shown is the one that runs.
const SOURCE: &str = include_str!("programs.rs");
/// Until the iteration of the last line has ended and is recorded.
const SETTLE: Duration = Duration::from_millis(20);
/// A program that has not said everything by then has a mistake.
const LONGEST: Duration = Duration::from_secs(3);

/// Where a program says its lines.
#[derive(Clone)]
pub struct Say(Rc<Said>);

struct Said {
    program: &'static Program,
    /// Where this program's own server listens.
    server: SocketAddr,
    /// When its callback began, and in which iteration.
    began: Instant,
    first: u64,
    lines: RefCell<Vec<Line>>,
    over: Cell<bool>,
    answer: RefCell<Option<Response>>,
}

/// One that was said.
struct Line {
    text: &'static str,
    /// When its turn began: the loop's clock stands still within a callback.
    turn: Duration,
    /// Since the program's callback began.
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
        // Of a full recording a copy takes milliseconds: no more than this program's iterations are wanted.
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

/// All programs, with their sources and their lines in no telling order.
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

/// The body of a program's function, without its indentation.
fn source(name: &str) -> String {
    let function = name.replace('-', "_");
    let start = format!("fn {function}(");
    let after = SOURCE.split_once(&start).map_or("", |(_, after)| after);
    let body = after.split_once("{\n").map_or("", |(_, body)| body);
    let body = body.split_once("\n}\n").map_or(body, |(body, _)| body);
    body.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Runs one in the callback of this request, and answers when it has said all its lines.
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
