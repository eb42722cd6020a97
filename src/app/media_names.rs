//! Short names of media types: `json`, `.html`, `text`.

use crate::http::file_types;
use crate::proto::media_type::{MediaRange, MediaType};

/// The media type that a name stands for: the name itself if it has a `/`, else that of files with this extension. `None` if the
/// name is unknown.
pub(super) fn in_full(name: &str) -> Option<&str> {
    if name.contains('/') {
        return Some(name);
    }
    match name {
        "text" => file_types::of_extension("txt"),
        "urlencoded" => Some("application/x-www-form-urlencoded"),
        name => file_types::of_extension(name.strip_prefix('.').unwrap_or(name)),
    }
}

/// Returns whether a name stands for this media type. The name may be one of [`in_full`], a range (`text/*`), `multipart`, or a
/// suffix (`+json`). Parameters count only if they are written in the name.
pub(super) fn is_named(media_type: &MediaType<'_>, name: &str) -> bool {
    if let Some(suffix) = name.strip_prefix('+') {
        return media_type.suffix().is_some_and(|its| its.eq_ignore_ascii_case(suffix));
    }
    let range = match name {
        "multipart" => Some("multipart/*"),
        name if name.contains('/') => Some(name),
        // The charset belongs to the files that this library sends. A sender need not have named it.
        name => in_full(name).map(|full| full.split_once(';').map_or(full, |(bare, _)| bare)),
    };
    range.and_then(MediaRange::read).is_some_and(|range| range.has(media_type))
}
