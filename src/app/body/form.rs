//! Forms as browsers send them unless they have files: `application/x-www-form-urlencoded`.

#[cfg(feature = "json")]
use super::super::pairs;
use super::reading::Reader;
use super::wanted::Wanted;
use crate::http::{Answer, Error, Request, Response, Result};
#[cfg(feature = "json")]
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::panic::Location;

/// The most bytes of a body that is parsed on the loop: that takes less than a millisecond.
const LIMIT: usize = 100 * 1024;
/// The most pairs.
const MOST_PAIRS: usize = 1_000;

static FORM: Wanted = Wanted {
    types: "application/x-www-form-urlencoded",
    takes: Some(|media_type| media_type.is("application", "x-www-form-urlencoded")),
    is_text: true,
};

/// A form: names and values in the order in which they came.
///
/// Nothing in it is special: `a[b]` is a name like any other, and a name may be there several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn of(pairs: Vec<(String, String)>) -> Form {
        Form(pairs)
    }

    /// The first value of this name.
    ///
    /// ```
    /// use oneloop::{app::{self, Form}, http};
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = http::create_server(app::form(|_req, res, form: Form| {
    ///     res.end(format!("added {}\n", form.get("title").unwrap_or("nothing")));
    /// }));
    /// # server.listen(80, ()).unwrap();
    /// # let post = sim.request("POST", "/").header("Content-Type", "application/x-www-form-urlencoded");
    /// # assert_eq!(post.body("title=Buy+seeds").send().text(), "added Buy seeds\n");
    /// ```
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// All values of this name, in order.
    ///
    /// ```
    /// use oneloop::{app::{self, Form}, http};
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = http::create_server(app::form(|_req, res, form: Form| {
    ///     let chosen: Vec<_> = form.all("colour").collect();
    ///     res.end(chosen.join(" and "));
    /// }));
    /// # server.listen(80, ()).unwrap();
    /// # let post = sim.request("POST", "/").header("Content-Type", "application/x-www-form-urlencoded");
    /// # assert_eq!(post.body("colour=red&size=2&colour=blue").send().text(), "red and blue");
    /// ```
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs().filter(move |(other, _)| *other == name).map(|(_, value)| value)
    }

    /// All names and values, in order.
    ///
    /// ```
    /// use oneloop::{app::{self, Form}, http};
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = http::create_server(app::form(|_req, res, form: Form| {
    ///     res.end(form.pairs().map(|(name, value)| format!("{name}: {value}\n")).collect::<String>());
    /// }));
    /// # server.listen(80, ()).unwrap();
    /// # let post = sim.request("POST", "/").header("Content-Type", "application/x-www-form-urlencoded");
    /// # assert_eq!(post.body("a=1&b=2").send().text(), "a: 1\nb: 2\n");
    /// ```
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// What a form can be read as: a [`Form`], or with the feature `json` any type that implements serde's `Deserialize`.
#[diagnostic::on_unimplemented(
    message = "a form is read as an `app::Form`, or, with the feature `json`, as a type that implements `serde::Deserialize`",
    label = "this is not such a type"
)]
pub trait FromForm: Sized {
    #[doc(hidden)]
    fn from_pairs(pairs: Vec<(Cow<'_, str>, Cow<'_, str>)>) -> Result<Self>;
}

impl FromForm for Form {
    fn from_pairs(pairs: Vec<(Cow<'_, str>, Cow<'_, str>)>) -> Result<Form> {
        Ok(Form(pairs.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
    }
}

#[cfg(feature = "json")]
impl<T: DeserializeOwned> FromForm for T {
    fn from_pairs(pairs: Vec<(Cow<'_, str>, Cow<'_, str>)>) -> Result<T> {
        pairs::read(pairs).map_err(|error| error.answer(422, "form"))
    }
}

/// Makes a handler of one that has a form as its third argument: a body of up to 100 KiB and 1,000 pairs, with the media type
/// `application/x-www-form-urlencoded`. It is read as [`Request::query_pairs`] reads a query. A request without a body is an
/// empty form.
///
/// The third argument is a [`Form`]. With the feature `json` it may be any type that implements serde's `Deserialize`, which is
/// read as [`Request::query_as`] says; a form that is not what the type wants is answered 422. Any other body never reaches the
/// handler: see [`app`](crate::app#bodies) for what is answered.
///
/// ```
/// use oneloop::{app, http};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct NewTodo {
///     title: String,
///     #[serde(default)]
///     urgent: bool, // a checkbox
/// }
///
/// # let sim = oneloop::sim::Sim::new();
/// let server = http::create_server(app::form(|_req, res, new: NewTodo| {
///     let mark = if new.urgent { "!" } else { "" };
///     res.end(format!("{}{mark}\n", new.title));
/// }));
/// # server.listen(80, ()).unwrap();
/// # let post = |body| sim.request("POST", "/").header("Content-Type", "application/x-www-form-urlencoded").body(body).send();
/// # assert_eq!(post("title=Buy+seeds&urgent=on").text(), "Buy seeds!\n");
/// assert_eq!(post("urgent=on").expect(422).text(), "form: `title`: it is missing\n");
/// ```
#[track_caller]
pub fn form<T: FromForm + 'static, R: Answer>(
    handler: impl FnMut(Request, Response, T) -> R + 'static,
) -> impl FnMut(Request, Response) -> Result + 'static {
    form_up_to(LIMIT, handler)
}

/// [`form`] with another limit, in bytes. The number of pairs stays limited.
///
/// ```
/// use oneloop::{app::{self, Form}, http};
///
/// # let sim = oneloop::sim::Sim::new();
/// let server = http::create_server(app::form_up_to(1024 * 1024, |_req, res, form: Form| {
///     res.end(format!("{} bytes\n", form.get("text").unwrap_or_default().len()));
/// }));
/// # server.listen(80, ()).unwrap();
/// # let post = sim.request("POST", "/").header("Content-Type", "application/x-www-form-urlencoded");
/// # assert_eq!(post.body("text=".to_owned() + &"x".repeat(500_000)).send().text(), "500000 bytes\n");
/// ```
#[track_caller]
pub fn form_up_to<T: FromForm + 'static, R: Answer>(
    limit: usize,
    handler: impl FnMut(Request, Response, T) -> R + 'static,
) -> impl FnMut(Request, Response) -> Result + 'static {
    Reader { wanted: &FORM, read: parse, on_worker: None, limit }.handler(Location::caller(), handler)
}

impl Request {
    /// Reads the body as [`form`](crate::app::form) does, and passes it to `done`, once. It is for handlers that decide late
    /// whether they want the body.
    ///
    /// The loop calls `done`, after this call has returned. If `done` gets an error and sends no answer, the answer has the
    /// status of that error. If `done` returns the error, as by `?`, the answer has the error's text as well.
    ///
    /// ```
    /// use oneloop::{app::Form, http};
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = http::create_server(|req, res| {
    ///     req.read_form(1024, move |form: http::Result<Form>| {
    ///         res.end(form?.get("title").unwrap_or("nothing"));
    ///         Ok(())
    ///     });
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # let post = sim.request("POST", "/").header("Content-Type", "application/x-www-form-urlencoded");
    /// # assert_eq!(post.body("title=seeds").send().text(), "seeds");
    /// ```
    #[track_caller]
    pub fn read_form<T: FromForm + 'static, R: Answer>(
        &self,
        limit: usize,
        done: impl FnOnce(Result<T>) -> R + 'static,
    ) {
        Reader { wanted: &FORM, read: parse, on_worker: None, limit }.late(self, Location::caller(), done);
    }
}

fn parse<T: FromForm>(bytes: Vec<u8>) -> Result<T> {
    let pairs: Vec<_> = form_urlencoded::parse(&bytes).take(MOST_PAIRS + 1).collect();
    if pairs.len() > MOST_PAIRS {
        return Err(Error::new(413, format!("the form has more than {MOST_PAIRS} fields")));
    }
    T::from_pairs(pairs)
}
