use super::super::request_id::RequestId;
use super::date::Clock;
use super::escape::{Line, json, quoted, word};
use crate::http::ExchangeEnd;
use crate::net::CloseReason;
use crate::proto::basic;
use std::fmt::{self, Write};
use std::time::{Duration, SystemTime};

/// How a line of the access log looks. The names and the first five forms are those of morgan, the logger of Express.
///
/// A field that the exchange does not have is `-` (`null` in JSON), and so are 0 bytes of content outside of JSON. The address
/// is the client's ([`Request::ip`](crate::http::Request::ip)), without its port: that of the connection's other end, or what a proxy
/// says that the app [trusts](crate::app::App::trust). The user is the name in the request's Basic credentials, which
/// nobody need have checked. The time is the end of the exchange, in UTC.
///
/// The peer's bytes cannot leave their field: all but visible ASCII is written as `\xhh`, quotes and backslashes get a
/// backslash, and so do the blanks of a field that has no quotes (`\x20`).
#[non_exhaustive]
pub enum Format {
    /// The combined log format of Apache and nginx, for programs that read it: `Common`, and then the fields `Referer` and
    /// `User-Agent`.
    ///
    /// `127.0.0.1 - tj [06/Nov/1994:08:49:37 +0000] "GET / HTTP/1.1" 200 2326 "http://localhost/" "curl/8.5.0"`
    Combined,
    /// The common log format of the first web servers: address, `-`, user, time, request line, status, bytes of content.
    Common,
    /// For terminals: `GET /todos 200 0.412 ms - 13`, with the status in green (2xx), cyan (3xx), yellow (4xx) or red (5xx).
    /// The reason of the close comes last if the exchange was cut.
    Dev,
    /// `127.0.0.1 tj GET /todos HTTP/1.1 200 13 - 0.412 ms`, with the reason of the close if the exchange was cut.
    Short,
    /// `GET /todos 200 13 - 0.412 ms`, with the reason of the close if the exchange was cut.
    Tiny,
    /// One object of JSON a line, with all that is known: `time` (RFC 3339, milliseconds), `addr`, `user`, `method`, `url`,
    /// [`route`](crate::http::Request::route), `version`, `status`, `bytes`, `ms`, `reason` (a word of [`CloseReason`]),
    /// `referrer`, `user_agent`, `id` (see [`request_id`](crate::app::request_id)). Fields may be added.
    Json,
    /// Another form: see [`Format::custom`].
    Custom(CustomFormat),
}

/// A form of the program's own: see [`Format::custom`].
pub struct CustomFormat(Box<dyn FnMut(&ExchangeEnd<'_>, &mut dyn Write) -> fmt::Result>);

impl Format {
    /// A form of the program's own: `write` is called once for each exchange, when it is over, and writes the line. If it writes
    /// nothing, or returns an error, there is no line for this exchange. Line breaks and other control characters, of whatever
    /// is written, become `\u{…}`.
    ///
    /// ```
    /// use oneloop::app::{AccessLog, Format};
    /// # let sim = oneloop::sim::Sim::new();
    /// # let (told, lines) = std::sync::mpsc::channel();
    ///
    /// let server = oneloop::http::create_server(|_req, res| res.end("hi"));
    /// let format = Format::custom(|end, line| write!(line, "{} from {:?}", end.request.path(), end.request.host()));
    /// AccessLog::new(format).to_callback(move |line| told.send(line.to_owned()).unwrap()).attach(&server);
    /// # server.listen(80, ()).unwrap();
    /// # sim.request("GET", "/todos").send();
    /// # assert_eq!(lines.recv().unwrap(), "/todos from Some(\"localhost\")");
    /// ```
    pub fn custom(write: impl FnMut(&ExchangeEnd<'_>, &mut dyn Write) -> fmt::Result + 'static) -> Format {
        Format::Custom(CustomFormat(Box::new(write)))
    }

    /// Writes the line of an exchange, without its end. Writes nothing if there is to be no line.
    pub(super) fn write(&mut self, out: &mut String, end: &ExchangeEnd<'_>, clock: &mut Clock, wall: SystemTime) {
        match self {
            Format::Combined => {
                clock.set(wall);
                common(out, end, clock);
                out.push_str(" \"");
                quoted(out, end.request.header_bytes("referer").unwrap_or_default());
                out.push_str("\" \"");
                quoted(out, end.request.header_bytes("user-agent").unwrap_or_default());
                out.push('"');
            }
            Format::Common => {
                clock.set(wall);
                common(out, end, clock);
            }
            Format::Dev => dev(out, end),
            Format::Short => {
                address(out, end);
                out.push(' ');
                word(out, &user(end));
                out.push(' ');
                request_line(out, end);
                // Writing to a String cannot fail, here and below.
                let _ = write!(out, " {} {} - {} ms{}", status(end), bytes(end), Millis(end.duration), cut(end));
            }
            Format::Tiny => {
                request(out, end);
                let _ = write!(out, " {} {} - {} ms{}", status(end), bytes(end), Millis(end.duration), cut(end));
            }
            Format::Json => {
                clock.set(wall);
                object(out, end, clock);
            }
            Format::Custom(CustomFormat(write)) => {
                if write(end, &mut Line(out)).is_err() {
                    out.clear();
                }
            }
        }
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Combined => "Combined",
            Format::Common => "Common",
            Format::Dev => "Dev",
            Format::Short => "Short",
            Format::Tiny => "Tiny",
            Format::Json => "Json",
            Format::Custom(_) => "Custom",
        })
    }
}

fn common(out: &mut String, end: &ExchangeEnd<'_>, clock: &Clock) {
    address(out, end);
    out.push_str(" - ");
    word(out, &user(end));
    let _ = write!(out, " [{}] \"", clock.clf());
    request_line(out, end);
    let _ = write!(out, "\" {} {}", status(end), bytes(end));
}

fn dev(out: &mut String, end: &ExchangeEnd<'_>) {
    let colour = match end.status {
        Some(500..) => 31,
        Some(400..) => 33,
        Some(300..) => 36,
        Some(200..) => 32,
        _ => 0,
    };
    out.push_str("\x1b[0m");
    request(out, end);
    let (status, bytes, ms) = (status(end), bytes(end), Millis(end.duration));
    let _ = write!(out, " \x1b[{colour}m{status}\x1b[0m {ms} ms - {bytes}{}\x1b[0m", cut(end));
}

fn object(out: &mut String, end: &ExchangeEnd<'_>, clock: &Clock) {
    let _ = write!(out, "{{\"time\":\"{}.{:03}Z\",\"addr\":\"", clock.iso(), clock.millis());
    address(out, end);
    out.push_str("\",\"user\":");
    json_or_null(out, credentials(end).as_deref());
    out.push_str(",\"method\":");
    json(out, end.request.method().as_bytes());
    out.push_str(",\"url\":");
    json(out, end.request.url().as_bytes());
    out.push_str(",\"route\":");
    json_or_null(out, end.request.route().as_deref().map(str::as_bytes));
    let _ = write!(out, ",\"version\":\"{}\",\"status\":", end.request.version());
    match end.status {
        Some(status) => drop(write!(out, "{status}")),
        None => out.push_str("null"),
    }
    let (bytes, ms, reason) = (end.bytes, Millis(end.duration), end.reason);
    let _ = write!(out, ",\"bytes\":{bytes},\"ms\":{ms},\"reason\":\"{reason}\",\"referrer\":");
    json_or_null(out, end.request.header_bytes("referer"));
    out.push_str(",\"user_agent\":");
    json_or_null(out, end.request.header_bytes("user-agent"));
    out.push_str(",\"id\":");
    json_or_null(out, end.request.find::<RequestId>().as_deref().map(|id| id.as_str().as_bytes()));
    out.push('}');
}

fn json_or_null(out: &mut String, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => json(out, bytes),
        None => out.push_str("null"),
    }
}

fn address(out: &mut String, end: &ExchangeEnd<'_>) {
    match end.request.client_behind(&end.remote_addr) {
        Some(ip) => drop(write!(out, "{ip}")),
        // As nginx writes the clients of a Unix socket, nearly all of which have no path.
        None => out.push_str("unix:"),
    }
}

fn request(out: &mut String, end: &ExchangeEnd<'_>) {
    word(out, end.request.method().as_bytes());
    out.push(' ');
    word(out, end.request.url().as_bytes());
}

fn request_line(out: &mut String, end: &ExchangeEnd<'_>) {
    request(out, end);
    let _ = write!(out, " {}", end.request.version());
}

/// The user in the request's Basic credentials.
fn credentials(end: &ExchangeEnd<'_>) -> Option<Vec<u8>> {
    basic::user(end.request.header_bytes("authorization")?).filter(|user| !user.is_empty())
}

fn user(end: &ExchangeEnd<'_>) -> Vec<u8> {
    credentials(end).unwrap_or_default()
}

fn status(end: &ExchangeEnd<'_>) -> OrDash {
    OrDash(end.status.map(u64::from))
}

fn bytes(end: &ExchangeEnd<'_>) -> OrDash {
    OrDash(Some(end.bytes).filter(|bytes| *bytes > 0))
}

/// A blank and the reason of the close, if the exchange was cut.
fn cut(end: &ExchangeEnd<'_>) -> Cut {
    Cut(end.reason)
}

struct OrDash(Option<u64>);

impl fmt::Display for OrDash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str("-"),
        }
    }
}

/// Milliseconds with three decimals.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{:03}", micros / 1_000, micros % 1_000)
    }
}

struct Cut(CloseReason);

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            CloseReason::Finished => Ok(()),
            reason => write!(f, " {reason}"),
        }
    }
}
