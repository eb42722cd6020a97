//! Conditional requests (RFC 9110, 13): the preconditions of a request, and the validators with which they are compared.

use super::range::{Selection, select};
use crate::proto::h1::IncomingRequest;
use std::fs::Metadata;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Some file systems count time in steps of 2 s, so a file that was changed more recently than this may change again while its
/// time stays the same. The validators of such a file are weak (RFC 9110, 8.8.1).
const SETTLED: Duration = Duration::from_secs(3);
/// The last second of the year 9999: dates have four digits for the year.
const LAST_DATE: u64 = 253_402_300_799;

/// The validators that tell one state of a file from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Validators {
    /// The entity tag with its quotes, as it is sent.
    pub etag: Option<String>,
    /// The modification time in whole seconds, as it is sent.
    pub modified: Option<SystemTime>,
    /// True if any later change of the file is certain to change its time. Then the date is a strong validator too.
    settled: bool,
}

impl Validators {
    /// Makes the validators of a file: from its size and its modification time.
    ///
    /// A modification time of whole seconds was set by a tool. It is the time at which something was built or packed (in layers
    /// of containers it means nothing), so a file and its replacement may have the same time. Such a time is not used. The time
    /// at which the file was put in its place, which no program can set, and the file's inode number are used instead. If the
    /// system does not tell these, the file has no validators.
    pub fn of(metadata: &Metadata, now: SystemTime) -> Validators {
        let written = metadata.modified().ok().and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
        let (age, place) = match written.filter(|age| age.subsec_nanos() > 0) {
            Some(age) => (age, String::new()),
            None => match put_there(metadata) {
                Some((age, file)) => (age, format!("-{file:x}")),
                None => return Validators::default(),
            },
        };
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let settled = age + SETTLED <= now;
        let weak = if settled { "" } else { "W/" };
        // No date in the future is sent (RFC 9110, 8.8.2.1).
        let seconds = age.min(now).as_secs();
        Validators {
            etag: Some(format!("{weak}\"{:x}-{:x}{place}\"", metadata.len(), age.as_nanos())),
            modified: (seconds <= LAST_DATE).then(|| UNIX_EPOCH + Duration::from_secs(seconds)),
            settled,
        }
    }

    /// Replaces the validators by those that the program has set.
    pub fn replace(&mut self, etag: Option<&str>, modified: Option<&str>) {
        if let Some(etag) = etag {
            self.etag = Some(etag.to_owned());
        }
        if let Some(modified) = modified {
            self.modified = httpdate::parse_http_date(modified).ok();
        }
    }

    /// The value of `Last-Modified`; `None` if the file has no usable time.
    pub fn last_modified(&self) -> Option<String> {
        self.modified.map(httpdate::fmt_http_date)
    }
}

/// The time at which a file was put in its place (when its content, owner or names last changed), and its inode number.
#[cfg(unix)]
fn put_there(metadata: &Metadata) -> Option<(Duration, u64)> {
    use std::os::unix::fs::MetadataExt;
    let (seconds, nanos) = (metadata.ctime(), metadata.ctime_nsec());
    Some((Duration::new(seconds.try_into().ok()?, nanos.try_into().ok()?), metadata.ino()))
}

#[cfg(not(unix))]
fn put_there(_: &Metadata) -> Option<(Duration, u64)> {
    None
}

/// The answer to a request, as its preconditions decide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Send the selected bytes.
    Send(Selection),
    /// 304: what the client has in its cache is still the present state.
    NotModified,
    /// 412: a precondition does not hold.
    Failed,
}

/// The preconditions of a request, and its range.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
    if_modified_since: Option<SystemTime>,
    if_unmodified_since: Option<SystemTime>,
    if_range: Option<String>,
    range: Option<String>,
}

impl Conditions {
    /// Reads the preconditions that count for the request's method: all for GET, all but the range for HEAD, none for
    /// others.
    pub fn of(request: &IncomingRequest) -> Conditions {
        // Most requests have none of the fields below. Their names begin with I or R, so the first letters show this.
        let may_count = |name: &str| matches!(name.as_bytes().first(), Some(b'i' | b'I' | b'r' | b'R'));
        if !request.fields().iter_bytes().any(|(name, _)| may_count(name)) {
            return Conditions::default();
        }
        let get = request.method() == "GET";
        if !get && request.method() != "HEAD" {
            return Conditions::default();
        }
        Conditions::read(request, get)
    }

    /// Reads the preconditions of a request that changes something, for which `If-Modified-Since` means nothing (RFC 9110, 13.1.3).
    #[cfg(feature = "app")]
    pub fn of_change(request: &IncomingRequest) -> Conditions {
        Conditions { if_modified_since: None, ..Conditions::read(request, false) }
    }

    fn read(request: &IncomingRequest, get: bool) -> Conditions {
        let tags = |name| all(request, name).map(|tags| characters(&tags));
        let one = |name| request.fields().only_bytes(name).map(characters);
        let date = |name| one(name).and_then(|value| httpdate::parse_http_date(&value).ok());
        Conditions {
            if_match: tags("If-Match"),
            if_none_match: tags("If-None-Match"),
            if_modified_since: date("If-Modified-Since"),
            if_unmodified_since: date("If-Unmodified-Since"),
            if_range: one("If-Range"),
            range: if get { one("Range") } else { None },
        }
    }

    /// Drops the range, so that the whole content is sent.
    pub fn ignore_range(&mut self) {
        self.range = None;
    }

    /// Evaluates the preconditions in the order of RFC 9110, 13.2.2, for a representation that exists.
    pub fn evaluate(&self, validators: &Validators, length: u64) -> Outcome {
        let etag = validators.etag.as_deref().unwrap_or_default();
        let changed_after = |date: SystemTime| validators.modified.is_none_or(|modified| modified > date);
        let failed = match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) => !any_match(tags, etag, strong),
            (None, Some(date)) => changed_after(date),
            (None, None) => false,
        };
        if failed {
            return Outcome::Failed;
        }
        let has_it = match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) => any_match(tags, etag, weak),
            (None, Some(date)) => !changed_after(date),
            (None, None) => false,
        };
        if has_it {
            return Outcome::NotModified;
        }
        Outcome::Send(self.selection(validators, length))
    }

    /// The bytes that the range selects. All bytes if there is no range, or if the range is about another state of the
    /// representation.
    pub fn selection(&self, validators: &Validators, length: u64) -> Selection {
        let etag = validators.etag.as_deref().unwrap_or_default();
        match &self.range {
            Some(range) if self.range_holds(validators, etag) => select(range, length),
            _ => Selection::Whole,
        }
    }

    /// Evaluates `If-Range`. Returns whether the part that the client has belongs to the present state. Only strong
    /// validators can tell this.
    fn range_holds(&self, validators: &Validators, etag: &str) -> bool {
        match &self.if_range {
            None => true,
            Some(tag) if tag.ends_with('"') => strong(tag, etag),
            Some(date) => {
                let date = httpdate::parse_http_date(date).ok();
                validators.settled && date.is_some() && date == validators.modified
            }
        }
    }
}

/// The values of all fields with this name, as one list. `None` if there is no such field.
fn all(request: &IncomingRequest, name: &str) -> Option<Vec<u8>> {
    let values: Vec<&[u8]> = request.fields().get_all_bytes(name).collect();
    (!values.is_empty()).then(|| values.join(&b", "[..]))
}

/// Makes one character of each byte. Entity tags may have bytes above ASCII (RFC 9110, 8.8.3) that are not UTF-8. This way
/// they still can be compared, and different bytes stay different.
pub(super) fn characters(value: &[u8]) -> String {
    value.iter().copied().map(char::from).collect()
}

/// Returns whether one tag in a list of entity tags matches ours. `*` matches every tag. Tags after a malformed one are not
/// read.
fn any_match(list: &str, ours: &str, compare: fn(&str, &str) -> bool) -> bool {
    let mut rest = list.trim_matches([' ', '\t']);
    if rest == "*" {
        return true;
    }
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some(length) = tag_length(rest) else { return false };
        let (tag, after) = rest.split_at(length);
        if compare(tag, ours) {
            return true;
        }
        rest = after;
    }
}

/// The length of the entity tag at the beginning of a text: a quoted string without escapes, which may contain commas.
fn tag_length(text: &str) -> Option<usize> {
    let opaque = text.strip_prefix("W/").unwrap_or(text);
    let end = opaque.strip_prefix('"')?.find('"')?;
    Some(text.len() - opaque.len() + end + 2)
}

fn strong(one: &str, other: &str) -> bool {
    one == other && one.starts_with('"')
}

fn weak(one: &str, other: &str) -> bool {
    let opaque = one.strip_prefix("W/").unwrap_or(one);
    opaque.starts_with('"') && opaque == other.strip_prefix("W/").unwrap_or(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn file() -> Validators {
        Validators { etag: Some("\"a,b\"".into()), modified: Some(date(1000)), settled: true }
    }

    fn fresh_file() -> Validators {
        Validators { etag: Some("W/\"a,b\"".into()), settled: false, ..file() }
    }

    const ALL: Outcome = Outcome::Send(Selection::Whole);
    const PART: Outcome = Outcome::Send(Selection::Part { first: 1, last: 2 });

    #[test]
    fn if_none_match_compares_weakly_and_goes_before_the_date() {
        for (tags, outcome) in [
            ("\"a,b\"", Outcome::NotModified),
            ("W/\"a,b\"", Outcome::NotModified),
            ("\"x\", W/\"y\" ,,\"a,b\"", Outcome::NotModified),
            ("*", Outcome::NotModified),
            ("\"a\",\"b\"", ALL),
            ("a,b", ALL),
            ("\"a,b", ALL),
            ("w/\"a,b\"", ALL),
            ("", ALL),
        ] {
            let conditions = Conditions {
                if_none_match: Some(tags.into()),
                if_modified_since: Some(date(2000)),
                ..Conditions::default()
            };
            assert_eq!(conditions.evaluate(&file(), 10), outcome, "{tags}");
            assert_eq!(conditions.evaluate(&fresh_file(), 10), outcome, "{tags}");
        }
    }

    #[test]
    fn if_modified_since_holds_up_to_the_same_second() {
        for (since, outcome) in [(999, ALL), (1000, Outcome::NotModified), (1001, Outcome::NotModified)] {
            let conditions = Conditions { if_modified_since: Some(date(since)), ..Conditions::default() };
            assert_eq!(conditions.evaluate(&file(), 10), outcome);
            assert_eq!(conditions.evaluate(&Validators::default(), 10), ALL);
        }
    }

    #[test]
    fn if_match_compares_strongly_and_goes_first() {
        for (tags, outcome) in
            [("\"a,b\"", ALL), ("*", ALL), ("W/\"a,b\"", Outcome::Failed), ("\"x\"", Outcome::Failed)]
        {
            let conditions =
                Conditions { if_match: Some(tags.into()), if_unmodified_since: Some(date(1)), ..Conditions::default() };
            assert_eq!(conditions.evaluate(&file(), 10), outcome, "{tags}");
        }
        let both = Conditions {
            if_match: Some("\"x\"".into()),
            if_none_match: Some("\"a,b\"".into()),
            ..Conditions::default()
        };
        assert_eq!(both.evaluate(&file(), 10), Outcome::Failed);
        for (until, outcome) in [(999, Outcome::Failed), (1000, ALL)] {
            let conditions = Conditions { if_unmodified_since: Some(date(until)), ..Conditions::default() };
            assert_eq!(conditions.evaluate(&file(), 10), outcome);
        }
    }

    #[test]
    fn a_range_is_followed_only_where_if_range_names_this_very_state() {
        let thousand = httpdate::fmt_http_date(date(1000));
        let later = httpdate::fmt_http_date(date(1001));
        for (if_range, outcome) in [
            (None, PART),
            (Some("\"a,b\""), PART),
            (Some("W/\"a,b\""), ALL),
            (Some("\"x\""), ALL),
            (Some("junk"), ALL),
            (Some(thousand.as_str()), PART),
            (Some(later.as_str()), ALL),
        ] {
            let conditions = Conditions {
                if_range: if_range.map(str::to_owned),
                range: Some("bytes=1-2".into()),
                ..Conditions::default()
            };
            assert_eq!(conditions.evaluate(&file(), 10), outcome, "{if_range:?}");
            if if_range.is_some() {
                assert_eq!(conditions.evaluate(&fresh_file(), 10), ALL, "{if_range:?}");
                assert_eq!(conditions.evaluate(&Validators::default(), 10), ALL, "{if_range:?}");
            }
        }
    }
}
