use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// Which sockets have subscribed to which topics. A socket is named by its index in the endpoint's list of sockets.
#[derive(Default)]
pub(super) struct Subscriptions(HashMap<Rc<str>, BTreeSet<usize>>);

impl Subscriptions {
    /// Adds a socket to a topic. Returns the name of the topic, which all of its subscribers share.
    pub fn add(&mut self, topic: &str, place: usize) -> Rc<str> {
        if let Some((name, places)) = self.0.get_key_value(topic) {
            let name = name.clone();
            if !places.contains(&place) {
                self.0.entry(name.clone()).or_default().insert(place);
            }
            return name;
        }
        let name = Rc::<str>::from(topic);
        self.0.insert(name.clone(), BTreeSet::from([place]));
        name
    }

    /// Removes a socket from a topic, and removes the topic if this was its last socket.
    pub fn remove(&mut self, topic: &str, place: usize) {
        if let Some(places) = self.0.get_mut(topic) {
            places.remove(&place);
            if places.is_empty() {
                self.0.remove(topic);
            }
        }
    }

    /// The name of a topic, which all of its subscribers share, and their places in order. `None` if it has no subscribers.
    pub fn of(&self, topic: &str) -> Option<(&Rc<str>, &BTreeSet<usize>)> {
        self.0.get_key_value(topic)
    }

    /// The places of the subscribers of the topic with just this name, from the place `first` on. A topic that has lost all of its
    /// subscribers meanwhile has none, even if there is another one now that is called the same.
    pub fn from(&self, name: &Rc<str>, first: usize) -> impl Iterator<Item = usize> {
        let topic = self.of(name).filter(|(shared, _)| Rc::ptr_eq(shared, name));
        topic.into_iter().flat_map(move |(_, places)| places.range(first..)).copied()
    }

    pub fn count(&self, topic: &str) -> usize {
        self.0.get(topic).map_or(0, BTreeSet::len)
    }
}

#[cfg(test)]
mod tests {
    use super::Subscriptions;

    #[test]
    fn a_topic_is_there_while_somebody_has_subscribed_to_it() {
        let mut all = Subscriptions::default();
        for place in [7, 3, 7] {
            all.add("a", place);
        }
        all.add("b", 3);
        assert_eq!(
            (all.of("a").map(|(_, places)| places.iter().copied().collect()), all.count("b"), all.count("c")),
            (Some(vec![3, 7]), 1, 0)
        );
        all.remove("b", 3);
        all.remove("b", 3);
        all.remove("a", 3);
        assert_eq!((all.count("a"), all.0.len()), (1, 1));
    }
}
