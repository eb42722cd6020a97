//! Methods, as a set of bits.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

/// The methods that have a bit: those of RFC 9110, section 9.3, then PATCH (RFC 5789) and QUERY.
const KNOWN: [&str; 10] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"];
const GET: u16 = 1;
const HEAD: u16 = 2;
/// All methods that have no bit of their own.
const OTHERS: u16 = 1 << KNOWN.len();
const ALL: u16 = 2 * OTHERS - 1;

/// The method of a request.
#[derive(Debug)]
pub struct Method<'a> {
    bit: u16,
    name: &'a [u8],
}

impl<'a> Method<'a> {
    /// The method with this name. Methods are case-sensitive (RFC 9110, 9.1).
    #[inline]
    pub fn of(name: &'a (impl AsRef<[u8]> + ?Sized)) -> Method<'a> {
        let name = name.as_ref();
        let bit = KNOWN.iter().position(|known| known.as_bytes() == name).map_or(OTHERS, |number| 1 << number);
        Method { bit, name }
    }
}

/// A set of methods. A set with GET has HEAD as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Methods {
    bits: u16,
    /// The methods that have no bit, sorted.
    others: BTreeSet<Box<str>>,
}

impl Methods {
    /// Every method there is or will be.
    pub fn any() -> Methods {
        Methods { bits: ALL, others: BTreeSet::new() }
    }

    /// The methods with these names.
    pub fn of(names: &[&str]) -> Methods {
        let mut methods = Methods::default();
        for name in names {
            match Method::of(name).bit {
                OTHERS => drop(methods.others.insert((*name).into())),
                GET => methods.bits |= GET | HEAD,
                bit => methods.bits |= bit,
            }
        }
        methods
    }

    /// Returns whether this is [`Methods::any`].
    pub fn is_any(&self) -> bool {
        self.bits == ALL
    }

    /// Returns whether a method is in the set.
    #[inline]
    pub fn takes(&self, method: &Method<'_>) -> bool {
        self.bits & method.bit != 0 || self.takes_by_name(method)
    }

    #[inline(never)]
    fn takes_by_name(&self, method: &Method<'_>) -> bool {
        method.bit == OTHERS && self.others.iter().any(|other| other.as_bytes() == method.name)
    }

    /// Takes what `more` takes as well.
    pub fn add(&mut self, more: &Methods) {
        self.bits |= more.bits;
        self.others.extend(more.others.iter().cloned());
    }

    /// Returns whether each method of this set is in `other`.
    pub fn are_in(&self, other: &Methods) -> bool {
        self.bits & !other.bits == 0 && (other.bits & OTHERS != 0 || self.others.is_subset(&other.others))
    }

    /// Returns whether a method is in both sets.
    pub fn meet(&self, other: &Methods) -> bool {
        let named = |one: &Methods, other: &Methods| one.bits & OTHERS != 0 && !other.others.is_empty();
        self.bits & other.bits != 0
            || named(self, other)
            || named(other, self)
            || !self.others.is_disjoint(&other.others)
    }

    /// The value of an `Allow` field (RFC 9110, 10.2.1): the names in alphabetical order, with OPTIONS, which is always answered.
    /// `None` if the set is empty.
    pub fn allow(&self) -> Option<String> {
        if self.bits == 0 && self.others.is_empty() {
            return None;
        }
        let mut names = self.names().collect::<BTreeSet<_>>();
        names.insert("OPTIONS");
        Some(names.into_iter().collect::<Vec<_>>().join(", "))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let known = KNOWN.iter().enumerate().filter(|(number, _)| self.bits & (1 << number) != 0);
        known.map(|(_, name)| *name).chain(self.others.iter().map(|name| &**name))
    }
}

/// The names as in the program: without a HEAD that comes with GET; `ALL` for all of them.
impl Display for Methods {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_any() {
            return f.write_str("ALL");
        }
        let implied = |name: &str| name == "HEAD" && self.bits & GET != 0;
        let names = self.names().filter(|name| !implied(name)).collect::<Vec<_>>();
        f.write_str(&names.join(", "))
    }
}
