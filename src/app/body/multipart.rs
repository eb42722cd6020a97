//! Forms with files: `multipart/form-data`.

use super::form::Form;
use super::reading::answer;
use super::storing::{refused, store};
use super::upload::Upload;
use super::wanted::{Wanted, has_content};
use crate::callback::{Lendable, Site};
use crate::http::{Answer, Request, Response, Result};
use crate::proto::media_type::MediaType;
use crate::proto::multipart::{Multipart, MultipartFault, MultipartLimits};
use std::cell::Cell;
use std::panic::Location;
use std::path::PathBuf;
use std::rc::Rc;

/// The most bytes of a whole form.
const LIMIT: u64 = 32 * 1024 * 1024;

static MULTIPART: Wanted = Wanted {
    types: "multipart/form-data",
    takes: Some(|media_type| media_type.is("multipart", "form-data")),
    is_text: false,
};

/// The limits of a form with files, and the folder for its temporary files.
///
/// | what | default |
/// |---|--:|
/// | the whole body | 32 MiB |
/// | one file | 16 MiB |
/// | one field, which is a part that is no file | 64 KiB |
/// | files | 10 |
/// | parts, fields and files together | 100 |
/// | the head of a part | 8 KiB and 16 lines |
/// | the name of a part, the name of a file | 100 and 255 bytes |
///
/// A form that has more of one of them is answered 413.
///
/// ```
/// use oneloop::{app::{self, UploadOptions}, http};
///
/// # let sim = oneloop::sim::Sim::new();
/// let options = UploadOptions::new().total(200 * 1024 * 1024).file(100 * 1024 * 1024).files(2);
/// let server = http::create_server(app::multipart_with(options, |_req, res, upload| {
///     res.end(format!("{} files\n", upload.files().len()));
/// }));
/// # server.listen(80, ()).unwrap();
/// # let post = sim.request("POST", "/").header("Content-Type", "multipart/form-data; boundary=b").body("--b--\r\n");
/// # assert_eq!(post.send().text(), "0 files\n");
/// ```
#[derive(Clone, Debug)]
pub struct UploadOptions {
    total: u64,
    parts: MultipartLimits,
    folder: Option<PathBuf>,
}

impl UploadOptions {
    /// The defaults.
    pub fn new() -> UploadOptions {
        UploadOptions { total: LIMIT, parts: MultipartLimits::default(), folder: None }
    }

    /// The most bytes of the whole body.
    pub fn total(mut self, bytes: u64) -> UploadOptions {
        self.total = bytes;
        self
    }

    /// The most bytes of one file.
    pub fn file(mut self, bytes: u64) -> UploadOptions {
        self.parts.file = bytes;
        self
    }

    /// The most bytes of one field. All fields are kept in memory.
    pub fn field(mut self, bytes: u64) -> UploadOptions {
        self.parts.field = bytes;
        self
    }

    /// The most files. With 0 the form may have fields only.
    pub fn files(mut self, files: usize) -> UploadOptions {
        self.parts.files = files;
        self
    }

    /// The most parts, fields and files together.
    pub fn parts(mut self, parts: usize) -> UploadOptions {
        self.parts.parts = parts;
        self
    }

    /// The folder for temporary files. By default it is the system's ([`std::env::temp_dir`]), which is often small and on another
    /// disk: files that are kept have to be copied from there. A folder on the disk where they will be kept is better for large
    /// files. It must exist.
    ///
    /// ```
    /// use oneloop::app::{self, UploadOptions};
    ///
    /// let store = app::multipart_with(UploadOptions::new().folder("data/incoming"), |_req, res, mut upload| {
    ///     let Some(photo) = upload.take_file("photo") else { return res.set_status(400).end("a photo is wanted\n") };
    ///     photo.save_as("data/photos/1.jpg", move |saved| match saved {
    ///         Ok(()) => res.end("stored\n"),
    ///         Err(error) => res.fail(error),
    ///     });
    /// });
    /// # oneloop::http::create_server(store);
    /// ```
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> UploadOptions {
        self.folder = Some(folder.into());
        self
    }

    /// Begins to read the form of a request, which is passed to `done`.
    fn read(
        &self,
        req: &Request,
        res: &Response,
        site: Site,
        done: impl FnOnce(Result<Upload>) -> Result + 'static,
    ) -> Result {
        MULTIPART.check(req, res, self.total, false)?;
        if !has_content(req) {
            req.soon(site, move || done(Ok(Upload::new(Form::default(), Vec::new()))));
            return Ok(());
        }
        let media_type = req.only("Content-Type").and_then(MediaType::read);
        let boundary =
            media_type.and_then(|media_type| media_type.parameter("boundary")).ok_or(MultipartFault::Boundary);
        let reader = boundary.and_then(|boundary| Multipart::new(&boundary.text(), self.parts)).map_err(refused)?;
        let folder = self.folder.clone().unwrap_or_else(std::env::temp_dir);
        store(req, site, reader, self.total, folder, done);
        Ok(())
    }
}

impl Default for UploadOptions {
    fn default() -> Self {
        UploadOptions::new()
    }
}

/// Makes a handler of one that has a form with files as its third argument: a body with the media type `multipart/form-data`, as
/// browsers send a form with `enctype="multipart/form-data"`. While the files come in, the worker pool writes them to temporary
/// files. A client that sends faster than the pool writes is slowed down. The handler is called when the form is whole. A request
/// without a body is an empty form.
///
/// Temporary files are removed when the request ends in whatever way, a cut connection and a panic included, unless the handler
/// has [kept](Upload::take_file) or [saved](super::UploadedFile::save_as) them. (Only a process that is killed leaves them behind. Their
/// names begin with `.oneloop-`.)
///
/// A body that is no such form never reaches the handler: see [`app`](crate::app#bodies) for what is answered. For the limits see
/// [`UploadOptions`], and [`multipart_with`] to set them.
///
/// ```
/// use oneloop::{app, http};
///
/// # let sim = oneloop::sim::Sim::new();
/// let server = http::create_server(app::multipart(|_req, res, upload| {
///     let bytes: u64 = upload.files().iter().map(|file| file.size()).sum();
///     res.end(format!("{bytes} bytes for {}\n", upload.form().get("album").unwrap_or("no album")));
/// }));
/// # server.listen(80, ()).unwrap();
/// # let post = sim.request("POST", "/").header("Content-Type", "multipart/form-data; boundary=b");
/// # let body = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\nseeds\r\n--b--\r\n";
/// # assert_eq!(post.body(body).send().text(), "5 bytes for no album\n");
/// ```
#[track_caller]
pub fn multipart<R: Answer>(
    handler: impl FnMut(Request, Response, Upload) -> R + 'static,
) -> impl FnMut(Request, Response) -> Result + 'static {
    multipart_with(UploadOptions::new(), handler)
}

/// [`multipart`] with other limits, or another folder for temporary files.
///
/// ```
/// use oneloop::{app::{self, UploadOptions}, http};
///
/// # let sim = oneloop::sim::Sim::new();
/// let one_small_file = UploadOptions::new().files(1).file(4);
/// let server = http::create_server(app::multipart_with(one_small_file, |_req, res, _upload| res.end("taken\n")));
/// # server.listen(80, ()).unwrap();
/// # let post = sim.request("POST", "/").header("Content-Type", "multipart/form-data; boundary=b");
/// # let body = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\nseeds\r\n--b--\r\n";
/// assert_eq!(post.body(body).send().expect(413).text(), "form: a file is too large\n");
/// ```
#[track_caller]
pub fn multipart_with<R: Answer>(
    options: UploadOptions,
    handler: impl FnMut(Request, Response, Upload) -> R + 'static,
) -> impl FnMut(Request, Response) -> Result + 'static {
    let (site, handler) = (Location::caller(), Rc::new(Lendable::new(handler)));
    move |req, res| {
        let (handler, request, response) = (handler.clone(), req.clone(), res.clone());
        options.read(&req, &res, site, move |upload| {
            let upload = upload?;
            answer(&handler, |handler| handler(request, response, upload))
        })
    }
}

impl Request {
    /// Reads the body as [`multipart_with`](crate::app::multipart_with) does, and passes it to `done`, once. It is for handlers
    /// that decide late whether they want the body.
    ///
    /// The loop calls `done`, after this call has returned. If `done` gets an error and sends no answer, the answer has the
    /// status of that error. If `done` returns the error, as by `?`, the answer has the error's text as well.
    ///
    /// ```
    /// use oneloop::{app::UploadOptions, http};
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = http::create_server(|req, res| {
    ///     if req.header("Authorization").is_none() {
    ///         return res.set_status(401).end("who are you?\n"); // nothing was read
    ///     }
    ///     req.read_upload(&UploadOptions::new(), move |upload| {
    ///         res.end(format!("{} files\n", upload?.files().len()));
    ///         Ok(())
    ///     });
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # let post = sim.request("POST", "/").header("Content-Type", "multipart/form-data; boundary=b").body("--b--");
    /// # assert_eq!(post.header("Authorization", "x").send().text(), "0 files\n");
    /// ```
    #[track_caller]
    pub fn read_upload<R: Answer>(&self, options: &UploadOptions, done: impl FnOnce(Result<Upload>) -> R + 'static) {
        let site = Location::caller();
        let done = Rc::new(Cell::new(Some(done)));
        let later = done.clone();
        let call = move |upload| later.take().and_then(|done| done(upload).into_error()).map_or(Ok(()), Err);
        if let Err(error) = options.read(self, &self.response(), site, call) {
            self.set_fallback(error.status());
            if let Some(done) = done.take() {
                self.soon(site, move || done(Err(error)));
            }
        }
    }
}
