//! The files of a folder as steps of a router.

use super::Files;
use super::place::Place;
use crate::app::journey::refuse_method;
use crate::app::next::Next;
use crate::app::registered::{Registered, middleware};
use crate::app::router::Router;
use crate::app::routing::{Methods, Reach, Role};
use crate::http::{Request, Response};
use crate::worker;
use std::panic::Location;

impl Router {
    /// Serves the files of a folder below `prefix`: Express's `app.use(prefix, express.static(folder))`. Where the folder has no such
    /// file, and for other methods than GET and HEAD, the request goes on.
    ///
    /// The answer is 405 with `Allow` (204 to an OPTIONS) if the request comes to the end of this router, its method is not GET
    /// or HEAD, no route takes it, and there is such a file. This is the same as for a path that has routes for other methods.
    /// Express answers 404.
    ///
    /// ```
    /// use oneloop::app::{App, Files};
    ///
    /// let mut app = App::new();
    /// app.files("/source", Files::of("src")?);
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// # assert!(sim.request("GET", "/source/lib.rs").send().expect(200).text().contains("pub mod app"));
    /// # assert_eq!(sim.request("POST", "/source/lib.rs").send().header("allow"), Some("GET, HEAD, OPTIONS"));
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn files(&mut self, prefix: &str, files: Files) -> &mut Self {
        let other = files.clone();
        self.last.push(Registered {
            pattern: prefix.to_owned(),
            reach: Reach::Prefix,
            methods: Methods::any(),
            role: Role::OnError,
            route: None,
            site: Location::caller(),
            run: middleware(move |req, res, next| other.refuse_or(&req, res, next)),
        });
        self.with_at(prefix, move |req, res, next| {
            let below = req.below();
            if !files.send_remembered(&req, &res, &below) {
                files.serve_or(&req, &res, &below, move || next.run());
            }
        })
    }
}

impl Files {
    /// No step has answered: refuses the method if the path names a file. (For GET and HEAD, the file has been sent already.)
    fn refuse_or(&self, req: &Request, res: Response, next: Next) {
        let is_read = matches!(req.method(), "GET" | "HEAD");
        let Some((names, slash)) = self.names(req, &req.below()).filter(|_| !is_read) else { return next.run() };
        let plan = self.plan.clone();
        worker::run_for_library(
            move || plan.look(&names, slash, false),
            move |place| match place {
                Ok(Place::File(_) | Place::Folder) if refuse_method(&res, &["GET"]) => {}
                _ => next.run(),
            },
        );
    }
}
