//! The socket as the protocol of its stream (the receiver of the stream's events): which listeners it calls, and when.

use super::{Inner, Listener, On, Socket};
use crate::event_loop::{Time, set_deadline};
use crate::net::{CloseReason, Protocol, SendLimits, SendWatch, Stream};
use std::io;
use std::rc::Rc;
use std::time::Duration;

impl Inner {
    pub(super) fn touch(&self, stream: &Stream) {
        self.last_activity.set(stream.cx().lp.now());
    }

    /// Sets the socket's only timer. Activity does not touch it: when it fires, it checks how long nothing was sent or
    /// received.
    pub(super) fn arm(&self, after: Duration) {
        let me = self.me.clone();
        let timer = set_deadline(after, move || {
            if let Some(inner) = me.upgrade() {
                inner.timed_out();
            }
        });
        self.timer.set(Some(timer));
    }

    fn timed_out(&self) {
        let (Some(stream), Some(after)) = (self.stream.get(), self.timeout.get()) else { return };
        if stream.is_closed() {
            return;
        }
        let lp = &stream.cx().lp;
        let quiet = Duration::from(lp.now() - self.last_activity.get());
        if quiet < after {
            return self.arm(after - quiet);
        }
        self.last_activity.set(lp.now());
        self.arm(after);
        if let Some(socket) = self.me.upgrade().map(Socket) {
            self.emit(On::Timeout, &socket);
        }
    }

    /// Calls `f` with the deadlines of output, if the socket has any.
    fn with_sending<R>(&self, f: impl FnOnce(&mut SendWatch, &SendLimits) -> R) -> Option<R> {
        let mut sending = self.sending.take()?;
        let result = f(&mut sending.0, &sending.1);
        self.sending.set(Some(sending));
        Some(result)
    }

    fn emit(&self, on: On, socket: &Socket) {
        self.each(on, socket, |listener| match listener {
            Listener::Plain(f) => f(socket),
            Listener::Once(f) => {
                if let Some(f) = f.take() {
                    f(socket);
                }
            }
            _ => {}
        });
    }

    /// Calls the listeners for an event. A panic closes the socket, and the remaining listeners are not called, except for
    /// the last events (error and close), which all listeners get.
    fn each(&self, on: On, socket: &Socket, mut call: impl FnMut(&mut Listener)) {
        let Some(stream) = self.stream.get() else { return };
        let lp = &stream.cx().lp;
        let mut panicked = false;
        self.listeners.each(on, |site, listener| {
            let last = matches!(on, On::Error | On::Close);
            if (last || !panicked) && lp.call(site, &Event(on), || call(listener)).is_none() {
                panicked = true;
                socket.panicked();
            }
        });
    }

    /// Returns whether input is to be discarded: our side has ended, input is not paused, and there is no `on_data`
    /// listener.
    fn ignores_input(&self, stream: &Stream) -> bool {
        stream.is_ended() && !self.paused.get() && !self.listeners.has(On::Data)
    }

    fn tell_end(&self, stream: &Rc<Stream>) {
        if self.end_told.get() || !stream.is_eof() || stream.held() > 0 || stream.is_closed() {
            return;
        }
        #[cfg(feature = "tls")]
        if self.is_cut_off(stream) {
            return;
        }
        self.end_told.set(true);
        if let Some(socket) = self.me.upgrade().map(Socket) {
            self.emit(On::End, &socket);
        }
        self.listeners.remove(On::Data);
        self.listeners.remove(On::End);
        if !self.half_open.get() {
            stream.end();
        }
        if stream.is_over() {
            stream.destroy(CloseReason::Finished);
        }
    }
}

/// An event's name for logs.
struct Event(On);

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a socket's {:?} listener", self.0)
    }
}

impl Protocol for Inner {
    fn data(self: Rc<Self>, stream: &Rc<Stream>, bytes: &mut [u8]) -> usize {
        self.touch(stream);
        if self.paused.get() || !self.listeners.has(On::Data) {
            return if self.ignores_input(stream) { bytes.len() } else { 0 };
        }
        let socket = Socket(self.clone());
        self.each(On::Data, &socket, |listener| {
            if let Listener::Data(f) = listener {
                f(&socket, bytes);
            }
        });
        bytes.len()
    }

    fn eof(self: Rc<Self>, stream: &Rc<Stream>) {
        self.tell_end(stream);
    }

    fn resume(self: Rc<Self>, stream: &Rc<Stream>) {
        self.tell_end(stream);
    }

    fn sent(self: Rc<Self>, stream: &Rc<Stream>, pending: usize) {
        self.touch(stream);
        let now = stream.cx().lp.now();
        self.with_sending(|watch, _| watch.note(stream, now));
        if pending == 0 && self.full.replace(false) {
            self.emit(On::Drain, &Socket(self.clone()));
        }
    }

    fn blocked(self: Rc<Self>, stream: &Rc<Stream>) {
        let now = stream.cx().lp.now();
        self.with_sending(|watch, limits| watch.start(stream, limits, now));
    }

    fn due(self: Rc<Self>, stream: &Rc<Stream>) {
        let now = stream.cx().lp.seen_until();
        match self.with_sending(|watch, limits| watch.check(stream, limits, now)) {
            Some(Err(reason)) => stream.destroy(reason),
            Some(Ok(next)) if next < Time::MAX => stream.need_due(next),
            _ => {}
        }
    }

    fn pending_limit(&self) -> usize {
        self.pending_limit.get()
    }

    fn connected(self: Rc<Self>, _stream: &Rc<Stream>) {
        let socket = Socket(self);
        let _ = socket.set_no_delay(true);
        #[cfg(feature = "tls")]
        socket.begin_handshake();
        socket.0.emit(On::Connect, &socket);
    }

    #[cfg(feature = "tls")]
    fn secured(self: Rc<Self>, _stream: &Rc<Stream>) {
        let socket = Socket(self);
        socket.told_secure(None);
        socket.0.emit(On::Secure, &socket);
    }

    fn close(self: Rc<Self>, _stream: &Rc<Stream>, reason: CloseReason, error: Option<&io::Error>) {
        if let Some(timer) = self.timer.take() {
            timer.clear();
        }
        let socket = Socket(self.clone());
        #[cfg(feature = "tls")]
        socket.told_secure(Some((reason, error)));
        if let Some(error) = error {
            self.each(On::Error, &socket, |listener| {
                if let Listener::Error(f) = listener
                    && let Some(f) = f.take()
                {
                    f(&socket, error);
                }
            });
        }
        self.closed_told.set(true);
        self.each(On::Close, &socket, |listener| {
            if let Listener::Close(f) = listener
                && let Some(f) = f.take()
            {
                f(&socket, reason);
            }
        });
        self.listeners.clear();
    }

    fn teardown(&self) {
        self.closed_told.set(true);
        self.listeners.clear();
    }
}
