//! Which answers are compressed, and what their heads say of it.

use crate::proto::h1::{IncomingRequest, OutgoingResponse};
use crate::proto::media_type::MediaType;
use crate::proto::negotiation::{best, encoding};

/// Types beside those that a rule of [`gets_smaller`] names.
const TYPES: [&str; 22] = [
    "application/ecmascript",
    "application/graphql",
    "application/javascript",
    "application/json",
    "application/jsonl",
    "application/manifest",
    "application/rtf",
    "application/sql",
    "application/toml",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/x-sh",
    "application/x-yaml",
    "application/xml",
    "application/yaml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/vnd.microsoft.icon",
    "image/x-icon",
];
/// What a format is built on (RFC 6838, 4.2.8).
const SUFFIXES: [&str; 5] = ["json", "text", "xml", "yaml", "json-seq"];
/// Digests of the content as it was before (RFC 9530, RFC 1864).
const DIGESTS: [&str; 4] = ["Content-Digest", "Repr-Digest", "Digest", "Content-MD5"];

/// Returns whether a client wants gzip rather than no coding.
pub fn is_wanted(request: &IncomingRequest) -> bool {
    let fields = || request.fields().get_all("accept-encoding");
    best(&["gzip", "identity"], |offer| encoding(fields(), offer)) == Some("gzip")
}

pub fn is_event_stream(media_type: &str) -> bool {
    MediaType::read(media_type).is_some_and(|media_type| media_type.is("text", "event-stream"))
}

/// Returns whether content of a type gets smaller when it is compressed. `also`: further types, in lower case.
pub fn gets_smaller(media_type: &str, also: &[String]) -> bool {
    let Some(read) = MediaType::read(media_type) else { return false };
    let is = |name: &str| name.split_once('/').is_some_and(|(kind, subtype)| read.is(kind, subtype));
    read.kind().eq_ignore_ascii_case("text")
        || read.suffix().is_some_and(|suffix| SUFFIXES.iter().any(|known| suffix.eq_ignore_ascii_case(known)))
        || TYPES.iter().any(|name| is(name))
        || also.iter().any(|name| is(name))
}

/// Returns whether nobody may change the content on its way (RFC 9111, 5.2.2.6).
pub fn has_no_transform(head: &OutgoingResponse) -> bool {
    let lists = head.iter_bytes().filter(|(name, _)| name.eq_ignore_ascii_case("cache-control"));
    let mut elements = lists.flat_map(|(_, list)| list.split(|&byte| byte == b','));
    elements.any(|element| element.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
}

/// Writes that the content is compressed, and that other fields no longer hold.
pub fn describe(head: &mut OutgoingResponse) {
    let _ = head.set("Content-Encoding", "gzip");
    head.remove("Accept-Ranges");
    for name in DIGESTS {
        head.remove(name);
    }
    weaken(head);
}

/// Makes a strong ETag weak.
fn weaken(head: &mut OutgoingResponse) {
    if let Some(tag) = head.get_bytes("ETag").filter(|tag| tag.starts_with(b"\"")) {
        let weak = [b"W/", tag].concat();
        let _ = head.set("ETag", weak);
    }
}

/// Makes a 304 say what the 200 has said that the client keeps (RFC 9110, 15.4.5): the type of its content, which is not known here,
/// has decided on that.
pub fn agree_with_what_the_client_has(request: &IncomingRequest, head: &mut OutgoingResponse) {
    if !is_wanted(request) {
        return;
    }
    let has_weak = |tag: &[u8]| {
        let mut tags = request.fields().elements("if-none-match");
        tags.any(|theirs| theirs.strip_prefix(b"W/") == Some(tag))
    };
    if head.get_bytes("ETag").is_some_and(has_weak) {
        let _ = head.fields_mut().merge("Vary", "Accept-Encoding");
        weaken(head);
    }
}
