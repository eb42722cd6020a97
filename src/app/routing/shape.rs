//! A segment with parameters in it, such as `:name.:ext`.

/// What one segment has to look like: texts with parameters between them. Two parameters always have text between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The text before the first parameter.
    pub before: Box<str>,
    /// At least one.
    pub parameters: Vec<Parameter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: Box<str>,
    /// The text after the parameter. It may be empty only after the last parameter of a segment.
    pub after: Box<str>,
}

impl Shape {
    /// Returns whether every segment that is not empty has this shape.
    pub fn is_plain(&self) -> bool {
        matches!(&self.parameters[..], [only] if self.before.is_empty() && only.after.is_empty())
    }

    /// Returns whether two shapes match the same segments. Names do not matter.
    pub fn equals(&self, other: &Shape) -> bool {
        let afters =
            |shape: &Shape| shape.parameters.iter().map(|parameter| parameter.after.clone()).collect::<Vec<_>>();
        self.before == other.before && afters(self) == afters(other)
    }

    pub fn fits(&self, segment: &str) -> bool {
        self.read(segment, &mut |_, _| ())
    }

    /// Reads a segment of a canonical path. `each` gets the names and values of the parameters, the last one first. Returns
    /// whether the segment has this shape; if not, what `each` got means nothing.
    ///
    /// A text between two parameters is looked for from the right, so `:name.:ext` reads `a.tar.gz` as `a.tar` and `gz`. The
    /// rightmost place with at least one byte on each side is taken, and no other place is tried. This place leaves the longest
    /// part for the parameters before it, so if they do not fit there, they fit nowhere. That makes the reading linear.
    pub fn read<'s, 'p>(&'s self, segment: &'p str, each: &mut impl FnMut(&'s str, &'p str)) -> bool {
        let Some(mut left) = segment.strip_prefix(&*self.before) else { return false };
        // The name of the parameter that was read last. Its value ends where `left` ends; where it begins is still to be found.
        let mut name = None;
        for parameter in self.parameters.iter().rev() {
            let found = match name {
                None => split_end(left, &parameter.after),
                Some(_) => split_last(left, &parameter.after),
            };
            let Some((before, behind)) = found else { return false };
            if let Some(name) = name {
                each(name, behind);
            }
            (left, name) = (before, Some(&*parameter.name));
        }
        if let Some(name) = name {
            each(name, left);
        }
        !left.is_empty()
    }
}

/// Splits `whole` before the `text` at its end. Returns what stands before `text`, and what stands behind it: nothing.
fn split_end<'s>(whole: &'s str, text: &str) -> Option<(&'s str, &'s str)> {
    let before = whole.strip_suffix(text)?;
    is_between_bytes(whole, before.len()).then_some((before, ""))
}

/// Finds the last `text` in `whole` that has at least one byte on each side. Returns what stands before it and behind it.
fn split_last<'s>(whole: &'s str, text: &str) -> Option<(&'s str, &'s str)> {
    let last = whole.len().checked_sub(text.len() + 1)?;
    (1..=last).rev().filter(|&at| is_between_bytes(whole, at)).find_map(|at| {
        let (before, rest) = whole.split_at_checked(at)?;
        Some((before, rest.strip_prefix(text)?))
    })
}

/// Returns whether the position `at` in a canonical text is not inside of a `%XX`. A `%XX` stands for one byte of the path, so
/// its digits must not be compared with a text of the shape.
fn is_between_bytes(text: &str, at: usize) -> bool {
    let is_percent = |back: usize| at.checked_sub(back).and_then(|at| text.as_bytes().get(at)) == Some(&b'%');
    !is_percent(1) && !is_percent(2)
}
