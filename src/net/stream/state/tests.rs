use super::*;
use std::collections::{BTreeSet, HashSet};

const EVENTS: [Event; 25] = [
    Event::Connected,
    Event::Finish,
    Event::Linger,
    Event::Close,
    Event::Readable,
    Event::PeerClosed,
    Event::Drained,
    Event::InputEnded,
    Event::Pause,
    Event::Unpause,
    Event::Refused,
    Event::Writable,
    Event::End,
    Event::FinSent,
    Event::LastMessage,
    Event::LastWritten,
    Event::WriteFailed,
    Event::TellSent,
    Event::ToldAll,
    Event::Queue,
    Event::Dequeue,
    Event::WantTurn,
    Event::GiveTurn,
    Event::Unref,
    Event::Ref,
];

const LIVES: [Life; 5] = [Life::Connecting, Life::Open, Life::Finishing, Life::Lingering, Life::Closed];
const READINGS: [Reading; 4] = [Reading::Waiting, Reading::Ready, Reading::Ending, Reading::Ended];
const WRITINGS: [Writing; 6] =
    [Writing::Open, Writing::Ending, Writing::Ended, Writing::LastMessage, Writing::LastWritten, Writing::Failed];

fn life(state: &State) -> Life {
    the_one(LIVES, |life| state.is(life as u32))
}

fn reading(state: &State) -> Reading {
    the_one(READINGS, |reading| state.is(reading as u32))
}

fn writing(state: &State) -> Writing {
    the_one(WRITINGS, |writing| state.is(writing as u32))
}

fn facts(state: &State) -> u32 {
    state.0.get() & !(LIFE | READING | WRITING)
}

fn the_one<T: Copy, const N: usize>(all: [T; N], holds: impl Fn(T) -> bool) -> T {
    let [one] = all.into_iter().filter(|one| holds(*one)).collect::<Vec<T>>()[..] else {
        panic!("more than one state of a part, or none");
    };
    one
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?} {:?} {:#x}", life(self), reading(self), writing(self), facts(self))
    }
}

/// Every state that can be reached, with each event and the state after it.
fn walk() -> Vec<(State, Event, State)> {
    let mut left = vec![State::connecting(), State::open()];
    let mut seen: HashSet<u32> = left.iter().map(|state| state.0.get()).collect();
    let mut steps = Vec::new();
    while let Some(from) = left.pop() {
        for event in EVENTS {
            let to = from.clone();
            assert_eq!(to.on(event), to != from, "{from:?} {event:?}");
            if seen.insert(to.0.get()) {
                left.push(to.clone());
            }
            steps.push((from.clone(), event, to));
        }
    }
    steps
}

/// All changes of one half, or of the life, each as a line: the state before, the event, the state after.
fn arrows<T: Copy + PartialEq + std::fmt::Debug>(part: impl Fn(&State) -> T) -> BTreeSet<String> {
    let moved = walk().into_iter().filter(|(from, _, to)| part(from) != part(to));
    moved.map(|(from, event, to)| format!("{:?} {event:?} {:?}", part(&from), part(&to))).collect()
}

fn drawn(text: &str) -> BTreeSet<String> {
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[test]
fn the_states_move_along_the_arrows_that_are_drawn_and_along_no_others() {
    let life_drawn = "Connecting Connected Open
        Open Finish Finishing
        Finishing Linger Lingering
        Connecting Close Closed
        Open Close Closed
        Finishing Close Closed
        Lingering Close Closed";
    assert_eq!(arrows(life), drawn(life_drawn));
    let reading_drawn = "Waiting Readable Ready
        Waiting PeerClosed Ending
        Ready PeerClosed Ending
        Ready Drained Waiting
        Ending Drained Waiting
        Ready InputEnded Ended
        Ending InputEnded Ended";
    assert_eq!(arrows(reading), drawn(reading_drawn));
    let writing_drawn = "Open End Ending
        Ending FinSent Ended
        Open Linger Ended
        Ending Linger Ended
        Open LastMessage LastMessage
        LastMessage LastWritten LastWritten
        LastWritten Linger Ended
        Open WriteFailed Failed
        Ending WriteFailed Failed
        Ended WriteFailed Failed
        LastMessage WriteFailed Failed
        LastWritten WriteFailed Failed";
    assert_eq!(arrows(writing), drawn(writing_drawn));
}

#[test]
fn an_event_moves_its_own_part_and_nothing_leaves_the_last_state() {
    for (from, event, to) in walk() {
        assert!(!from.is_closed() || from == to, "{from:?} {event:?}");
        let (halves, same_facts) =
            ((reading(&from) != reading(&to), writing(&from) != writing(&to)), facts(&from) == facts(&to));
        let parts = [halves.0, halves.1, !same_facts];
        let moved = parts.into_iter().filter(|moved| *moved).count() + usize::from(life(&from) != life(&to));
        let both = matches!(event, Event::Finish | Event::Linger);
        assert!(moved <= 1 || both && moved == 2, "{from:?} {event:?} {to:?}");
    }
}

#[test]
fn what_a_stream_does_in_a_state_is_what_the_state_allows() {
    for (state, ..) in walk() {
        // Nothing can be read before there is a connection, nor after the end of the input.
        assert!(!(state.is_connecting() && state.is_readable()));
        assert!(!(state.has_input_ended() && state.is_readable()));
        // A stream that is about to close takes no output.
        let discards = state.is_finishing() || state.is_lingering();
        assert!(!(discards && (state.takes_output() || state.is_paused())));
        assert_eq!(state.wants_input(), state.is_readable() && (discards || state.is_open() && !state.is_paused()));
        assert!(!(state.has_write_failed() && (state.takes_output() || state.sends())));
        assert!(!(state.ends_output() && state.takes_output()));
        // A FIN would make a message that was cut short look complete.
        assert!(!(state.is_cut_short() && state.has_sent_fin()));
        assert!(!state.is_lingering() || state.has_sent_fin() || state.is_cut_short() || state.has_write_failed());
    }
}
