use super::data::{Change, Data};
use super::error::SessionError;
use super::id::Id;
use super::options::Rules;
use super::store::Saved;
use crate::app::cookie::Cookie;
use crate::event_loop::current;
use crate::http::Request;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// Each request of a visitor puts off the expiry of the session. The store is told (`touch`) only when the expiry that it knows is this
/// much too early: so a visitor who asks for a hundred pages a minute costs one call.
const TOUCHED_EVERY: Duration = Duration::from_secs(60);

/// What the server remembers of a visitor from one request to the next: texts by name. It is a cheap handle: clones are the same session.
/// [`Request::session`] returns it, behind the middleware [`sessions`](super::sessions()).
///
/// A session has no id, no cookie and no place in the store until a value is put into it.
///
/// Changes are saved before the end of the answer is sent. So a client that has got the whole answer (a redirect, for example)
/// finds the changes when it comes back. If the store fails, the answer is 503 in place of the handler's, or the connection is
/// cut if its head has been sent.
///
/// Requests of one visitor may run at the same time. Changes are saved for each name separately: a request that changes `cart`
/// does not undo a change of `user` by another request; if both change `cart`, the one that ends last wins. A session that one of
/// them destroys stays destroyed.
#[derive(Clone)]
pub struct Session(Rc<Inner>);

struct Inner {
    request: Request,
    /// Whether the request has come by HTTPS.
    secure: bool,
    rules: Rc<Rules>,
    /// Sees to it that the session is saved. Called after each change.
    watch: fn(&Session),
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// `None` until something is put into the session.
    id: Option<Id>,
    /// The version in the store: 0 if it is not there.
    version: u64,
    data: Option<Data>,
    /// What this request has changed, for the case that another one has done so too.
    changes: Vec<Change>,
    /// Whether there are changes that the store does not have yet.
    is_changed: bool,
    /// The session as the store had it when the request came.
    stored: Option<Saved>,
    /// The key that the session had in the store before it was renewed, until the store has confirmed that it is still there.
    renewed: Option<String>,
    /// The keys of sessions that have ended.
    ended: Vec<String>,
    cookie: Tell,
    /// Whether it is saved if the exchange breaks off.
    is_watched: bool,
    /// Whether a call of the store is being made for this session.
    is_saving: bool,
    /// Whether the program has ended the answer: from then on the session does not change any more.
    is_over: bool,
}

/// The change of the cookie that the client has to be told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tell {
    #[default]
    Nothing,
    Keep,
    Forget,
}

impl Session {
    /// Puts a value into the session, as a text, in place of another one with this name. The first one makes the session: it gets
    /// an id, and the answer a cookie.
    ///
    /// # Errors
    /// If the session would have more than 4 KiB; if the answer has ended; and if the session is new and the head of the answer has been
    /// sent, so that no cookie can go with it.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # use oneloop::app::{App, sessions::{MemoryStore, sessions}};
    /// # let mut app = App::new();
    /// # app.with(sessions(MemoryStore::new()));
    /// app.post("/language/:code", |req, res| {
    ///     req.session()?.insert("language", req.param("code").unwrap_or_default())?;
    ///     res.redirect("/");
    ///     Ok(())
    /// });
    /// # app.listen(80, ())?;
    /// # assert!(sim.request("POST", "/language/fr").send().header("Set-Cookie").is_some());
    /// # std::io::Result::Ok(())
    /// ```
    pub fn insert(&self, name: &str, value: impl ToString) -> Result<(), SessionError> {
        self.change((name.to_owned(), Some(value.to_string())))
    }

    /// The value with this name, read as a `T`. `None` if there is none, or if it is no `T`.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # use oneloop::app::{App, sessions::{MemoryStore, sessions}};
    /// # let mut app = App::new();
    /// # app.with(sessions(MemoryStore::new()));
    /// app.get("/", |req, res| {
    ///     let session = req.session()?;
    ///     let visits = session.read("visits").unwrap_or(0) + 1;
    ///     session.insert("visits", visits)?;
    ///     res.end(format!("you are here for the {visits}. time\n"));
    ///     Ok(())
    /// });
    /// # app.listen(80, ())?;
    /// # let first = sim.request("GET", "/").send();
    /// # let cookie = first.header("Set-Cookie").unwrap().split(';').next().unwrap();
    /// # assert_eq!(sim.request("GET", "/").header("Cookie", cookie).send().text(), "you are here for the 2. time\n");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn read<T: FromStr>(&self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        text.parse().ok()
    }

    /// The same as [`read`](Session::read), and removes the value: for messages that are to be shown once, on the next page.
    ///
    /// # Errors
    /// If the answer has ended.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// # use oneloop::app::{App, sessions::{MemoryStore, sessions}};
    /// # let mut app = App::new();
    /// # app.with(sessions(MemoryStore::new()));
    /// app.post("/todos", |req, res| {
    ///     req.session()?.insert("flash", "The todo is added.")?;
    ///     res.redirect("/todos");
    ///     Ok(())
    /// });
    /// app.get("/todos", |req, res| {
    ///     let flash: Option<String> = req.session()?.take("flash")?;
    ///     res.end(flash.unwrap_or_default());
    ///     Ok(())
    /// });
    /// # app.listen(80, ())?;
    /// # let first = sim.request("POST", "/todos").send();
    /// # let cookie = first.header("Set-Cookie").unwrap().split(';').next().unwrap();
    /// # let ask = || sim.request("GET", "/todos").header("Cookie", cookie).send().text();
    /// # assert_eq!([ask(), ask()], ["The todo is added.", ""]);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn take<T: FromStr>(&self, name: &str) -> Result<Option<T>, SessionError> {
        let value = self.read(name);
        self.remove(name)?;
        Ok(value)
    }

    /// Removes a value, if there is one.
    ///
    /// # Errors
    /// If there is one, and the answer has ended.
    ///
    /// ```
    /// # use oneloop::app::App;
    /// # let mut app = App::new();
    /// app.post("/cart/empty", |req, res| {
    ///     req.session()?.remove("cart")?;
    ///     res.redirect("/cart");
    ///     Ok(())
    /// });
    /// ```
    pub fn remove(&self, name: &str) -> Result<(), SessionError> {
        match self.text(name) {
            Some(_) => self.change((name.to_owned(), None)),
            None => Ok(()),
        }
    }

    /// Gives the session another id, and keeps its values. Call it whenever a visitor logs in. Else an attacker who has made
    /// the visitor's browser send an id that the attacker knows (*session fixation*) would be logged in as that visitor. The old
    /// id is invalid from the end of this answer on. The session's lifetime begins anew. If another request has destroyed the session
    /// meanwhile, there is none under the new id either.
    ///
    /// # Errors
    /// If the head of the answer has been sent.
    ///
    /// ```
    /// # use oneloop::app::App;
    /// # let mut app = App::new();
    /// app.post("/login", |req, res| {
    ///     let user = 7; // whose name and password these are
    ///     let session = req.session()?;
    ///     session.renew()?;
    ///     session.insert("user", user)?;
    ///     res.redirect("/");
    ///     Ok(())
    /// });
    /// ```
    pub fn renew(&self) -> Result<(), SessionError> {
        let mut state = self.0.state.borrow_mut();
        let Some(old) = &state.id else { return Ok(()) };
        if state.is_over || self.is_head_sent() {
            return Err(SessionError::Late);
        }
        let (old, id) = (old.key(), Id::random().map_err(|_| SessionError::Random)?);
        if state.version > 0 {
            state.renewed = Some(old);
        }
        (state.id, state.version) = (Some(id), 0);
        if let Some(data) = &mut state.data {
            data.begin_anew(wall());
        }
        state.is_changed = true;
        state.cookie = Tell::Keep;
        drop(state);
        (self.0.watch)(self);
        Ok(())
    }

    /// Ends the session: at a log-out. The store forgets the session before the end of the answer is sent. The client forgets its
    /// cookie, if the head has not been sent. Values that other running requests put into the session are lost. A value that this
    /// request puts into it from now on begins another session.
    ///
    /// ```
    /// # use oneloop::app::App;
    /// # let mut app = App::new();
    /// app.post("/logout", |req, res| {
    ///     req.session()?.destroy();
    ///     res.redirect("/");
    ///     Ok(())
    /// });
    /// ```
    pub fn destroy(&self) {
        let mut state = self.0.state.borrow_mut();
        let Some(id) = state.id.take() else { return };
        // A session that was never saved need not be destroyed in the store.
        let key = if state.version > 0 { Some(id.key()) } else { state.renewed.take() };
        state.ended.extend(key);
        (state.version, state.data) = (0, None);
        state.changes.clear();
        state.is_changed = false;
        state.cookie = Tell::Forget;
        drop(state);
        (self.0.watch)(self);
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0.state.borrow().data.as_ref()?.find(name).map(str::to_owned)
    }

    fn change(&self, change: Change) -> Result<(), SessionError> {
        let mut state = self.0.state.borrow_mut();
        if state.is_over {
            return Err(SessionError::Late);
        }
        let mut data = state.data.clone().unwrap_or_else(|| Data::new(wall()));
        if !data.change(&change)? {
            return Ok(());
        }
        if state.id.is_none() {
            if self.is_head_sent() {
                return Err(SessionError::Late);
            }
            state.id = Some(Id::random().map_err(|_| SessionError::Random)?);
            state.version = 0;
            state.cookie = Tell::Keep;
        }
        state.data = Some(data);
        state.changes.retain(|(name, _)| *name != change.0);
        state.changes.push(change);
        state.is_changed = true;
        drop(state);
        (self.0.watch)(self);
        Ok(())
    }

    fn is_head_sent(&self) -> bool {
        !self.0.request.0.outgoing().is_changeable()
    }

    // ---- For the middleware

    pub(super) fn new(request: Request, rules: Rc<Rules>, watch: fn(&Session)) -> Session {
        let secure = request.is_secure();
        Session(Rc::new(Inner { request, secure, rules, watch, state: RefCell::default() }))
    }

    pub(super) fn rules(&self) -> &Rc<Rules> {
        &self.0.rules
    }

    pub(super) fn request(&self) -> &Request {
        &self.0.request
    }

    /// The name under which the store keeps the session.
    pub(super) fn key(&self) -> Option<String> {
        self.0.state.borrow().id.as_ref().map(Id::key)
    }

    /// The id that the client has sent.
    pub(super) fn asked_for(&self) -> Option<Id> {
        Id::read(&self.0.request.cookie(&self.0.rules.options.cookie_name(self.0.secure))?)
    }

    /// Takes over what the store has kept, unless it has expired. Returns the time at which it expires from now on, if the store is
    /// to be told.
    pub(super) fn open(&self, id: Id, saved: Saved) -> Option<SystemTime> {
        let now = wall();
        let data = Data::read(&saved.data).filter(|_| saved.expires > now)?;
        let expires = self.0.rules.options.expiry(data.created(), now);
        if expires <= now {
            return None;
        }
        let mut state = self.0.state.borrow_mut();
        let (version, before) = (saved.version, saved.expires);
        (state.id, state.version, state.data, state.stored) = (Some(id), version, Some(data), Some(saved));
        let is_due = expires.duration_since(before).is_ok_and(|later| later >= TOUCHED_EVERY);
        if is_due && self.0.rules.options.keep {
            state.cookie = Tell::Keep;
        }
        is_due.then_some(expires)
    }

    /// The `Set-Cookie` field that the client is to get.
    pub(super) fn field(&self) -> Option<String> {
        let state = self.0.state.borrow();
        let name = self.0.rules.options.cookie_name(self.0.secure);
        let cookie = match state.cookie {
            Tell::Nothing => return None,
            Tell::Keep => {
                let cookie = Cookie::new(name, state.id.as_ref()?.as_str());
                let (now, created) = (wall(), state.data.as_ref()?.created());
                match self.0.rules.options.keep {
                    true => cookie.max_age(self.0.rules.options.expiry(created, now).duration_since(now).ok()?),
                    false => cookie,
                }
            }
            Tell::Forget => Cookie::new(name, "").removed(),
        };
        cookie.over_https(self.0.secure).to_field().ok()
    }

    // ---- For saving

    /// The program has ended the answer. Returns whether there is anything to be saved.
    pub(super) fn end(&self) -> bool {
        let mut state = self.0.state.borrow_mut();
        state.is_over = true;
        state.has_work()
    }

    /// Notes that the answer has a stage that saves the session, and returns whether it had one before. Called after a change.
    pub(super) fn watched(&self) -> Watched {
        let mut state = self.0.state.borrow_mut();
        match (state.is_over, std::mem::replace(&mut state.is_watched, true)) {
            (true, _) => Watched::IsOver,
            (false, true) => Watched::Already,
            (false, false) => Watched::NotYet,
        }
    }

    /// Returns whether this is the time to save.
    pub(super) fn begin_to_save(&self) -> bool {
        let mut state = self.0.state.borrow_mut();
        state.is_over = true;
        !std::mem::replace(&mut state.is_saving, true)
    }

    /// Returns the next call of the store that has to be made.
    pub(super) fn work(&self) -> Option<Work> {
        let mut state = self.0.state.borrow_mut();
        // A renewed session is first saved under its old key, as it was: so the store says whether another request has destroyed it. The
        // new values never come to the old key, which somebody else may know.
        if let (Some(key), Some(stored)) = (&state.renewed, &state.stored) {
            return Some(Work::Save(key.clone(), stored.clone()));
        }
        if let (true, Some(id), Some(data)) = (state.is_changed, &state.id, &state.data) {
            let expires = self.0.rules.options.expiry(data.created(), wall());
            return Some(Work::Save(id.key(), Saved::new(data.text(), state.version, expires)));
        }
        let ended = state.ended.pop().map(Work::Destroy);
        state.is_saving = ended.is_some();
        ended
    }

    /// The store has kept the session.
    pub(super) fn is_saved(&self) {
        let mut state = self.0.state.borrow_mut();
        if let Some(old) = state.renewed.take() {
            return state.ended.push(old);
        }
        state.version += 1;
        state.is_changed = false;
        state.changes.clear();
    }

    /// The session that is being saved is gone from the store.
    pub(super) fn is_gone(&self) {
        let mut state = self.0.state.borrow_mut();
        (state.id, state.data, state.is_changed, state.renewed) = (None, None, false, None);
        if state.cookie == Tell::Keep {
            state.cookie = Tell::Nothing;
        }
    }

    /// Another request has saved the session meanwhile: does the changes of this one to what that one has saved.
    ///
    /// # Errors
    /// If this cannot be done.
    pub(super) fn merge(&self, saved: Saved) -> Result<(), SessionError> {
        let mut state = self.0.state.borrow_mut();
        let mut data = Data::read(&saved.data).unwrap_or_else(|| Data::new(wall()));
        for change in &state.changes {
            data.change(change)?;
        }
        if state.renewed.is_some() {
            data.begin_anew(wall());
        } else {
            state.version = saved.version;
        }
        (state.data, state.stored) = (Some(data), Some(saved));
        Ok(())
    }

    /// The store has failed: from now on nothing of this session is sent to the store or the client.
    pub(super) fn give_up(&self) {
        let mut state = self.0.state.borrow_mut();
        state.cookie = Tell::Nothing;
        (state.is_changed, state.is_saving) = (false, false);
        state.ended.clear();
        state.renewed = None;
    }
}

/// Whether the answer has a stage that saves the session.
pub(super) enum Watched {
    NotYet,
    Already,
    /// The answer has ended: it is saved now or never.
    IsOver,
}

/// A call of a store that has to be made.
pub(super) enum Work {
    Save(String, Saved),
    Destroy(String),
}

impl State {
    fn has_work(&self) -> bool {
        self.is_changed || !self.ended.is_empty()
    }
}

/// The wall clock, which is virtual in a simulated world.
pub(super) fn wall() -> SystemTime {
    current().map_or(SystemTime::UNIX_EPOCH, |lp| lp.wall())
}

/// Without the id and the values, which are secrets.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
