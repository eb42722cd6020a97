//! What must hold when all is over.

use super::content;
use super::ledger::{Door, Exchange, Ledger};
use super::peer::Client;
use super::plan::{Body, Plan, Request, Shutdown, What};
use super::reply::Reply;
use oneloop::http::Server;
use oneloop::net::{Address, CloseReason};
use std::rc::Rc;
use std::time::Duration;

/// How much later than its deadline a peer may be sent away: sweeps are half a second apart, and then the network and
/// handlers that hold up the loop have their time.
const LATE: Duration = Duration::from_secs(3);

/// What a handler has sent, by its plan.
enum Sent {
    Content(&'static [u8]),
    /// The library answers for it.
    Status(u16),
    /// Its answer breaks off.
    Nothing,
    /// The peer's own octets were changed.
    Unknown,
}

fn sent(plan: &Plan, exchange: &Exchange) -> Sent {
    let Some(id) = exchange.id else { return Sent::Unknown };
    let request = &plan.requests[id as usize];
    match request.what {
        _ if exchange.door == Door::Beyond && request.is_left() => Sent::Status(503),
        _ if request.head => Sent::Content(&[]),
        What::Pipe | What::Discard if plan.connections[exchange.connection as usize].garbled <= id => Sent::Unknown,
        What::Pipe => match request.body {
            Body::Length(length) | Body::Chunked(length) => Sent::Content(content::of_request(id, length)),
            Body::None => Sent::Content(&[]),
        },
        What::Empty => Sent::Content(&[]),
        What::DataPanic if request.body == Body::None => Sent::Unknown,
        What::Drop | What::Panic | What::Fail | What::BadHeader | What::WorkerPanic | What::DataPanic => {
            Sent::Status(500)
        }
        What::WriteThenDrop | What::WriteThenPanic | What::Destroy => Sent::Nothing,
        What::Keep | What::KeepSelf | What::TooLong | What::TooShort => Sent::Status(500),
        _ => Sent::Content(content::of_response(id, request.size)),
    }
}

/// Returns whether this is what the handler has sent.
fn is_equal(sent: &Sent, reply: &Reply, exchange: &Exchange, request: Option<&Request>) -> bool {
    match sent {
        Sent::Content(bytes) => {
            let (id, empty) = (exchange.id, request.is_some_and(|request| request.what == What::Empty));
            let trailer =
                request.is_some_and(|request| request.what == What::Stream && !request.http10 && !request.head);
            reply.id == id
                && reply.body == *bytes
                && if empty { matches!(reply.status, 204 | 304) } else { reply.status == 200 }
                && (reply.trailer.is_none() || trailer && reply.trailer == id)
        }
        // Unless somebody answers.
        Sent::Status(_) if exchange.door == Door::Beyond => matches!(reply.status, 500 | 503),
        Sent::Status(status) => reply.status == *status,
        Sent::Nothing => false,
        Sent::Unknown => true,
    }
}

/// Returns whether the library may have given this answer, if the exchange has ended for this reason.
fn is_refusal(status: u16, reason: CloseReason) -> bool {
    match reason {
        CloseReason::RequestTimeout | CloseReason::SlowReceive => status == 408,
        CloseReason::ResponseTimeout => status == 503,
        CloseReason::BadMessage => matches!(status, 400 | 413 | 431 | 501),
        _ => false,
    }
}

/// All that holds for one connection.
pub fn connection(ledger: &Ledger, client: &Client, exchanges: &[Rc<Exchange>]) {
    let (plan, number) = (client.plan(), client.number);
    let fault = |text: String| ledger.fault(format_args!("connection {number}: {text}"));
    let reader = client.reader.borrow();
    if let Some(text) = &reader.fault {
        fault(format!("it received {text}"));
    }
    for (nth, exchange) in exchanges.iter().enumerate() {
        order(plan, nth, exchange, exchanges, &fault);
        ends(exchange, &fault);
        let (cut, limit) = (exchange.ended.get(), ledger.plan.limits().half_open);
        let may = client.left.get().is_some_and(|left| cut >= left + limit);
        if exchange.reason.get() == Some(CloseReason::Disconnected) && !may {
            fault(format!("disconnected at {cut:?}, but the peer left at {:?}", client.left.get()));
        }
    }
    let answered: Vec<_> = exchanges.iter().filter(|exchange| exchange.door != Door::Upgrade).collect();
    if reader.replies.len() > answered.len() + 1 {
        fault(format!("{} answers to {} requests", reader.replies.len(), answered.len()));
    }
    for (nth, reply) in reader.replies.iter().enumerate() {
        let Some(exchange) = answered.get(nth) else {
            if !reply.closes || reply.status < 400 {
                fault(format!("status {} to nothing", reply.status));
            }
            continue;
        };
        let Some(reason) = exchange.reason.get() else { continue };
        let request = exchange.id.map(|id| &ledger.plan.requests[id as usize]);
        let equal = is_equal(&sent(&ledger.plan, exchange), reply, exchange, request);
        let cut = reason != CloseReason::Finished;
        if !(equal || cut && is_refusal(reply.status, reason)) {
            fault(format!(
                "request {:?} was answered {} with {} bytes and id {:?}, which is not what was sent ({reason})",
                exchange.id,
                reply.status,
                reply.body.len(),
                reply.id
            ));
        }
    }
    let reset = client.peer.was_reset();
    let finished = answered.iter().filter(|exchange| exchange.finished.get() > 0).count();
    // What the kernel took whole has come, unless a reset took it away.
    if client.faithful.get() && !reset && reader.replies.len() < finished {
        fault(format!("{} of {finished} answers that were finished came", reader.replies.len()));
    }
    if plan.polite {
        polite(ledger, client, exchanges, &fault);
    }
}

/// Requests are dispatched in the order in which they were sent, none left out.
fn order(
    plan: &super::plan::Connection,
    nth: usize,
    exchange: &Exchange,
    exchanges: &[Rc<Exchange>],
    fault: &impl Fn(String),
) {
    let due = plan.requests.start + nth as u32;
    let garbled = due >= plan.garbled;
    let before = exchanges[..nth].iter().rev().find_map(|exchange| exchange.id);
    // A CONNECT that is refused for itself is a request too many for its connection all the same.
    let none = exchange.door == Door::Beyond && due == plan.requests.end && exchange.id.is_none();
    if !garbled && !none && exchange.id != Some(due) {
        fault(format!("request {:?} was dispatched in place of {due}", exchange.id));
    }
    if before.is_some() && exchange.id.is_some() && before >= exchange.id {
        fault(format!("request {:?} was dispatched after {before:?}", exchange.id));
    }
}

/// An exchange ends once.
fn ends(exchange: &Exchange, fault: &impl Fn(String)) {
    if exchange.door == Door::Upgrade {
        return;
    }
    let told = (exchange.closes.get(), exchange.response_closes.get(), exchange.finished.get());
    let reason = exchange.reason.get();
    if told != (1, 1, u32::from(reason == Some(CloseReason::Finished))) {
        fault(format!("request {:?} closed, response closed, finished: {told:?} times, {reason:?}", exchange.id));
    }
}

/// Who does no wrong gets all its answers, unless the server was not there for it.
fn polite(ledger: &Ledger, client: &Client, exchanges: &[Rc<Exchange>], fault: &impl Fn(String)) {
    let (plan, reader) = (client.plan(), client.reader.borrow());
    if exchanges.is_empty() && !ledger.plan.has_room() {
        return;
    }
    let shut = ledger.shut.get();
    // A graceful end lets whoever was heard finish.
    if ledger.plan.shutdown != Shutdown::All {
        for exchange in exchanges.iter().filter(|exchange| exchange.reason.get() != Some(CloseReason::Finished)) {
            let reason = exchange.reason.get();
            let failed = matches!(reason, Some(CloseReason::Reset | CloseReason::Failed));
            // A process that was stopped finds the time of its shutdown over when it goes on.
            let cut = shut && !(is_soon(ledger, exchange) && ledger.plan.stops.is_empty())
                || failed && ledger.plan.loses_calls();
            if exchange.door != Door::Upgrade && !cut {
                fault(format!("a polite peer's request {:?} was not answered: {reason:?}", exchange.id));
            }
        }
    }
    if shut || ledger.plan.shutdown == Shutdown::Idle || !ledger.plan.has_room() {
        return;
    }
    let due = client.answers_due();
    if reader.replies.len() != due || reader.has_part() {
        fault(format!("a polite peer has {} of {due} answers", reader.replies.len()));
    }
    if let Some(status) = reader.replies.last().map(|reply| reply.status)
        && !plan.refusals.is_empty()
        && !plan.refusals.contains(&status)
    {
        fault(format!("status {status}, where {:?} was due", plan.refusals));
    }
    if plan.stops {
        stopped(ledger, client, fault);
    }
    if let (Some(length), Some(last)) = (plan.tunnel, plan.requests.clone().last())
        && reader.tunnel != content::of_tunnel(last, length)
    {
        fault(format!("{} bytes of {length} came back after the upgrade", reader.tunnel.len()));
    }
}

/// Who stops in the middle of a head is sent away when the time for it is over, and not before.
fn stopped(ledger: &Ledger, client: &Client, fault: &impl Fn(String)) {
    let (stop, header) = (client.stop.get(), ledger.plan.limits().header);
    // It may be that long before a process that is stopped learns of anything.
    let stopped: u64 = ledger.plan.stops.iter().map(|(_, time)| time).sum();
    let late = LATE + Duration::from_millis(stopped);
    if stop.gone.is_none_or(|gone| gone < stop.began + header || gone > stop.quiet + header + late) {
        fault(format!(
            "it began a head at {:?}, stopped at {:?} and is gone at {:?}",
            stop.began, stop.quiet, stop.gone
        ));
    }
}

/// Every wait has an end: the connections that are still open are tunnels, or owe an answer to a peer that is there.
pub fn waits(ledger: &Ledger, clients: &[Rc<Client>]) {
    let (open, server) = (oneloop::metrics().connections, ledger.server.borrow().clone());
    let tunnels = ledger.upgraded.borrow().iter().filter(|(_, closes)| closes.get() == 0).count();
    if let Some(server) = &server {
        owed(ledger, server, clients);
    }
    let owing = server.map_or(0, |server| server.open_exchanges().len());
    if open > tunnels + owing {
        ledger.fault(format_args!(
            "{open} connections are open, of which {tunnels} are tunnels and {owing} owe an answer"
        ));
    }
}

/// Nobody is owed an answer any more who has left long ago.
fn owed(ledger: &Ledger, server: &Server, clients: &[Rc<Client>]) {
    for exchange in server.open_exchanges() {
        // The address says which connection it is.
        let Address::Ip(address) = exchange.remote_addr else { continue };
        let client = clients.iter().find(|client| client.number + 1 == u32::from(address.port()));
        // The end of one that sends more than is held back for it is behind that, and has not come.
        if client.is_some_and(|client| client.left.get().is_some() && client.plan().flood.is_none()) {
            ledger.fault(format_args!("{} is owed to {address}, who has left", exchange.target));
        }
    }
}

/// Requests are shed where the loop is late, and counted.
fn shed(ledger: &Ledger) {
    let plan = &ledger.plan;
    let beyond = ledger.exchanges.borrow().iter().filter(|exchange| exchange.door == Door::Beyond).count() as u64;
    let shed = oneloop::metrics().shed;
    let may = plan.sheds.is_some() && plan.blocks;
    if shed > beyond || plan.max_requests == 0 && shed < beyond || shed > 0 && !may {
        ledger.fault(format_args!("{shed} requests were shed, of {beyond} that were too many"));
    }
}

/// Nothing of it is still to come, and its answer goes fast: it is not cut by a graceful end.
fn is_soon(ledger: &Ledger, exchange: &Exchange) -> bool {
    let request = exchange.id.map(|id| &ledger.plan.requests[id as usize]);
    let flood = ledger.plan.connections[exchange.connection as usize].flood;
    flood.is_none() && request.is_some_and(|request| request.body == Body::None && request.size <= 4000)
}

/// Nothing is left when the server has closed.
pub fn rest(ledger: &Ledger, clients: &[Rc<Client>], open_fds: usize) {
    let metrics = oneloop::metrics();
    let open = [
        ("listeners", metrics.listeners),
        ("connections", metrics.connections),
        ("timers", metrics.timers),
        ("jobs", metrics.jobs),
        ("the ready list", metrics.ready),
        ("bytes buffered", metrics.buffered),
        ("file descriptors", open_fds),
    ];
    for (what, count) in open.into_iter().filter(|(_, count)| *count > 0) {
        ledger.fault(format_args!("{what}: {count} left at the end"));
    }
    shed(ledger);
    let closed: u64 = metrics.closes.iter().map(|(_, count)| count).sum();
    let opened = ledger.accepted.get() + ledger.refused.get();
    let closes = 1 + u32::from(ledger.plan.shutdown == Shutdown::Again);
    if ledger.server_closes.get() != closes {
        ledger.fault(format_args!("the server's close came {} times", ledger.server_closes.get()));
    }
    if closed != opened {
        ledger.fault(format_args!("{closed} closes with a reason, of {opened} connections: {:?}", metrics.closes));
    }
    for (connection, closes) in ledger.upgraded.borrow().iter().filter(|(_, closes)| closes.get() != 1) {
        ledger.fault(format_args!("connection {connection}: its socket closed {} times", closes.get()));
    }
    let mut of_connection = vec![Vec::new(); ledger.plan.connections.len()];
    for exchange in ledger.exchanges.borrow().iter() {
        of_connection[exchange.connection as usize].push(exchange.clone());
    }
    for client in clients {
        connection(ledger, client, &of_connection[client.number as usize]);
    }
}
