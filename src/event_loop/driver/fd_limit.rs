use std::sync::OnceLock;

/// Where the limit cannot be read: what most systems allow, less what a program needs for itself.
const FALLBACK: usize = 8_192;

/// How many file descriptors this process may open (the soft limit), read once. There is no safe call for it in the
/// standard library; Linux shows it in `/proc`.
pub(crate) fn fd_limit() -> usize {
    static LIMIT: OnceLock<usize> = OnceLock::new();
    *LIMIT.get_or_init(|| {
        std::fs::read_to_string("/proc/self/limits").ok().and_then(|text| parse(&text)).unwrap_or(FALLBACK)
    })
}

fn parse(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(usize::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_soft_limit_is_read_from_proc() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max open files            1024                 524288               files     \n";
        assert_eq!(parse(text), Some(1024));
        assert_eq!(parse("Max open files  unlimited unlimited files"), Some(usize::MAX));
        assert_eq!(parse("nothing of the kind"), None);
    }
}
