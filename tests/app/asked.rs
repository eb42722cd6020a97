//! Asks something of a request that has come through a server, and hands back what it says.

use oneloop::http::{self, Request};
use oneloop::sim::Sim;
use std::cell::Cell;
use std::rc::Rc;

/// What `question` says of a GET with these fields.
pub fn asked<R: 'static>(fields: &[(&str, &str)], question: impl FnOnce(&Request) -> R + 'static) -> R {
    let sim = Sim::new();
    let answer = Rc::new(Cell::new(None));
    let (question, told) = (Cell::new(Some(question)), answer.clone());
    let server = http::create_server(move |req, res| {
        told.set(question.take().map(|question| question(&req)));
        res.end(())
    });
    server.listen(80, ()).unwrap();
    let request = fields.iter().fold(sim.request("GET", "/"), |request, (name, value)| request.header(name, value));
    request.send().expect(200);
    answer.take().expect("the request was not asked")
}

#[test]
fn a_bearer_token_is_what_rfc_6750_calls_one() {
    let bearer = |values: &[&str]| {
        let fields: Vec<_> = values.iter().map(|value| ("Authorization", *value)).collect();
        asked(&fields, |req| req.bearer().map(str::to_owned))
    };
    for (value, token) in [
        ("Bearer mF_9.B5f-4.1JqM", Some("mF_9.B5f-4.1JqM")),
        ("bearer  a~b+/==", Some("a~b+/==")),
        ("Bearer", None),
        ("Bearer ==", None),
        ("Bearer a b", None),
        ("Bearer a=b", None),
        ("Bearer \"a\"", None),
        ("Bearer\ta", None),
        ("BearerX a", None),
        ("Basic YTpi", None),
    ] {
        assert_eq!(bearer(&[value]).as_deref(), token, "{value:?}");
    }
    assert_eq!(bearer(&[]), None);
    assert_eq!(bearer(&["Bearer a", "Bearer b"]), None, "which of the two?");
}

/// A second value counts whatever it is: what is in front may have read that one.
#[test]
fn a_second_value_that_is_no_text_is_not_passed_over() {
    let sim = Sim::new();
    let server = http::create_server(|req, res| res.end(format!("{:?}", req.bearer())));
    server.listen(80, ()).unwrap();
    for (lines, token) in [("a", "Some(\"a\")"), ("a\r\nAuthorization: Bearer \u{fc}", "None")] {
        let peer = sim.connect(80);
        let latin = lines.chars().map(|char| char as u8).collect::<Vec<_>>();
        peer.write(
            [b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ", &latin[..], b"\r\n\r\n"]
                .concat(),
        );
        sim.settle();
        assert!(peer.text().ends_with(token), "{lines:?} {}", peer.text());
    }
}
