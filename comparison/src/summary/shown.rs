//! Figures as people read them.

/// What stands where there is no figure.
pub const NOTHING: &str = "–";

/// With three significant digits below a thousand, and whole numbers with commas above.
pub fn count(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => NOTHING.to_string(),
        size if size >= 999.5 => with_commas(value.round()),
        _ => short(value),
    }
}

/// With three significant digits at most, and no zeros at the end.
pub fn short(value: f64) -> String {
    if !value.is_finite() {
        return NOTHING.to_string();
    }
    let size = value.abs();
    let digits = match size {
        _ if size >= 99.95 || size == 0.0 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

/// Microseconds, as µs, ms or s.
pub fn time(microseconds: f64) -> String {
    match microseconds.abs() {
        size if !size.is_finite() => NOTHING.to_string(),
        size if size >= 999_500.0 => format!("{} s", short(microseconds / 1e6)),
        size if size >= 999.5 => format!("{} ms", short(microseconds / 1e3)),
        _ => format!("{} µs", short(microseconds)),
    }
}

/// Bytes, in powers of 1,024.
pub fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    if !bytes.is_finite() {
        return NOTHING.to_string();
    }
    let mut value = bytes;
    let mut unit = 0;
    while value.abs() >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", short(value), UNITS[unit])
}

/// A share as a percentage: `0.3 %`.
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{} %", short((1000.0 * share).round() / 10.0)) } else { NOTHING.to_string() }
}

/// A count in a few letters, for the ticks of an axis: `20k`, `1.5M`.
pub fn tick(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{}M", short(value / 1e6)),
        size if size >= 1e4 => format!("{}k", short(value / 1e3)),
        size if size >= 1e3 => with_commas(value),
        _ => short(value),
    }
}

fn with_commas(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
