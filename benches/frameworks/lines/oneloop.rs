use oneloop::app::{App, Cors, Format, access_log, cors, json_up_to};
use oneloop::http::{Error, Request, Result};
use oneloop::worker::{self, Keeper};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::{fs, io};

#[derive(Clone, Serialize, Deserialize)]
struct Todo {
    id: u64,
    title: String,
    done: bool,
}

#[derive(Deserialize)]
struct New {
    title: String,
    #[serde(default)]
    done: bool,
}

#[derive(Deserialize)]
struct Change {
    title: Option<String>,
    done: Option<bool>,
}

#[derive(Deserialize)]
struct Filter {
    done: Option<bool>,
}

const LIMIT: usize = 64 * 1024;

struct Todos {
    all: RefCell<BTreeMap<u64, Todo>>,
    disk: Keeper<PathBuf>,
}

impl Todos {
    fn open(file: &Path) -> io::Result<Rc<Todos>> {
        let all: Vec<Todo> = match fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(why) if why.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(why) => return Err(why),
        };
        let all = RefCell::new(all.into_iter().map(|todo| (todo.id, todo)).collect());
        let file = file.to_owned();
        Ok(Rc::new(Todos { all, disk: Keeper::start(move || io::Result::Ok(file.clone())) }))
    }

    fn save(&self) -> Result {
        let bytes = serde_json::to_vec(&self.all.borrow().values().collect::<Vec<_>>())?;
        let write = move |file: &mut PathBuf| {
            let new = file.with_extension("new");
            fs::write(&new, bytes).and_then(|()| fs::rename(&new, file))
        };
        self.disk.run(write, |saved: std::result::Result<io::Result<()>, worker::Error>| match saved {
            Ok(Ok(())) => {}
            Ok(Err(why)) => log::error!("not saved: {why}"),
            Err(why) => log::error!("not saved: {why}"),
        });
        Ok(())
    }
}

fn no_such() -> Error {
    Error::new(404, "no such todo")
}

fn app(todos: Rc<Todos>) -> App {
    let [list, add, one, change, remove] = std::array::from_fn(|_| todos.clone());
    let mut app = App::new();
    app.with(cors(Cors::any().methods(["GET", "POST", "PATCH", "DELETE"])));
    app.route("/todos")
        .get(move |req: Request, res| {
            let Filter { done } = req.query_as()?;
            let all = list.all.borrow();
            res.json(&all.values().filter(|todo| done.is_none_or(|done| todo.done == done)).collect::<Vec<_>>());
            Ok(())
        })
        .post(json_up_to(LIMIT, move |_req, res, new: New| {
            if new.title.trim().is_empty() {
                return Err(Error::new(422, "a title is needed"));
            }
            let id = add.all.borrow().keys().last().unwrap_or(&0) + 1;
            let todo = Todo { id, title: new.title, done: new.done };
            res.set_status(201).json(&todo);
            add.all.borrow_mut().insert(id, todo);
            add.save()
        }));
    app.route("/todos/:id")
        .get(move |req, res| {
            res.json(one.all.borrow().get(&req.param_as("id")?).ok_or_else(no_such)?);
            Ok(())
        })
        .patch(json_up_to(LIMIT, move |req, res, new: Change| {
            let mut all = change.all.borrow_mut();
            let todo = all.get_mut(&req.param_as("id")?).ok_or_else(no_such)?;
            todo.title = new.title.unwrap_or(std::mem::take(&mut todo.title));
            todo.done = new.done.unwrap_or(todo.done);
            res.json(todo);
            drop(all);
            change.save()
        }))
        .delete(move |req, res| {
            remove.all.borrow_mut().remove(&req.param_as("id")?).ok_or_else(no_such)?;
            res.set_status(204).end(());
            remove.save()
        });
    app
}

fn main() -> io::Result<()> {
    env_logger::init();
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().and_then(|port| port.parse().ok()).unwrap_or(7777);
    let file = arguments.next().unwrap_or("todos.json".into());
    let server = app(Todos::open(Path::new(&file))?).listen(port, || println!("listening"))?;
    access_log(&server, Format::Tiny);
    oneloop::app::drain::on_signals(&server, std::time::Duration::ZERO)?;
    oneloop::run()
}
