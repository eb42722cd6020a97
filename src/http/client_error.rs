use crate::net::Address;
use crate::proto::h1::Fault;

/// A message that was refused, as [`Server::on_client_error`](super::Server::on_client_error) sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientError {
    /// The fault of the message; `None` if the message did not arrive in time.
    pub fault: Option<Fault>,
    /// The status of the answer.
    pub status: u16,
    /// The address of the peer that sent the message.
    pub peer: Address,
}
