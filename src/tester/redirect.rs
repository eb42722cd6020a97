//! Where a redirect leads (RFC 9110, 10.2.2 and 15.4; Fetch standard, HTTP-redirect fetch).

use crate::sim::{ClientRequest, Reply};

/// Makes a request the one that follows, if the answer is a redirect that stays on the host. Returns whether it is.
pub(super) fn follow(request: &mut ClientRequest<'_>, reply: &Reply) -> bool {
    let status = reply.status();
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return false;
    }
    let host = request.field("Host").map_or("localhost".into(), String::from_utf8_lossy);
    let Some(target) = reply.header("Location").and_then(|to| target(&request.target, &host, to)) else { return false };
    request.target = target;
    let as_get = match status {
        301 | 302 => request.method == "POST",
        303 => request.method != "GET" && request.method != "HEAD",
        _ => false,
    };
    if as_get {
        request.method = "GET".to_owned();
        request.body = None;
        let of_body = ["Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Transfer-Encoding"];
        request.fields.retain(|(name, _)| !of_body.iter().any(|other| other.eq_ignore_ascii_case(name)));
    }
    true
}

/// The target to which a reference leads from another target (RFC 3986, 5.2). `None` if it leads to another host.
fn target(from: &str, host: &str, to: &str) -> Option<String> {
    let to = to.split('#').next().unwrap_or_default();
    let behind_scheme = to.strip_prefix("http:").or_else(|| to.strip_prefix("https:"));
    if let Some(authority) = behind_scheme.unwrap_or(to).strip_prefix("//") {
        let end = authority.find(['/', '?']).unwrap_or(authority.len());
        let (authority, rest) = authority.split_at(end);
        let rest = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        return authority.eq_ignore_ascii_case(host).then(|| without_dots(&rest));
    }
    let path = from.split('?').next().unwrap_or_default();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    match to.bytes().next() {
        None => Some(from.to_owned()),
        Some(b'/') => Some(without_dots(to)),
        Some(b'?') => Some(format!("{path}{to}")),
        // Another scheme.
        Some(_) if to.split(['/', '?']).next().is_some_and(|first| first.contains(':')) => None,
        Some(_) => Some(without_dots(&format!("{folder}/{to}"))),
    }
}

/// A target without the segments `.` and `..` (RFC 3986, 5.2.4).
fn without_dots(target: &str) -> String {
    let (path, query) = target.find('?').map_or((target, ""), |at| target.split_at(at));
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_dots = segment == "." || segment == "..";
        if segment == ".." {
            kept.pop();
        }
        if !is_dots {
            kept.push(segment);
        } else if segments.peek().is_none() {
            kept.push("");
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_where_a_browser_would_go_or_to_another_host() {
        for (from, to, expected) in [
            ("/a/b?c", "/x?y#z", Some("/x?y")),
            ("/a/b?c", "x", Some("/a/x")),
            ("/a/b/", "x/", Some("/a/b/x/")),
            ("/a", "x", Some("/x")),
            ("/a/b", "../x", Some("/x")),
            ("/a/b", "../../../x", Some("/x")),
            ("/a/b/", "..", Some("/a/")),
            ("/a/b", ".", Some("/a/")),
            ("/a/b", "./c:d", Some("/a/c:d")),
            ("/a/b", "/x/./y/../z", Some("/x/z")),
            ("/a/b?c", "?page=2", Some("/a/b?page=2")),
            ("/a/b?c", "", Some("/a/b?c")),
            ("/a/b?c", "#top", Some("/a/b?c")),
            ("/", "http://localhost/x", Some("/x")),
            ("/", "https://LOCALHOST?x", Some("/?x")),
            ("/", "//localhost", Some("/")),
            ("/", "//localhost:8080/", None),
            ("/", "//example.com/x", None),
            ("/", "https://example.com/x", None),
            ("/", "mailto:ada@example.com", None),
        ] {
            assert_eq!(target(from, "localhost", to).as_deref(), expected, "{from} {to}");
        }
    }
}
