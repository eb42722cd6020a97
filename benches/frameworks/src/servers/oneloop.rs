//! The layer `app` of oneloop.

use super::{HELLO, List, announce};
use oneloop::app::{self, App, Files};
use oneloop::http::{Request, Response};
use std::io;
use std::path::Path;

pub fn serve(folder: &Path) -> io::Result<()> {
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
    app.files("/files", Files::of(folder)?);
    let server = app.server()?;
    let listening = server.clone();
    server.listen(("127.0.0.1", 0), move || {
        announce(listening.address().and_then(|address| address.port()).unwrap_or_default());
    })?;
    oneloop::run()
}
