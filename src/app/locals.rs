//! The values that the program keeps with a request.

use std::any::{Any, TypeId};
use std::rc::Rc;

/// The values of one request. There are few, so that a walk through the list beats a map.
#[derive(Default)]
pub(super) struct Locals(Vec<(TypeId, Rc<dyn Any>)>);

impl Locals {
    /// Returns the value that was there.
    pub fn put(&mut self, of: TypeId, value: Rc<dyn Any>) -> Option<Rc<dyn Any>> {
        if let Some((_, old)) = self.0.iter_mut().find(|(known, _)| *known == of) {
            return Some(std::mem::replace(old, value));
        }
        self.0.push((of, value));
        None
    }

    pub fn find(&self, of: TypeId) -> Option<Rc<dyn Any>> {
        self.0.iter().find(|(known, _)| *known == of).map(|(_, value)| value.clone())
    }

    pub fn take_last(&mut self) -> Option<Rc<dyn Any>> {
        self.0.pop().map(|(_, value)| value)
    }
}
