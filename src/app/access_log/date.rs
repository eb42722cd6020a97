use httpdate::HttpDate;
use std::fmt::Write;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// The time of day (UTC) for a line of the log, formatted once a second.
#[derive(Default)]
pub(super) struct Clock {
    /// The formatted second, since 1970.
    second: Option<u64>,
    /// The second as the common log format writes it: `06/Nov/1994:08:49:37 +0000`.
    clf: String,
    /// The second as RFC 3339 writes it, without fraction and zone: `1994-11-06T08:49:37`.
    iso: String,
    millis: u32,
}

impl Clock {
    /// Sets the time that is shown.
    pub fn set(&mut self, wall: SystemTime) {
        let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.millis = since.subsec_millis();
        if self.second == Some(since.as_secs()) {
            return;
        }
        self.second = Some(since.as_secs());
        // `Sun, 06 Nov 1994 08:49:37 GMT`, written in place, because a request that is logged must not allocate.
        let mut date = [b' '; 29];
        let _ = io::Write::write_fmt(&mut &mut date[..], format_args!("{}", HttpDate::from(wall)));
        let date = str::from_utf8(&date).unwrap_or_default();
        let mut words = date.split([' ', ',']).filter(|word| !word.is_empty()).skip(1);
        let mut word = || words.next().unwrap_or("-");
        let (day, month, year, time) = (word(), word(), word(), word());
        self.clf.clear();
        self.iso.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.clf, "{day}/{month}/{year}:{time} +0000");
        let _ = write!(self.iso, "{year}-{:02}-{day}T{time}", number(month));
    }

    pub fn clf(&self) -> &str {
        &self.clf
    }

    pub fn iso(&self) -> &str {
        &self.iso
    }

    /// The milliseconds of the running second.
    pub fn millis(&self) -> u32 {
        self.millis
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn number(month: &str) -> usize {
    MONTHS.iter().position(|name| *name == month).map_or(0, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_time_is_written_in_both_forms_and_follows_the_clock() {
        let mut clock = Clock::default();
        let cases = [
            (784_111_777_042, "06/Nov/1994:08:49:37 +0000", "1994-11-06T08:49:37"),
            (784_111_777_999, "06/Nov/1994:08:49:37 +0000", "1994-11-06T08:49:37"),
            (784_111_778_000, "06/Nov/1994:08:49:38 +0000", "1994-11-06T08:49:38"),
            (1_709_251_199_000, "29/Feb/2024:23:59:59 +0000", "2024-02-29T23:59:59"),
            (1_735_689_600_000, "01/Jan/2025:00:00:00 +0000", "2025-01-01T00:00:00"),
        ];
        for (millis, clf, iso) in cases {
            clock.set(UNIX_EPOCH + Duration::from_millis(millis));
            assert_eq!((clock.clf(), clock.iso(), u64::from(clock.millis())), (clf, iso, millis % 1_000));
        }
    }
}
