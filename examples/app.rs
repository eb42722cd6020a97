//! The layer `app`: a list of plants with routes, a guard, values of a request, errors and an access log. Try:
//! `cargo run --features app --example app`, then `curl -i http://localhost:7777/plants`,
//! `curl -i -H 'Authorization: Bearer green' -d Monstera http://localhost:7777/plants`, and
//! `curl -i -X DELETE http://localhost:7777/plants/1` (401: who are you?).
//!
//! The port is the first argument, or `PORT`, or 7777; 0 takes a free one.

use oneloop::app::{App, Format, access_log};
use oneloop::http::Error;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

#[path = "support/port.rs"]
mod port;

#[derive(Default)]
struct Plants {
    all: BTreeMap<u64, String>,
    last: u64,
}

/// Who may change the list.
struct Gardener(&'static str);

fn main() -> std::io::Result<()> {
    let shown = "app=info,oneloop=warn,oneloop::access=info";
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(shown)).init();
    let server = app().server()?; // an error if a pattern is wrong, or if a route can never run
    access_log(&server, Format::Tiny);
    let listening = server.clone();
    server.listen(port::port(1), move || port::announce("Server", listening.address()))?;
    oneloop::run()
}

fn app() -> App {
    let plants = Rc::new(RefCell::new(Plants::default()));
    let mut app = App::new();

    app.with(|_req, res, next| {
        res.set_header("X-Content-Type-Options", "nosniff");
        next.run();
    });
    app.get("/", |_req, res| res.end("Try /plants\n"));
    app.group("/plants", |api| {
        // Reading is free.
        api.with(|req, _res, next| match (req.method(), req.header("Authorization")) {
            ("GET" | "HEAD", _) => next.run(),
            (_, Some("Bearer green")) => {
                req.put(Gardener("Ada"));
                next.run();
            }
            _ => next.fail(Error::new(401, "who are you?")),
        });

        let list = plants.clone();
        let add = plants.clone();
        api.route("/")
            .get(move |_req, res| {
                let lines: Vec<String> = list.borrow().all.iter().map(|(id, name)| format!("{id} {name}\n")).collect();
                res.end(lines.concat());
            })
            .post(move |req, res| {
                let (request, plants) = (req.clone(), add.clone());
                req.read_body(1000, move |body| {
                    let name = String::from_utf8(body?).map_err(|_| Error::new(400, "that is no text"))?;
                    let mut plants = plants.borrow_mut();
                    plants.last += 1;
                    let id = plants.last;
                    log::info!("{} has planted {name}", request.need::<Gardener>()?.0);
                    plants.all.insert(id, name);
                    res.set_status(201).set_header("Location", format!("/plants/{id}")).end(());
                    Ok(())
                });
            });
        api.delete("/:id", move |req, res| {
            let gone = plants.borrow_mut().all.remove(&req.param_as("id")?);
            gone.ok_or(Error::new(404, "no such plant"))?;
            res.set_status(204).end(());
            Ok(())
        });
    });
    app.on_error(|error, req, _res, next| {
        log::info!("{} {}: {error}", req.method(), req.path());
        next.fail(error); // the library's page, as the client asks for it
    });
    app
}

/// Run them with `cargo test --features app --example app`.
#[cfg(test)]
mod tests {
    use super::app;
    use oneloop::tester::Tester;

    #[test]
    fn everybody_reads_and_gardeners_plant() {
        let test = Tester::new(app);
        test.post("/plants").body("fern").send().expect(401).expect_text("who are you?\n");
        let gardener = test.agent();
        gardener.set_header("Authorization", "Bearer green");
        gardener.post("/plants").body("fern").send().expect(201).expect_header("Location", "/plants/1");
        test.get("/plants").send().expect(200).expect_text("1 fern\n");
        gardener.delete("/plants/2").send().expect(404).expect_text("no such plant\n");
        gardener.delete("/plants/1").send().expect(204);
        test.get("/plants").send().expect(200).expect_text("");
    }
}
