//! A list of things to do, whole, as a program to copy. Try: `cargo run --release -p todo -- --db todo.db`
//!
//! | file | what it is about |
//! |---|---|
//! | `main` | the parts put together, and what the outside asks of a server: health, numbers, logs, an orderly end |
//! | `database` | SQLite on threads of its own: one connection that writes, some that read |
//! | `todos` | what a todo is, and its queries |
//! | `lists` | whose list is read and changed, and who is told |
//! | `api` | the lists as JSON |
//! | `pages`, `templates` | the lists as pages |
//! | `accounts` | whose list it is: to sign up, to log in, to log out |
//! | `sessions` | where the sessions of those who are logged in are kept |
//!
//! Options: `--db FILE` (`todo.db`); `--port PORT` (7777; 0 takes a free one); `--open`: who has no account may use the site as well, with
//! a list that all such visitors share. `RUST_LOG` says what is logged.

mod accounts;
mod api;
mod database;
mod lists;
mod pages;
mod sessions;
mod templates;
#[cfg(test)]
mod tests;
mod todos;

use accounts::Accounts;
use argon2::Argon2;
use database::Database;
use lists::Lists;
use oneloop::app::sessions::{SessionOptions, sessions_with};
use oneloop::app::{self, App, Compression, Prometheus, Shield, Trust, drain};
use oneloop::devtools;
use oneloop::http::{Request, Response, Result, Server};
use sessions::SqliteStore;
use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use templates::Templates;

const USAGE: &str = "usage: todo [--db FILE] [--port PORT] [--open]";
/// How long a balancer may take to learn, by `/readyz`, that this server is about to end.
const DRAIN: Duration = Duration::from_secs(5);

struct Options {
    database: PathBuf,
    port: u16,
    /// Who has no account shares a list with all who have none.
    open: bool,
    /// How passwords are hashed. Tests do it in no time.
    hashing: Argon2<'static>,
}

fn main() -> io::Result<()> {
    let shown = "todo=info,oneloop=warn,oneloop::http=info,oneloop::access=info";
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(shown)).init();
    if std::env::args().any(|argument| argument == "--help") {
        println!("{USAGE}");
        return Ok(());
    }
    let options = Options::read(std::env::args().skip(1)).unwrap_or_else(|problem| {
        eprintln!("{problem}\n{USAGE}");
        std::process::exit(2);
    });

    let server = site(&options)?;
    app::access_log(&server, app::Format::Combined);
    devtools::mount(&server, "/__loop");
    drain::on_signals(&server, DRAIN)?;
    let listening = server.clone();
    server.listen(("127.0.0.1", options.port), move || {
        let port = listening.address().and_then(|address| address.port()).unwrap_or_default();
        // Whoever started us may not read it, which is no error.
        let _ = writeln!(io::stdout(), "Todos listening on http://localhost:{port}");
    })?;
    oneloop::run()
}

/// The whole site, without what only a process needs; so the tests run it in a simulated world.
fn site(options: &Options) -> io::Result<Server> {
    let database = Database::open(&options.database).map_err(io::Error::other)?;
    let lists = Rc::new(Lists::new(database.clone()));
    let templates = Rc::new(Templates::new().map_err(io::Error::other)?);
    let accounts =
        Accounts::new(database.clone(), templates.clone(), options.hashing.clone()).map_err(io::Error::other)?;
    let lasting = SessionOptions::new().idle(sessions::IDLE).keep(true);
    let prometheus = Prometheus::new();
    let mut app = App::new();
    app.trust(Trust::loopback());

    app.with(app::request_id());
    app.with(app::shield(Shield::new()));
    app.get("/healthz", app::health);
    app.get("/readyz", with(&Rc::new(database.clone()), ready));
    app.get("/metrics", prometheus.handler());
    app.group("/assets", |files| {
        files.with(app::compression(Compression::new()));
        files.get("/:version/:name", templates::asset);
    });
    app.with(sessions_with(SqliteStore(database), lasting));
    app.mount("/api/todos", api::router(&lists, accounts::recognise(options.open)));
    app.get("/", |_req, res| res.redirect("/todos"));
    app.group("/", |site| {
        // Pages, and not the API: what is compressed on its way has a weak `ETag`, which `If-Match` never fits.
        site.with(app::compression(Compression::new()));
        site.with(app::same_origin());
        site.mount("/", accounts::router(&Rc::new(accounts)));
        site.mount("/todos", pages::router(&lists, &templates, accounts::recognise(options.open)));
    });
    app.on_error(move |error, req, res, next| {
        log::info!("{} {}: {error}", req.method(), req.path());
        if req.accepts(&["text", "html"]) == Some("html") {
            return templates.show_error(&res, &error);
        }
        Ok(next.fail(error)) // The library's answer, for those who are no browser.
    });
    let server = app.server()?;
    prometheus.watch(&server);
    Ok(server)
}

/// Ready is who can read the database, and has not been told to end.
fn ready(database: &Rc<Database>, _req: Request, res: Response) -> Result {
    res.set_header("Cache-Control", "no-store");
    if drain::is_draining() {
        return Ok(res.set_status(503).text("draining\n"));
    }
    let reads = |db: &rusqlite::Connection| db.query_row("SELECT 1", [], |_| Ok(()));
    Ok(database.query(reads, |result| answer(res, result, |res, ()| Ok(res.text("ready\n")))))
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> std::result::Result<Options, String> {
        let mut options = Options { database: "todo.db".into(), port: 7777, open: false, hashing: Argon2::default() };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{name}: a value is missing"));
            match name.as_str() {
                "--db" => options.database = value()?.into(),
                "--open" => options.open = true,
                "--port" => {
                    options.port = value()?.parse().map_err(|_| "--port: a number from 0 to 65535".to_owned())?
                }
                _ => return Err(format!("{name}: there is no such option")),
            }
        }
        Ok(options)
    }
}

/// Goes on with what a thread has found. An error of it, or of `done`, becomes the answer: the log says what it was, the client
/// is told the status alone.
fn answer<R>(res: Response, result: Result<R>, done: impl FnOnce(Response, R) -> Result) {
    let failing = res.clone();
    if let Err(error) = result.and_then(|result| done(res, result)) {
        failing.fail(error);
    }
}

/// Makes a handler of a function that shares something with other handlers.
fn with<S: 'static>(
    shared: &Rc<S>,
    handler: fn(&Rc<S>, Request, Response) -> Result,
) -> impl FnMut(Request, Response) -> Result + 'static {
    let shared = shared.clone();
    move |req, res| handler(&shared, req, res)
}

/// The same for a handler that gets a body.
fn with_body<S: 'static, T: 'static>(
    shared: &Rc<S>,
    handler: fn(&Rc<S>, Request, Response, T) -> Result,
) -> impl FnMut(Request, Response, T) -> Result + 'static {
    let shared = shared.clone();
    move |req, res, body| handler(&shared, req, res, body)
}
