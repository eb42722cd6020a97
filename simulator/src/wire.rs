//! The bytes of requests, and of what is none.

use super::content;
use super::plan::{Body, Connection, Expect, Plan, Request};
use super::random::{Random, mix};

/// What is no request, and the statuses that may refuse it.
const BAD: &[(&str, &[u16])] = &[
    ("GET / HTTP/1.1\r\n\r\n", &[400]),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", &[400]),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", &[505]),
    ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", &[400]),
    ("\0\0\0\0 / HTTP/1.1\r\n\r\n", &[400]),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[400]),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", &[400]),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", &[400, 501]),
];
/// The same where CONNECT makes no tunnels.
const NO_TUNNEL: (&str, &[u16]) = ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", &[501]);
/// Who stops does so before the end of this.
const HEAD: &[u8] = b"GET /stop HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
/// Where CONNECT leads to.
const PORT: &str = ":443";

/// The target of a request: its number, and a proof that no octet of it was changed.
fn name(id: u32) -> String {
    format!("{id}-{:08x}", mix(u64::from(id)) as u32)
}

/// The host that a request is for.
pub fn host(id: u32, request: &Request) -> String {
    match request {
        Request { connect: true, .. } => name(id) + PORT,
        Request { absolute: true, .. } => "b".to_owned(),
        _ => "a".to_owned(),
    }
}

/// The number in a target.
pub fn number(target: &str) -> Option<u32> {
    let name = target.strip_prefix('/').or(target.strip_suffix(PORT))?;
    let id = name.split_once('-')?.0.parse().ok()?;
    (self::name(id) == name).then_some(id)
}

/// Fills in what a connection sends.
pub fn write(plan: &Plan, connection: &mut Connection, random: &mut Random, refused: bool, garbled: bool) {
    let mut wire = Vec::new();
    for id in connection.requests.clone() {
        request(&mut wire, id, &plan.requests[id as usize], random);
        connection.ends.push(wire.len());
    }
    if garbled {
        let at = random.below(wire.len() as u64) as usize;
        wire[at] = random.next() as u8;
        let hit = connection.ends.iter().filter(|end| **end <= at).count() as u32;
        connection.garbled = connection.requests.start + hit;
    }
    if refused {
        let no_tunnel = !plan.connects && random.percent(10);
        let (bytes, statuses) = if no_tunnel { NO_TUNNEL } else { *random.pick(BAD) };
        wire.extend_from_slice(bytes.as_bytes());
        connection.refusals = statuses;
    }
    if connection.stops {
        let least = u64::from(!wire.is_empty());
        let length = random.between(least, HEAD.len() as u64 - 1) as usize;
        wire.extend_from_slice(&HEAD[..length]);
        // Who has said nothing is told nothing.
        connection.refusals = if length > 0 { &[408] } else { &[] };
    }
    if let (Some(length), Some(last)) = (connection.tunnel, connection.requests.clone().last()) {
        wire.extend_from_slice(content::of_tunnel(last, length));
    }
    connection.wire = wire;
}

fn request(wire: &mut Vec<u8>, id: u32, request: &Request, random: &mut Random) {
    let method = match request.body {
        _ if request.connect => "CONNECT",
        _ if request.head => "HEAD",
        Body::None => "GET",
        _ => "POST",
    };
    let version = if request.http10 { "1.0" } else { "1.1" };
    let target = match request {
        Request { connect: true, .. } => host(id, request),
        Request { absolute: true, .. } => format!("http://b/{}", name(id)),
        _ => format!("/{}", name(id)),
    };
    let field = if request.connect { &target } else { "a" };
    let mut head = format!("{method} {target} HTTP/{version}\r\nHost: {field}\r\n");
    match request.expect {
        Expect::Nothing => {}
        Expect::Continue => head += "Expect: 100-continue\r\n",
        Expect::Other => head += "Expect: the-best\r\n",
    }
    if request.upgrade {
        head += "Connection: Upgrade\r\nUpgrade: echo\r\n";
    } else if request.closes {
        head += "Connection: close\r\n";
    }
    match request.body {
        Body::None => head += "\r\n",
        Body::Length(length) => head += &format!("Content-Length: {length}\r\n\r\n"),
        Body::Chunked(_) => head += "Transfer-Encoding: chunked\r\n\r\n",
    }
    wire.extend_from_slice(head.as_bytes());
    match request.body {
        Body::None => {}
        Body::Length(length) => wire.extend_from_slice(content::of_request(id, length)),
        Body::Chunked(length) => {
            let mut rest = content::of_request(id, length);
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(1 + random.below(rest.len() as u64) as usize);
                wire.extend_from_slice(format!("{:x}{}\r\n", chunk.len(), random.pick(&["", ";e", ";a=b"])).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
                rest = after;
            }
            let trailer = if random.percent(30) { format!("X-Trailer: {id}\r\n") } else { String::new() };
            wire.extend_from_slice(format!("0\r\n{trailer}\r\n").as_bytes());
        }
    }
}
