use crate::net::Address;
use crate::proto::h1::Fault;

/// A message that was refused, as [`Server::on_client_error`](super::Server::on_client_error) sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientError {
    /// What was wrong with it; `None` where it did not come in time.
    pub fault: Option<Fault>,
    /// The status that it is answered with.
    pub status: u16,
    /// Who sent it.
    pub peer: Address,
}
