use crate::net::Address;
use crate::proto::h1::Fault;

/// A message that was refused, as [`Server::on_client_error`](super::Server::on_client_error) sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientError {
    /// What was wrong with it; `None` if it did not come in time.
    pub fault: Option<Fault>,
    /// The status with which it is answered.
    pub status: u16,
    /// The address of the peer that sent it.
    pub peer: Address,
}
