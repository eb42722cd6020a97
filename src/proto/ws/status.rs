//! The close codes that this library sends or reports (RFC 6455, 7.4.1).

/// The purpose of the connection is fulfilled.
pub const NORMAL: u16 = 1000;
/// The server is going down, or the browser has left the page.
pub const GOING_AWAY: u16 = 1001;
/// The peer has broken the protocol.
pub const PROTOCOL_ERROR: u16 = 1002;
/// The code that is reported if a close frame without a code was received. It is never sent.
pub const NONE: u16 = 1005;
/// The code that is reported if the connection ended without a close frame. It is never sent.
pub const ABNORMAL: u16 = 1006;
/// A message has content that does not fit its type, such as text that is not UTF-8.
pub const INVALID_DATA: u16 = 1007;
/// A message is against the rules of the receiver.
pub const POLICY: u16 = 1008;
/// A message is too large.
pub const TOO_LARGE: u16 = 1009;
/// The server has met an error.
pub const INTERNAL_ERROR: u16 = 1011;
