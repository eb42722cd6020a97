//! A writer for the parts of JSON that the messages need.

use crate::event_loop::trace::Escaped;
use std::fmt::{Display, Write};
use std::time::Duration;

/// An object that is being written.
pub(super) struct Object<'a> {
    out: &'a mut String,
    first: bool,
}

pub(super) fn object(out: &mut String, write: impl FnOnce(&mut Object<'_>)) {
    out.push('{');
    write(&mut Object { out, first: true });
    out.push('}');
}

/// Writes an array; `write` writes each item.
pub(super) fn list<T>(out: &mut String, items: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut String, T)) {
    out.push('[');
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

pub(super) fn number(out: &mut String, value: impl Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

/// A time in microseconds with one decimal.
pub(super) fn micros(out: &mut String, time: Duration) {
    let tenths = time.as_nanos() / 100;
    number(out, tenths / 10);
    if !tenths.is_multiple_of(10) {
        out.push('.');
        number(out, tenths % 10);
    }
}

pub(super) fn string(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\"{}\"", Escaped(text));
}

impl Object<'_> {
    /// Writes a name and returns the text to which its value is to be written. Names are constants that need no escapes.
    pub fn name(&mut self, name: &str) -> &mut String {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    pub fn number(&mut self, name: &str, value: impl Display) {
        number(self.name(name), value);
    }

    /// Writes a number with `places` decimals. NaN and infinity, which JSON does not have, become 0.
    pub fn decimal(&mut self, name: &str, value: f64, places: usize) {
        let value = if value.is_finite() { value } else { 0.0 };
        number(self.name(name), format_args!("{value:.places$}"));
    }

    pub fn string(&mut self, name: &str, text: &str) {
        string(self.name(name), text);
    }

    pub fn micros(&mut self, name: &str, time: Duration) {
        micros(self.name(name), time);
    }

    /// Writes a number, unless it is zero.
    pub fn some(&mut self, name: &str, value: u64) {
        if value > 0 {
            self.number(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_peers_sent_stays_inside_its_string() {
        let mut out = String::new();
        object(&mut out, |all| {
            all.string("label", "GET /\"</script>\\\n\u{1}é");
            all.micros("at", Duration::from_nanos(12_345));
            all.micros("whole", Duration::from_micros(7));
            all.decimal("share", f64::NAN, 2);
            all.some("none", 0);
            list(all.name("list"), [1, 2], number);
        });
        assert_eq!(out, r#"{"label":"GET /\"</script>\\\u000a\u0001é","at":12.3,"whole":7,"share":0.00,"list":[1,2]}"#);
    }
}
