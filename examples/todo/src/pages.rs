//! The list as a page for people. It works without JavaScript: each button is a form, each form is answered with the way to a
//! page (303), and a title that cannot be is answered with the page again (422), with what was typed and what is wrong with it.
//! `assets/app.js` uses the same forms, and shows their pages without a reload.

use crate::accounts::Account;
use crate::lists::Lists;
use crate::templates::Templates;
use crate::todos::{self, Change, NewTodo, Todo};
use crate::{with, with_body};
use oneloop::app::{Next, Router, form};
use oneloop::http::{Error, Request, Response, Result};
use serde::{Deserialize, Serialize};
use std::rc::Rc;

struct Pages {
    lists: Rc<Lists>,
    templates: Rc<Templates>,
}

pub fn router(
    lists: &Rc<Lists>,
    templates: &Rc<Templates>,
    recognise: impl FnMut(Request, Response, Next) -> Result + 'static,
) -> Router {
    let pages = &Rc::new(Pages { lists: lists.clone(), templates: templates.clone() });
    let mut router = Router::new();
    router.with(recognise);
    router.on_error(|error, _req, res, next| match error.status() {
        401 => res.redirect("/login"),
        _ => next.fail(error),
    });
    router.get("/", with(pages, list)).post("/", form(with_body(pages, add)));
    router.post("/completed", form(with_body(pages, complete_all)));
    router.post("/clear", form(with_body(pages, clear)));
    router.post("/:id/title", form(with_body(pages, rename)));
    router.post("/:id/completed", form(with_body(pages, complete)));
    router.post("/:id/delete", form(with_body(pages, remove)));
    router
}

/// Which todos are shown. Each form has it as well, so that its answer leads back to where the visitor was.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Show {
    #[default]
    All,
    Active,
    Completed,
}

impl Show {
    fn back(self, res: &Response) -> Result {
        Ok(res.redirect(match self {
            Show::All => "/todos",
            Show::Active => "/todos?show=active",
            Show::Completed => "/todos?show=completed",
        }))
    }
}

/// What the page is to show besides the list.
#[derive(Default, Deserialize)]
#[serde(default)]
struct View {
    show: Show,
    /// The todo whose title is a field.
    edit: Option<i64>,
}

/// What the forms have, each of them some of it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Form {
    title: String,
    completed: bool,
    show: Show,
}

/// What the template gets.
#[derive(Serialize)]
struct Page {
    account: Rc<Account>,
    todos: Vec<Todo>,
    left: usize,
    done: usize,
    show: Show,
    edit: Option<i64>,
    typed: Option<Typed>,
}

/// A title that cannot be, and why.
#[derive(Serialize)]
struct Typed {
    title: String,
    problem: String,
}

fn list(pages: &Rc<Pages>, req: Request, res: Response) -> Result {
    show(pages, &req, res, req.query_as()?, None)
}

fn show(pages: &Rc<Pages>, req: &Request, res: Response, view: View, typed: Option<Typed>) -> Result {
    let (templates, account) = (pages.templates.clone(), req.need::<Account>()?);
    pages.lists.read(req, res, todos::all, move |res, mut todos| {
        let done = todos.iter().filter(|todo| todo.completed).count();
        let left = todos.len() - done;
        todos.retain(|todo| view.show == Show::All || todo.completed == (view.show == Show::Completed));
        let status = if typed.is_some() { 422 } else { 200 };
        let View { show, edit } = view;
        templates.show(&res, status, "list.html", Page { account, todos, left, done, show, edit, typed })
    })
}

/// The page again, with what was typed.
fn show_again(pages: &Rc<Pages>, req: &Request, res: Response, form: Form, edit: Option<i64>, why: Error) -> Result {
    let typed = Typed { title: form.title, problem: why.message().to_owned() };
    show(pages, req, res, View { show: form.show, edit }, Some(typed))
}

fn add(pages: &Rc<Pages>, req: Request, res: Response, form: Form) -> Result {
    let title = match todos::title(&form.title) {
        Ok(title) => title,
        Err(error) => return show_again(pages, &req, res, form, None, error),
    };
    let new = NewTodo { title, completed: false, order: 0 };
    let work = move |db: &_, account| todos::add(db, account, &new);
    pages.lists.write(&req, res, work, move |res, added| {
        added.ok_or_else(todos::full)?;
        form.show.back(&res)
    })
}

/// An empty title removes the todo, as in every TodoMVC.
fn rename(pages: &Rc<Pages>, req: Request, res: Response, form: Form) -> Result {
    if form.title.trim().is_empty() {
        return remove(pages, req, res, form);
    }
    let id = req.param_as("id")?;
    match todos::title(&form.title) {
        Ok(title) => change(pages, req, res, Change { title: Some(title), ..Change::default() }, form.show),
        Err(error) => show_again(pages, &req, res, form, Some(id), error),
    }
}

/// The form says what the todo shall be, not that it shall be the opposite: pressed in two tabs, it is that.
fn complete(pages: &Rc<Pages>, req: Request, res: Response, form: Form) -> Result {
    change(pages, req, res, Change { completed: Some(form.completed), ..Change::default() }, form.show)
}

fn complete_all(pages: &Rc<Pages>, req: Request, res: Response, form: Form) -> Result {
    let work = move |db: &_, account| todos::complete_all(db, account, form.completed);
    pages.lists.write(&req, res, work, move |res, _| form.show.back(&res))
}

fn clear(pages: &Rc<Pages>, req: Request, res: Response, form: Form) -> Result {
    pages.lists.write(&req, res, todos::remove_completed, move |res, _| form.show.back(&res))
}

/// Who presses twice wants the same as who presses once.
fn remove(pages: &Rc<Pages>, req: Request, res: Response, form: Form) -> Result {
    let id = req.param_as("id")?;
    let work = move |db: &_, account| todos::remove(db, account, id, None);
    pages.lists.write(&req, res, work, move |res, _| form.show.back(&res))
}

fn change(pages: &Rc<Pages>, req: Request, res: Response, change: Change, show: Show) -> Result {
    let id = req.param_as("id")?;
    let work = move |db: &_, account| todos::change(db, account, id, None, &change);
    pages.lists.write(&req, res, work, move |res, changed| {
        changed.ok_or(Error::new(404, "There is no such todo."))?;
        show.back(&res)
    })
}
