//! What a session holds, and what a request has changed of it.

use super::error::SessionError;
use form_urlencoded::{Serializer, parse};
use std::time::{Duration, SystemTime};

/// In bytes, as they are saved. A session is loaded with each request: it holds the number of a user, not the user.
const MOST_BYTES: usize = 4096;

#[derive(Clone)]
pub(super) struct Data {
    /// In whole seconds.
    created: SystemTime,
    values: Vec<(String, String)>,
}

/// The change of a key: its new value, or `None` if it was removed.
pub(super) type Change = (String, Option<String>);

impl Data {
    pub fn new(now: SystemTime) -> Data {
        Data { created: whole(now), values: Vec::new() }
    }

    /// Sets this time as the beginning of the session.
    pub fn begin_anew(&mut self, now: SystemTime) {
        self.created = whole(now);
    }

    /// Reads what [`text`](Data::text) has written.
    pub fn read(text: &str) -> Option<Data> {
        let (created, values) = text.split_once('&')?;
        let created = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(created.parse().ok()?))?;
        let values = parse(values.as_bytes()).map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
        Some(Data { created, values })
    }

    /// The time of its beginning, and the values: `1764423423&user=7`.
    pub fn text(&self) -> String {
        let created = format!("{}&", seconds(self.created));
        let behind = created.len();
        let mut values = Serializer::for_suffix(created, behind);
        values.extend_pairs(&self.values);
        values.finish()
    }

    pub fn created(&self) -> SystemTime {
        self.created
    }

    pub fn find(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == key).map(|(_, value)| &**value)
    }

    /// Changes a value. Returns whether it is another one now.
    ///
    /// # Errors
    /// If the session would be too large. Then nothing is changed.
    pub fn change(&mut self, (key, value): &Change) -> Result<bool, SessionError> {
        if self.find(key) == value.as_deref() {
            return Ok(false);
        }
        let mut changed = self.clone();
        changed.values.retain(|(known, _)| known != key);
        if let Some(value) = value {
            changed.values.push((key.clone(), value.clone()));
            if changed.text().len() > MOST_BYTES {
                return Err(SessionError::TooLarge);
            }
        }
        *self = changed;
        Ok(true)
    }
}

fn whole(time: SystemTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds(time))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn put(key: &str, value: &str) -> Change {
        (key.to_owned(), Some(value.to_owned()))
    }

    #[test]
    fn what_is_written_is_read_whatever_the_texts_are() {
        let mut data = Data::new(at(1_764_423_423));
        for (key, value) in [("user", "7"), ("", ""), ("a&b=c", "100% \"ö\"\r\n"), ("user", "8")] {
            data.change(&put(key, value)).unwrap();
        }
        assert_eq!(data.text(), "1764423423&=&a%26b%3Dc=100%25+%22%C3%B6%22%0D%0A&user=8");
        let read = Data::read(&data.text()).unwrap();
        assert_eq!((read.created(), read.find("a&b=c")), (at(1_764_423_423), Some("100% \"ö\"\r\n")));
        assert_eq!((read.find("user"), read.find(""), read.find("b")), (Some("8"), Some(""), None));
        assert!(Data::read("1&").unwrap().find("").is_none());
        for wrong in ["", "1", "x&a=b", "-1&", "99999999999999999999&", "18446744073709551615&"] {
            assert!(Data::read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn only_what_becomes_another_one_is_a_change_and_4_kib_are_the_most() {
        let mut data = Data::new(at(1));
        assert_eq!(data.change(&("user".into(), None)), Ok(false));
        assert_eq!([data.change(&put("user", "7")), data.change(&put("user", "7"))], [Ok(true), Ok(false)]);
        let room = MOST_BYTES - "1&user=7&a=".len();
        assert_eq!(data.change(&put("a", &"x".repeat(room + 1))), Err(SessionError::TooLarge));
        assert_eq!(data.find("a"), None);
        assert_eq!(data.change(&put("a", &"x".repeat(room))), Ok(true));
        assert_eq!(data.change(&put("b", "")), Err(SessionError::TooLarge));
        assert_eq!([data.change(&("a".into(), None)), data.change(&put("b", ""))], [Ok(true), Ok(true)]);
    }
}
