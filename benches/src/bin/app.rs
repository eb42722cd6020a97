//! What `examples/hello` does, through the layer `app`: a server for the measurements of instructions.
//!
//!     cargo run --release -p oneloop-benches --bin app -- SITE
//!
//! The sites: `hello` has one route. `routes` has five middlewares, which only go on, and the 130 routes of GitHub's API.

use oneloop::app::App;
use oneloop::http::{Request, Response};
use oneloop_benches::traffic::BODY;
use std::process::ExitCode;

const MIDDLEWARES: usize = 5;
const GITHUB: &str = include_str!("../github_routes.txt");

fn main() -> ExitCode {
    let mut app = App::new();
    match std::env::args().nth(1).as_deref() {
        Some("hello") => {
            app.get("/", hello);
        }
        Some("routes") => {
            for _ in 0..MIDDLEWARES {
                app.with(|_req, _res, next| next.run());
            }
            for pattern in GITHUB.lines() {
                app.get(pattern, hello);
            }
        }
        _ => {
            eprintln!("cargo run --release -p oneloop-benches --bin app -- hello|routes");
            return ExitCode::from(2);
        }
    }
    match serve(app) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("app: {error}");
            ExitCode::FAILURE
        }
    }
}

fn hello(_req: Request, res: Response) {
    res.set_header("Content-Type", "text/plain; charset=utf-8");
    res.end(BODY);
}

fn serve(app: App) -> std::io::Result<()> {
    let server = app.server()?;
    let listening = server.clone();
    server.listen(("127.0.0.1", 0), move || {
        let port = listening.address().and_then(|address| address.port()).unwrap_or_default();
        println!("app listening on http://127.0.0.1:{port}");
    })?;
    oneloop::run()
}
