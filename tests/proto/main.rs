//! The codecs of HTTP/1.1 and of WebSockets: bytes in, events out.

mod h1_body;
mod h1_head;
mod h1_incoming_response;
mod h1_outgoing_request;
mod h1_response;
mod websocket;
