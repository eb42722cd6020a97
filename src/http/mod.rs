//! HTTP/1.1 servers with Node's API, on `net` and on the codec `proto::h1`.
//!
//! ```text
//!   Server ─ Acceptor ─► Stream ──protocol──► H1 ──current──► Exchange ◄── Request, Response   (the user's handles)
//!                                             ▲                  │
//!                                             └──── link ────────┘   cut when the exchange is over
//! ```
//! Requests and responses hold the exchange, never the connection. So a method that is called on a finished exchange cannot reach
//! the next request of that connection. An exchange that the program has not kept is used again, with its buffers. So a
//! keep-alive request that is answered in its callback allocates nothing, and an idle connection holds no buffers.
//!
//! # What a request goes through
//! ```text
//!   bytes ─► head parsed ─► on_request(req, res) ─► body to on_data … on_end      ┐ in either order
//!                                   └─► res.write … res.end ─► cork ─► one send   ┘
//!   both are over                     ─► the next request of the connection is read
//!   and the kernel has taken the answer ─► on_finish ─► on_close ─► on_exchange_end
//! ```
//! Requests of one connection are dispatched one after another (Node dispatches at once and queues the answers; on the wire it
//! looks the same). An exchange that ends early ends in one of these ways:
//! ```text
//!   the message is refused, late or shed   ─► an answer of the library's own (`own_answer`), on_client_error or on_drop_request
//!   a callback returns an Err, or panics   ─► its status or 500; a cut if the head was sent
//!   nobody holds the Response any more     ─► 500, or a cut
//!   the peer's FIN before the answer       ─► on_peer_end ─► a cut, if there is no answer within Limits::half_open
//! ```

#[cfg(feature = "app")]
mod above;
mod answer;
mod body_error;
mod carried;
mod client;
mod client_error;
mod companion;
mod conditional;
mod connection;
mod connection_states;
mod date;
mod dispatch;
mod error;
mod exchange;
mod field_value;
pub(crate) mod file_types;
#[cfg(feature = "app")]
mod freshness;
#[cfg(feature = "compression")]
pub(crate) mod gunzip;
mod h1;
mod hot_files;
mod incoming;
mod limits;
#[cfg(any(feature = "app", feature = "devtools"))]
pub(crate) mod local;
mod metrics;
mod observing;
mod open_exchanges;
mod outgoing;
mod own_answer;
mod paths;
mod pipe;
mod pool;
pub(crate) mod range;
mod read_body;
mod refused;
mod request;
mod response;
mod response_head;
mod routes;
mod save;
#[cfg(feature = "tls")]
mod securing;
mod send_file;
mod server;
mod server_connection;
mod server_core;
mod shedding;
mod shutdown;
#[cfg(feature = "app")]
mod staged;
#[cfg(feature = "app")]
pub(crate) mod stages;
mod unanswered;
mod unfinished_file;
mod upgrade;

#[cfg(feature = "app")]
pub(crate) use unfinished_file::Unfinished;

#[cfg(feature = "tls")]
pub use crate::net::TlsError;
pub use crate::proto::h1::{Fault, FieldError, Version};
pub use answer::Answer;
pub use body_error::{BodyError, SaveError};
pub use client::{
    Agent, AgentLimits, AgentStats, ClientRequest, ClientResponse, Fetch, FetchError, FetchErrorKind, FetchResponse,
    Fetching, HostStats, Proxy, RequestError, RequestErrorKind, ResponseBodyError, fetch, get, request,
};
pub(crate) use client::{AnswerLimits, Tunnel, Tunneling};
pub use client_error::ClientError;
#[cfg(feature = "app")]
pub(crate) use companion::{Companion, Failure};
pub use connection::Connection;
pub use connection_states::ConnectionStates;
#[cfg(feature = "app")]
pub(crate) use dispatch::Layer;
pub use error::{Error, Result};
#[cfg(feature = "app")]
pub(crate) use exchange::{Exchange, Handle};
pub use field_value::FieldValue;
pub use limits::Limits;
pub use observing::{ExchangeEnd, ServerMetrics};
pub use open_exchanges::OpenExchange;
pub use request::Request;
pub use response::Response;
pub use routes::Route;
#[cfg(feature = "app")]
pub(crate) use server::create_server_below;
pub use server::{Server, create_server};
pub use shedding::LoadShedding;
