//! The layer `app` of oneloop.

use super::{HELLO, List, Site, announce};
use crate::todos;
use oneloop::app::{self, App, Files};
use oneloop::http::{Request, Response, Result};
use oneloop::worker::Keepers;
use std::io;

pub fn serve(site: &Site) -> io::Result<()> {
    let mut app = App::new();
    app.with(|_req, res, next| {
        res.set_header("X-Content-Type-Options", "nosniff");
        res.set_header("X-Frame-Options", "DENY");
        next.run();
    });
    let mut requests = 0_u64;
    app.with(move |_req, res, next| {
        requests += 1;
        res.set_header("X-Request-Id", &format!("{requests:016x}"));
        next.run();
    });
    app.get("/hello", |_req: Request, res: Response| {
        res.set_header("Content-Type", "text/plain; charset=utf-8");
        res.end(HELLO);
    });
    app.post("/json", app::json(|_req, res, list: List| res.json(&list)));
    app.files("/files", Files::of(site.public())?);
    let database = site.database();
    let readers = Keepers::start(todos::READERS, move || todos::open(&database));
    app.get("/todos/:account", move |req: Request, res: Response| -> Result {
        let account = req.param_as("account")?;
        readers.run(
            move |connection| todos::list(connection, account),
            move |list| match list {
                Ok(Ok(list)) => res.json(&list),
                Ok(Err(error)) => res.fail(error),
                Err(error) => res.fail(error),
            },
        );
        Ok(())
    });
    let server = app.server()?;
    let listening = server.clone();
    server.listen(("127.0.0.1", 0), move || {
        announce(listening.address().and_then(|address| address.port()).unwrap_or_default());
    })?;
    oneloop::run()
}
