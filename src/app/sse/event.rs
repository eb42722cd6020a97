use std::fmt::{self, Display, Write};
use std::time::Duration;

/// One event: data, and perhaps a name and an id.
///
/// ```
/// use oneloop::app::Event;
///
/// let event = Event::data("two\nlines").name("note")?.id(7)?;
/// assert_eq!(event.to_string(), "id: 7\nevent: note\ndata: two\ndata: lines\n\n");
/// # Ok::<(), oneloop::app::EventError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    id: Option<String>,
    name: Option<String>,
    retry: Option<Duration>,
    data: String,
}

impl Event {
    /// Makes an event of this text, which may have several lines. A browser gives the text to the listeners of `message`, with
    /// each line break as `\n`, whether it was `\n`, `\r\n` or `\r`.
    ///
    /// ```
    /// use oneloop::app::Event;
    ///
    /// assert_eq!(Event::data("hello").to_string(), "data: hello\n\n");
    /// ```
    pub fn data(text: impl Into<String>) -> Event {
        Event { id: None, name: None, retry: None, data: text.into() }
    }

    /// Makes an event of a value, written as JSON (feature `json`).
    ///
    /// ```
    /// use oneloop::app::Event;
    ///
    /// assert_eq!(Event::json(&["water", "sun"])?.to_string(), "data: [\"water\",\"sun\"]\n\n");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the value cannot be written as JSON, for instance a map whose keys are no text.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<Event, serde_json::Error> {
        serde_json::to_string(value).map(Event::data)
    }

    /// Sets the name: a browser gives the event to the listeners of that name, instead of those of `message`.
    ///
    /// ```
    /// use oneloop::app::Event;
    ///
    /// assert_eq!(Event::data("7").name("count")?.to_string(), "event: count\ndata: 7\n\n");
    /// assert!(Event::data("7").name("count\nid: 1").is_err());
    /// # Ok::<(), oneloop::app::EventError>(())
    /// ```
    ///
    /// # Errors
    /// If the name has a line break or a NUL: with a line break, whoever chose the name could write fields and events.
    pub fn name(mut self, name: impl Display) -> Result<Event, EventError> {
        self.name = Some(one_line(name)?);
        Ok(self)
    }

    /// Sets the id. A browser that connects again sends the last one that it got, in the field `Last-Event-ID`.
    ///
    /// ```
    /// use oneloop::app::Event;
    ///
    /// assert_eq!(Event::data("").id(7)?.to_string(), "id: 7\ndata: \n\n");
    /// # Ok::<(), oneloop::app::EventError>(())
    /// ```
    ///
    /// # Errors
    /// If the id has a line break or a NUL. (A browser ignores an id with a NUL.)
    pub fn id(mut self, id: impl Display) -> Result<Event, EventError> {
        self.id = Some(one_line(id)?);
        Ok(self)
    }

    /// Sets after which time a browser connects again when the stream has ended, from this event on. The default is the
    /// browser's, a few seconds.
    ///
    /// ```
    /// use oneloop::app::Event;
    /// use std::time::Duration;
    ///
    /// assert_eq!(Event::data("a").retry(Duration::from_secs(1)).to_string(), "retry: 1000\ndata: a\n\n");
    /// ```
    pub fn retry(mut self, after: Duration) -> Event {
        self.retry = Some(after);
        self
    }

    pub(super) fn own_id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// The event as it is sent.
impl Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(id) = &self.id {
            writeln!(f, "id: {id}")?;
        }
        if let Some(name) = &self.name {
            writeln!(f, "event: {name}")?;
        }
        if let Some(retry) = self.retry {
            writeln!(f, "retry: {}", retry.as_millis())?;
        }
        let mut rest = self.data.as_str();
        loop {
            let (line, behind) = rest.split_at(rest.find(['\r', '\n']).unwrap_or(rest.len()));
            writeln!(f, "data: {line}")?;
            match behind.strip_prefix("\r\n").or_else(|| behind.strip_prefix(['\r', '\n'])) {
                Some(next) => rest = next,
                None => return f.write_char('\n'),
            }
        }
    }
}

fn one_line(text: impl Display) -> Result<String, EventError> {
    let text = text.to_string();
    if text.contains(['\r', '\n', '\0']) { Err(EventError(())) } else { Ok(text) }
}

/// The error of a name or an id that would be more than one line, or has a NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventError(());

impl Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name or the id of an event has a line break or a NUL")
    }
}

impl std::error::Error for EventError {}
