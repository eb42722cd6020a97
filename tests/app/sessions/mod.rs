//! What the server remembers of a visitor: who can come with it, for how long, and that an answer never overtakes it.

mod lasts;
mod saves;

use crate::support::http::*;
use crate::support::websocket::handshake;
use oneloop::app::sessions::{Done, MemoryStore, Outcome, Saved, Session, SessionError, SessionOptions, Store};
use oneloop::app::sessions::{sessions, sessions_with};
use oneloop::app::{App, Trust};
use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::http::{Error, Request, Response};
use oneloop::set_timeout;
use oneloop::sim::{Peer, Reply, Sim};
use oneloop::ws;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How a [`Slow`] store answers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    /// Within the call, while it is in the middle of its work.
    AtOnce,
    After(Duration),
    Fails,
    /// Drops the question.
    Drops,
    Never,
    Panics,
}

/// A store whose moods the test chooses, and which notes what it is asked.
#[derive(Clone)]
struct Slow {
    memory: Rc<MemoryStore>,
    record: Record,
    /// The keys that it was asked for.
    keys: Rc<RefCell<BTreeSet<String>>>,
    mood: Rc<Cell<Mood>>,
    waiting: Rc<RefCell<Vec<Box<dyn std::any::Any>>>>,
    busy: Rc<RefCell<()>>,
}

impl Slow {
    fn new(mood: Mood) -> Slow {
        Slow {
            memory: Rc::new(MemoryStore::new()),
            record: Record::default(),
            keys: Rc::default(),
            mood: Rc::new(Cell::new(mood)),
            waiting: Rc::default(),
            busy: Rc::default(),
        }
    }

    fn asked<T: 'static>(
        &self,
        what: &str,
        key: &str,
        done: Done<T>,
        ask: impl FnOnce(&MemoryStore, Done<T>) + 'static,
    ) {
        self.record.add(what);
        self.keys.borrow_mut().insert(key.to_owned());
        match self.mood.get() {
            Mood::AtOnce => {
                let _work = self.busy.borrow_mut();
                ask(&self.memory, done);
            }
            Mood::After(time) => {
                let memory = self.memory.clone();
                set_timeout(time, move || ask(&memory, done));
            }
            Mood::Fails => done(Err(io::Error::other("the disk is full").into())),
            Mood::Drops => drop(done),
            Mood::Never => self.waiting.borrow_mut().push(Box::new(done)),
            Mood::Panics => panic!("a store that panics"),
        }
    }
}

impl Store for Slow {
    fn load(&self, key: &str, done: Done<Option<Saved>>) {
        let of = key.to_owned();
        self.asked("load", key, done, move |memory, done| memory.load(&of, done));
    }

    fn save(&self, key: &str, session: Saved, done: Done<Outcome>) {
        let of = key.to_owned();
        self.asked("save", key, done, move |memory, done| memory.save(&of, session, done));
    }

    fn touch(&self, key: &str, expires: SystemTime, done: Done<()>) {
        let of = key.to_owned();
        self.asked("touch", key, done, move |memory, done| memory.touch(&of, expires, done));
    }

    fn destroy(&self, key: &str, done: Done<()>) {
        let of = key.to_owned();
        self.asked("destroy", key, done, move |memory, done| memory.destroy(&of, done));
    }
}

/// Routes that do with the session what their names say.
fn fill(app: &mut App) {
    app.all("/nothing", |_req, res| res.end("nothing\n"));
    app.all("/put/:name/:value", |req, res| {
        req.session()?.insert(&req.param("name").unwrap(), req.param("value").unwrap())?;
        res.redirect("/");
        Ok(())
    });
    app.all("/read/:name", |req, res| {
        let value = req.session()?.read::<String>(&req.param("name").unwrap());
        res.end(value.unwrap_or("-".to_owned()));
        Ok(())
    });
    app.all("/remove/:name", |req, res| {
        req.session()?.remove(&req.param("name").unwrap())?;
        res.end("removed\n");
        Ok(())
    });
    app.all("/login/:user", |req, res| {
        let session = req.session()?;
        session.renew()?;
        session.insert("user", req.param("user").unwrap())?;
        res.redirect("/");
        Ok(())
    });
    app.all("/logout", |req, res| {
        req.session()?.destroy();
        res.redirect("/");
        Ok(())
    });
    app.all("/fail", |req, _res| {
        req.session()?.insert("failed", true)?;
        Err::<(), _>(Error::new(500, "it fails"))
    });
    app.all("/panic", |req: Request, _res: Response| {
        req.session().unwrap().insert("failed", true).unwrap();
        panic!("it panics")
    });
    // Answers when it is told by the test's clock.
    app.all("/slowly/:name/:value", |req, res| {
        let session = req.session()?;
        set_timeout(SECOND, move || {
            let (name, value) = (req.param("name").unwrap(), req.param("value").unwrap());
            match session.insert(&name, value) {
                Ok(()) => res.end("slowly\n"),
                Err(error) => res.fail(error),
            }
        });
        Ok(())
    });
    app.all("/stream/:name/:value", |req, res| {
        res.write("a part\n").ignore();
        let session = req.session()?;
        set_timeout(SECOND, move || match session.insert(&req.param("name").unwrap(), req.param("value").unwrap()) {
            Ok(()) => res.end("the rest\n"),
            Err(error) => res.end(format!("{error:?}\n")),
        });
        Ok(())
    });
}

fn world(store: impl Store) -> Sim {
    world_with(store, SessionOptions::new(), |_| ())
}

fn world_with(store: impl Store, options: SessionOptions, first: impl FnOnce(&mut App)) -> Sim {
    let sim = Sim::new();
    // Some of the routes and of the stores panic.
    set_panic_policy(PanicPolicy::Catch);
    let mut app = App::new();
    first(&mut app);
    app.with(sessions_with(store, options));
    fill(&mut app);
    app.listen(PORT, ()).unwrap();
    sim
}

/// The cookie that an answer gives, as a client sends it back.
fn cookie(reply: &Reply) -> String {
    let field = reply.header("Set-Cookie").expect("a cookie");
    field.split(';').next().unwrap().to_owned()
}

fn ask(sim: &Sim, path: &str, cookie: &str) -> Reply {
    sim.request("GET", path).header("Cookie", cookie).send()
}

fn text(sim: &Sim, path: &str, cookie: &str) -> String {
    ask(sim, path, cookie).text()
}

/// Sends a request, and does not wait for the answer.
fn begin(sim: &Sim, path: &str, cookie: &str) -> Peer {
    let peer = sim.connect(PORT);
    peer.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n"));
    sim.settle();
    peer
}

// ---- What costs nothing, and the cookie

#[test]
fn nothing_is_stored_and_no_cookie_is_set_until_something_is_put_in() {
    let store = Slow::new(Mood::AtOnce);
    let sim = world(store.clone());
    for path in ["/nothing", "/read/a", "/remove/a", "/logout"] {
        let reply = sim.request("GET", path).send();
        assert_eq!((reply.header("Set-Cookie"), reply.header("Cache-Control")), (None, None), "{path}");
    }
    store.record.expect(&[]);
    let reply = sim.request("GET", "/put/a/1").send();
    assert!(reply.header("Set-Cookie").is_some());
    store.record.expect(&["save"]);
    // What changes nothing is not saved.
    let cookie = cookie(&reply);
    for path in ["/read/a", "/put/a/1", "/remove/b", "/nothing"] {
        assert_eq!(ask(&sim, path, &cookie).header("Set-Cookie"), None, "{path}");
        store.record.expect(&["load"]);
    }
    ask(&sim, "/put/a/2", &cookie);
    store.record.expect(&["load", "save"]);
}

#[test]
fn the_cookie_is_one_that_scripts_other_sites_and_other_hosts_cannot_touch() {
    let sim = world_with(MemoryStore::new(), SessionOptions::new(), |app| {
        app.trust(Trust::loopback());
    });
    let attributes = |reply: &Reply| {
        let field = reply.header("Set-Cookie").unwrap();
        let (pair, attributes) = field.split_once("; ").unwrap();
        let (name, id) = pair.split_once('=').unwrap();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert_eq!(reply.header("Cache-Control"), Some("private"));
        format!("{name}; {attributes}")
    };
    assert_eq!(attributes(&sim.request("GET", "/put/a/1").send()), "sid; Path=/; HttpOnly; SameSite=Lax");
    let secure = sim.request("GET", "/put/a/1").header("X-Forwarded-Proto", "https").send();
    assert_eq!(attributes(&secure), "__Host-sid; Path=/; Secure; HttpOnly; SameSite=Lax");
    // Whoever controls a host beside this one can set `sid`, and not `__Host-sid`.
    let id = cookie(&secure).split_once('=').unwrap().1.to_owned();
    let read = |cookie: &str| {
        sim.request("GET", "/read/a").header("X-Forwarded-Proto", "https").header("Cookie", cookie).send().text()
    };
    assert_eq!([read(&format!("sid={id}")), read(&format!("__Host-sid={id}"))], ["-", "1"]);
}

#[test]
fn a_cookie_that_is_kept_lasts_as_long_as_the_session() {
    let options = SessionOptions::new().keep(true).idle(10 * MINUTE).lifetime(25 * MINUTE).name("shop");
    let sim = world_with(MemoryStore::new(), options, |_| ());
    let first = sim.request("GET", "/put/a/1").send();
    assert!(first.header("Set-Cookie").unwrap().contains("; Max-Age=600; Path=/"));
    let cookie = cookie(&first);
    assert!(cookie.starts_with("shop="));
    sim.advance(9 * MINUTE);
    let again = ask(&sim, "/read/a", &cookie);
    assert!(again.header("Set-Cookie").unwrap().starts_with(&format!("{cookie}; Max-Age=600; ")), "it begins anew");
    assert_eq!(ask(&sim, "/read/a", &cookie).header("Set-Cookie"), None, "once a minute is enough");
    sim.advance(9 * MINUTE);
    let last = ask(&sim, "/read/a", &cookie);
    let left = last.header("Set-Cookie").unwrap().split("Max-Age=").nth(1).unwrap().split(';').next().unwrap();
    assert!((415..=420).contains(&left.parse::<u64>().unwrap()), "no longer than the session: {left}");
}

#[test]
fn a_name_that_is_no_token_is_an_error() {
    let sim = world_with(MemoryStore::new(), SessionOptions::new().name("a b"), |_| ());
    assert_eq!(sim.request("GET", "/nothing").send().status(), 500);
}

/// What a client sends: no cookie, the one that it was given last, or another one.
enum Sends {
    None,
    Last,
    Text(&'static str),
}

/// What it is given: nothing, a cookie that it did not have, or the order to forget the one that it has.
#[derive(Debug, PartialEq)]
enum Given {
    None,
    New,
    Forget,
}

/// Cases of express-session's own tests, as they hold here: the path, what the client sends, what the store is asked, and what the client is
/// given. Left out: `resave` and `saveUninitialized`, which are never so; `rolling` (`keep` does it, once a minute), `unset`, `genid`; signed
/// ids, since ours cannot be guessed; `reload` and `save` in a handler, since a change is kept in any case; `cookie.path`, `domain` and
/// `httpOnly`; cookies of other parsers in front; errors of its memory.
const CASES: &[(&str, &[(&str, Sends, &[&str], Given)])] = &[
    ("should create a new session", &[("/put/a/1", Sends::None, &["save"], Given::New)]),
    (
        "should load session from cookie sid",
        &[("/put/a/1", Sends::None, &["save"], Given::New), ("/read/a", Sends::Last, &["load"], Given::None)],
    ),
    (
        "should create multiple sessions",
        &[("/put/a/1", Sends::None, &["save"], Given::New), ("/put/a/1", Sends::None, &["save"], Given::New)],
    ),
    (
        "when sid not in store: should create a new session, with a new sid",
        &[("/put/a/1", Sends::Text("sid=00112233445566778899aabbccddeeff"), &["load", "save"], Given::New)],
    ),
    (
        "when sid not properly signed: should not attempt fetch from store",
        &[("/put/a/1", Sends::Text("sid=s:00112233445566778899aabbccddeeff.x"), &["save"], Given::New)],
    ),
    ("should not be set when no session was made", &[("/read/a", Sends::None, &[], Given::None)]),
    (
        "resave, when false: should prevent save on unmodified session",
        &[("/put/a/1", Sends::None, &["save"], Given::New), ("/put/a/1", Sends::Last, &["load"], Given::None)],
    ),
    (
        "resave, when false: should still save modified session",
        &[("/put/a/1", Sends::None, &["save"], Given::New), ("/put/a/2", Sends::Last, &["load", "save"], Given::None)],
    ),
    (
        "saveUninitialized, when false: should prevent save of uninitialized session",
        &[("/nothing", Sends::None, &[], Given::None), ("/remove/a", Sends::None, &[], Given::None)],
    ),
    (
        ".destroy(): should destroy the previous session",
        &[
            ("/put/a/1", Sends::None, &["save"], Given::New),
            // It leaves the cookie, whose session is gone.
            ("/logout", Sends::Last, &["load", "destroy"], Given::Forget),
            ("/read/a", Sends::Text("sid="), &[], Given::None),
        ],
    ),
    (
        ".regenerate(): should destroy/replace the previous session",
        &[
            ("/put/a/1", Sends::None, &["save"], Given::New),
            // It begins with an empty one. Ours keeps what is in it, and asks first whether the old one is still there.
            ("/login/ada", Sends::Last, &["load", "save", "save", "destroy"], Given::New),
            ("/read/a", Sends::Last, &["load"], Given::None),
        ],
    ),
    (
        "should not change the session id of a session that was modified",
        &[("/put/a/1", Sends::None, &["save"], Given::New), ("/put/b/1", Sends::Last, &["load", "save"], Given::None)],
    ),
];

#[test]
fn the_store_is_asked_and_the_cookie_set_when_express_session_does_so() {
    for (name, steps) in CASES {
        let store = Slow::new(Mood::AtOnce);
        let sim = world(store.clone());
        let mut last = String::new();
        for (path, sends, calls, given) in *steps {
            let sent = match sends {
                Sends::None => "",
                Sends::Last => &last,
                Sends::Text(text) => text,
            };
            let reply = ask(&sim, path, sent);
            store.record.expect(calls);
            let got = match reply.header("Set-Cookie") {
                None => Given::None,
                Some(field) if field.starts_with("sid=;") => Given::Forget,
                Some(_) => Given::New,
            };
            assert_eq!(got, *given, "{name}: {path}");
            if got == Given::New {
                assert_ne!(cookie(&reply), sent, "{name}: {path}");
                last = cookie(&reply);
            }
        }
    }
}

// ---- Who comes with a session

#[test]
fn an_id_that_nobody_was_given_opens_nothing_and_is_never_taken_over() {
    let store = Slow::new(Mood::AtOnce);
    let sim = world(store.clone());
    let known = "0".repeat(32);
    for id in [&known[..], "", "1", "../../etc/passwd", &"x".repeat(4000), &"F".repeat(32), "%30", "\"0\""] {
        let given = format!("sid={id}");
        assert_eq!(text(&sim, "/read/a", &given), "-");
        let own = cookie(&ask(&sim, "/put/a/1", &given));
        assert_ne!(own, given);
        assert_eq!([text(&sim, "/read/a", &own), text(&sim, "/read/a", &given)], ["1", "-"], "{id}");
    }
    // A cookie that is unknown may be the one before a log-in of this moment, so the answer leaves the cookie alone.
    assert_eq!(ask(&sim, "/nothing", &format!("sid={known}")).header("Set-Cookie"), None);
    // The store has never seen an id.
    assert!(store.keys.borrow().iter().all(|key| key.len() == 64), "{:?}", store.keys.borrow());
}

#[test]
fn the_store_has_the_hash_of_the_id_and_not_the_id() {
    let store = Slow::new(Mood::AtOnce);
    let sim = world(store.clone());
    let id = cookie(&sim.request("GET", "/put/user/7").send()).split_once('=').unwrap().1.to_owned();
    let keys = store.keys.borrow().clone();
    assert!(keys.len() == 1 && keys.iter().all(|key| key.len() == 64 && !key.contains(&id)));
    // What was read in the database is good for nothing.
    let stolen = &keys.first().unwrap()[..32];
    assert_eq!(text(&sim, "/read/user", &format!("sid={stolen}")), "-");
    assert_eq!(text(&sim, "/read/user", &format!("sid={}", keys.first().unwrap())), "-");
}

#[test]
fn a_log_in_changes_the_id_and_the_one_before_is_good_for_nothing() {
    let store = Slow::new(Mood::AtOnce);
    let sim = world(store.clone());
    let before = cookie(&sim.request("GET", "/put/cart/plants").send());
    let login = ask(&sim, "/login/ada", &before);
    assert_eq!(login.header_all("Set-Cookie").count(), 1);
    let after = cookie(&login);
    assert_ne!(before, after);
    let both = |cookie: &str| [text(&sim, "/read/user", cookie), text(&sim, "/read/cart", cookie)];
    assert_eq!([both(&before), both(&after)], [["-", "-"], ["ada", "plants"]]);
    assert_eq!(store.memory.count(), 1, "the old one is forgotten");
    // A session that is new has a new id anyway.
    store.record.take();
    sim.request("GET", "/login/bob").send();
    store.record.expect(&["save"]);
}

#[test]
fn a_session_that_is_destroyed_is_gone_for_server_and_client_and_another_may_begin() {
    let sim = world_with(MemoryStore::new(), SessionOptions::new(), |app| {
        app.with(sessions(MemoryStore::new()));
        app.get("/switch", |req, res| {
            let session = req.session()?;
            session.destroy();
            assert_eq!(session.read::<u8>("user"), None);
            session.insert("user", 8)?;
            res.end(());
            Ok(())
        });
    });
    let first = cookie(&sim.request("GET", "/put/user/7").send());
    let logout = ask(&sim, "/logout", &first);
    assert_eq!(logout.header("Set-Cookie"), Some("sid=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"));
    assert_eq!(text(&sim, "/read/user", &first), "-");
    let first = cookie(&sim.request("GET", "/put/user/7").send());
    let second = cookie(&ask(&sim, "/switch", &first));
    assert_eq!([text(&sim, "/read/user", &first), text(&sim, "/read/user", &second)], ["-", "8"]);
}
