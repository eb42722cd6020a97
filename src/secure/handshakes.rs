/// Where a server takes the steps of its handshakes that may sign. [Handshakes beside requests](crate::tls#handshakes-beside-requests) says
/// which to take when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Handshakes {
    /// On the loop's thread, some in each iteration: as Node and nginx do.
    #[default]
    Inline,
    /// On worker threads. The loop goes on with other connections meanwhile.
    Workers,
}
