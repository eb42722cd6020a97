//! The query of the target, as pairs of names and values.

#[cfg(feature = "json")]
use super::super::pairs;
#[cfg(feature = "json")]
use crate::http;
use crate::http::Request;
#[cfg(feature = "json")]
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// The most pairs that are read into a type. Each is looked at several times, and this must not hold up the loop.
#[cfg(feature = "json")]
const MOST_PAIRS: usize = 1_000;

impl Request {
    /// The names and values of the query, decoded, in order; none if there is no query. They are read as
    /// `application/x-www-form-urlencoded` (the WHATWG URL standard), as browsers write them: pairs are separated by `&`, `+`
    /// is a space, `%` and two digits are a byte, and bytes that are not UTF-8 become U+FFFD. A name without `=` has an empty
    /// value. Nothing is malformed.
    ///
    /// Pairs are flat. `a[b]=1` is a pair whose name is `a[b]`, and not an object as in Express's extended parser: objects
    /// from queries have cost it many security fixes.
    ///
    /// Each step of the iterator decodes one pair, and what needs no decoding is borrowed. So this allocates nothing for
    /// most queries, and its time is limited by the length of the head
    /// ([`Limits::head_bytes`](crate::http::Limits::head_bytes)).
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     let lines: String = req.query_pairs().map(|(name, value)| format!("{name} is {value}\n")).collect();
    ///     res.end(lines);
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/?page=2&q=a+b%21").send().text(), "page is 2\nq is a b!\n");
    /// ```
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.query().unwrap_or_default().as_bytes())
    }

    /// The first value of this name in the query, decoded as [`query_pairs`](Request::query_pairs) says. The name is the
    /// decoded one, and its case matters.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| match req.query_get("q") {
    ///     Some(words) => res.end(format!("you look for {words}\n")),
    ///     None => res.end("what do you look for?\n"),
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/?q=two%20words").send().text(), "you look for two words\n");
    /// ```
    pub fn query_get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// All values of this name in the query, in order.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     let tags: Vec<_> = req.query_all("tag").collect();
    ///     res.end(tags.join(" and "));
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/?tag=red&page=1&tag=green").send().text(), "red and green");
    /// ```
    pub fn query_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        self.query_pairs().filter(move |(other, _)| other == name).map(|(_, value)| value)
    }

    /// The query as a value of a type (feature `json`): a struct that implements serde's `Deserialize`, with a field for each
    /// name.
    ///
    /// | field | query |
    /// |---|---|
    /// | number, text, `char`, `bool` (`true`, `false`, or the `on` of a checkbox), an enum's variant by its name | given exactly once |
    /// | `Option` | may be missing; an empty value is `None` |
    /// | `Vec` | given once or more; with `#[serde(default)]` it may be missing |
    /// | none: the struct does not know the name | ignored, unless the struct has `#[serde(deny_unknown_fields)]` |
    ///
    /// `Vec<(String, String)>` is the list of all pairs. Fields that come through `#[serde(flatten)]` are texts: serde does
    /// not say there that a number is wanted.
    ///
    /// # Errors
    /// A 400 if the query is not what the type wants. Its text names the field, and what is expected there, but has nothing of
    /// the query itself. A query of more than 1,000 pairs is a 400 too.
    ///
    /// ```
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Search {
    ///     q: String,
    ///     page: Option<u32>,
    ///     #[serde(default)]
    ///     tag: Vec<String>,
    /// }
    ///
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     let search: Search = req.query_as()?;
    ///     res.end(format!("{}, page {}, {} tags\n", search.q, search.page.unwrap_or(1), search.tag.len()));
    ///     Ok(())
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/?q=rust&tag=a&tag=b").send().text(), "rust, page 1, 2 tags\n");
    /// let reply = sim.request("GET", "/?q=rust&page=first").send().expect(400);
    /// assert_eq!(reply.text(), "query: `page`: a whole number from 0 to 4294967295 is expected\n");
    /// ```
    #[cfg(feature = "json")]
    pub fn query_as<T: DeserializeOwned>(&self) -> http::Result<T> {
        let found: Vec<_> = self.query_pairs().take(MOST_PAIRS + 1).collect();
        if found.len() > MOST_PAIRS {
            return Err(http::Error::new(400, format!("query: it has more than {MOST_PAIRS} pairs")));
        }
        pairs::read(found).map_err(|error| error.answer(400, "query"))
    }
}
