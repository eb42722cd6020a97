use std::cell::RefCell;

/// The prefixes that have listeners of their own: see [`Server::on_path`](super::Server::on_path).
#[derive(Default)]
pub(super) struct Paths {
    /// The place of each is its number.
    prefixes: RefCell<Vec<Box<str>>>,
}

impl Paths {
    /// The number of a prefix, which it keeps.
    pub fn number(&self, prefix: &str) -> u32 {
        let prefix = prefix.trim_end_matches('/');
        let mut prefixes = self.prefixes.borrow_mut();
        let known = prefixes.iter().position(|other| **other == *prefix);
        let number = known.unwrap_or_else(|| {
            prefixes.push(prefix.into());
            prefixes.len() - 1
        });
        number as u32
    }

    /// Are there none? That is all that a request of a server without them looks at.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.prefixes.borrow().is_empty()
    }

    /// The number of the longest prefix that `path` has.
    pub fn find(&self, path: &str) -> Option<u32> {
        let prefixes = self.prefixes.borrow();
        let below =
            |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let numbered = prefixes.iter().enumerate().filter(|(_, prefix)| below(prefix));
        numbered.max_by_key(|(_, prefix)| prefix.len()).map(|(number, _)| number as u32)
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
