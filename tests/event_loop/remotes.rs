//! Promise 1, the ways in: what other threads post to a loop.

use crate::support::logger::{keep_log, lines};
use crate::support::own_thread::on_own_thread;
use log::Level;
use oneloop::event_loop::metrics;
use oneloop::{Remote, channel, remote, run, run_nowait, run_once, set_immediate};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;

#[test]
fn what_another_thread_posts_runs_in_order_on_the_loops_thread() {
    on_own_thread(|| {
        let here = thread::current().id();
        let (tell, told) = mpsc::channel();
        let mut remote = remote();
        remote.set_ref(true);
        let thread = thread::spawn(move || {
            for number in 0..100 {
                let tell = tell.clone();
                let post = move || tell.send((number, thread::current().id())).unwrap();
                remote.post(post).map_err(|_| ()).unwrap();
            }
        });
        run().unwrap();
        thread.join().unwrap();
        let expected: Vec<_> = (0..100).map(|number| (number, here)).collect();
        assert_eq!(told.try_iter().collect::<Vec<_>>(), expected);
    });
}

fn unref_and_drop(mut remote: Remote) {
    remote.unref();
}

#[test]
fn what_was_posted_before_the_last_referenced_remote_went_still_runs() {
    on_own_thread(|| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        for ends in [unref_and_drop, drop::<Remote>] {
            let mut remote = remote();
            remote.set_ref(true);
            let inner = seen.clone();
            remote.post(move || inner.lock().unwrap().push("posted")).map_err(|_| ()).unwrap();
            ends(remote);
            run().unwrap();
        }
        assert_eq!(*seen.lock().unwrap(), ["posted", "posted"]);
    });
}

#[test]
fn a_remote_keeps_the_loop_only_when_asked_to() {
    on_own_thread(|| {
        let mut first = remote();
        assert!(!first.has_ref());
        run().unwrap();
        first.set_ref(true).set_ref(true);
        let clone = first.clone();
        assert!(first.has_ref() && !clone.has_ref());
        assert!(run_nowait().unwrap());
        first.unref().unref();
        run().unwrap();
        // The loop sleeps for the remote alone, and its end wakes it up.
        first.set_ref(true);
        let (sleeps, asleep) = mpsc::channel();
        set_immediate(move || sleeps.send(()).unwrap());
        let thread = thread::spawn(move || {
            asleep.recv().unwrap();
            drop(first);
        });
        run().unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn a_post_from_the_loop_waits_for_another_iteration() {
    on_own_thread(|| {
        let (tell, told) = mpsc::channel();
        let mut outer = remote();
        outer.set_ref(true);
        let iteration = || metrics().iterations;
        let inner = outer.clone();
        outer
            .post(move || {
                let first = iteration();
                let told = tell.clone();
                inner.post(move || told.send(iteration() - first).unwrap()).map_err(|_| ()).unwrap();
                tell.send(0).unwrap();
            })
            .map_err(|_| ())
            .unwrap();
        run_once().unwrap();
        run_once().unwrap();
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [0, 1]);
    });
}

#[test]
fn a_post_to_a_loop_that_has_ended_gives_the_closure_back() {
    let (give, given) = mpsc::channel();
    thread::spawn(move || give.send(remote()).unwrap()).join().unwrap();
    let mut remote: Remote = given.recv().unwrap();
    let kept = Arc::new(());
    let held = kept.clone();
    let back = remote.post(move || drop(held)).unwrap_err();
    assert_eq!(Arc::strong_count(&kept), 2);
    back();
    assert_eq!(Arc::strong_count(&kept), 1);
    remote.set_ref(true);
    drop(remote);
}

#[test]
fn a_program_that_ends_although_it_has_a_remote_says_so() {
    on_own_thread(move || {
        keep_log();
        let ends = || {
            run().unwrap();
            let mut lines = lines(Level::Debug);
            lines.retain(|line| line.target == "oneloop::loop" && line.level == Level::Debug);
            lines
        };
        assert!(ends().is_empty(), "there is none");
        let (mut remote, sender) = (remote(), channel(|()| ()));
        sender.unref();
        let said = ends();
        assert!(said.len() == 1 && said[0].text.contains("(remotes: 1, channels: 1)"), "{said:?}");
        remote.set_ref(true);
        set_immediate(oneloop::stop);
        assert!(ends().is_empty(), "it was stopped");
        drop((remote, sender));
        assert!(ends().is_empty(), "they are gone");
    });
}
