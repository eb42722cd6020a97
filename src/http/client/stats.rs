/// What an agent is doing, and has done: see [`Agent::stats`](super::Agent::stats).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AgentStats {
    /// The servers to which there are connections, or for which requests wait, in the order of their names.
    pub hosts: Vec<HostStats>,
    /// How many requests were begun.
    pub requests: u64,
    /// How many connections were begun.
    pub connections: u64,
    /// How many requests went out on a connection that had carried others before.
    pub reused: u64,
    /// How many requests were sent a second time by themselves, because their connection turned out to be closed.
    pub retried: u64,
}

/// The connections to one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostStats {
    /// Scheme, host and port; and ` by ` the proxy, if a tunnel leads there.
    pub host: String,
    /// Connections that carry a request.
    pub active: usize,
    /// Connections that are kept for the next request.
    pub idle: usize,
    /// Connections that are being made.
    pub connecting: usize,
    /// Requests that wait for a connection.
    pub queued: usize,
}
