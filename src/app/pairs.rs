//! Reads flat pairs of names and values into a type of the user's, by serde: one reader for queries, forms and whatever else
//! consists of pairs.
//!
//! ```text
//!   a=1 & tag=x & tag=y  ─►  struct { a: u8, tag: Vec<String> }    a map: each name once, with all its values
//!                        ─►  Vec<(String, String)>                 a list: each pair, in order
//! ```
//! Pairs are flat: a name is a name, whatever brackets, dots or commas it has. Structure is what JSON is for. A value that is
//! given several times is a list, and where one value is wanted it is an error, since two readers of a request might choose
//! different ones. An empty value is `None` where an `Option` is wanted: a form has no other way to leave something out.
//!
//! The text that a client sees of an error never contains any of the input.

use super::expected::in_words;
use crate::http;
use serde::de::Visitor;
use serde::de::value::{CowStrDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, Unexpected};
use serde::forward_to_deserialize_any;
use std::borrow::Cow;
use std::fmt::{self, Display};

/// One name and one value, decoded.
pub(super) type Pair<'de> = (Cow<'de, str>, Cow<'de, str>);

/// Reads a `T` from pairs.
pub(super) fn read<'de, T: Deserialize<'de>>(pairs: Vec<Pair<'de>>) -> Result<T, PairsError> {
    T::deserialize(Pairs(pairs))
}

/// What is wrong with a field for which there is no pair.
const MISSING: &str = "it is missing";

/// The reason why a type cannot be read from pairs.
#[derive(Debug)]
pub(super) struct PairsError {
    /// The name of the pair, if it is a name that the type knows.
    field: Option<&'static str>,
    /// What is wrong, in words of the program's. The client sees it.
    text: String,
    /// What the type itself says. It may contain input, so that only the log sees it.
    detail: Option<String>,
}

impl PairsError {
    fn expected(what: impl Display) -> PairsError {
        PairsError { field: None, text: format!("{what} is expected"), detail: None }
    }

    /// The field for which there is no pair, if that is what is wrong.
    pub fn missing(&self) -> Option<&'static str> {
        self.field.filter(|_| self.text == MISSING)
    }

    /// The error with which a request is answered whose query, form or the like is not what the type wants.
    pub fn answer(self, status: u16, what: &str) -> http::Error {
        let error = http::Error::new(status, format!("{what}: {self}"));
        match self.detail {
            Some(detail) => error.with_source(detail),
            None => error,
        }
    }
}

/// What the client sees.
impl Display for PairsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = self.field {
            write!(f, "`{field}`: ")?;
        }
        f.write_str(&self.text)
    }
}

impl std::error::Error for PairsError {}

/// serde's own texts quote the input: these do not.
impl de::Error for PairsError {
    fn custom<T: Display>(message: T) -> PairsError {
        let detail = message.to_string().escape_debug().to_string();
        PairsError { field: None, text: "the value is not valid".to_owned(), detail: Some(detail) }
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> PairsError {
        PairsError::expected(in_words(&expected.to_string()))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> PairsError {
        PairsError::expected(in_words(&expected.to_string()))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> PairsError {
        PairsError::expected(in_words(&expected.to_string()))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> PairsError {
        PairsError::expected(format_args!("one of {}", quoted(expected)))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> PairsError {
        PairsError { field: None, text: format!("a name is unknown: known are {}", quoted(expected)), detail: None }
    }

    fn missing_field(field: &'static str) -> PairsError {
        PairsError { field: Some(field), text: MISSING.to_owned(), detail: None }
    }

    fn duplicate_field(field: &'static str) -> PairsError {
        PairsError { field: Some(field), text: "it is given more than once".to_owned(), detail: None }
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// All pairs, in order.
struct Pairs<'de>(Vec<Pair<'de>>);

impl<'de> Pairs<'de> {
    /// Each name once, in the order in which the names come first, with its values in order. Sorting makes the time of this
    /// depend on the number of pairs alone, and not on which names a client has chosen.
    fn grouped(self) -> Vec<(Cow<'de, str>, Values<'de>)> {
        let mut pairs: Vec<_> = self.0.into_iter().enumerate().collect();
        pairs.sort_by(|(_, (one, _)), (_, (other, _))| one.cmp(other));
        let mut groups: Vec<(usize, Cow<'de, str>, Vec<Cow<'de, str>>)> = Vec::new();
        for (at, (name, value)) in pairs {
            match groups.last_mut() {
                Some((_, last, values)) if *last == name => values.push(value),
                _ => groups.push((at, name, vec![value])),
            }
        }
        groups.sort_by_key(|(first, ..)| *first);
        groups.into_iter().map(|(_, name, values)| (name, Values(values))).collect()
    }
}

impl<'de> Deserializer<'de> for Pairs<'de> {
    type Error = PairsError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairsError> {
        visitor.visit_map(MapDeserializer::new(self.grouped().into_iter()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PairsError> {
        visitor.visit_map(Fields { groups: self.grouped().into_iter(), fields, next: None })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairsError> {
        // As a pair is a tuple of two texts, it is read as if it were two values.
        visitor.visit_seq(SeqDeserializer::new(self.0.into_iter().map(|(name, value)| Values(vec![name, value]))))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, PairsError> {
        visitor.visit_newtype_struct(self)
    }

    /// Pairs of which a type wants nothing, such as `()`: none of them is an error.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairsError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, PairsError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option tuple tuple_struct map enum
        identifier ignored_any
    }
}

/// The pairs of a struct. They are a map that says in its errors which field they are about.
struct Fields<'de> {
    groups: std::vec::IntoIter<(Cow<'de, str>, Values<'de>)>,
    fields: &'static [&'static str],
    next: Option<(Option<&'static str>, Values<'de>)>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = PairsError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, PairsError> {
        let Some((name, values)) = self.groups.next() else { return Ok(None) };
        let field = self.fields.iter().copied().find(|field| *field == name);
        self.next = Some((field, values));
        seed.deserialize(CowStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, PairsError> {
        let Some((field, values)) = self.next.take() else {
            return Err(de::Error::custom("a value was asked for before its name"));
        };
        seed.deserialize(values).map_err(|error| PairsError { field: field.or(error.field), ..error })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.groups.len())
    }
}

/// The values of one name: at least one.
struct Values<'de>(Vec<Cow<'de, str>>);

impl<'de> Values<'de> {
    fn one(mut self) -> Result<Cow<'de, str>, PairsError> {
        match self.0.pop() {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(PairsError::expected("one value, not several,")),
        }
    }
}

impl<'de> IntoDeserializer<'de, PairsError> for Values<'de> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! whole_numbers {
    ($($deserialize:ident $visit:ident $number:ident,)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairsError> {
            let expected = || PairsError::expected(format_args!("a whole number from {} to {}", $number::MIN, $number::MAX));
            visitor.$visit(self.one()?.parse().map_err(|_| expected())?)
        }
    )*};
}

macro_rules! by_text {
    ($($deserialize:ident)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairsError> {
            CowStrDeserializer::new(self.one()?).deserialize_any(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Values<'de> {
    type Error = PairsError;

    /// For types that accept any form: one value is a text, several values are a list of texts.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairsError> {
        if self.0.len() > 1 { self.deserialize_seq(visitor) } else { self.deserialize_str(visitor) }
    }

    whole_numbers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_i128 visit_i128 i128,
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_u128 visit_u128 u128,
    }

    by_text! {
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_identifier
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairsError> {
        visitor.visit_f32(self.one()?.parse().map_err(|_| PairsError::expected("a number"))?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairsError> {
        visitor.visit_f64(self.one()?.parse().map_err(|_| PairsError::expected("a number"))?)
    }

    /// `on` is what a browser sends for a checkbox that has no value of its own.
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairsError> {
        match &*self.one()? {
            "true" | "on" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(PairsError::expected("true or false")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairsError> {
        match &self.0[..] {
            [value] if value.is_empty() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairsError> {
        if self.one()?.is_empty() { visitor.visit_unit() } else { Err(PairsError::expected("nothing")) }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, PairsError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, PairsError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairsError> {
        visitor.visit_seq(SeqDeserializer::new(self.0.into_iter().map(|value| Values(vec![value]))))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, PairsError> {
        let mut values = SeqDeserializer::new(self.0.into_iter().map(|value| Values(vec![value])));
        let value = visitor.visit_seq(&mut values)?;
        values.end()?; // more values than the tuple has places
        Ok(value)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, PairsError> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, _: V) -> Result<V::Value, PairsError> {
        Err(de::Error::custom("pairs are flat: a value is a text, and has no parts with names"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PairsError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, PairsError> {
        visitor.visit_enum(CowStrDeserializer::new(self.one()?))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, PairsError> {
        visitor.visit_unit()
    }
}
