//! What is the same for all sessions of a middleware.

use super::store::Store;
use crate::app::cookie::{Cookie, CookieError};
use crate::callback::Site;
use std::time::{Duration, SystemTime};

/// The rules of one middleware.
pub(super) struct Rules {
    pub store: Box<dyn Store>,
    pub options: SessionOptions,
    /// The place where the middleware was made.
    pub site: Site,
}

/// How long sessions last, and what their cookie is like: see [`sessions_with`](super::sessions_with).
#[derive(Clone, Debug)]
pub struct SessionOptions {
    idle: Duration,
    lifetime: Duration,
    pub(super) patience: Duration,
    name: String,
    pub(super) keep: bool,
}

impl Default for SessionOptions {
    fn default() -> SessionOptions {
        SessionOptions::new()
    }
}

impl SessionOptions {
    /// Sessions that expire after a day without a request, and in any case after 30 days.
    ///
    /// ```
    /// let options = oneloop::app::sessions::SessionOptions::new();
    /// ```
    pub fn new() -> SessionOptions {
        SessionOptions {
            idle: Duration::from_secs(24 * 60 * 60),
            lifetime: Duration::from_secs(30 * 24 * 60 * 60),
            patience: Duration::from_secs(5),
            name: "sid".to_owned(),
            keep: false,
        }
    }

    /// How long a session lasts without a request. Default: a day. Each request begins this time anew; the store is told once a
    /// minute at most, so a session may expire up to a minute early.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let options = oneloop::app::sessions::SessionOptions::new().idle(Duration::from_secs(20 * 60));
    /// ```
    pub fn idle(self, idle: Duration) -> SessionOptions {
        SessionOptions { idle, ..self }
    }

    /// How long a session lasts at most, however often it is used: a stolen one too. Default: 30 days.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let options = oneloop::app::sessions::SessionOptions::new().lifetime(Duration::from_secs(12 * 60 * 60));
    /// ```
    pub fn lifetime(self, lifetime: Duration) -> SessionOptions {
        SessionOptions { lifetime, ..self }
    }

    /// Whether the browser keeps the cookie when it is closed, for as long as the session lasts. Default: false.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use oneloop::app::sessions::SessionOptions;
    /// let options = SessionOptions::new().keep(true).idle(Duration::from_secs(14 * 24 * 60 * 60)); // "stay logged in"
    /// ```
    pub fn keep(self, keep: bool) -> SessionOptions {
        SessionOptions { keep, ..self }
    }

    /// The name of the cookie, a token (RFC 9110, 5.6.2). Default: `sid`. Over HTTPS it has `__Host-` in front. Two programs on one
    /// host need two names, even if their ports differ: cookies know no ports.
    ///
    /// ```
    /// let options = oneloop::app::sessions::SessionOptions::new().name("shop");
    /// ```
    pub fn name(self, name: impl Into<String>) -> SessionOptions {
        SessionOptions { name: name.into(), ..self }
    }

    /// How long a request waits for the store: once for the session to be loaded, and once for it to be saved. Default: 5 seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let options = oneloop::app::sessions::SessionOptions::new().patience(Duration::from_secs(1));
    /// ```
    pub fn patience(self, patience: Duration) -> SessionOptions {
        SessionOptions { patience, ..self }
    }

    /// Returns an error if the name is no token.
    pub(super) fn check(&self) -> Result<(), CookieError> {
        Cookie::new(self.cookie_name(true), "").to_field().map(drop)
    }

    pub(super) fn cookie_name(&self, secure: bool) -> String {
        format!("{}{}", if secure { "__Host-" } else { "" }, self.name)
    }

    /// The time at which a session expires that was begun at one time and is used at another.
    pub(super) fn expiry(&self, created: SystemTime, used: SystemTime) -> SystemTime {
        let far = || used + Duration::from_secs(400 * 24 * 60 * 60);
        let end = created.checked_add(self.lifetime).unwrap_or_else(far);
        used.checked_add(self.idle).unwrap_or_else(far).min(end)
    }
}
