//! Sessions: what the server remembers of a visitor from one request to the next (feature `sessions`).
//!
//! ```text
//!   request ─ cookie: id ─► SHA-256: key ─► Store::load ─► Session ─► the steps behind, and the handler
//!   answer  ─ end ── waits for Store::save, and tries again with both changes if another request was faster ─► leaves
//! ```
//! The id is 128 random bits. Nobody can find it out by trying, so it needs no signature; a store has its SHA-256 alone. Over HTTPS the
//! cookie is `__Host-sid=…; Path=/; Secure; HttpOnly; SameSite=Lax`, which no other host can set, else `sid=…; Path=/; HttpOnly;
//! SameSite=Lax`. An id that the store does not know, has expired or was made up by the client opens no session, and is never taken
//! over.
//!
//! | what | how much | then |
//! |---|--:|---|
//! | values of a session | 4 KiB | [`SessionError::TooLarge`] |
//! | sessions of a [`MemoryStore`] | 10,000 | those that nobody has used for longest go |
//! | time without a request | 1 day: [`SessionOptions::idle`] | it has expired |
//! | time since its beginning | 30 days: [`SessionOptions::lifetime`] | it has expired |
//! | time in which the store answers | 5 s: [`SessionOptions::patience`] | 503 |

mod asking;
mod data;
mod error;
mod id;
#[cfg(feature = "json")]
mod json;
mod memory;
mod options;
mod saving;
mod session;
mod store;

pub use error::SessionError;
pub use memory::MemoryStore;
pub use options::SessionOptions;
pub use session::Session;
pub use store::{Done, Outcome, Saved, Store};

use super::next::Next;
use crate::http::{Request, Response, Result};
use crate::notice;
use asking::ask;
use id::Id;
use options::Rules;
use saving::{Keeping, unavailable, watch};
use std::panic::Location;
use std::rc::Rc;
use std::time::SystemTime;

/// Makes a middleware that gives the steps behind it the visitor's session: [`Request::session`]. What is in the session is loaded from
/// the store before the next step runs, if the client has sent the cookie of a session. If the store fails, the request goes to the error
/// handlers, with 503.
///
/// For requests that a step before this middleware answers, such as files that are the same for all, the store is not called.
///
/// ```
/// # let sim = oneloop::sim::Sim::new();
/// use oneloop::app::App;
/// use oneloop::app::sessions::{MemoryStore, sessions};
/// use oneloop::http::Error;
///
/// let mut app = App::new();
/// app.with(sessions(MemoryStore::new()));
/// app.post("/login", |req, res| {
///     let session = req.session()?;
///     session.renew()?;
///     session.insert("user", 7)?;
///     res.redirect("/");
///     Ok(())
/// });
/// app.get("/", |req, res| {
///     let user: u64 = req.session()?.read("user").ok_or(Error::new(401, "log in first"))?;
///     res.end(format!("you are user {user}\n"));
///     Ok(())
/// });
/// # app.listen(80, ())?;
/// assert_eq!(sim.request("GET", "/").send().status(), 401);
/// let login = sim.request("POST", "/login").send();
/// let cookie = login.header("Set-Cookie").unwrap().split(';').next().unwrap();
/// assert_eq!(sim.request("GET", "/").header("Cookie", cookie).send().text(), "you are user 7\n");
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn sessions(store: impl Store) -> impl FnMut(Request, Response, Next) -> Result + 'static {
    sessions_with(store, SessionOptions::new())
}

/// The same as [`sessions`](sessions()), with other lifetimes, or another cookie.
///
/// ```
/// use oneloop::app::App;
/// use oneloop::app::sessions::{MemoryStore, SessionOptions, sessions_with};
/// use std::time::Duration;
///
/// let mut app = App::new();
/// let options = SessionOptions::new().idle(Duration::from_secs(20 * 60));
/// app.with_at("/bank", sessions_with(MemoryStore::new(), options));
/// ```
#[track_caller]
pub fn sessions_with(
    store: impl Store,
    options: SessionOptions,
) -> impl FnMut(Request, Response, Next) -> Result + 'static {
    let rules = Rc::new(Rules { store: Box::new(store), options, site: Location::caller() });
    move |req, _res, next| {
        if req.find::<Session>().is_some() {
            next.run();
            return Ok(());
        }
        rules.options.check()?;
        let session = Session::new(req.clone(), rules.clone(), watch);
        req.add_stage(Rc::new(Keeping(session.clone())));
        req.put(session.clone());
        match session.asked_for() {
            Some(id) => load(session, id, next),
            None => next.run(),
        }
        Ok(())
    }
}

/// Loads a session, and goes on.
fn load(session: Session, id: Id, next: Next) {
    let (rules, key) = (session.rules().clone(), id.key());
    ask(
        rules.options.patience,
        |done| rules.store.load(&key, done),
        move |saved| match saved {
            Ok(saved) => {
                if let Some(expires) = saved.and_then(|saved| session.open(id, saved)) {
                    touch(&session, expires);
                }
                next.run();
            }
            Err(error) => next.fail(unavailable(error)),
        },
    );
}

/// Tells the store that the session lasts longer now. The answer does not wait for the store.
fn touch(session: &Session, expires: SystemTime) {
    let session = session.clone();
    let exchange = session.request().0.clone();
    // The store may be in the middle of the call in which it has answered.
    exchange.call_soon(session.rules().site, move |_| {
        let (rules, Some(key)) = (session.rules(), session.key()) else { return };
        ask(
            rules.options.patience,
            |done| rules.store.touch(&key, expires, done),
            |result| {
                if let Err(error) = result {
                    notice::warn!(target: "oneloop::app", "a session expires too early: {error}");
                }
            },
        );
    });
}

impl Request {
    /// The session of the visitor who has sent this request. It may be empty: see [`Session`].
    ///
    /// # Errors
    /// If the middleware [`sessions`](sessions()) has not run for this request: a 500.
    ///
    /// ```
    /// # use oneloop::app::{App, sessions::{MemoryStore, sessions}};
    /// let mut app = App::new();
    /// app.with(sessions(MemoryStore::new()));
    /// app.get("/", |req, res| {
    ///     let user: Option<u64> = req.session()?.read("user");
    ///     res.end(format!("{user:?}\n"));
    ///     Ok(())
    /// });
    /// ```
    pub fn session(&self) -> Result<Session> {
        self.need::<Session>().map(|session| Session::clone(&session))
    }
}
