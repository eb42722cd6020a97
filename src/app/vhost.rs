//! The host that the steps of a router are for.

use crate::proto::authority::split_port;

/// A pattern of hosts, and those below it that another router is for.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pattern: Pattern,
    /// The exact names that other routers beside this one are for. A request for one of them does not match the wildcard.
    others: Vec<Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Exact(Box<str>),
    /// The end of the name, with the dot in front.
    Below(Box<str>),
}

impl Host {
    /// Reads `example.com` or `*.example.com`. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Host, String> {
        let (name, is_wild) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let is_name = !name.is_empty() && name.bytes().all(is_part);
        let is_address = !is_wild && name.parse::<std::net::Ipv6Addr>().is_ok_and(|_| !name.contains('.'));
        let is_address = is_address || name.strip_prefix('[').is_some_and(|name| name.ends_with(']'));
        if !is_name && !is_address {
            return Err(format!("`{text}` is no host: write `example.com` or `*.example.com`, without a port"));
        }
        let name = name.to_ascii_lowercase();
        let pattern = if is_wild { Pattern::Below(format!(".{name}").into()) } else { Pattern::Exact(name.into()) };
        Ok(Host { pattern, others: Vec::new() })
    }

    /// The name, if it is no wildcard.
    pub fn exact(&self) -> Option<&str> {
        match &self.pattern {
            Pattern::Exact(name) => Some(name),
            Pattern::Below(_) => None,
        }
    }

    /// Leaves these names to other routers, if this is a wildcard.
    pub fn leave(&mut self, names: &[Box<str>]) {
        if self.exact().is_none() {
            self.others = names.to_vec();
        }
    }

    /// Returns whether a request for `host`, which may have a port, is for this one. The case of letters does not matter (RFC 3986,
    /// 3.2.2).
    pub fn matches(&self, host: &str) -> bool {
        let (name, _) = split_port(host);
        match &self.pattern {
            Pattern::Exact(exact) => name.eq_ignore_ascii_case(exact),
            Pattern::Below(suffix) => {
                let from = name.len().saturating_sub(suffix.len());
                from > 0
                    && name.get(from..).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
                    && !self.others.iter().any(|other| name.eq_ignore_ascii_case(other))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Host;

    #[test]
    fn a_host_is_compared_without_case_and_port_and_a_wildcard_needs_a_name_in_front() {
        for (pattern, host, fits) in [
            ("example.com", "example.com", true),
            ("example.com", "EXAMPLE.com:7777", true),
            ("example.com", "www.example.com", false),
            ("example.com", "example.com.evil.org", false),
            ("example.com", "", false),
            ("*.example.com", "www.example.com", true),
            ("*.example.com", "a.b.example.com:80", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "notexample.com", false),
            ("127.0.0.1", "127.0.0.1:7777", true),
            ("[::1]", "[::1]:7777", true),
            ("[::1]", "[::1]", true),
        ] {
            assert_eq!(Host::parse(pattern).unwrap().matches(host), fits, "{pattern} {host}");
        }
        for wrong in ["", "*", "*.", "a b", "example.com:80", "http://example.com", "*.*.com"] {
            assert!(Host::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wildcard_leaves_the_names_of_others_to_them() {
        let mut host = Host::parse("*.example.com").unwrap();
        host.leave(&["api.example.com".into()]);
        assert!(host.matches("www.example.com") && !host.matches("API.example.com:80"));
    }
}
