//! The lists as JSON, for programs: what <https://todobackend.com> asks of such an API, and what a careful client needs besides.
//!
//! | | |
//! |---|---|
//! | `GET /api/todos` | the list, with `ETag` |
//! | `POST /api/todos` | `{"title": …, "completed": …, "order": …}`, of which only the title has to be there → 201, `Location` |
//! | `DELETE /api/todos` | 204, and the list is empty |
//! | `GET /api/todos/events` | server-sent events: `changed`, each time the list is another one |
//! | `GET /api/todos/7` | a todo, with `ETag` |
//! | `PATCH /api/todos/7` | one or more of the three. With `If-Match` only if nobody else has changed it since: else 412 |
//! | `DELETE /api/todos/7` | 204; `If-Match` as for PATCH |
//!
//! Errors are problems (RFC 9457). Scripts of every site may ask, and never with the cookies of a visitor: "any, with cookies" is
//! what `Cors` cannot say.

use crate::lists::Lists;
use crate::todos::{self, Change, NewTodo, Todo};
use crate::{with, with_body};
use oneloop::app::{Cors, Next, Router, cors, json};
use oneloop::http::{Error, Request, Response, Result};
use serde::Serialize;
use std::rc::Rc;

pub fn router(lists: &Rc<Lists>, recognise: impl FnMut(Request, Response, Next) -> Result + 'static) -> Router {
    let mut router = Router::new();
    let methods = ["GET", "POST", "PATCH", "DELETE"];
    let fields = ["Content-Type", "If-Match", "If-None-Match"];
    router.with(cors(Cors::any().methods(methods).headers(fields).expose(["ETag", "Location"])));
    router.with(|_req, res, next| {
        res.set_header("Cache-Control", "private, no-cache");
        next.run();
    });
    router.with(recognise);
    router.on_error(problem);
    router.route("/").get(with(lists, all)).post(json(with_body(lists, add))).delete(with(lists, remove_all));
    router.get("/events", with(lists, |lists, req, res| lists.watch(req, res)));
    router.route("/:id").get(with(lists, show)).patch(json(with_body(lists, change))).delete(with(lists, remove));
    router
}

/// A todo as the API shows it: with its URL, by which clients find it again.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    todo: &'a Todo,
    url: String,
}

fn shown<'a>(todo: &'a Todo, req: &Request) -> Shown<'a> {
    // A client of HTTP/1.0 may not say which host it means. It gets a path.
    let site = req.host().map(|host| format!("{}://{host}", req.protocol())).unwrap_or_default();
    Shown { todo, url: format!("{site}/api/todos/{}", todo.id) }
}

fn all(lists: &Rc<Lists>, req: Request, res: Response) -> Result {
    lists.read(&req.clone(), res, todos::all, move |res, todos| {
        let todos: Vec<_> = todos.iter().map(|todo| shown(todo, &req)).collect();
        let body = serde_json::to_vec(&todos)?;
        res.content_type("json").etag_from(&body);
        Ok(if req.is_fresh() { res.set_status(304).end(()) } else { res.end(body) })
    })
}

fn add(lists: &Rc<Lists>, req: Request, res: Response, mut new: NewTodo) -> Result {
    new.title = todos::title(&new.title)?;
    let work = move |db: &_, account| todos::add(db, account, &new);
    lists.write(&req.clone(), res, work, move |res, todo| {
        let todo = todo.ok_or_else(todos::full)?;
        let shown = shown(&todo, &req);
        tag(&res, &todo);
        Ok(res.set_status(201).location(&shown.url).json(&shown))
    })
}

fn remove_all(lists: &Rc<Lists>, req: Request, res: Response) -> Result {
    lists.write(&req, res, todos::remove_all, |res, _| Ok(res.set_status(204).end(())))
}

fn show(lists: &Rc<Lists>, req: Request, res: Response) -> Result {
    find(lists, req, res, |_lists, req, res, todo| {
        Ok(if req.is_fresh() { res.set_status(304).end(()) } else { res.json(&shown(&todo, &req)) })
    })
}

fn change(lists: &Rc<Lists>, req: Request, res: Response, mut change: Change) -> Result {
    change.title = change.title.as_deref().map(todos::title).transpose()?;
    find(lists, req, res, move |lists, req, res, todo| {
        let seen = version_seen(&req, &todo);
        let work = move |db: &_, account| todos::change(db, account, todo.id, seen, &change);
        lists.write(&req.clone(), res, work, move |res, changed| {
            let todo = changed.ok_or_else(|| gone(seen))?;
            tag(&res, &todo);
            Ok(res.json(&shown(&todo, &req)))
        })
    })
}

fn remove(lists: &Rc<Lists>, req: Request, res: Response) -> Result {
    find(lists, req, res, |lists, req, res, todo| {
        let seen = version_seen(&req, &todo);
        let work = move |db: &_, account| todos::remove(db, account, todo.id, seen);
        lists.write(&req, res, work, move |res, removed| match removed {
            true => Ok(res.remove_header("ETag").set_status(204).end(())),
            false => Err(gone(seen)),
        })
    })
}

/// Looks for the todo that the path names, and goes on with it if the client's conditions allow: 404, 412.
fn find(
    lists: &Rc<Lists>,
    req: Request,
    res: Response,
    then: impl FnOnce(&Rc<Lists>, Request, Response, Todo) -> Result + 'static,
) -> Result {
    let (id, lists) = (req.param_as("id")?, lists.clone());
    let work = move |db: &_, account| todos::find(db, account, id);
    lists.clone().read(&req.clone(), res, work, move |res, todo| {
        let todo = todo.ok_or_else(|| gone(None))?;
        tag(&res, &todo);
        match req.preconditions_hold() {
            true => then(&lists, req, res, todo),
            false => Err(changed()),
        }
    })
}

/// The version that a change is for, if the client says that it is for one. It is compared again when the change is made: somebody
/// else may have been faster since we looked.
fn version_seen(req: &Request, todo: &Todo) -> Option<i64> {
    req.header("If-Match").filter(|tags| *tags != "*").map(|_| todo.version)
}

fn tag(res: &Response, todo: &Todo) {
    res.set_header("ETag", format!("\"{}\"", todo.version));
}

fn gone(seen: Option<i64>) -> Error {
    if seen.is_some() { changed() } else { Error::new(404, "There is no such todo.") }
}

fn changed() -> Error {
    Error::new(412, "Somebody has changed the todo since you saw it.")
}

fn problem(error: Error, _req: Request, res: Response, _next: Next) {
    #[derive(Serialize)]
    struct Problem<'a> {
        status: u16,
        title: &'a str,
    }
    log::debug!("{error}");
    res.content_type("application/problem+json").json(&Problem { status: error.status(), title: error.message() });
}
