use super::{Site, discard};
use std::cell::Cell;

/// All the listeners of one object, of every event that it has: one list, allocated with the first of them.
///
/// `L` is usually an enum of boxed closures, `K` tells which event an entry is for. The list is *taken* out of its cell
/// for each operation and put back, and a listener is taken out of the list while it runs, so that it may add
/// listeners, remove all of them (itself included) or drop the object that they belong to.
pub(crate) struct Listeners<K, L>(Cell<Option<Box<List<K, L>>>>);

struct List<K, L> {
    entries: Vec<Entry<K, L>>,
    next_id: u32,
    /// Rounds of calls in progress: while there are any, ids are not given out anew.
    rounds: u32,
}

struct Entry<K, L> {
    /// Ascending in the list.
    id: u32,
    kind: K,
    site: Site,
    /// `None` while it runs.
    listener: Option<L>,
}

impl<K: Copy + PartialEq, L> List<K, L> {
    fn take_next(&mut self, kind: K, from: u32, end: u32) -> Option<(u32, Site, L)> {
        self.entries
            .iter_mut()
            .filter(|entry| entry.kind == kind && (from..end).contains(&entry.id))
            .find_map(|entry| Some((entry.id, entry.site, entry.listener.take()?)))
    }

    /// Gives it back where its entry is gone.
    fn put_back(&mut self, id: u32, listener: L) -> Option<L> {
        match self.entries.iter_mut().find(|entry| entry.id == id) {
            Some(entry) => {
                entry.listener = Some(listener);
                None
            }
            None => Some(listener),
        }
    }
}

impl<K: Copy + PartialEq, L> Listeners<K, L> {
    pub const fn new() -> Self {
        Listeners(Cell::new(None))
    }

    /// Puts the list back into its cell, which is empty.
    fn put(&self, list: Box<List<K, L>>) {
        if let Some(other) = self.0.replace(Some(list)) {
            lose(other);
        }
    }

    fn with<R>(&self, f: impl FnOnce(&mut List<K, L>) -> R) -> Option<R> {
        let mut list = self.0.take()?;
        let result = f(&mut list);
        self.put(list);
        Some(result)
    }

    /// Says by which number it can be removed.
    pub fn add(&self, kind: K, site: Site, listener: L) -> u32 {
        let mut list = self.0.take().unwrap_or_else(|| Box::new(List { entries: Vec::new(), next_id: 0, rounds: 0 }));
        let id = list.next_id;
        list.next_id = id.wrapping_add(1);
        list.entries.push(Entry { id, kind, site, listener: Some(listener) });
        self.put(list);
        id
    }

    pub fn has(&self, kind: K) -> bool {
        self.with(|list| list.entries.iter().any(|entry| entry.kind == kind)).unwrap_or(false)
    }

    /// Gives each listener of `kind` that is there now to `call`, in the order of their registration. One that is
    /// removed before its turn is not called; one that is added meanwhile waits for the next event.
    #[inline]
    pub fn each(&self, kind: K, mut call: impl FnMut(Site, &mut L)) {
        let Some(mut list) = self.0.take() else { return };
        list.rounds += 1;
        let end = list.next_id;
        let mut next = list.take_next(kind, 0, end);
        self.put(list);
        while let Some((id, site, mut listener)) = next {
            call(site, &mut listener);
            next = self.give_back(id, listener).and_then(|mut list| {
                let next = list.take_next(kind, id + 1, end);
                self.put(list);
                next
            });
        }
        if let Some(mut list) = self.0.take() {
            list.rounds -= 1;
            if list.rounds > 0 || !list.entries.is_empty() {
                self.put(list);
            }
        }
    }

    /// Puts a listener back that has run, or ends it where it was removed meanwhile. The list is left with the caller.
    #[inline]
    fn give_back(&self, id: u32, listener: L) -> Option<Box<List<K, L>>> {
        let mut list = self.0.take()?;
        if let Some(removed) = list.put_back(id, listener) {
            self.put(list);
            discard(removed);
            list = self.0.take()?;
        }
        Some(list)
    }

    /// Removes the listeners of one event: it can no longer come.
    pub fn remove(&self, kind: K) {
        let removed: Option<Vec<_>> =
            self.with(|list| list.entries.extract_if(.., |entry| entry.kind == kind).collect());
        for entry in removed.into_iter().flatten() {
            discard(entry);
        }
    }

    /// Removes one; where it runs now, it ends when it has.
    pub fn remove_one(&self, id: u32) {
        let removed: Option<Vec<_>> = self.with(|list| list.entries.extract_if(.., |entry| entry.id == id).collect());
        for entry in removed.into_iter().flatten() {
            discard(entry);
        }
    }

    /// Removes all. What the drop of one of them adds is removed as well.
    pub fn clear(&self) {
        while let Some(mut list) = self.0.take() {
            let entries = std::mem::take(&mut list.entries);
            if entries.is_empty() {
                if list.rounds > 0 {
                    self.put(list);
                }
                return;
            }
            if list.rounds > 0 {
                self.put(list);
            }
            for entry in entries {
                discard(entry);
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.with(|list| list.entries.is_empty()).unwrap_or(true)
    }
}

/// Never called; apart, so that no code to drop a list stands where one is put back.
#[cold]
fn lose<T>(list: Box<T>) {
    drop(list);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::panic::Location;
    use std::rc::Rc;

    type Log = Rc<RefCell<Vec<&'static str>>>;
    type Callback = Box<dyn FnMut()>;

    fn add(listeners: &Listeners<u8, Callback>, kind: u8, f: impl FnMut() + 'static) {
        listeners.add(kind, Location::caller(), Box::new(f));
    }

    #[test]
    fn a_listener_may_remove_all_and_add_others_while_it_runs() {
        let log = Log::default();
        let listeners = Rc::new(Listeners::new());
        let (inner, inner_log) = (listeners.clone(), log.clone());
        add(&listeners, 1, move || {
            inner_log.borrow_mut().push("first");
            inner.clear();
            let log = inner_log.clone();
            add(&inner, 1, move || log.borrow_mut().push("added"));
        });
        let other = log.clone();
        add(&listeners, 1, move || other.borrow_mut().push("removed before its turn"));
        listeners.each(1, |_, f| f());
        assert_eq!(*log.borrow(), ["first"]);
        listeners.each(1, |_, f| f());
        assert_eq!(*log.borrow(), ["first", "added"], "the one that was added is there, and the first is gone");
        listeners.clear();
        assert!(listeners.is_empty() && listeners.0.take().is_none(), "no listener, no memory");
    }

    #[test]
    fn one_that_is_added_by_another_waits_for_the_next_event() {
        let log = Log::default();
        let listeners = Rc::new(Listeners::new());
        let (inner, inner_log) = (Rc::downgrade(&listeners), log.clone());
        add(&listeners, 1, move || {
            let log = inner_log.clone();
            if let Some(inner) = inner.upgrade() {
                add(&inner, 1, move || log.borrow_mut().push("added"));
            }
        });
        listeners.each(1, |_, f| f());
        assert!(log.borrow().is_empty());
        listeners.each(1, |_, f| f());
        assert_eq!(*log.borrow(), ["added"]);
    }

    #[test]
    fn a_removed_listener_is_dropped_at_once_with_what_it_captured() {
        let captured = Rc::new(());
        let listeners: Listeners<u8, Callback> = Listeners::new();
        let held = captured.clone();
        add(&listeners, 1, move || drop(held.clone()));
        listeners.remove(2);
        assert_eq!(Rc::strong_count(&captured), 2);
        listeners.remove(1);
        assert_eq!(Rc::strong_count(&captured), 1);
    }
}
