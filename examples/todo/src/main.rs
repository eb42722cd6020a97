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
//! | `accounts` | whose list it is |
//!
//! Options: `--db FILE` (`todo.db`), `--port PORT` (7777; 0 takes a free one). `RUST_LOG` says what is logged.

mod accounts;
mod api;
mod database;
mod lists;
mod pages;
mod templates;
#[cfg(test)]
mod tests;
mod todos;

use accounts::Account;
use database::Database;
use lists::Lists;
use oneloop::app::{self, App, Prometheus, Shield, drain};
use oneloop::devtools;
use oneloop::http::{Request, Response, Result, Server};
use pages::Pages;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use templates::Templates;

/// How long a balancer may take to learn, by `/readyz`, that this server is about to end.
const DRAIN: Duration = Duration::from_secs(5);

struct Options {
    database: PathBuf,
    port: u16,
}

fn main() -> io::Result<()> {
    let shown = "todo=info,oneloop=warn,oneloop::http=info,oneloop::access=info";
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(shown)).init();
    let options = Options::read(std::env::args().skip(1)).unwrap_or_else(|problem| {
        eprintln!("{problem}\nusage: todo [--db FILE] [--port PORT]");
        std::process::exit(2);
    });

    let database = Database::open(&options.database).map_err(io::Error::other)?;
    let server = site(database)?;
    app::access_log(&server, app::Format::Combined);
    devtools::mount(&server, "/__loop");
    drain::on_signals(&server, DRAIN)?;
    let listening = server.clone();
    server.listen(("127.0.0.1", options.port), move || {
        let port = listening.address().and_then(|address| address.port()).unwrap_or_default();
        println!("Todos listening on http://localhost:{port}");
    })?;
    oneloop::run()
}

/// The whole site, without what only a process needs; so the tests run it in a simulated world.
fn site(database: Database) -> io::Result<Server> {
    let lists = Rc::new(Lists::new(database.clone()));
    let templates = Rc::new(Templates::new().map_err(io::Error::other)?);
    let pages = Rc::new(Pages { lists: lists.clone(), templates: templates.clone() });
    let prometheus = Prometheus::new();
    let mut app = App::new();
    app.with(app::request_id());
    app.with(app::shield(Shield::new()));
    app.get("/healthz", app::health);
    app.get("/readyz", move |_req, res| ready(&database, res));
    app.get("/metrics", prometheus.handler());
    app.mount("/api/todos", api::router(&lists));
    app.get("/assets/:version/:name", templates::asset);
    app.get("/", |_req, res| res.redirect("/todos"));
    app.group("/todos", |site| {
        site.with(app::same_origin());
        site.with(|req, _res, next| {
            req.put(Account::everybody());
            next.run();
        });
        site.mount("/", pages::router(&pages));
    });
    app.on_error(move |error, req, res, next| {
        log::info!("{} {}: {error}", req.method(), req.path());
        if req.accepts(&["text", "html"]) == Some("html") {
            return templates.show_error(&res, &error);
        }
        next.fail(error); // The library's answer, for those who are no browser.
        Ok(())
    });
    let server = app.server()?;
    prometheus.watch(&server);
    Ok(server)
}

/// Ready is who can read the database, and has not been told to end.
fn ready(database: &Database, res: Response) {
    res.set_header("Cache-Control", "no-store");
    if drain::is_draining() {
        return res.set_status(503).text("draining\n");
    }
    let reads = |db: &rusqlite::Connection| db.query_row("SELECT 1", [], |_| Ok(()));
    database.read(res, reads, |res, ()| {
        res.text("ready\n");
        Ok(())
    });
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> std::result::Result<Options, String> {
        let mut options = Options { database: "todo.db".into(), port: 7777 };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{name}: a value is missing"));
            match name.as_str() {
                "--db" => options.database = value()?.into(),
                "--port" => {
                    options.port = value()?.parse().map_err(|_| "--port: a number from 0 to 65535".to_owned())?
                }
                _ => return Err(format!("{name}: there is no such option")),
            }
        }
        Ok(options)
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
