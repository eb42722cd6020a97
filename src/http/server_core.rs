use super::client_error::ClientError;
use super::date::Date;
use super::dispatch::Dispatch;
use super::exchange::Exchange;
use super::hot_files::HotFiles;
use super::limits::LimitsInForce;
use super::observing::{ExchangeEnd, Observing};
use super::pool::Pool;
use super::request::Request;
use super::shedding::{Shedding, Verdict};
use crate::event_loop::{Deadline, Loop};
use crate::net::{Acceptor, CloseReason, Context, Stream};
#[cfg(feature = "tls")]
use std::cell::RefCell;
use std::cell::{Cell, Ref};
use std::rc::Rc;

/// The data that the handles of a server and its connections share. It is the same for all versions of HTTP.
///
/// The order of the fields is deliberate (`repr(C)`), for the reason that [`Loop`](crate::event_loop::Loop) gives: those
/// that every request touches come first.
#[repr(C)]
pub(super) struct ServerCore {
    pub cx: Rc<Context>,
    pub pool: Rc<Pool>,
    date: Rc<Date>,
    pub dispatch: Dispatch,
    pub limits: LimitsInForce,
    /// How many requests one connection may bring.
    pub max_requests: Cell<u32>,
    requests: Cell<u64>,
    pub shedding: Shedding,
    pub observing: Observing,
    pub acceptor: Rc<Acceptor>,
    /// The deadline of a graceful shutdown: it cuts the connections that are still open.
    pub shutdown: Cell<Option<Deadline>>,
    pub hot_files: Rc<HotFiles>,
    /// The certificates and settings of a secure server.
    #[cfg(feature = "tls")]
    pub(super) secure: RefCell<Option<crate::secure::Context>>,
}

impl ServerCore {
    pub fn new(lp: &Rc<Loop>) -> Rc<ServerCore> {
        let cx = Context::of(lp);
        let limits = LimitsInForce::default();
        let (hot_files, hot_file_age) = limits.hot_files();
        Rc::new(ServerCore {
            acceptor: Acceptor::new(&cx),
            cx,
            pool: Pool::of(lp),
            date: Date::of(lp),
            dispatch: Dispatch::new(),
            limits,
            max_requests: Cell::new(u32::MAX),
            requests: Cell::new(0),
            shedding: Shedding::off(),
            observing: Observing::default(),
            shutdown: Cell::new(None),
            hot_files: HotFiles::new(hot_files, hot_file_age),
            #[cfg(feature = "tls")]
            secure: RefCell::default(),
        })
    }

    pub fn lp(&self) -> &Rc<Loop> {
        &self.cx.lp
    }

    /// The value of the `Date` field.
    #[inline]
    pub fn date(&self) -> Ref<'_, [u8; 29]> {
        self.date.text(&self.cx.lp)
    }

    pub fn is_closing(&self) -> bool {
        self.acceptor.is_closing()
    }

    pub fn requests(&self) -> u64 {
        self.requests.get()
    }

    #[inline]
    pub fn count_request(&self) {
        self.requests.set(self.requests.get() + 1);
    }

    pub fn client_error(&self, error: &ClientError) {
        self.observing.count_refused();
        self.dispatch.tell_client_error(self.lp(), error);
    }

    /// Sheds a request (answers it 503) if the loop is late, unless the request is exempt. Returns true if the request is not to be
    /// handled: it was shed, or the program's exemption panicked.
    /// `fresh`: its connection was accepted in this iteration, or in the one before.
    #[cold]
    pub fn sheds(&self, exchange: &Rc<Exchange>, fresh: bool) -> bool {
        let lp = self.lp();
        match self.shedding.judge(lp, exchange, fresh) {
            Verdict::Take => return false,
            Verdict::Shed { retry_after } => {
                exchange.outgoing().set_retry_after(retry_after);
                self.dispatch.drop_request(lp, exchange);
            }
            Verdict::Panicked => exchange.panicked(),
        }
        true
    }

    /// Ends an exchange: calls its listeners and those of the server.
    pub fn finish(&self, stream: &Stream, exchange: &Rc<Exchange>, reason: CloseReason) {
        exchange.finish(self.lp(), reason);
        if self.observing.is_on() {
            self.exchange_ended(stream, exchange, reason);
        }
        exchange.end_companion();
    }

    /// Reports and counts the end of an exchange, as far as the program has asked for that: see [`Observing::is_on`].
    #[cold]
    fn exchange_ended(&self, stream: &Stream, exchange: &Rc<Exchange>, reason: CloseReason) {
        let lp = self.lp();
        let answered = exchange.outgoing().is_begun();
        let request = Request(exchange.clone());
        let end = ExchangeEnd {
            request: &request,
            status: answered.then(|| exchange.outgoing().head().borrow().status()),
            bytes: exchange.outgoing().content_sent(),
            duration: lp.exact_now().saturating_sub(exchange.started().into()),
            reason,
            remote_addr: stream.peer(),
        };
        self.observing.count(&end);
        self.dispatch.tell_exchange_end(lp, exchange, &end);
    }
}
