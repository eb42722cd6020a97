use std::cell::RefCell;

/// The prefixes that have listeners of their own: see [`Server::on_path`](super::Server::on_path).
#[derive(Default)]
pub(super) struct Paths {
    /// The number of a prefix is its index.
    prefixes: RefCell<Vec<Box<str>>>,
}

impl Paths {
    /// Returns the number of a prefix. It never changes. A new prefix gets a new number.
    pub fn number(&self, prefix: &str) -> u32 {
        self.known(prefix).unwrap_or_else(|| {
            let mut prefixes = self.prefixes.borrow_mut();
            prefixes.push(prefix.trim_end_matches('/').into());
            (prefixes.len() - 1) as u32
        })
    }

    /// The number of a prefix, if it has one.
    pub fn known(&self, prefix: &str) -> Option<u32> {
        let prefix = prefix.trim_end_matches('/');
        self.prefixes.borrow().iter().position(|other| **other == *prefix).map(|number| number as u32)
    }

    /// The number of the longest prefix that matches `path`.
    pub fn find(&self, path: &str) -> Option<u32> {
        let prefixes = self.prefixes.borrow();
        let below =
            |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let numbered = prefixes.iter().enumerate().filter(|(_, prefix)| below(prefix));
        numbered.max_by_key(|(_, prefix)| prefix.len()).map(|(number, _)| number as u32)
    }

    /// The prefix with this number, as a [`Route`](super::Route) shows it.
    pub fn prefix(&self, number: u32) -> Option<String> {
        let prefixes = self.prefixes.borrow();
        let prefix = prefixes.get(number as usize)?;
        Some(if prefix.is_empty() { "/".to_owned() } else { String::from(&**prefix) })
    }
}

#[cfg(test)]
mod tests {
    use super::Paths;

    #[test]
    fn a_path_belongs_to_the_longest_prefix_that_ends_at_a_segment() {
        let paths = Paths::default();
        assert_eq!(paths.find("/a"), None);
        let (a, deeper) = (paths.number("/a"), paths.number("/a/b/"));
        assert_eq!((paths.number("/a/"), paths.number("/a/b")), (a, deeper));
        for (path, number) in [
            ("/a", Some(a)),
            ("/a/", Some(a)),
            ("/a/c", Some(a)),
            ("/a/b", Some(deeper)),
            ("/a/b/c", Some(deeper)),
            ("/a/bc", Some(a)),
            ("/ab", None),
            ("/A", None),
            ("/%61", None),
            ("/", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(paths.find(path), number, "{path}");
        }
        let all = paths.number("/");
        assert_eq!(
            (paths.find("/ab"), paths.find("/"), paths.find("/a/b"), paths.find("*")),
            (Some(all), Some(all), Some(deeper), None)
        );
    }
}
