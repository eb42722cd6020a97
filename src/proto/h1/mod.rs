//! HTTP/1.1 and HTTP/1.0 (RFC 9110, RFC 9112): bytes in, events out.
//!
//! This folder contains the wire format: what received bytes mean, and which bytes are sent for a message. It does no I/O, has no
//! clock, calls no callbacks and imports no other module of the crate. The caller reads and writes the bytes, and decides when to
//! close the connection.
//!
//! In scope: heads of requests and responses that are received, and all that follows from them (form of the target, host,
//! framing, persistence, expectations, upgrades); content with a length, in chunks with trailers, or until the close; heads of
//! requests and responses that are sent, and their framing; informational responses; the state of a connection, for both roles.
//! Out of scope: what methods and fields mean to an application, decoding of paths, content codings, ranges and caching, deadlines.
//!
//! Names tell the direction: messages that are received are *incoming*, messages that are sent are *outgoing*. A head consists of
//! a start line and fields; each of these is read by a module of its own:
//!
//! | | start line | fields | what they mean |
//! |---|---|---|---|
//! | in one piece | `request_line`, `status_line` | `section` (httparse) | `request_semantics`, `incoming_response` |
//! | a byte at a time | the scan in the same modules | `field_line` | (when the head has ended) |
//!
//! A message that the RFCs leave ambiguous is refused with a status ([`Fault::status`]), and then the connection must be closed:
//! if two programs read the same bytes differently, an attacker can smuggle a request past one of them (RFC 9112, 11.2). So every
//! line must end with CR LF; no value may contain a control character; Content-Length may come only once, Transfer-Encoding must
//! be `chunked`, and a message must not have both.
//!
//! # The states of a connection
//!
//! A connection has two halves, reading and writing. The picture names the function that moves each half on. [`connection`] joins
//! them: it says which event is possible in which state, and what follows when both messages of an exchange are over.
//!
//! ```text
//!  reading   ┌──────► Head ──────────────► Content ──────────────► Done
//!            │   RequestParser::parse   BodyDecoder::decode            │
//!            │    │ Partial: wait     │ NeedMore: wait              │ response sent, and both sides persist
//!            │    ▼                   ▼                             │ (IncomingRequest::persistent, connection_field)
//!            │   Err(Fault): answer Fault::status(), close          │
//!            └──────────────────────────────────────────────────────┘
//!
//!  writing   Informational* ───► Head ──────────────► Content ───────────► Done
//!            encode_informational  response_framing     BodyEncoder::encode     last piece
//!                                  OutgoingResponse::encode
//! ```
//!
//! # A walk through it
//!
//! Two pipelined requests: the first is answered at once, the second brings content in chunks.
//!
//! ```
//! use oneloop::proto::h1::*;
//!
//! let input = b"GET /seed?n=1 HTTP/1.1\r\nHost: localhost:7777\r\n\r\n\
//!               POST /plant HTTP/1.1\r\nHost: localhost:7777\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
//!               5\r\nbasil\r\n0\r\nDigest: x\r\n\r\n";
//! let date = b"Sun, 06 Nov 1994 08:49:37 GMT";
//! let (mut parser, mut request, mut response) = (RequestParser::default(), IncomingRequest::new(), OutgoingResponse::new());
//! let (mut out, mut rest) = (Vec::new(), &input[..]);
//!
//! // The first request has come whole. Had it not, we would append to the same bytes and call again.
//! let Parsed::Complete { len } = parser.parse(rest, &HeadLimits::default(), &mut request)? else { panic!() };
//! rest = &rest[len..];
//! assert_eq!((request.method(), request.path(), request.query()), ("GET", "/seed", Some("n=1")));
//! assert_eq!((request.host(), request.framing()), (Some("localhost:7777"), Framing::None));
//!
//! // The answer: fields, then the framing that suits request and response, then the bytes.
//! response.set("Content-Type", "text/plain")?;
//! let plan = response_framing(&RequestInfo::from(&request), &response, Some(7))?;
//! let connection = connection_field(request.version(), request.persistent(), false);
//! response.encode(&mut out, &Encoding { framing: plan.framing, date: Some(date), connection });
//! if plan.body {
//!     out.extend_from_slice(b"seeded\n");
//! }
//! assert_eq!(
//!     out,
//!     b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
//!       Content-Length: 7\r\n\r\nseeded\n"
//! );
//!
//! // The second, in the same buffers; its content is lent from where it stands.
//! let Parsed::Complete { len } = parser.parse(rest, &HeadLimits::default(), &mut request)? else { panic!() };
//! rest = &rest[len..];
//! assert_eq!((request.framing(), request.persistent()), (Framing::Chunked, false));
//! let (mut decoder, mut trailers) = (BodyDecoder::new(request.framing()), Fields::new());
//! let mut content = Vec::new();
//! loop {
//!     let step = decoder.decode(rest, &BodyLimits::default(), &mut trailers)?;
//!     rest = &rest[step.consumed..];
//!     match step.event {
//!         BodyEvent::Data(data) => content.extend_from_slice(data),
//!         BodyEvent::NeedMore => panic!("here we would wait for the peer"),
//!         BodyEvent::End => break,
//!     }
//! }
//! assert_eq!((content.as_slice(), trailers.get("digest")), (&b"basil"[..], Some("x")));
//!
//! // What is left is no request at all: a status, and the end of the connection.
//! assert!(rest.is_empty());
//! let fault = parser.parse(b"\x16\x03\x01", &HeadLimits::default(), &mut request).unwrap_err();
//! assert_eq!((fault, fault.status()), (Fault::Method, 400));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Decisions where the RFCs leave a choice
//!
//! | subject | decision |
//! |---|---|
//! | empty lines before the request line (9112, 2.2) | one CR LF is skipped, a second is 400 |
//! | LF alone as a line end (9112, 2.2) | 400 |
//! | obs-fold (9112, 5.2) | 400 |
//! | obs-text (9110, 5.5) | opaque data, received and sent as it is; 400 in Host, Connection, Expect, Upgrade and framing |
//! | a version 1.x with x above 1 (9110, 2.5) | processed as 1.1 |
//! | another major version | 505; HTTP/0.9 and junk 400 |
//! | bytes in a target that RFC 3986 does not allow (9112, 3.2) | printable ASCII except `#` is accepted, as browsers send it; other bytes are 400; `%` without two digits is passed on |
//! | a method of more than 32 bytes (9110, 9.1) | 501 |
//! | Content-Length twice or as a list, even if all are equal (9112, 6.3) | 400 |
//! | Content-Length and Transfer-Encoding (9112, 6.3) | 400 |
//! | a transfer coding other than chunked (9112, 6.1) | 501; but 400 if chunked is not the last coding or comes twice |
//! | CONNECT with content (9110, 9.3.6) | 400 |
//! | user information in a target (9110, 4.2.4) | 400 |
//! | a Host field that is empty (9112, 3.2) | accepted; a port without a host (9110, 4.2.1) 400 |
//! | blanks between a chunk size and its line end (9112, 7.1) | 400 |
//! | trailer fields of framing, routing, authentication, format (9110, 6.5.1) | 400 if received, not sent if set |
//! | a status line without the blank after the code (9112, 4) | accepted if no reason phrase follows |
//! | a status code that is not 100 to 599 (9110, 15) | refused |
//! | order of faults | a byte against the grammar at once; the target, Host and framing, in this order, at the end of the head |

mod body_decoder;
mod body_encoder;
pub mod connection;
mod encode;
mod fault;
mod field_error;
mod field_line;
mod fields;
mod framing;
mod host;
mod incoming_request;
mod incoming_response;
mod limits;
mod outgoing_fields;
mod outgoing_request;
mod outgoing_response;
mod parse;
mod persistence;
mod request_framing;
mod request_line;
mod request_parser;
mod request_semantics;
mod response_framing;
mod scan;
mod section;
mod status;
mod status_line;
mod target;
mod trailer;
mod version;

pub use body_decoder::{BodyDecoder, BodyEvent, Step};
pub use body_encoder::{BodyEncoder, CHUNK_END, LengthMismatch, Piece, chunk, chunk_start, last_chunk};
pub use encode::{Encoding, encode_informational};
pub use fault::Fault;
pub use field_error::FieldError;
pub use fields::Fields;
pub use framing::Framing;
pub(crate) use host::is_host;
pub use incoming_request::IncomingRequest;
pub use incoming_response::{IncomingResponse, ResponseParser};
pub use limits::{BodyLimits, HeadLimits, MAX_FIELDS};
pub use outgoing_fields::OutgoingFields;
pub use outgoing_request::OutgoingRequest;
pub use outgoing_response::OutgoingResponse;
pub use parse::Parsed;
pub use persistence::{ConnectionField, ConnectionOption, connection_field, persistent};
pub use request_framing::request_framing;
pub use request_parser::RequestParser;
pub use response_framing::{BodyPlan, RequestInfo, response_framing};
pub use status::reason;
pub use target::TargetForm;
pub use trailer::is_allowed as is_allowed_trailer;
pub use version::Version;
