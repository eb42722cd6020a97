//! Promise 1, the ways in: what other threads send to a channel's callback, which lives with the loop.

use crate::support::own_thread::on_own_thread;
use oneloop::event_loop::{PanicPolicy, set_panic_policy};
use oneloop::sim::Sim;
use oneloop::{
    Sender, bounded_channel, channel, next_tick, remote, run, run_nowait, set_immediate, set_timeout, worker,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::mpsc::{self, TrySendError};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

type Seen<T> = Rc<RefCell<Vec<T>>>;

/// A list, and a callback that adds to it.
fn seen<T: 'static>() -> (Seen<T>, impl FnMut(T) + 'static) {
    let seen: Seen<T> = Rc::default();
    let into = seen.clone();
    (seen, move |message| into.borrow_mut().push(message))
}

#[test]
fn messages_come_in_order_on_the_loops_thread_until_the_last_sender_is_gone() {
    on_own_thread(|| {
        let here = thread::current().id();
        let (all, mut note) = seen();
        let sender = channel(move |number| {
            assert_eq!(thread::current().id(), here);
            note(number);
        });
        let senders = [sender.clone(), sender];
        let threads = senders.map(|sender| thread::spawn(move || (0..100).for_each(|n| sender.send(n).unwrap())));
        run().unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
        let all = all.take();
        assert_eq!(all.len(), 200);
        let mut sorted = all.clone();
        sorted.sort();
        assert_eq!(sorted, (0..200).map(|n| n / 2).collect::<Vec<_>>());
    });
    on_own_thread(|| {
        let (all, note) = seen();
        let sender = channel(note);
        let thread = thread::spawn(move || (0..1000).for_each(|n| sender.send(n).unwrap()));
        run().unwrap();
        thread.join().unwrap();
        assert_eq!(all.take(), (0..1000).collect::<Vec<_>>());
    });
}

#[test]
fn messages_and_posted_closures_of_one_thread_keep_their_order() {
    on_own_thread(|| {
        let (all, note) = seen();
        let (sender, way_in) = (channel(note), remote());
        let by_closure = sender.clone();
        sender.send(1).unwrap();
        // Sent when it runs: behind what was sent before, and before what is sent by a later closure.
        way_in.post(move || by_closure.send(3).unwrap()).map_err(|_| ()).unwrap();
        sender.send(2).unwrap();
        drop(sender);
        run().unwrap();
        assert_eq!(all.take(), [1, 2, 3]);
    });
}

#[test]
fn each_message_is_a_callback_of_its_own() {
    on_own_thread(|| {
        let log: Seen<String> = Rc::default();
        let into = log.clone();
        let sender = channel(move |number: u32| {
            into.borrow_mut().push(format!("message {number}"));
            let into = into.clone();
            next_tick(move || into.borrow_mut().push(format!("tick {number}")));
            assert_ne!(number, 2, "as planned");
        });
        (1..=3).for_each(|number| sender.send(number).unwrap());
        drop(sender);
        set_panic_policy(PanicPolicy::Catch);
        run().unwrap();
        let expected = ["message 1", "tick 1", "message 2", "tick 2", "message 3", "tick 3"];
        assert_eq!(*log.borrow(), expected, "a panic costs its message only");
    });
}

#[test]
fn a_callback_is_dropped_with_the_last_sender_after_its_last_message() {
    on_own_thread(|| {
        let token = Rc::new(());
        let (held, got) = (token.clone(), Rc::new(Cell::new(0)));
        let count = got.clone();
        let sender = channel(move |()| {
            let _ = &held;
            count.set(count.get() + 1);
        });
        let other = sender.clone();
        drop(sender);
        run_nowait().unwrap();
        assert_eq!(Rc::strong_count(&token), 2, "there is a sender");
        other.send(()).unwrap();
        thread::spawn(move || drop(other)).join().unwrap();
        assert!(!run_nowait().unwrap());
        assert_eq!((Rc::strong_count(&token), got.get()), (1, 1));
    });
}

#[test]
fn the_loop_goes_on_for_a_sender_unless_it_is_told_otherwise() {
    on_own_thread(|| {
        let (all, note) = seen();
        let sender = channel(note);
        assert!(sender.has_ref() && !sender.unref().has_ref() && !sender.clone().has_ref());
        run().unwrap();
        assert!(sender.set_ref(true).has_ref());
        let ends = sender.clone();
        let thread = thread::spawn(move || {
            ends.send("last").unwrap();
            ends.unref();
            ends
        });
        run().unwrap();
        assert_eq!(all.take(), ["last"], "what was sent before the unref is received");
        drop((sender, thread.join().unwrap()));
        assert!(!run_nowait().unwrap());
    });
}

#[test]
fn a_message_comes_back_where_the_loop_has_ended() {
    let (sender, bounded) =
        thread::spawn(|| (channel(|_: String| ()), bounded_channel(1, |_: u32| ()))).join().unwrap();
    assert_eq!(sender.send("late".to_owned()).unwrap_err().0, "late");
    assert_eq!(bounded.try_send(7), Err(TrySendError::Disconnected(7)));
    assert_eq!(bounded.send(7).unwrap_err().0, 7);
    assert!(!sender.clone().set_ref(true).unref().has_ref());
}

#[test]
fn a_bounded_channel_makes_its_senders_wait_for_room() {
    on_own_thread(|| {
        let (all, note) = seen();
        let sender = bounded_channel(2, note);
        assert_eq!((sender.try_send(0), sender.try_send(1)), (Ok(()), Ok(())));
        assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
        let waits = sender.clone();
        let thread = thread::spawn(move || (2..500).for_each(|number| waits.send(number).unwrap()));
        drop(sender);
        run().unwrap();
        thread.join().unwrap();
        assert_eq!(all.take(), (0..500).collect::<Vec<_>>());
    });
}

#[test]
fn the_loops_own_thread_does_not_wait_for_itself() {
    on_own_thread(|| {
        let (all, note) = seen();
        let sender = bounded_channel(1, note);
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)));
        drop(sender);
        run().unwrap();
        assert_eq!(all.take(), [1, 2]);
    });
}

#[test]
fn a_sender_that_waits_is_let_go_when_the_loop_ends() {
    let (give, given) = mpsc::channel::<Sender<u32>>();
    let met = Arc::new(Barrier::new(2));
    let ends = met.clone();
    let owner = thread::spawn(move || {
        let sender = bounded_channel(1, |_| ());
        sender.send(1).unwrap();
        give.send(sender).unwrap();
        ends.wait();
    });
    let sender = given.recv().unwrap();
    let waiting = thread::spawn(move || sender.send(2));
    met.wait();
    owner.join().unwrap();
    assert_eq!(waiting.join().unwrap().unwrap_err().0, 2);
}

#[test]
fn a_flood_of_messages_does_not_keep_the_loop_from_others() {
    on_own_thread(|| {
        let got = Rc::new(Cell::new(0));
        let (count, at) = (got.clone(), Rc::new(Cell::new(0)));
        let sender = channel(move |_: u32| count.set(count.get() + 1));
        (0..10_000).for_each(|number| sender.send(number).unwrap());
        drop(sender);
        let (when, count) = (at.clone(), got.clone());
        set_immediate(move || when.set(count.get()));
        run().unwrap();
        assert_eq!(got.get(), 10_000);
        assert!(at.get() < 10_000, "it had its turn after {}", at.get());
    });
}

#[test]
fn senders_go_to_other_threads_whatever_the_callback_holds() {
    fn is_send_and_sync<T: Send + Sync + Clone>(_: &T) {}
    on_own_thread(|| {
        let held = Rc::new(());
        is_send_and_sync(&channel(move |message: Cell<u32>| {
            let _ = (&held, message);
        }));
    });
}

#[test]
fn a_message_may_hold_senders_and_a_callback_may_open_and_end_channels() {
    on_own_thread(|| {
        let (all, note) = seen();
        let note = Rc::new(RefCell::new(note));
        let sender = channel(move |reply: Sender<u32>| {
            let note = note.clone();
            let inner = channel(move |text: &str| (note.borrow_mut())(text));
            inner.send("within").unwrap();
            reply.send(6).unwrap();
        });
        let (replies, note) = seen();
        sender.send(channel(note)).unwrap();
        drop(sender);
        run().unwrap();
        assert_eq!((all.take(), replies.take()), (vec!["within"], vec![6]));
        // Left in the queue of a loop that ends.
        let sender = channel(|_: Sender<u32>| ());
        sender.send(channel(|_| ())).unwrap();
    });
}

#[test]
fn a_channel_works_in_a_simulated_world_and_ends_with_it() {
    let sim = Sim::new();
    let (all, note) = seen();
    let sender = channel(note);
    let works = sender.clone();
    worker::run(move || works.send("from a job").unwrap(), |done| done.unwrap());
    let here = sender.clone();
    set_timeout(Duration::from_secs(1), move || here.send("from a timer").unwrap());
    sim.advance(Duration::from_secs(2));
    assert_eq!(all.take(), ["from a job", "from a timer"]);
    let thread = sender.clone();
    thread::spawn(move || thread.send("from a thread").unwrap()).join().unwrap();
    sim.settle();
    assert_eq!(all.take(), ["from a thread"]);
    drop(sim);
    assert_eq!(sender.send("late").unwrap_err().0, "late");
    assert_eq!(Rc::strong_count(&all), 1, "the callback went with the world");
}
