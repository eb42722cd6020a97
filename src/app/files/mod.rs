//! The files of a folder: Express's `express.static`.
//!
//! ```text
//!   serve ─► names of the path ─┬─► found less than 100 ms ago ─────────────────┬─► fields ─► send_file
//!                               └─► worker: links, index, codings, fallbacks ───┴─► redirect, 403, 404
//! ```

mod known;
mod names;
mod place;
mod steps;

pub use place::{Dotfiles, Links};

use crate::event_loop::{next_tick, now};
use crate::http::{Error, Request, Response};
use crate::worker;
use known::Known;
use place::{Located, Place, Plan};
use std::cell::RefCell;
use std::fmt::{self, Debug, Formatter};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Serves the files of a folder, as `express.static` does: [`Response::send_file`] for the file that a path names.
///
/// ```
/// use oneloop::{app::Files, http};
///
/// # let sim = oneloop::sim::Sim::new();
/// let files = Files::of("src/guide")?;
/// let server = http::create_server(move |req, res| files.serve(&req, &res, req.path()));
/// # server.listen(80, ())?;
/// # assert_eq!(sim.request("GET", "/timers.md").send().status(), 200);
/// # assert_eq!(sim.request("GET", "/missing.md").send().status(), 404);
/// # std::io::Result::Ok(())
/// ```
///
/// A clone is the same folder with the same options.
///
/// | the path | the answer |
/// |---|---|
/// | names a file | the file: ranges, validators, 304 and the rest as [`send_file`](Response::send_file) has them |
/// | ends with a slash, and names a folder with an [index](Files::index) | the index. There are no listings |
/// | names such a folder without a slash at the end | 308 to the path with one, since relative links need it |
/// | has a name that begins with a dot | 404, or 403: see [`Dotfiles`] |
/// | leads outside of the folder by a symbolic link | 404: see [`Links`] |
/// | has `.` or `..`, an empty name, an encoded slash, a backslash, a NUL, a malformed `%`; is not UTF-8 | 404 |
/// | names nothing, or anything but a file and a folder; or a file, but with a slash at the end | 404 |
/// | of a request with another method than GET and HEAD | 405 |
///
/// Names are decoded once. On Windows, names that mean something else to the system (devices, streams, drives) are 404 as well.
/// An error is given to the error handlers ([`Response::fail`]).
///
/// Each file is sent with `X-Content-Type-Options: nosniff`, and with `Cache-Control: no-cache` unless
/// [`max_age`](Files::max_age) or [`immutable`](Files::immutable) says otherwise: a client may keep the file, but asks each time
/// whether it has changed. Fields that are set already stay.
///
/// Worker threads look for the files, so the loop does not wait for the disk. The place of a file that was found is used for 100
/// ms without another look. Anybody who can change links in the folder while it is served can make them lead outside of the
/// folder.
#[derive(Clone)]
pub struct Files {
    plan: Arc<Plan>,
    cache_control: Rc<str>,
    on_send: Option<Rc<OnSend>>,
    known: Rc<RefCell<Known>>,
}

type OnSend = dyn Fn(&Path, &Response);
/// Called if there is no file. With `None`, the answer is an error.
type Otherwise = Option<Box<dyn FnOnce()>>;

impl Files {
    /// The files of a folder. A relative path is resolved now, in the working directory.
    ///
    /// # Errors
    /// If there is no such folder, or it cannot be entered. The text names the folder as it was given; the kind is that of the cause.
    ///
    /// ```
    /// use oneloop::app::Files;
    ///
    /// let error = Files::of("no/such/folder").unwrap_err();
    /// assert!(error.to_string().starts_with("the folder \"no/such/folder\" cannot be served: "));
    /// ```
    pub fn of(folder: impl AsRef<Path>) -> io::Result<Files> {
        let folder = folder.as_ref();
        let named =
            |why: io::Error| io::Error::new(why.kind(), format!("the folder {folder:?} cannot be served: {why}"));
        let root = folder.canonicalize().map_err(named)?;
        if !fs::metadata(&root).map_err(named)?.is_dir() {
            return Err(named(ErrorKind::NotADirectory.into()));
        }
        let plan = Plan {
            root,
            index: Some("index.html".to_owned()),
            extensions: Vec::new(),
            dotfiles: Dotfiles::default(),
            links: Links::default(),
            precompressed: false,
            not_found: None,
            spa: None,
        };
        Ok(Files { plan: plan.into(), cache_control: "no-cache".into(), on_send: None, known: Rc::default() })
    }

    fn with(mut self, change: impl FnOnce(&mut Plan)) -> Files {
        change(Arc::make_mut(&mut self.plan));
        self.known = Rc::default();
        self
    }

    /// Sets the name of the file that is sent for the folder that it is in: `index.html` by default. With an empty name there is
    /// none.
    ///
    /// ```
    /// let files = oneloop::app::Files::of(".")?.index("README.md");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn index(self, name: impl Into<String>) -> Files {
        let name = name.into();
        self.with(|plan| plan.index = (!name.is_empty()).then_some(name))
    }

    /// Sets extensions that a path may leave out: with `["html"]`, `/about` is answered with `about.html` if nothing is called
    /// `about`. The extensions are tried in their order, and the first file that exists is sent.
    ///
    /// ```
    /// let files = oneloop::app::Files::of(".")?.extensions(["html", "htm"]);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn extensions<E: Into<String>>(self, extensions: impl IntoIterator<Item = E>) -> Files {
        let extensions = extensions.into_iter().map(Into::into).collect();
        self.with(|plan| plan.extensions = extensions)
    }

    /// Sets for how long clients and caches may use a file without asking whether it has changed
    /// (`Cache-Control: public, max-age=…`, in whole seconds).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let files = oneloop::app::Files::of(".")?.max_age(Duration::from_secs(3600));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn max_age(mut self, age: Duration) -> Files {
        self.cache_control = format!("public, max-age={}", age.as_secs()).into();
        self
    }

    /// Call this if files never change, because a changed file gets another name (build tools name files in this way). Clients
    /// and caches then use a file for a year without asking (RFC 8246).
    ///
    /// ```
    /// let files = oneloop::app::Files::of(".")?.immutable();
    /// # std::io::Result::Ok(())
    /// ```
    pub fn immutable(mut self) -> Files {
        self.cache_control = "public, max-age=31536000, immutable".into();
        self
    }

    /// Sets what is done with names that begin with a dot.
    ///
    /// ```
    /// use oneloop::app::{Dotfiles, Files};
    ///
    /// let files = Files::of(".")?.dotfiles(Dotfiles::Deny);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn dotfiles(self, dotfiles: Dotfiles) -> Files {
        self.with(|plan| plan.dotfiles = dotfiles)
    }

    /// Sets what is done with symbolic links.
    ///
    /// ```
    /// use oneloop::app::{Files, Links};
    ///
    /// let files = Files::of(".")?.links(Links::Refuse);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn links(self, links: Links) -> Files {
        self.with(|plan| plan.links = links)
    }

    /// Sends a file that was compressed before, if there is one beside the file that is asked for, and the client takes it:
    /// `a.js.zst`, `a.js.br` or `a.js.gz` for `a.js`. It has the media type of `a.js`, and an `ETag` and ranges of its own. All
    /// answers say `Vary: Accept-Encoding`. The file itself has to exist too, and both must have the same content.
    ///
    /// ```
    /// let files = oneloop::app::Files::of(".")?.precompressed();
    /// # std::io::Result::Ok(())
    /// ```
    pub fn precompressed(self) -> Files {
        self.with(|plan| plan.precompressed = true)
    }

    /// Sets a page, by its path below the folder, that is sent with 404 where there is no file.
    ///
    /// ```
    /// let files = oneloop::app::Files::of(".")?.not_found("404.html");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn not_found(self, page: impl AsRef<Path>) -> Files {
        self.with(|plan| plan.not_found = Some(page.as_ref().to_owned()))
    }

    /// Sets the page of an app that has its routes in the browser ("single-page application"), by its path below the folder. It
    /// is sent with 200 where there is no file, if the last name of the path has no dot, and the client wants HTML no less than
    /// JSON. Clients ask each time whether the page has changed (`Cache-Control: no-cache`).
    ///
    /// ```
    /// let files = oneloop::app::Files::of(".")?.immutable().spa("index.html");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn spa(self, page: impl AsRef<Path>) -> Files {
        self.with(|plan| plan.spa = Some(page.as_ref().to_owned()))
    }

    /// Sets a callback that can set further fields. The loop calls it once before each file is sent, with the path below the
    /// folder, and the response, which has its other fields already. If the callback answers by itself, the file is not sent.
    ///
    /// ```
    /// let files = oneloop::app::Files::of(".")?.on_send(|path, res| {
    ///     if path.extension().is_some_and(|extension| extension == "pdf") {
    ///         res.set_header("Content-Disposition", "attachment");
    ///     }
    /// });
    /// # std::io::Result::Ok(())
    /// ```
    pub fn on_send(mut self, f: impl Fn(&Path, &Response) + 'static) -> Files {
        self.on_send = Some(Rc::new(f));
        self
    }

    /// Answers with the file that a path names. `below` is the rest of the request's path after the prefix under which the files
    /// are served, not decoded: if they are served under `/assets`, it is `/a.js` for the path `/assets/a.js`.
    ///
    /// ```
    /// use oneloop::{app::Files, http};
    ///
    /// let files = Files::of(".")?;
    /// let server = http::create_server(move |req, res| match req.path().strip_prefix("/assets") {
    ///     Some(below) if below.is_empty() || below.starts_with('/') => files.serve(&req, &res, below),
    ///     _ => res.end("hello\n"),
    /// });
    /// # std::io::Result::Ok(())
    /// ```
    pub fn serve(&self, req: &Request, res: &Response, below: &str) {
        self.answer(req, res, below, None);
    }

    /// Answers with the file that a path names, or calls `otherwise`, where [`serve`](Files::serve) would answer that there is no
    /// such file, or that the method is wrong: Express's `fallthrough`. The loop calls it once, in a later tick or its poll
    /// phase. ([`not_found`](Files::not_found) and [`spa`](Files::spa) have the precedence.)
    ///
    /// ```
    /// use oneloop::{app::Files, http};
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let files = Files::of("src")?;
    /// let server = http::create_server(move |req, res| {
    ///     let other = res.clone();
    ///     files.serve_or(&req, &res, req.path(), move || other.end("no file\n"));
    /// });
    /// # server.listen(80, ())?;
    /// # assert_eq!(sim.request("GET", "/x").send().text(), "no file\n");
    /// # assert_eq!(sim.request("POST", "/lib.rs").send().text(), "no file\n");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn serve_or(&self, req: &Request, res: &Response, below: &str, otherwise: impl FnOnce() + 'static) {
        self.answer(req, res, below, Some(Box::new(otherwise)));
    }

    fn answer(&self, req: &Request, res: &Response, below: &str, otherwise: Otherwise) {
        if !matches!(req.method(), "GET" | "HEAD") {
            return match otherwise {
                Some(otherwise) => next_tick(otherwise),
                None => {
                    res.set_header("Allow", "GET, HEAD");
                    res.fail(Error::new(405, "Files can only be read"));
                }
            };
        }
        let (files, req, res) = (self.clone(), req.clone(), res.clone());
        if let Some(file) = self.remembered(&req, below) {
            // The file is sent in a tick, since `on_send` is user code, which must not run inside this call.
            return next_tick(move || files.send(&req, &res, &file));
        }
        let parsed = self.names(&req, below);
        let is_usual = is_usual(&req, below);
        let (plan, since, below) = (self.plan.clone(), now(), below.to_owned());
        let wants_page = parsed.as_ref().is_some_and(|(names, _)| wants_page(&req, names));
        worker::run_for_library(
            move || match parsed {
                Some((names, slash)) => plan.look(&names, slash, wants_page),
                None => plan.nothing(),
            },
            move |place| match place {
                Ok(Place::File(file)) => {
                    let file = Rc::new(file);
                    if is_usual {
                        files.known.borrow_mut().remember(&below, since, file.clone());
                    }
                    files.send(&req, &res, &file);
                }
                Ok(Place::Folder) => redirect(&req, &res),
                Ok(Place::Denied) => res.fail(Error::new(403, "Hidden files are not served")),
                Ok(Place::App(page)) => {
                    res.append_header("Vary", "Accept");
                    set_unless_there(&res, "Cache-Control", "no-cache");
                    files.send(&req, &res, &page);
                }
                Ok(Place::Nothing(Some(page))) => {
                    res.set_status(404);
                    set_unless_there(&res, "Cache-Control", "no-cache");
                    files.send(&req, &res, &page);
                }
                Ok(Place::Nothing(None)) => match otherwise {
                    Some(otherwise) => otherwise(),
                    None => res.fail(Error::new(404, "There is no such file")),
                },
                Err(error) => {
                    let status = if error.is_refusal() { 503 } else { 500 };
                    res.fail(Error::new(status, "").with_source(error));
                }
            },
        );
    }

    /// Sends the file that a path names, if its place is remembered. This calls `on_send`. Returns whether there was such a file.
    fn send_remembered(&self, req: &Request, res: &Response, below: &str) -> bool {
        let file = self.remembered(req, below).filter(|_| matches!(req.method(), "GET" | "HEAD"));
        file.map(|file| self.send(req, res, &file)).is_some()
    }

    fn remembered(&self, req: &Request, below: &str) -> Option<Rc<Located>> {
        self.known.borrow().find(below).filter(|_| is_usual(req, below))
    }

    /// The decoded names in a path, and whether a slash is at its end: see [`names::names`].
    fn names(&self, req: &Request, below: &str) -> Option<(Vec<String>, bool)> {
        let (names, slash) = names::names(below)?;
        // If the files are mounted at `/assets`, `below` is the same for the paths `/assets` and `/assets/`. Only the request's path
        // tells them apart.
        let slash = if names.is_empty() { req.path().ends_with('/') } else { slash };
        Some((names, slash))
    }

    fn send(&self, req: &Request, res: &Response, file: &Located) {
        let mut path = &file.path;
        if self.plan.precompressed {
            res.append_header("Vary", "Accept-Encoding");
            let offers: Vec<_> = file.coded.iter().map(|(coding, _)| *coding).chain(["identity"]).collect();
            let wanted = req.accepts_encodings(&offers);
            if let Some((coding, coded)) = file.coded.iter().find(|(coding, _)| wanted == Some(coding)) {
                res.set_header("Content-Encoding", *coding);
                path = coded;
            }
        }
        // The media type depends on the name that the client asked for, not on the name of the compressed file or of the file
        // that a link leads to.
        set_unless_there(res, "Content-Type", file.media_type);
        set_unless_there(res, "Cache-Control", &self.cache_control);
        set_unless_there(res, "X-Content-Type-Options", "nosniff");
        if let Some(on_send) = &self.on_send {
            on_send(&file.name, res);
        }
        res.send_file(path);
    }
}

impl Debug for Files {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// Returns whether `below` alone says which file is asked for. If the files are mounted at `/assets`, it is the same for `/assets` and `/assets/`.
fn is_usual(req: &Request, below: &str) -> bool {
    !matches!(below, "" | "/") || req.path().ends_with('/') == below.ends_with('/')
}

/// Returns whether the page of an app ([`Files::spa`]) may be sent where there is no file: the last name of the path has no dot,
/// so it looks like no file, and the client wants a page, not data.
fn wants_page(req: &Request, names: &[String]) -> bool {
    names.last().is_none_or(|last| !last.contains('.')) && req.accepts(&["html", "json"]) == Some("html")
}

/// Redirects to the same path with a slash at its end. `Location` is relative. So it stays on this host, whatever the path is,
/// and it is right even if a gateway has removed the beginning of the path.
fn redirect(req: &Request, res: &Response) {
    let last = req.path().rsplit('/').next().unwrap_or_default();
    let query = req.query().map(|query| format!("?{query}")).unwrap_or_default();
    res.set_status(308).set_header("Location", format!("./{last}/{query}"));
    res.end(());
}

fn set_unless_there(res: &Response, name: &str, value: &str) {
    if !res.has_header(name) {
        res.set_header(name, value);
    }
}
