use crate::event_loop;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use std::time::SystemTime;

/// The clock by which certificates and tickets are judged: that of the loop on whose thread rustls runs. So in a simulated world a
/// certificate expires in virtual time.
#[derive(Debug)]
pub(super) struct LoopClock;

impl TimeProvider for LoopClock {
    fn current_time(&self) -> Option<UnixTime> {
        event_loop::wall().duration_since(SystemTime::UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
    }
}
