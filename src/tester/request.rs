use super::jar::Visit;
use super::parts::Parts;
use super::redirect;
use super::visitor::Visitor;
use crate::sim::{ClientRequest, OpenReply, Reply};
use std::time::Duration;

/// How many redirects a request follows: browsers give up at 20, and no test wants as many.
const MOST_REDIRECTS: usize = 10;

/// A request of an [`Agent`](super::Agent): sent by [`send`](AgentRequest::send), or by [`open`](AgentRequest::open) to read the answer part by part.
///
/// It is sent as it was built, without any check. Unless they are set, `Host` is `localhost`, and `Content-Length` is the length of
/// the body, if there is one.
#[must_use = "it is sent by `send`"]
pub struct AgentRequest<'a> {
    visitor: &'a Visitor,
    request: ClientRequest<'a>,
    parts: Parts,
    follows: bool,
}

impl<'a> AgentRequest<'a> {
    pub(super) fn new(visitor: &'a Visitor, method: &str, target: &str) -> AgentRequest<'a> {
        let world = &visitor.world;
        let request = world.sim.request(method, target).port(world.port).sent_from(visitor.address);
        AgentRequest { visitor, request, parts: Parts::default(), follows: false }
    }

    /// Adds a field. A `Cookie` field replaces the cookies of the agent for this request.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// # let test = Tester::new(App::new);
    /// let page = test.get("/").header("Accept", "text/html").send().expect(404);
    /// assert!(page.text().contains("<h1>Not Found</h1>"));
    /// ```
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Sets the body. With `Transfer-Encoding: chunked` it is sent as one chunk.
    ///
    /// ```
    /// # use oneloop::{app::{self, App}, tester::Tester};
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     app.post("/", app::text(|_req, res, text| res.end(text)));
    ///     app
    /// });
    /// test.post("/").header("Content-Type", "text/plain").body("water").send().expect(200).expect_text("water");
    /// ```
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.request = self.request.body(body);
        self
    }

    /// Sets the body to JSON, and its `Content-Type` (feature `json`).
    ///
    /// # Panics
    /// If the value has no JSON.
    ///
    /// ```
    /// # use oneloop::{app::{self, App}, tester::Tester};
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     app.post("/", app::json(|_req, res, numbers: Vec<u32>| {
    ///         res.end(numbers.iter().sum::<u32>().to_string());
    ///     }));
    ///     app
    /// });
    /// test.post("/").json(&[1, 2, 3]).send().expect(200).expect_text("6");
    /// ```
    #[cfg(feature = "json")]
    #[track_caller]
    pub fn json<T: serde::Serialize + ?Sized>(self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.header("Content-Type", "application/json").body(body),
            Err(error) => panic!("oneloop: a value that has no JSON: {error}"),
        }
    }

    /// Sets the body to a form as browsers send it (`application/x-www-form-urlencoded`), and its `Content-Type`.
    ///
    /// ```
    /// # use oneloop::{app::{self, App, Form}, tester::Tester};
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     app.post("/", app::form(|_req, res, form: Form| res.end(form.get("title").unwrap_or("-"))));
    ///     app
    /// });
    /// test.post("/").form(&[("title", "water & feed")]).send().expect(200).expect_text("water & feed");
    /// ```
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.header("Content-Type", "application/x-www-form-urlencoded").body(body)
    }

    /// Adds a field to a form with files (`multipart/form-data`), which becomes the body.
    ///
    /// ```
    /// # use oneloop::{app::{self, App}, tester::Tester};
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     app.post("/", app::multipart(|_req, res, upload| {
    ///         let bytes: u64 = upload.files().iter().map(|file| file.size()).sum();
    ///         res.end(format!("{bytes} bytes for {}", upload.form().get("album").unwrap_or("no album")));
    ///     }));
    ///     app
    /// });
    /// let post = test.post("/").field("album", "Ivy").attach("photo", "leaf.jpg", b"green");
    /// post.send().expect(200).expect_text("5 bytes for Ivy");
    /// ```
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.parts.add(name, None, value.as_ref());
        self
    }

    /// Adds a file to a form with files (`multipart/form-data`), which becomes the body. The file's media type is that of its
    /// name.
    ///
    /// ```
    /// # use oneloop::{app::{self, App}, tester::Tester};
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     app.post("/", app::multipart(|_req, res, upload| res.end(upload.files()[0].name().to_owned())));
    ///     app
    /// });
    /// test.post("/").attach("photo", "leaf.jpg", b"green").send().expect(200).expect_text("leaf.jpg");
    /// ```
    pub fn attach(mut self, name: &str, file_name: &str, content: impl AsRef<[u8]>) -> Self {
        self.parts.add(name, Some(file_name), content.as_ref());
        self
    }

    /// Sends the request byte by byte: the program reads each of them by itself.
    ///
    /// ```
    /// # use oneloop::{app::{self, App}, tester::Tester};
    /// # let test = Tester::new(|| {
    /// #     let mut app = App::new();
    /// #     app.post("/", app::text(|_req, res, text| res.end(text)));
    /// #     app
    /// # });
    /// let post = test.post("/").header("Content-Type", "text/plain").body("water");
    /// post.slowly().send().expect(200).expect_text("water");
    /// ```
    pub fn slowly(mut self) -> Self {
        self.request = self.request.slowly();
        self
    }

    /// Sets how long the answer may take, in virtual time. Default: 5 minutes.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// use std::time::Duration;
    ///
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     app.get("/", |_req, res| {
    ///         oneloop::set_timeout(Duration::from_secs(3600), move || res.end("at last"));
    ///     });
    ///     app
    /// });
    /// test.get("/").at_most(Duration::from_secs(2 * 3600)).send().expect(200).expect_text("at last");
    /// ```
    pub fn at_most(mut self, time: Duration) -> Self {
        self.request = self.request.at_most(time);
        self
    }

    /// Follows redirects that stay on the host, as a browser does: a POST goes on as a GET after 301, 302 and 303, and 307 and 308 keep
    /// method and body. The answer is the last one. A redirect to another host is an answer.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     app.post("/todos", |_req, res| res.redirect("/todos/1"));
    ///     app.get("/todos/:id", |_req, res| res.end("water the plants"));
    ///     app
    /// });
    /// test.post("/todos").send().expect(303).expect_header("Location", "/todos/1");
    /// test.post("/todos").follow().send().expect(200).expect_text("water the plants");
    /// ```
    pub fn follow(mut self) -> Self {
        self.follows = true;
        self
    }

    /// Sends the request with the agent's cookies, runs the world until the whole answer has come, and keeps the cookies of the
    /// answer.
    ///
    /// # Panics
    /// If there is no whole answer in time, or if the connection ends before. The message says what is missing, which requests are
    /// open, and what was logged. It also panics at the 11th redirect in a row.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// # let test = Tester::new(App::new);
    /// assert_eq!(test.get("/").send().status(), 404);
    /// ```
    #[track_caller]
    pub fn send(self) -> Reply {
        let world = &self.visitor.world;
        match self.answer().and_then(OpenReply::try_whole) {
            Ok(reply) => reply,
            Err(why) => panic!("{why}{}", world.open_requests()),
        }
    }

    /// As [`send`](AgentRequest::send), until the head of the answer has come. The body is read from what this returns, part by part. Dropping it
    /// closes the connection.
    ///
    /// # Panics
    /// As [`send`](AgentRequest::send).
    ///
    /// ```
    /// # use oneloop::{app::{App, Channel, Event}, tester::Tester};
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     let news = Channel::new();
    ///     let readers = news.clone();
    ///     app.get("/news", move |req, res| readers.add(&req, res));
    ///     app.post("/news", move |_req, res| {
    ///         news.send(Event::data("it has grown"));
    ///         res.end(());
    ///     });
    ///     app
    /// });
    /// let mut news = test.get("/news").open().expect(200);
    /// test.post("/news").send().expect(200);
    /// assert!(news.read_until("\n\n").ends_with("data: it has grown\n\n"));
    /// ```
    #[track_caller]
    pub fn open(self) -> OpenReply<'a> {
        let world = &self.visitor.world;
        match self.answer() {
            Ok(reply) => reply,
            Err(why) => panic!("{why}{}", world.open_requests()),
        }
    }

    /// Sends the first `bytes` bytes of the request, head included, and resets the connection. Returns whether the request is longer, so
    /// that a test can cut it at each place.
    ///
    /// ```
    /// # use oneloop::{app::{self, App}, tester::Tester};
    /// # let test = Tester::new(|| {
    /// #     let mut app = App::new();
    /// #     app.post("/", app::text(|_req, res, text| res.end(text)));
    /// #     app
    /// # });
    /// let post = || test.post("/").header("Content-Type", "text/plain").body("water");
    /// let mut bytes = 0;
    /// while post().cut_after(bytes) {
    ///     assert_eq!(test.server().open_exchanges().len(), 0);
    ///     bytes += 1;
    /// }
    /// ```
    pub fn cut_after(self, bytes: usize) -> bool {
        self.with_fields_of_agent().with_cookies().cut_after(bytes)
    }

    /// Sends the request, follows its redirects, and returns the answer at the end of them as soon as its head has come.
    fn answer(self) -> Result<OpenReply<'a>, String> {
        let mut this = self.with_fields_of_agent();
        for _ in 0..=MOST_REDIRECTS {
            let reply = this.with_cookies().try_open()?;
            let visit = Visit::of(&this.request);
            this.visitor.jar.borrow_mut().take(&reply, &visit, this.visitor.world.sim.wall());
            if !(this.follows && redirect::follow(&mut this.request, &reply)) {
                return Ok(reply);
            }
            reply.try_whole()?;
        }
        Err(format!("oneloop: more than {MOST_REDIRECTS} redirects, the last one to {}", this.request.target))
    }

    fn with_fields_of_agent(mut self) -> Self {
        self.request = self.parts.put_into(self.request);
        for (name, value) in &*self.visitor.fields.borrow() {
            if self.request.field(name).is_none() {
                self.request = self.request.header(name, value);
            }
        }
        self
    }

    fn with_cookies(&self) -> ClientRequest<'a> {
        let request = self.request.clone();
        let cookies = self.visitor.jar.borrow().field(&Visit::of(&request), self.visitor.world.sim.wall());
        match cookies {
            Some(cookies) if request.field("Cookie").is_none() => request.header("Cookie", cookies),
            _ => request,
        }
    }
}
