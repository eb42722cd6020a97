use super::{CloseReason, Stream};
use crate::event_loop::Time;
use std::time::Duration;

/// Limits of output that the kernel has refused.
pub(crate) struct SendLimits {
    /// The longest time that may pass without any output being sent.
    pub stall: Duration,
    /// The lowest rate in bytes a second, measured over each `window`. 0: no limit.
    pub rate: u32,
    pub window: Duration,
}

/// The deadlines of output that a peer does not take, or takes too slowly. Any protocol can own a `SendWatch`: it calls
/// [`start`] when the kernel has refused output, [`note`] when output was sent, and [`check`] when a deadline has passed.
///
/// [`start`]: SendWatch::start
/// [`note`]: SendWatch::note
/// [`check`]: SendWatch::check
#[derive(Default)]
pub(crate) struct SendWatch {
    /// The beginning of the present window for the rate, and the number of bytes sent before it. `None` while no output is
    /// pending.
    window: Option<(Time, u64)>,
    /// The last time at which output was sent, and the number of bytes sent until then.
    progress: (Time, u64),
}

impl SendWatch {
    pub fn is_on(&self) -> bool {
        self.window.is_some()
    }

    /// Begins to watch output that the kernel has refused. Asks the stream for a call of `due` at the first deadline, and for
    /// calls of `sent` at each progress of the output and when all of it has been sent.
    pub fn start(&mut self, stream: &Stream, limits: &SendLimits, now: Time) {
        self.open_window(stream, now);
        stream.need_due(now + Time::from(limits.window.min(limits.stall)));
        stream.tell_sent();
    }

    fn open_window(&mut self, stream: &Stream, now: Time) {
        self.window = Some((now, stream.bytes_written()));
        self.note(stream, now);
    }

    /// Notes that output was sent.
    pub fn note(&mut self, stream: &Stream, now: Time) {
        self.progress = (now, stream.bytes_written());
    }

    /// Returns the time of the next deadline ([`Time::MAX`] if no output is pending). If a limit is exceeded, returns the
    /// reason for which the stream must be closed.
    pub fn check(&mut self, stream: &Stream, limits: &SendLimits, now: Time) -> Result<Time, CloseReason> {
        if stream.pending() == 0 {
            self.window = None;
            return Ok(Time::MAX);
        }
        let written = stream.bytes_written();
        if self.window.is_none() {
            self.open_window(stream, now);
        }
        if self.progress.1 != written {
            self.note(stream, now);
        }
        let stalls = self.progress.0 + Time::from(limits.stall);
        if now >= stalls {
            return Err(CloseReason::WriteStall);
        }
        let (began, before) = self.window.unwrap_or((now, written));
        let ends = began + Time::from(limits.window);
        if now < ends {
            return Ok(ends.min(stalls));
        }
        // If nothing was sent in the whole window, the rate does not apply: the limit `stall` covers that case.
        let sent = written - before;
        if sent > 0 && !stream.cx().lp.was_away_since(began) && too_slow(sent, limits.rate, now - began) {
            return Err(CloseReason::SlowSend);
        }
        self.window = Some((now, written));
        Ok((now + Time::from(limits.window)).min(stalls))
    }
}

/// Returns whether `bytes` in this time are less than `rate` bytes a second. The rate 0 is no limit.
pub(crate) fn too_slow(bytes: u64, rate: u32, time: Time) -> bool {
    rate > 0 && u128::from(bytes) * 1_000_000_000 < u128::from(rate) * u128::from(time.nanos())
}
