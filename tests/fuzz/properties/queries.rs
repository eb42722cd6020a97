//! Forms and queries: pairs are what the standard's reader says, a type is made of them or refuses them, and no text for a client
//! has anything of them.
//!
//! The input: a form.

use form_urlencoded::parse;
use oneloop::app::{Form, form};
use oneloop::http;
use oneloop::sim::{Reply, Sim};
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Longer forms have too many fields, which is said elsewhere.
const LONGEST: usize = 1_000;

type Groups = BTreeMap<String, Vec<String>>;

#[derive(Debug, PartialEq, Deserialize)]
struct Typed {
    a: u8,
    b: Option<i16>,
    #[serde(default)]
    c: Vec<bool>,
}

pub fn holds(bytes: &[u8]) {
    let sent = &bytes[..bytes.len().min(LONGEST)];
    let pairs: Vec<(String, String)> = parse(sent).into_owned().collect();
    let mut groups = Groups::new();
    pairs.iter().for_each(|(name, value)| groups.entry(name.clone()).or_default().push(value.clone()));

    let (read, reply) = post::<Form>(sent);
    assert_eq!(reply.status(), 200);
    let read = read.expect("any bytes are a form");
    assert!(read.pairs().eq(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))));
    assert_eq!(post::<Vec<(String, String)>>(sent).0.as_ref(), Some(&pairs));
    assert_eq!(post::<Groups>(sent).0.as_ref(), Some(&groups));
    let (read, reply) = post::<Typed>(sent);
    assert_eq!(read, typed(&groups), "{pairs:?}");
    if read.is_none() {
        let known = ["form: `a`: ", "form: `b`: ", "form: `c`: "];
        let text = reply.text();
        assert!(reply.status() == 422 && known.iter().any(|known| text.starts_with(known)), "{text}");
        let said = text.get(known[0].len()..).unwrap_or_default();
        let words = ["it is missing", "one value, not several, is expected", "true or false is expected"];
        let numbers = ["a whole number from 0 to 255 is expected", "a whole number from -32768 to 32767 is expected"];
        assert!(
            words.iter().chain(&numbers).any(|words| said.trim_end() == *words),
            "{text} has something of {pairs:?}"
        );
    }
}

/// What [`Typed`] says in other words.
fn typed(groups: &Groups) -> Option<Typed> {
    let of = |name: &str| groups.get(name).map(Vec::as_slice).unwrap_or_default();
    let [a] = of("a") else { return None };
    let b = match of("b") {
        [] => None,
        [empty] if empty.is_empty() => None,
        [number] => Some(number.parse().ok()?),
        _ => return None,
    };
    let truth = |text: &String| match text.as_str() {
        "true" | "on" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    Some(Typed { a: a.parse().ok()?, b, c: of("c").iter().map(truth).collect::<Option<_>>()? })
}

/// What a handler gets of a form, and what the client is answered.
fn post<T: oneloop::app::FromForm + 'static>(body: &[u8]) -> (Option<T>, Reply) {
    let (sim, got) = (Sim::new(), Rc::new(RefCell::new(None)));
    let put = got.clone();
    let server = http::create_server(form(move |_, res, value: T| {
        *put.borrow_mut() = Some(value);
        res.end(());
    }));
    server.listen(80, ()).expect("a world has each port");
    let post = sim.request("POST", "/").header("Content-Type", "application/x-www-form-urlencoded");
    let reply = post.body(body).send();
    (got.take(), reply)
}
