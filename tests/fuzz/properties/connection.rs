//! A whole connection, in a simulated world: every request is answered, in order, or the connection is closed; the outcome
//! is the same in any split, and nothing is left over.
//!
//! The input: four bytes for what handlers do, how the connection ends, the cuts, and the roughness of the network; then
//! what the peer sends.

use super::choices::{Choices, cuts};
use super::client::{self, Response};
use super::latin1::characters;
use super::message::{self, Ending, Framed, Message};
use oneloop::event_loop::metrics;
use oneloop::http::{self, Request, Response as Answer};
use oneloop::net::CloseReason;
use oneloop::set_timeout;
use oneloop::sim::{Network, Sim};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const PORT: u16 = 80;
const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Beyond so many bytes, one at a time takes too long for a fuzzer.
const BYTEWISE: usize = 300;
/// By then every deadline has passed.
const LONG: Duration = Duration::from_secs(1_000);
/// More than a socket takes at once.
const LARGE: usize = 100_000;

pub fn holds(bytes: &[u8]) {
    let (mut choices, wire) = Choices::split(bytes, 4);
    let handlers = Handlers(choices.byte());
    let ending = choices.byte();
    let ends = cuts(choices.byte(), wire.len());
    let rough = choices.byte();

    let finishes = ending & 1 == 0;
    let framed = message::frame(wire);
    let whole = run(handlers, finishes, wire, &framed, &[], &Roughness::default());
    check(&whole, &framed, handlers, true);
    // Answers come in between: some handlers take 5 ms.
    let slowly = Roughness { pause: 3 * MS, ..Roughness::default() };
    if ending & 2 != 0 && wire.len() <= BYTEWISE {
        let bytewise = run(handlers, finishes, wire, &framed, &Vec::from_iter(0..wire.len()), &slowly);
        assert_eq!(bytewise, whole, "a byte at a time");
    } else {
        let pieces = run(handlers, finishes, wire, &framed, &ends, &slowly);
        assert_eq!(pieces, whole, "in pieces that end at {ends:?}");
    }
    if rough != 0 {
        let roughness = Roughness::new(rough, ending);
        let outcome = run(handlers, finishes, wire, &framed, &ends, &roughness);
        check(&outcome, &framed, handlers, roughness.pause < 5 * SECOND);
    }
}

/// What the network does, and how long the peer waits between its pieces.
#[derive(Default)]
struct Roughness {
    seed: u64,
    network: Network,
    pause: Duration,
}

impl Roughness {
    fn new(choice: u8, ending: u8) -> Roughness {
        let bit = |at: u8| choice >> at & 1 == 1;
        let network = Network {
            latency: Duration::ZERO..=u32::from(choice & 3) * 5 * MS,
            splits: bit(2),
            partial_writes: bit(3),
            read_splits: bit(4),
            buffer: if bit(5) { 200 } else { 65_536 },
        };
        let pause = [Duration::ZERO, 3 * MS, 7 * SECOND, 40 * SECOND][usize::from(choice >> 6)];
        Roughness { seed: u64::from(ending), network, pause }
    }
}

// ---- The server

/// What the handler of each request does, by its number.
#[derive(Clone, Copy)]
struct Handlers(u8);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    ReadsThenAnswers,
    ReadsSlowly,
    ReadsThenWaits,
    AnswersThenReads,
    AnswersInPieces,
    AnswersLater,
    AnswersAtOnce,
    AnswersLarge,
    Forgets,
}

impl Handlers {
    fn of(self, number: usize) -> Does {
        use Does::*;
        // From 128 on only such as take the body.
        let readers = [ReadsThenAnswers, ReadsSlowly, AnswersThenReads, ReadsThenWaits];
        let others = [AnswersInPieces, AnswersLater, AnswersAtOnce, AnswersLarge, Forgets];
        let at = usize::from(self.0 & 127).wrapping_mul(number * 2 + 1).wrapping_add(number);
        match at % (readers.len() + others.len()) {
            other if other >= readers.len() && !self.all_read() => others[other - readers.len()],
            reader => readers[reader % readers.len()],
        }
    }

    fn all_read(self) -> bool {
        self.0 & 128 != 0
    }
}

/// A request that was dispatched.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    message: Message,
    closed: Vec<CloseReason>,
}

type Log = Rc<RefCell<Vec<Seen>>>;

fn handle(handlers: Handlers, log: &Log, req: &Request, res: Answer) {
    let number = log.borrow().len();
    let message = Message { method: req.method().to_owned(), target: req.url().to_owned(), ..Message::default() };
    log.borrow_mut().push(Seen { message, closed: Vec::new() });
    let closed = log.clone();
    req.on_close(move |_, reason| closed.borrow_mut()[number].closed.push(reason));
    res.set_header("X-Number", number);
    let text = format!("answer {number}");
    let read = |slowly: bool| {
        let (data, end) = (log.clone(), log.clone());
        req.on_data(move |req, bytes| {
            assert!(!bytes.is_empty());
            data.borrow_mut()[number].message.content.extend_from_slice(bytes);
            if slowly {
                req.pause();
                let req = req.clone();
                set_timeout(MS, move || req.resume());
            }
        });
        req.on_end(move |req| {
            let message = &mut end.borrow_mut()[number].message;
            assert!(!message.whole, "it ends twice");
            message.trailers =
                req.trailers_bytes().into_iter().map(|(name, value)| (name, characters(&value))).collect();
            message.whole = true;
        });
    };
    match handlers.of(number) {
        does @ (Does::ReadsThenAnswers | Does::ReadsSlowly) => {
            read(does == Does::ReadsSlowly);
            req.on_end(move |_| res.end(&text));
        }
        Does::ReadsThenWaits => {
            read(false);
            let later = Cell::new(Some((res, text)));
            req.on_end(move |_| {
                if let Some((res, text)) = later.take() {
                    set_timeout(5 * MS, move || res.end(text));
                }
            });
        }
        Does::AnswersThenReads => {
            read(false);
            res.end(text);
        }
        Does::AnswersInPieces => {
            res.write("answer ").ignore();
            set_timeout(5 * MS, move || res.end(number.to_string()));
        }
        Does::AnswersLater => drop(set_timeout(5 * MS, move || res.end(text))),
        Does::AnswersAtOnce => res.end(text),
        Does::AnswersLarge => res.end(text + &"x".repeat(LARGE)),
        Does::Forgets => drop(res),
    }
}

// ---- A run

#[derive(Debug, PartialEq)]
struct Outcome {
    seen: Vec<Seen>,
    /// Final and informational responses that came whole, but for their dates.
    responses: Vec<Response>,
    rest: usize,
    /// The peer's last was no FIN.
    reset: bool,
    closes: Vec<(&'static str, u64)>,
}

fn run(handlers: Handlers, finishes: bool, wire: &[u8], framed: &Framed, ends: &[usize], rough: &Roughness) -> Outcome {
    let sim = Sim::with_seed(rough.seed);
    sim.set_network(rough.network.clone());
    let log = Log::default();
    let (requests, expectations, opened) = (log.clone(), log.clone(), Rc::new(Cell::new(0)));
    let server = http::create_server(move |req: Request, res: Answer| handle(handlers, &requests, &req, res));
    server.on_check_expectation(move |req, res| handle(handlers, &expectations, &req, res));
    let count = opened.clone();
    server.on_connection(move |_| count.set(count.get() + 1));
    server.listen(PORT, || ()).unwrap();
    let peer = sim.connect(PORT);
    let mut at = 0;
    for &end in ends {
        peer.write(&wire[at..end]);
        at = end;
        sim.advance(rough.pause);
    }
    peer.write(&wire[at..]);
    if finishes {
        peer.finish();
    }
    sim.advance(LONG);

    let received = peer.received();
    let methods: Vec<_> = log.borrow().iter().map(|seen| seen.message.method.clone()).collect();
    let begins_as_head = |bytes: &[u8]| bytes.strip_prefix(b"\r\n").unwrap_or(bytes).starts_with(b"HEAD ");
    let is_head = |number: usize| match (methods.get(number), framed.messages.get(number)) {
        (Some(method), _) => Some(method == "HEAD"),
        // A refusal has no content if so much of the request had come that it shows.
        (None, Some(message)) if message.method != "HEAD" => Some(false),
        (None, None) if !begins_as_head(message::unframed(wire)) => Some(false),
        (None, _) => None,
    };
    let (mut responses, rest) = client::read(&received, is_head).unwrap();
    for response in &mut responses {
        response.fields.retain(|(name, _)| name != "Date");
    }
    assert!(peer.is_closed(), "a connection stayed open");
    let metrics = metrics();
    assert_eq!((server.connections(), metrics.connections, metrics.buffered), (0, 0, 0));
    assert!(server.open_exchanges().is_empty());
    assert_eq!(metrics.closes.iter().map(|(_, count)| count).sum::<u64>(), opened.get());
    let seen = log.borrow().clone();
    Outcome { seen, responses, rest: rest.len(), reset: peer.was_reset(), closes: metrics.closes }
}

// ---- What holds

/// `calm`: no deadline passed before the peer had said all.
fn check(outcome: &Outcome, framed: &Framed, handlers: Handlers, calm: bool) {
    let Outcome { seen, responses, reset, .. } = outcome;
    // CONNECT is for nobody here, and the last.
    let expected = framed.messages.iter().take_while(|message| message.method != "CONNECT");
    let expected: Vec<_> = expected.collect();
    assert!(seen.len() <= expected.len(), "{} requests of {}", seen.len(), expected.len());
    for (number, (seen, expected)) in seen.iter().zip(&expected).enumerate() {
        assert_eq!((&seen.message.method, &seen.message.target), (&expected.method, &expected.target));
        assert_eq!(seen.closed.len(), 1, "request {number} was closed {:?}", seen.closed);
        if seen.message.whole {
            assert_eq!(seen.message, **expected);
        } else {
            assert!(expected.content.starts_with(&seen.message.content), "content of request {number}");
        }
    }
    let answers: Vec<_> = responses.iter().filter(|response| response.is_final()).collect();
    assert!(answers.len() <= seen.len() + 1, "{} answers to {} requests", answers.len(), seen.len());
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer.closes(), number + 1 == answers.len() && answer.closes(), "an answer behind a close");
        let own = answer.field("X-Number").map(|text| text.parse() == Ok(number));
        match answer.status {
            200 => {
                assert_eq!(own, Some(true), "answer {number}");
                let text = format!("answer {number}");
                let whole = answer.content.starts_with(text.as_bytes());
                // To the end of the connection, and cut: HTTP/1.0 has no other way to tell.
                let endless = answer.field("Content-Length").or(answer.field("Transfer-Encoding")).is_none();
                let cut = endless
                    && *reset
                    && seen[number].closed != [CloseReason::Finished]
                    && text.as_bytes().starts_with(&answer.content);
                assert!(whole || cut || seen[number].message.method == "HEAD");
            }
            500 => assert!(number < seen.len() && handlers.of(number) == Does::Forgets),
            status => assert!((400..=505).contains(&status) && own.is_none() && answer.closes(), "{answer:?}"),
        }
    }
    if calm && handlers.all_read() {
        assert_eq!(seen.len(), expected.len(), "every request is dispatched");
        // An expectation is not met by reading: the body may never come.
        let whole = expected.iter().filter(|message| message.whole).count();
        assert!(answers.len() >= whole, "{} good answers of {whole}: {outcome:#?}", answers.len());
        let good = answers.iter().take(whole).all(|answer| answer.status == 200);
        assert!(good, "a good answer is not lost for what follows");
        if framed.ending == Ending::Refused && expected.len() == framed.messages.len() {
            let last = expected.last().filter(|message| !message.whole);
            let answered_before = last.is_some() && handlers.of(expected.len() - 1) == Does::AnswersThenReads;
            assert!(answered_before || answers.last().is_some_and(|answer| answer.status >= 400), "{outcome:#?}");
        }
    }
}
