//! A form with files that has come: its fields, and its temporary files.

use super::form::Form;
#[cfg(feature = "json")]
use super::form::FromForm;
#[cfg(feature = "json")]
use crate::http::Result;
use crate::http::Unfinished;
use crate::proto::multipart::Part;
use crate::worker;
#[cfg(feature = "json")]
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::Path;

/// A form with files that has come whole.
///
/// Its files are temporary: each is removed when its [`UploadedFile`] is dropped, unless it was [saved](UploadedFile::save_as).
#[derive(Debug)]
pub struct Upload {
    form: Form,
    files: Vec<UploadedFile>,
}

impl Upload {
    pub(super) fn new(form: Form, files: Vec<UploadedFile>) -> Upload {
        Upload { form, files }
    }

    /// The parts that are no files, in order.
    ///
    /// ```
    /// use oneloop::{app, http};
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = http::create_server(app::multipart(|_req, res, upload| {
    ///     res.end(format!("for {}\n", upload.form().get("album").unwrap_or("no album")));
    /// }));
    /// # server.listen(80, ()).unwrap();
    /// # let post = sim.request("POST", "/").header("Content-Type", "multipart/form-data; boundary=b");
    /// # let body = "--b\r\nContent-Disposition: form-data; name=\"album\"\r\n\r\nGarden\r\n--b--\r\n";
    /// # assert_eq!(post.body(body).send().text(), "for Garden\n");
    /// ```
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// The parts that are no files, as a value of a type (feature `json`): see [`Request::query_as`](crate::http::Request::query_as).
    ///
    /// # Errors
    /// A 422 if the fields are not what the type wants.
    ///
    /// ```
    /// use oneloop::{app, http};
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Photo {
    ///     title: String,
    ///     year: Option<u16>,
    /// }
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = http::create_server(app::multipart(|_req, res, upload| {
    ///     let photo: Photo = upload.form_as()?;
    ///     res.end(format!("{} ({:?})\n", photo.title, photo.year));
    ///     Ok(())
    /// }));
    /// # server.listen(80, ()).unwrap();
    /// # let post = sim.request("POST", "/").header("Content-Type", "multipart/form-data; boundary=b");
    /// # let body = "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nGarden\r\n--b--\r\n";
    /// # assert_eq!(post.body(body).send().text(), "Garden (None)\n");
    /// ```
    #[cfg(feature = "json")]
    pub fn form_as<T: FromForm>(&self) -> Result<T> {
        T::from_pairs(self.form.pairs().map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value))).collect())
    }

    /// The files, in order. An input of a form in which no file was chosen is not among them.
    ///
    /// ```
    /// use oneloop::{app, http};
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = http::create_server(app::multipart(|_req, res, upload| {
    ///     res.end(upload.files().iter().map(|file| format!("{:?}: {} bytes\n", file.name(), file.size())).collect::<String>());
    /// }));
    /// # server.listen(80, ()).unwrap();
    /// # let post = sim.request("POST", "/").header("Content-Type", "multipart/form-data; boundary=b");
    /// # let body = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\nseeds\r\n--b--\r\n";
    /// # assert_eq!(post.body(body).send().text(), "\"a.txt\": 5 bytes\n");
    /// ```
    pub fn files(&self) -> &[UploadedFile] {
        &self.files
    }

    /// Takes the first file of a field out of the upload, so that it can be kept longer, or saved.
    ///
    /// ```
    /// use oneloop::{app, http};
    ///
    /// let server = http::create_server(app::multipart(|_req, res, mut upload| {
    ///     let photo = upload.take_file("photo").ok_or(http::Error::new(400, "a photo is wanted"))?;
    ///     photo.save_as("photos/1.jpg", move |saved| match saved {
    ///         Ok(()) => res.set_status(201).end("stored\n"),
    ///         Err(error) => res.fail(error),
    ///     });
    ///     Ok(())
    /// }));
    /// ```
    pub fn take_file(&mut self, field: &str) -> Option<UploadedFile> {
        let at = self.files.iter().position(|file| file.field() == field)?;
        Some(self.files.remove(at))
    }
}

/// A file of an [`Upload`]. It is a temporary file, which is removed when this is dropped (by a worker, soon afterwards), unless it
/// was saved. Only the user that runs the program may read it.
pub struct UploadedFile {
    part: Part,
    size: u64,
    /// `None` once it was handed to a worker.
    file: Option<Unfinished>,
}

impl UploadedFile {
    pub(super) fn new(part: Part, mut file: Unfinished, size: u64) -> UploadedFile {
        file.close();
        UploadedFile { part, size, file: Some(file) }
    }

    /// The name of the field that the file is from.
    pub fn field(&self) -> &str {
        &self.part.name
    }

    /// The name that the file has at the client, if that says one: whatever the client likes. It may have slashes, dots, or be
    /// the name of another person's file. So it is something to show, escaped, and no path: choose the name for
    /// [`save_as`](UploadedFile::save_as) yourself.
    pub fn name(&self) -> &str {
        self.part.file_name.as_deref().unwrap_or_default()
    }

    /// The media type that the client states. It is a claim: look at the bytes before you believe it.
    pub fn media_type(&self) -> Option<&str> {
        self.part.media_type.as_deref()
    }

    /// The size, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where the temporary file is, to be read by a [`worker`]. It is there as long as this value.
    ///
    /// ```
    /// use oneloop::{app, http, worker};
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = http::create_server(app::multipart(|_req, res, mut upload| {
    ///     let Some(list) = upload.take_file("list") else { return res.set_status(400).end("a list is wanted\n") };
    ///     let path = list.path().to_owned();
    ///     worker::run(
    ///         move || std::fs::read_to_string(path),
    ///         move |text| {
    ///             drop(list); // kept until here
    ///             match text {
    ///                 Ok(Ok(text)) => res.end(format!("{} lines\n", text.lines().count())),
    ///                 Ok(Err(error)) => res.fail(error),
    ///                 Err(error) => res.fail(error),
    ///             }
    ///         },
    ///     );
    /// }));
    /// # server.listen(80, ()).unwrap();
    /// # let post = sim.request("POST", "/").header("Content-Type", "multipart/form-data; boundary=b");
    /// # let body = "--b\r\nContent-Disposition: form-data; name=\"list\"; filename=\"a.txt\"\r\n\r\n1\n2\n3\r\n--b--\r\n";
    /// # assert_eq!(post.body(body).send().text(), "3 lines\n");
    /// ```
    pub fn path(&self) -> &Path {
        self.file.as_ref().map_or(Path::new(""), Unfinished::path)
    }

    /// Keeps the file under this path, which it replaces, and calls `done`, once, from the loop. A worker syncs the file to the
    /// disk and renames it; if the path is on another disk, the file is copied beside it first. So a program that reads the path
    /// sees the old file or the new one, never a part. If there is an error, the file is removed.
    ///
    /// The path is used as it is, and a relative one is resolved in the working directory at the time of this call. The file stays
    /// readable for the user that runs the program only, unless it was copied.
    ///
    /// ```
    /// use oneloop::{app, http};
    ///
    /// let server = http::create_server(app::multipart(|_req, res, mut upload| {
    ///     let Some(photo) = upload.take_file("photo") else { return res.set_status(400).end("a photo is wanted\n") };
    ///     photo.save_as("photos/1.jpg", move |saved| match saved {
    ///         Ok(()) => res.set_status(201).end("stored\n"),
    ///         Err(error) => res.fail(error),
    ///     });
    /// }));
    /// ```
    #[track_caller]
    pub fn save_as(mut self, path: impl AsRef<Path>, done: impl FnOnce(io::Result<()>) + 'static) {
        let path = path.as_ref();
        // Made absolute now, since the working directory may be another one when a worker renames the file.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let file = self.file.take();
        worker::run_for_library(
            move || file.map_or(Ok(()), |file| file.finish(&path)),
            move |result| done(result.unwrap_or_else(|error| Err(error.into()))),
        );
    }
}

impl fmt::Debug for UploadedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("UploadedFile");
        shown.field("field", &self.field()).field("name", &self.name()).field("size", &self.size()).finish()
    }
}

impl Drop for UploadedFile {
    fn drop(&mut self) {
        // Without a loop the job is dropped here, and the file with it.
        if let Some(file) = self.file.take() {
            worker::run_for_library(move || drop(file), |_| ());
        }
    }
}
