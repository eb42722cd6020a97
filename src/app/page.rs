//! The pages for errors that no error handler answers.

use crate::http::{Error, Exchange};
use crate::proto::h1::reason;
use crate::proto::media_type::MediaType;
use crate::proto::negotiation::{best, media_type};
use std::rc::Rc;

/// The type of a problem (RFC 9457, section 3).
const PROBLEM: &str = "application/problem+json";

/// Answers with an error: as a problem (RFC 9457), as HTML or as plain text, whichever the client asks for. If the error is the
/// server's (5xx), the client gets only the status.
#[cold]
pub(super) fn answer(exchange: &Rc<Exchange>, error: &Error) {
    let status = error.status();
    let phrase = reason(status);
    let text = if status < 500 { error.text() } else { "" };
    let fields: Vec<&str> = exchange.head().fields().get_all("accept").collect();
    let (content_type, page) = match form(fields.iter().copied()) {
        Form::Problem => (PROBLEM, problem(status, phrase, text)),
        Form::Html => ("text/html; charset=utf-8", html(status, phrase, text)),
        Form::Text if text.is_empty() => ("text/plain; charset=utf-8", format!("{status} {phrase}\n")),
        Form::Text => ("text/plain; charset=utf-8", format!("{text}\n")),
    };
    for (name, value) in [("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", "default-src 'none'")] {
        let mut head = exchange.outgoing().head().borrow_mut();
        if !head.has(name) {
            let _ = head.set(name, value);
        }
    }
    exchange.answer_with(status, content_type, page);
}

#[derive(Debug, PartialEq, Eq)]
enum Form {
    Text,
    Html,
    Problem,
}

/// The form of the page that the client wants most. A client that wants all forms equally, such as `curl`, gets text.
fn form<'f>(accept: impl Iterator<Item = &'f str> + Clone) -> Form {
    let wanted = |offer: &str| media_type(accept.clone(), &MediaType::read(offer)?);
    match best(&["text/plain", "text/html", PROBLEM, "application/json"], wanted) {
        Some("text/html") => Form::Html,
        Some("application/json" | PROBLEM) => Form::Problem,
        _ => Form::Text,
    }
}

fn html(status: u16, phrase: &str, text: &str) -> String {
    let mut page = format!("<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<title>{status} {phrase}</title>\n");
    page.push_str(&format!("<h1>{phrase}</h1>\n"));
    if !text.is_empty() {
        page.push_str("<p>");
        page.push_str(&escaped(text));
        page.push('\n');
    }
    page
}

/// A problem with the fields `title`, `status` and `detail` of RFC 9457, section 3.1.
fn problem(status: u16, phrase: &str, text: &str) -> String {
    let mut page = format!("{{\"title\":\"{phrase}\",\"status\":{status}");
    if !text.is_empty() {
        page.push_str(",\"detail\":\"");
        for letter in text.chars() {
            match letter {
                '"' | '\\' => page.extend(['\\', letter]),
                '\u{0}'..='\u{1f}' => page.push_str(&format!("\\u{:04x}", u32::from(letter))),
                letter => page.push(letter),
            }
        }
        page.push('"');
    }
    page.push_str("}\n");
    page
}

/// A text as HTML shows it, in an element or in an attribute in quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}
