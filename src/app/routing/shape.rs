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
    /// The text behind it. Only that of the last parameter may be empty.
    pub after: Box<str>,
}

impl Shape {
    /// Returns whether any segment that is not empty has this shape.
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
    /// first text that leaves both sides something is taken, and no other is tried: what is left of it is then as long as it
    /// can be, so no other could do better. That makes the reading linear.
    pub fn read<'s, 'p>(&'s self, segment: &'p str, each: &mut impl FnMut(&'s str, &'p str)) -> bool {
        let Some(mut left) = segment.strip_prefix(&*self.before) else { return false };
        // Of the parameter whose value ends where `left` does.
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

/// What stands before `text` at the end of `whole`.
fn split_end<'s>(whole: &'s str, text: &str) -> Option<(&'s str, &'s str)> {
    let before = whole.strip_suffix(text)?;
    is_between_bytes(whole, before.len()).then_some((before, ""))
}

/// What stands before and behind the last `text` in `whole` that has something before and behind it.
fn split_last<'s>(whole: &'s str, text: &str) -> Option<(&'s str, &'s str)> {
    let last = whole.len().checked_sub(text.len() + 1)?;
    (1..=last).rev().filter(|&at| is_between_bytes(whole, at)).find_map(|at| {
        let (before, rest) = whole.split_at_checked(at)?;
        Some((before, rest.strip_prefix(text)?))
    })
}

/// Returns whether a position in a canonical text is not inside of a `%XX`: such a byte is one letter, and its digits are no text.
fn is_between_bytes(text: &str, at: usize) -> bool {
    let is_percent = |back: usize| at.checked_sub(back).and_then(|at| text.as_bytes().get(at)) == Some(&b'%');
    !is_percent(1) && !is_percent(2)
}
