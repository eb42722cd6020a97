use super::journey::{Mark, go_on};
use crate::http::{Error, Response};

/// How a request goes on behind a middleware: Express's `next`. Each method consumes it, so a middleware cannot go on twice.
///
/// Use it in the middleware, or keep it and use it later, in any callback: the request waits. The next step is called when the
/// callback that is running has returned, so code that is written *after* `next.run()` runs *before* the next step. For code that
/// should run when the answer has been sent, use [`on_finish`](Response::on_finish) and [`on_close`](Response::on_close).
///
/// If a `Next` is dropped and no handle of the response is left, the request is answered 500, and the log names the line where
/// the middleware was registered.
///
/// ```
/// use oneloop::app::App;
/// use std::time::Duration;
///
/// let mut app = App::new();
/// app.with(|_req, _res, next| {
///     // Everybody waits a second.
///     oneloop::set_timeout(Duration::from_secs(1), move || next.run());
/// });
/// app.get("/", |_req, res| res.end("hello\n"));
/// # let sim = oneloop::sim::Sim::new();
/// # app.listen(80, ())?;
/// # assert_eq!(sim.request("GET", "/").send().text(), "hello\n");
/// # std::io::Result::Ok(())
/// ```
///
/// ```compile_fail,E0382
/// oneloop::app::App::new().with(|_req, _res, next| {
///     next.run();
///     next.run();
/// });
/// ```
#[must_use = "call `next.run()`, or another of its methods, or answer; else the answer is 500"]
pub struct Next {
    res: Response,
    /// The number of the step that has it.
    at: u32,
    /// The mark that [`run`](Next::run) sets.
    run: Mark,
}

impl Next {
    pub(super) fn new(res: Response, at: u32, run: Mark) -> Next {
        Next { res, at, run }
    }

    /// Goes on to the next step that applies: Express's `next()`. In an error handler, the error counts as settled, and the request
    /// goes on to the steps behind. Does nothing if the request was answered or has failed meanwhile, or if its client has gone.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.with(|_req, res, next| {
    ///     res.set_header("X-Frame-Options", "DENY");
    ///     next.run();
    /// });
    /// ```
    pub fn run(self) {
        go_on(self.res.0, self.at, self.run);
    }

    /// Goes on to the error handlers behind this step: Express's `next(error)`. The same as [`Response::fail`], or an `Err` that the
    /// step returns.
    ///
    /// ```
    /// use oneloop::http::Error;
    ///
    /// let mut app = oneloop::app::App::new();
    /// app.with(|req, _res, next| match req.header("Authorization") {
    ///     Some(_) => next.run(),
    ///     None => next.fail(Error::new(401, "who are you?")),
    /// });
    /// ```
    pub fn fail(self, error: impl Into<Error>) {
        self.res.fail(error);
    }

    /// Leaves out the other steps of this route: Express's `next('route')`. For a step that belongs to no route it is the same as
    /// [`run`](Next::run).
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// let page = app.route("/page");
    /// page.with(|req, _res, next| match req.query() {
    ///     Some("preview") => next.skip_route(),
    ///     _ => next.run(),
    /// })
    /// .get(|_req, res| res.end("the page\n"));
    /// app.get("/page", |_req, res| res.end("a preview\n"));
    /// ```
    pub fn skip_route(self) {
        go_on(self.res.0, self.at, Mark::SkipRoute);
    }

    /// Leaves out the other steps of this router: Express's `next('router')`. In the app itself it leads to the 404.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.group("/drafts", |drafts| {
    ///     drafts.with(|req, _res, next| match req.header("X-Editor") {
    ///         Some(_) => next.run(),
    ///         None => next.skip_router(), // 404: nobody learns that there are drafts
    ///     });
    ///     drafts.get("/:name", |_req, res| res.end("a draft\n"));
    /// });
    /// ```
    pub fn skip_router(self) {
        go_on(self.res.0, self.at, Mark::SkipRouter);
    }

    /// Returns whether nothing can be answered any more: the client has gone, or the response has ended. Ask it before expensive work.
    ///
    /// ```
    /// let mut app = oneloop::app::App::new();
    /// app.with(|_req, _res, next| {
    ///     oneloop::set_timeout(std::time::Duration::from_millis(50), move || {
    ///         if !next.is_over() {
    ///             next.run();
    ///         }
    ///     });
    /// });
    /// ```
    pub fn is_over(&self) -> bool {
        self.res.is_ended() || self.res.0.is_closed()
    }
}

impl std::fmt::Debug for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Next").field("at", &self.at).finish_non_exhaustive()
    }
}
