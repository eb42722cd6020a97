//! Long work in portions: no more in one iteration than is right, and none waits for ever.

use crate::event_loop::{PORTION, Portions, current};
use crate::sim::Sim;
use std::cell::RefCell;
use std::rc::Rc;

type Seen = Rc<RefCell<Vec<(usize, u64)>>>;

/// Work that waits for so many portions, one after another.
fn work(portions: &Rc<Portions>, seen: &Seen, number: usize, left: usize) {
    let lp = current().unwrap();
    let (again, record) = (portions.clone(), seen.clone());
    portions.wait(&lp, PORTION, move || {
        record.borrow_mut().push((number, current().unwrap().iteration()));
        if left > 1 {
            work(&again, &record, number, left - 1);
        }
    });
}

#[test]
fn four_portions_have_their_turn_in_one_iteration_in_the_order_of_waiting() {
    let sim = Sim::new();
    let lp = current().unwrap();
    let portions = Portions::of(&lp);
    assert_eq!([PORTION; 5].map(|bytes| portions.take(&lp, bytes)), [true, true, true, true, false]);
    let seen = Seen::default();
    (0..6).for_each(|number| work(&portions, &seen, number, 3));
    sim.settle();
    let seen = seen.borrow();
    assert_eq!(seen.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5].repeat(3));
    let iterations: Vec<_> = seen.chunk_by(|a, b| a.1 == b.1).map(<[_]>::len).collect();
    assert_eq!(iterations, [4, 4, 4, 4, 2]);
    assert!(portions.take(&lp, PORTION), "nobody waits any more");
}

#[test]
fn nobody_is_served_before_those_who_wait_and_what_is_too_much_is_served_alone() {
    let sim = Sim::new();
    let lp = current().unwrap();
    let portions = Portions::of(&lp);
    let seen = Seen::default();
    for number in 0..3 {
        let record = seen.clone();
        portions.wait(&lp, 1 << 20, move || record.borrow_mut().push((number, current().unwrap().iteration())));
    }
    assert!(!portions.take(&lp, 1));
    sim.settle();
    let seen = seen.borrow();
    assert!(seen.len() == 3 && seen.windows(2).all(|two| two[0].1 < two[1].1), "{seen:?}");
}
