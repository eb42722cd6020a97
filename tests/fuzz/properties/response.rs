//! Responses by any calls of a handler: what goes over the wire is read by a strict client as exactly one response, with
//! what was meant and nothing else, and the next request of the connection gets its own.
//!
//! The input: a byte for the request, then calls with their arguments.

use super::choices::Choices;
use super::client::{self, Response, is_token};
use super::latin1::{bytes, characters};
use oneloop::http::{self, Request, Response as Answer};
use oneloop::sim::Sim;
use oneloop::{next_tick, set_timeout};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const PORT: u16 = 80;
/// More calls than these find nothing new.
const CALLS: usize = 24;
/// Fields that the library adds, leaves out or counts by itself.
const OURS: [&str; 4] = ["connection", "content-length", "date", "transfer-encoding"];

pub fn holds(bytes: &[u8]) {
    let (mut choices, calls) = Choices::split(bytes, 1);
    let asked = Asked::new(choices.byte());
    let calls = Rc::new(read_calls(calls));
    let sim = Sim::new();
    let (program, meant) = (calls.clone(), Rc::new(RefCell::new(None)));
    let intention = meant.clone();
    let server = http::create_server(move |req: Request, res: Answer| {
        if req.url() == "/next" {
            return res.end("next");
        }
        let meaning = Meaning::new(asked);
        perform(program.clone(), 0, res, meaning, intention.clone());
    });
    server.listen(PORT, || ()).unwrap();
    let peer = sim.connect(PORT);
    peer.write(asked.wire());
    sim.advance(Duration::from_secs(1));
    peer.finish();
    sim.advance(Duration::from_secs(100));
    let meaning: Meaning = meant.borrow_mut().take().expect("the program was performed");
    let received = peer.received();
    check(&received, peer.was_reset(), &meaning).unwrap_or_else(|what| {
        panic!("{what}\ncalls: {calls:#?}\nmeant: {meaning:#?}\nreceived: {}", received.escape_ascii())
    });
}

// ---- The request

#[derive(Clone, Copy, Debug)]
struct Asked {
    head: bool,
    http10: bool,
    keep_alive: bool,
}

impl Asked {
    fn new(choice: u8) -> Asked {
        Asked { head: choice & 3 == 1, http10: choice & 12 == 4, keep_alive: choice & 16 == 0 }
    }

    fn wire(self) -> String {
        let method = if self.head { "HEAD" } else { "GET" };
        let (version, connection) = match (self.http10, self.keep_alive) {
            (false, true) => ("1.1", ""),
            (false, false) => ("1.1", "Connection: close\r\n"),
            (true, true) => ("1.0", "Connection: keep-alive\r\n"),
            (true, false) => ("1.0", ""),
        };
        format!("{method} / HTTP/{version}\r\nHost: a\r\n{connection}\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    }
}

// ---- The calls

type FieldList = Vec<(String, String)>;

#[derive(Clone, Debug)]
enum Call {
    Status(u16),
    Reason(String),
    Set(String, String),
    Try(String, String),
    Append(String, String),
    Remove(String),
    WriteHead(u16, FieldList),
    Inform(u16, FieldList),
    Trailers(FieldList),
    Flush,
    Write(Vec<u8>),
    End(Vec<u8>),
    /// The rest is called from a tick, or from a timer.
    Tick,
    Timer,
    Destroy,
}

fn read_calls(bytes: &[u8]) -> Vec<Call> {
    let mut choices = Choices::new(bytes);
    let mut calls = Vec::new();
    while !choices.is_empty() && calls.len() < CALLS {
        calls.push(match choices.below(20) {
            0 => Call::Status(status(&mut choices)),
            1 => Call::Reason(choices.text()),
            2 | 3 => Call::Set(name(&mut choices), choices.characters()),
            4 => Call::Try(name(&mut choices), choices.characters()),
            5 => Call::Append(name(&mut choices), choices.characters()),
            6 => Call::Remove(name(&mut choices)),
            7 => Call::WriteHead(status(&mut choices), fields(&mut choices)),
            8 => Call::Inform(status(&mut choices), fields(&mut choices)),
            9 => Call::Trailers(fields(&mut choices)),
            10 => Call::Flush,
            11..=13 => Call::Write(choices.bytes().to_vec()),
            14 => Call::Write(vec![b'w'; 300 * usize::from(choices.byte())]),
            15 | 16 => Call::End(choices.bytes().to_vec()),
            17 => Call::Tick,
            18 => Call::Timer,
            _ if choices.byte() > 250 => Call::Destroy,
            // A length that suits what is written, now and then.
            _ => Call::Set("Content-Length".into(), choices.below(16).to_string()),
        });
    }
    calls
}

fn status(choices: &mut Choices) -> u16 {
    match choices.byte() {
        byte @ 0..128 => [200, 204, 304, 404, 500, 100, 101, 103, 205, 206, 302, 999][usize::from(byte) % 12],
        byte => u16::from(byte - 128) * 9,
    }
}

fn name(choices: &mut Choices) -> String {
    let known =
        ["Content-Length", "Transfer-Encoding", "Connection", "Date", "Set-Cookie", "x-a", "X-A", "content-length"];
    match choices.byte() {
        byte @ 0..64 => known[usize::from(byte) % known.len()].to_owned(),
        _ => choices.text(),
    }
}

fn fields(choices: &mut Choices) -> FieldList {
    (0..choices.below(3)).map(|_| (name(choices), choices.text())).collect()
}

fn perform(calls: Rc<Vec<Call>>, from: usize, res: Answer, mut meaning: Meaning, into: Rc<RefCell<Option<Meaning>>>) {
    for (at, call) in calls.iter().enumerate().skip(from) {
        meaning.call(call);
        match call {
            Call::Status(status) => drop(res.set_status(*status)),
            Call::Reason(reason) => drop(res.set_status_message(reason)),
            Call::Set(name, value) => drop(res.set_header(name, bytes(value))),
            Call::Try(name, value) => drop(res.try_set_header(name, bytes(value))),
            Call::Append(name, value) => drop(res.append_header(name, bytes(value))),
            Call::Remove(name) => drop(res.remove_header(name)),
            Call::WriteHead(status, fields) => drop(res.write_head(*status, &lent(fields))),
            Call::Inform(status, fields) => res.write_informational(*status, &lent(fields)),
            Call::Trailers(fields) => drop(res.add_trailers(&lent(fields))),
            Call::Flush => res.flush_headers(),
            Call::Write(bytes) => res.write(bytes).ignore(),
            Call::End(bytes) => res.end(bytes),
            Call::Tick => {
                return next_tick(move || perform(calls, at + 1, res, meaning, into));
            }
            Call::Timer => {
                set_timeout(Duration::from_millis(1), move || perform(calls, at + 1, res, meaning, into));
                return;
            }
            Call::Destroy => res.destroy(),
        }
        assert!(!meaning.ended || meaning.cut || res.is_ended(), "it has ended");
    }
    drop(res);
    meaning.dropped();
    *into.borrow_mut() = Some(meaning);
}

fn lent(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

// ---- What they mean

/// The same calls on the simplest model of a response.
#[derive(Clone, Debug)]
struct Meaning {
    asked: Asked,
    status: u16,
    reason: String,
    fields: FieldList,
    informed: Vec<(u16, FieldList)>,
    trailers: FieldList,
    content: Vec<u8>,
    /// The head is not to be changed: fixed, or gone.
    fixed: bool,
    sent: bool,
    ended: bool,
    given_up: bool,
    /// Content-Length or Transfer-Encoding were set when the head went: the content may contradict them.
    framed: bool,
    /// The connection was closed by the handler: what it had sent may be lost.
    cut: bool,
    /// And the response had not ended.
    half: bool,
}

impl Meaning {
    fn new(asked: Asked) -> Meaning {
        Meaning {
            asked,
            status: 200,
            reason: String::new(),
            fields: Vec::new(),
            informed: Vec::new(),
            trailers: Vec::new(),
            content: Vec::new(),
            fixed: false,
            sent: false,
            ended: false,
            given_up: false,
            framed: false,
            cut: false,
            half: false,
        }
    }

    fn call(&mut self, call: &Call) {
        if matches!(call, Call::Destroy) {
            self.half |= !self.ended;
            self.cut = true;
            self.ended = true;
        }
        if self.ended {
            return;
        }
        let open = !self.fixed && !self.sent;
        match call {
            Call::Status(status) if open => self.set_status(*status),
            Call::Reason(reason) if open => match is_value(reason) && reason.is_ascii() {
                true => self.reason = reason.clone(),
                false => self.give_up(),
            },
            Call::Set(name, value) if open => self.set(name, value, true),
            Call::Try(name, value) if open => self.set(name, value, false),
            Call::Append(name, value) if open => {
                let once = ["content-length", "transfer-encoding"].iter().any(|other| other.eq_ignore_ascii_case(name));
                match is_field(name, value) && !(once && self.has(name)) {
                    true => self.fields.push((name.clone(), trimmed(value))),
                    false => self.give_up(),
                }
            }
            Call::Remove(name) if open => self.remove(name),
            Call::WriteHead(status, fields) => {
                if open {
                    self.set_status(*status);
                    for (name, value) in fields {
                        if !self.ended {
                            self.set(name, &characters(value.as_bytes()), true);
                        }
                    }
                }
                self.fixed = true;
            }
            Call::Inform(status, fields) if !self.sent && !self.asked.http10 => {
                let possible =
                    matches!(status, 100 | 102..=199) && fields.iter().all(|(n, v)| is_token(n) && is_value(v));
                if possible {
                    self.informed.push((*status, fields.iter().map(sent_text).collect()));
                }
            }
            Call::Trailers(fields) => {
                let good = fields.iter().filter(|(name, value)| is_token(name) && is_value(value));
                self.trailers.extend(good.map(sent_text));
            }
            Call::Flush => self.send_head(),
            Call::Write(bytes) => {
                self.send_head();
                self.content.extend_from_slice(bytes);
            }
            Call::End(bytes) => {
                self.send_head();
                self.content.extend_from_slice(bytes);
                self.ended = true;
            }
            _ => {}
        }
    }

    fn send_head(&mut self) {
        if !self.sent {
            self.sent = true;
            self.framed = self.has("content-length") || self.has("transfer-encoding");
        }
    }

    fn dropped(&mut self) {
        if !self.ended {
            match self.sent {
                true => (self.cut, self.half) = (true, true),
                false => self.give_up(),
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    }

    fn remove(&mut self, name: &str) {
        self.fields.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    }

    fn set_status(&mut self, status: u16) {
        match status {
            200..=999 => self.status = status,
            _ => self.give_up(),
        }
    }

    fn set(&mut self, name: &str, value: &str, or_give_up: bool) {
        if is_field(name, value) {
            self.remove(name);
            self.fields.push((name.to_owned(), trimmed(value)));
        } else if or_give_up {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.given_up = true;
        self.ended = true;
    }

    /// The Content-Length that was set.
    fn declared(&self) -> Option<u64> {
        let mut set = self.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        set.next().and_then(|(_, value)| value.parse().ok())
    }

    /// The content is not as long as was said: what is too much is not sent, and the connection is closed.
    fn is_mismatched(&self) -> bool {
        self.has_content() && self.declared().is_some_and(|length| length != self.content.len() as u64)
    }

    fn has_content(&self) -> bool {
        !self.asked.head && !matches!(self.status, 204 | 205 | 304)
    }
}

fn trimmed(value: &str) -> String {
    value.trim_matches([' ', '\t']).to_owned()
}

/// A field that is given as text is sent as UTF-8.
fn sent_text((name, value): &(String, String)) -> (String, String) {
    (name.clone(), characters(trimmed(value).as_bytes()))
}

fn is_value(value: &str) -> bool {
    value.bytes().all(|byte| byte == b'\t' || !byte.is_ascii_control())
}

fn is_field(name: &str, value: &str) -> bool {
    let plain = is_token(name) && is_value(value);
    match name.to_ascii_lowercase().as_str() {
        "content-length" => {
            let value = trimmed(value);
            plain && value.bytes().all(|byte| byte.is_ascii_digit()) && value.parse::<u64>().is_ok()
        }
        "connection" | "date" => plain && value.is_ascii(),
        "transfer-encoding" => plain && trimmed(value).eq_ignore_ascii_case("chunked"),
        _ => plain,
    }
}

// ---- What the client sees

fn check(received: &[u8], reset: bool, meaning: &Meaning) -> Result<(), String> {
    let expect = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    let (all, rest) = client::read(received, |number| Some(number == 0 && meaning.asked.head))?;
    let before = all.iter().take_while(|response| !response.is_final()).count();
    let (informed, finals) = all.split_at(before);
    expect(finals.iter().all(Response::is_final), "informational responses are for the first request only")?;
    let mut meant = meaning.informed.iter();
    for response in informed {
        let is_meant = meant.any(|(status, fields)| *status == response.status && *fields == response.fields);
        expect(is_meant, "an informational response that nobody sent, or not in this order")?;
    }
    let Some(first) = finals.first() else {
        return expect(meaning.cut || meaning.framed, "no response, and no reason for that");
    };
    let refused = meaning.given_up || (meaning.framed && first.status == 500 && is_ours(first));
    match refused {
        true => expect(is_ours(first) && first.status == 500, "a program that fails is answered 500")?,
        false => check_meant(first, reset, meaning, rest)?,
    }
    let broken = meaning.cut || !refused && meaning.is_mismatched();
    let goes_on = !first.closes() && !broken && rest.is_empty() && !first.until_close;
    if goes_on {
        expect(finals.len() == 2, "the next request has no answer")?;
        expect(finals[1].status == 200 && finals[1].content == b"next", "the next request has a wrong answer")?;
    } else if !meaning.cut {
        expect(finals.len() == 1, "a response behind a close")?;
    }
    let may_go_on = meaning.asked.keep_alive;
    expect(may_go_on || first.closes() || !rest.is_empty(), "a peer that closes is told so")
}

/// The answer where the handler has none.
fn is_ours(response: &Response) -> bool {
    let fields = response.fields.iter().filter(|(name, _)| !is_framing(name));
    let fields: Vec<_> = fields.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields == [("Content-Type", "text/plain; charset=utf-8")] && response.reason == "Internal Server Error"
}

fn is_framing(name: &str) -> bool {
    OURS.iter().any(|other| other.eq_ignore_ascii_case(name))
}

fn check_meant(response: &Response, reset: bool, meaning: &Meaning, rest: &[u8]) -> Result<(), String> {
    let expect = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    expect(response.status == meaning.status, "another status")?;
    expect(meaning.reason.is_empty() || response.reason == meaning.reason, "another reason phrase")?;
    let others =
        |fields: &FieldList| -> FieldList { fields.iter().filter(|(name, _)| !is_framing(name)).cloned().collect() };
    expect(others(&response.fields) == others(&meaning.fields), "other fields")?;
    let count = |name: &str| response.all(name).count();
    let dates = meaning.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("date")).count();
    expect(count("Date") == dates.max(1), "a Date, or those that were set")?;
    for value in response.all("connection") {
        let is_set = meaning.fields.iter().any(|(name, set)| name.eq_ignore_ascii_case("connection") && set == value);
        expect(is_set || ["close", "keep-alive"].contains(&value), "a Connection field that nobody set")?;
    }
    expect(!meaning.asked.http10 || count("Transfer-Encoding") == 0 || meaning.asked.head, "a coding in HTTP/1.0")?;
    let fits = meaning.declared().map_or(usize::MAX, |length| length as usize).min(meaning.content.len());
    let content = if meaning.has_content() { &meaning.content[..fits] } else { &[] };
    let whole = response.content == content;
    if response.until_close {
        expect(response.closes() || meaning.asked.http10, "only the close ends it")?;
        expect(whole || meaning.cut && content.starts_with(&response.content), "other content")?;
        expect(reset || whole && !meaning.half, "a response that broke off looks whole")?;
    } else {
        expect(whole, "other content")?;
        expect(!meaning.half || !meaning.has_content() || meaning.framed, "half a response looks whole")?;
    }
    if let Some(length) = response.field("content-length") {
        let set =
            meaning.fields.iter().any(|(name, value)| name.eq_ignore_ascii_case("content-length") && value == length);
        expect(set || length.parse() == Ok(content.len()) || meaning.asked.head, "another length")?;
    }
    let mut trailers = meaning.trailers.iter();
    expect(response.trailers.iter().all(|sent| trailers.any(|set| set == sent)), "a trailer that nobody set")?;
    expect(rest.is_empty() || meaning.cut || meaning.framed, "something behind a whole response")
}
