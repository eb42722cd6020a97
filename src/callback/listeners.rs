use super::{Site, discard};
use std::cell::Cell;

/// The boxed closure of a listener that is called once. The call moves it out of the option, so it can be a `FnOnce`.
pub(crate) type Once<F> = Option<Box<F>>;

/// All listeners of one object, for all of its events. The list is allocated when the first listener is added.
///
/// `L` is usually an enum of boxed closures, `K` tells which event an entry is for. The list is *taken* out of its cell
/// for each operation and put back, and a listener is taken out of the list while it runs, so that it may add
/// listeners, remove all of them (itself included) or drop the object that they belong to.
pub(crate) struct Listeners<K, L>(Cell<Option<Box<List<K, L>>>>);

struct List<K, L> {
    entries: Vec<Entry<K, L>>,
    next_id: u32,
    /// How many calls of `each` are in progress. During such a call the list is kept even if it is empty, so that no `id` is used
    /// again.
    rounds: u32,
}

struct Entry<K, L> {
    /// Ascending within the list.
    id: u32,
    kind: K,
    site: Site,
    /// `None` while the listener runs.
    listener: Option<L>,
}

impl<K: Copy + PartialEq, L> List<K, L> {
    /// The first entry for `kind` whose id is in `from..end` and whose listener is not running now.
    fn next(&mut self, kind: K, from: u32, end: u32) -> Option<&mut Entry<K, L>> {
        self.entries
            .iter_mut()
            .find(|entry| entry.kind == kind && (from..end).contains(&entry.id) && entry.listener.is_some())
    }

    /// Moves the listener back into its entry. If the entry has been removed meanwhile, `listener` is left as it is.
    fn put_back(&mut self, id: u32, listener: &mut Option<L>) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id) {
            entry.listener = listener.take();
        }
    }
}

impl<K: Copy + PartialEq, L> Listeners<K, L> {
    pub const fn new() -> Self {
        Listeners(Cell::new(None))
    }

    /// Puts the list back into its cell, which is empty at this moment.
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

    /// Adds a listener after the others. Returns its id, for `remove_one`.
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

    /// The place of registration of the first listener for an event.
    pub fn first(&self, kind: K) -> Option<Site> {
        self.with(|list| list.entries.iter().find(|entry| entry.kind == kind).map(|entry| entry.site)).flatten()
    }

    /// The event and the place of registration of each listener, in the order of registration.
    pub fn sites(&self) -> Vec<(K, Site)> {
        self.with(|list| list.entries.iter().map(|entry| (entry.kind, entry.site)).collect()).unwrap_or_default()
    }

    /// Passes each listener for `kind` that is registered now to `call`, in the order of registration. A listener that is removed
    /// before its turn is not called. A listener that is added during these calls is first called at the next event.
    #[inline]
    pub fn each(&self, kind: K, mut call: impl FnMut(Site, &mut L)) {
        let Some(mut list) = self.0.take() else { return };
        list.rounds += 1;
        let (mut from, end) = (0, list.next_id);
        while from < end
            && let Some(entry) = list.next(kind, from, end)
        {
            let (id, site, mut listener) = (entry.id, entry.site, entry.listener.take());
            self.put(list);
            if let Some(listener) = &mut listener {
                call(site, listener);
            }
            let Some(after) = self.give_back(id, listener) else { return };
            list = after;
            from = id + 1;
        }
        list.rounds -= 1;
        if list.rounds > 0 || !list.entries.is_empty() {
            self.put(list);
        }
    }

    /// Puts a listener back into the list after its call, or drops it if it was removed during the call. Takes the list out of
    /// its cell and returns it; the caller must put the list back into the cell.
    #[inline(always)]
    fn give_back(&self, id: u32, mut listener: Option<L>) -> Option<Box<List<K, L>>> {
        let mut list = self.0.take()?;
        list.put_back(id, &mut listener);
        if listener.is_some() { self.end(list, listener) } else { Some(list) }
    }

    #[cold]
    fn end(&self, list: Box<List<K, L>>, removed: Option<L>) -> Option<Box<List<K, L>>> {
        self.put(list);
        discard(removed);
        self.0.take()
    }

    /// Removes the listeners for an event that can no longer come.
    pub fn remove(&self, kind: K) {
        while let Some(removed) = self.take_first(|entry| entry.kind == kind) {
            discard(removed);
        }
    }

    /// Takes the first entry of which this is true out of the list.
    fn take_first(&self, is: impl Fn(&Entry<K, L>) -> bool) -> Option<Entry<K, L>> {
        self.with(|list| list.entries.iter().position(is).map(|at| list.entries.remove(at))).flatten()
    }

    /// Removes one listener. If it is running now, it is dropped when it returns.
    pub fn remove_one(&self, id: u32) {
        if let Some(removed) = self.take_first(|entry| entry.id == id) {
            discard(removed);
        }
    }

    /// Removes all listeners. The drop of a listener may run user code; listeners that this code adds are removed as well.
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

/// Never called in practice. It is a function of its own so that the code that drops a list is not inlined into `put`.
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
