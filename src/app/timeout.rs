use super::next::Next;
use crate::http::{Error, Request, Response};
use std::time::Duration;

/// A middleware that answers 503 if the steps behind it have not answered in this time. The error goes through the error
/// handlers. If the head was sent by then, the connection is cut, so that the client sees that the rest is missing.
///
/// The handler is not stopped, and need not look at anything: what it does with the response afterwards has no effect. (With
/// Express's connect-timeout, a late answer is an error, and each step has to check `req.timedout`.) The time is that of
/// [`Response::set_timeout`]: a handler that calls it sets another time for its response, and zero turns it off, for streams
/// that go on.
///
/// ```
/// use oneloop::app::{App, timeout};
/// use std::time::Duration;
///
/// let mut app = App::new();
/// app.with(timeout(Duration::from_secs(10)));
/// app.get("/", |_req, res| {
///     // A database that does not answer …
///     oneloop::set_timeout(Duration::from_secs(60), move || res.end("late\n"));
/// });
/// # let sim = oneloop::sim::Sim::new();
/// # app.listen(80, ())?;
/// # assert_eq!(sim.request("GET", "/").send().status(), 503);
/// # std::io::Result::Ok(())
/// ```
pub fn timeout(after: Duration) -> impl FnMut(Request, Response, Next) + 'static {
    move |_, res, next| {
        res.set_timeout(after, |_| Err::<(), _>(Error::new(503, "the answer took too long")));
        next.run();
    }
}
