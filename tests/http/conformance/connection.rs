//! Persistence: the Connection field, versions, pipelining (RFC 9112, 9; RFC 9110, 7.6.1).

use super::runner::{replay_in_memory, replay_over_a_socket};
use super::table::{Row, get_with, must, must_not, ours, post_with, should};

pub fn rows() -> Vec<Row> {
    let http10 = |says, fields: &str| must("9112 9.3", says, format!("GET /a HTTP/1.0\r\n{fields}\r\n"));
    let closing =
        |says, value: &str| must("9112 9.6", says, get_with(&format!("Connection: {value}"))).sees_last("GET /a @h");
    let going_on = |says, value: &str| {
        should("9112 9.3", says, get_with(&format!("Connection: {value}"))).sees("GET /a @h").without("Connection")
    };
    vec![
        should("9112 9.3", "HTTP/1.1 goes on", get_with("A: b")).sees("GET /a @h {A: b}").without("Connection"),
        must("9112 9.3.2", "pipelined requests are answered in order", get_with("A: b")).sees("GET /a @h {A: b}"),
        closing("close ends it, and nothing behind it is processed", "close"),
        closing("options have no case", "CLOSE"),
        closing("one of a list", "foo, close"),
        closing("with blanks and empty elements", " ,\tclose\t,,"),
        closing("it wins over keep-alive", "keep-alive, close"),
        closing("in whatever order", "close, keep-alive"),
        must("9112 9.6", "in a line of its own", get_with("Connection: foo\r\nConnection: close"))
            .sees_last("GET /a @h"),
        must("9112 9.6", "also with content", post_with("Connection: close\r\nContent-Length: 2", "ab"))
            .sees_last("POST /a @h \"ab\""),
        must("9112 9.6", "also with chunks", post_with("Connection: close\r\nTransfer-Encoding: chunked", "0\r\n\r\n"))
            .sees_last("POST /a @h"),
        must_not(
            "9112 9.6",
            "what follows is not processed, be it ever so bad",
            get_with("Connection: close\r\n\r\n\0\0"),
        )
        .sees_last("GET /a @h"),
        going_on("keep-alive changes nothing in HTTP/1.1", "keep-alive"),
        going_on("nor do other options", "foo"),
        going_on("a name that only begins like it", "closed"),
        going_on("close in quotes is not close", "\"close\""),
        going_on("two words are not close", "close now"),
        going_on("an empty one", ""),
        must("9110 7.6.1", "Keep-Alive is a field like others", get_with("Keep-Alive: timeout=1, max=0"))
            .sees("GET /a @h {Keep-Alive: timeout=1, max=0}"),
        ours("9112 9.6", "Proxy-Connection is none of ours", get_with("Proxy-Connection: close"))
            .sees("GET /a @h {Proxy-Connection: close}"),
        http10("HTTP/1.0 ends", "").sees_last("GET /a 1.0"),
        http10("HTTP/1.0 goes on where it asks for that", "Connection: keep-alive\r\n")
            .sees("GET /a 1.0")
            .with("Connection", "keep-alive"),
        http10("whatever its case", "Connection: foo, Keep-ALIVE\r\n")
            .sees("GET /a 1.0")
            .with("Connection", "keep-alive"),
        http10("and ends where it asks for both", "Connection: keep-alive, close\r\n").sees_last("GET /a 1.0"),
        http10("and where it asks for neither", "Connection: foo\r\n").sees_last("GET /a 1.0"),
        should("9112 9.6", "what we end says so", "GET /last HTTP/1.1\r\nHost: h\r\n\r\n").sees_last("GET /last @h"),
        must_not("9112 6.1", "HTTP/1.0 gets content of unknown length until the close", b"GET /parts HTTP/1.0\r\n\r\n")
            .sees_last("GET /parts 1.0")
            .without("Transfer-Encoding")
            .without("Content-Length")
            .content("seen"),
        must("9112 6.3", "whatever it asked for", b"GET /parts HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            .sees_last("GET /parts 1.0")
            .content("seen"),
    ]
}

#[test]
fn holds_in_memory_however_the_bytes_are_split() {
    replay_in_memory(&rows());
}

#[test]
fn holds_over_a_real_socket() {
    replay_over_a_socket(&rows());
}
