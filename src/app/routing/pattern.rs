//! Patterns of paths, in the syntax of path-to-regexp 8 (Express 5) as far as it can be matched in linear time.
//!
//! | in a pattern | matches |
//! |---|---|
//! | `/users/:id` | one segment that is not empty. A name is letters, digits and `_`, or any text in quotes: `:"user name"` |
//! | `/:name.:ext`, `/img-:id.png` | texts and parameters in one segment; two parameters need text between them |
//! | `/files/*rest` | all that is left, at least one byte; only as the last segment |
//! | `/users{/:id}/posts` | what is in braces may be absent |
//! | `\:` | the character itself |
//!
//! `? + ( ) [ ] !` are reserved, as in path-to-regexp. An error says what to write instead. So it does for `/{id}` and `/<id>`, which
//! are parameters elsewhere, and would be texts here.

use super::canonical::{BadPath, is_dots, spell};
use super::shape::{Parameter, Shape};
use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::iter::Peekable;
use std::str::Chars;

/// The most patterns that one text with optional groups may become. When the program starts, each combination of present and
/// absent groups becomes a pattern of its own.
const COMBINATIONS: usize = 16;
/// The most segments that a pattern may have, besides a wildcard. It limits the work for each request.
const SEGMENTS: usize = 64;

/// A pattern without optional groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What each segment of a path has to be.
    pub segments: Vec<Segment>,
    /// The name of the wildcard at the end.
    pub rest: Option<Box<str>>,
    /// True if the pattern ends with a slash. Only a strict route, to which `/a` and `/a/` are different paths, looks at this.
    pub slash: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A text, in its canonical spelling.
    Text(Box<str>),
    Shape(Shape),
}

/// The reason why a text is not a valid pattern, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub struct PatternError(String);

impl Display for PatternError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for PatternError {}

/// Returns the pattern of a step that has the pattern `own` in a router that is mounted at `prefix`. If `prefix` ends with a
/// slash, it is removed, so that there is only one slash between the two.
pub fn join(prefix: &str, own: &str) -> String {
    let prefix = prefix.strip_suffix('/').filter(|before| !before.ends_with('\\')).unwrap_or(prefix);
    match (prefix, own) {
        ("", "") => "/".to_owned(),
        ("", own) => own.to_owned(),
        (prefix, "/") => prefix.to_owned(),
        (prefix, own) => format!("{prefix}{own}"),
    }
}

impl Pattern {
    /// Reads a pattern. If it has optional groups, there are several results. A path has to be compared with them in their order:
    /// a pattern with a group stands before the same pattern without it.
    pub fn parse(text: &str) -> Result<Vec<Pattern>, PatternError> {
        Pattern::forms(text).map_err(|why| PatternError(format!("the pattern `{text}`: {why}")))
    }

    fn forms(text: &str) -> Result<Vec<Pattern>, String> {
        let tokens = Reader::read(text)?;
        written_out(&tokens)?.iter().map(|tokens| Pattern::of(tokens)).collect()
    }

    /// Makes a pattern of its tokens, which must not contain groups.
    fn of(tokens: &[&Token]) -> Result<Pattern, String> {
        let mut pattern = Pattern { segments: Vec::new(), rest: None, slash: false };
        let mut names: Vec<&str> = Vec::new();
        let mut name = |name| {
            if names.contains(&name) {
                return Err(format!("the name `{name}` is there twice; give each parameter a name of its own"));
            }
            names.push(name);
            Ok(name.into())
        };
        let mut segments = tokens.split(|token| matches!(token, Token::Slash));
        if segments.next().is_some_and(|before| !before.is_empty()) {
            return Err("it does not begin with `/` in each of its forms; write `/` before everything".to_owned());
        }
        let mut segments = segments.peekable();
        // There are no tokens if the whole text is optional and all groups are absent. This pattern is `/`.
        pattern.slash = segments.peek().is_none();
        while let Some(tokens) = segments.next() {
            let is_last = segments.peek().is_none();
            match tokens {
                [] if is_last => pattern.slash = true,
                [] => return Err("no path has an empty segment that a route could match; write one `/`".to_owned()),
                [Token::Rest(rest)] if is_last => pattern.rest = Some(name(rest)?),
                tokens if tokens.iter().any(|token| matches!(token, Token::Rest(_))) => {
                    return Err(
                        "a wildcard is the whole last segment; write `/*rest` at the end, and look at what it \
                                matched in the handler"
                            .to_owned(),
                    );
                }
                tokens => pattern.segments.push(segment(tokens, &mut name)?),
            }
        }
        if pattern.segments.len() > SEGMENTS {
            return Err(format!("it has more than {SEGMENTS} segments"));
        }
        Ok(pattern)
    }

    /// Compares a canonical path with the pattern, and returns whether it matches. `each` gets the names and values of the
    /// parameters, segment by segment; within a segment, the last parameter comes first. The values are still encoded. If the
    /// path does not match, the caller must ignore these calls. `is_prefix`: whether the pattern also matches all paths below it.
    /// A slash at the end of the path makes no difference.
    pub fn read<'s, 'p>(&'s self, path: &'p str, is_prefix: bool, mut each: impl FnMut(&'s str, &'p str)) -> bool {
        let mut left = path;
        for segment in &self.segments {
            let Some((text, behind)) = first_segment(left) else { return false };
            left = behind;
            let matches = match segment {
                Segment::Text(literal) => **literal == *text,
                Segment::Shape(shape) => shape.read(text, &mut each),
            };
            if !matches {
                return false;
            }
        }
        match (&self.rest, left.strip_prefix('/').unwrap_or_default()) {
            (Some(_), "") => false,
            (Some(name), rest) => {
                each(name, rest);
                true
            }
            (None, _) => is_prefix || matches!(left, "" | "/"),
        }
    }

    /// The names of the parameters, in the order in which they stand in the pattern.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let shapes = self.segments.iter().filter_map(|segment| match segment {
            Segment::Text(_) => None,
            Segment::Shape(shape) => Some(shape),
        });
        let names = shapes.flat_map(|shape| shape.parameters.iter().map(|parameter| &*parameter.name));
        names.chain(self.rest.as_deref())
    }
}

/// Returns the first segment of a path, without the slash before it, and the rest of the path. `None` if the path does not begin
/// with a slash.
#[inline]
pub fn first_segment(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix('/')?;
    let end = path.bytes().position(|byte| byte == b'/').unwrap_or(path.len());
    path.split_at_checked(end)
}

/// Makes one segment of a pattern from its tokens. These are texts and parameters only. `name` checks and returns the name of a
/// parameter.
fn segment<'t>(
    tokens: &[&'t Token],
    name: &mut impl FnMut(&'t str) -> Result<Box<str>, String>,
) -> Result<Segment, String> {
    let mut texts = vec![String::new()];
    let mut parameters = Vec::new();
    for token in tokens {
        match (token, texts.last_mut()) {
            (Token::Text(more), Some(text)) => text.push_str(more),
            (Token::Parameter(second), Some(between)) => {
                if !parameters.is_empty() && between.is_empty() {
                    return Err(format!(
                        "put text between `:{second}` and the parameter before it, such as `-` or `.`"
                    ));
                }
                parameters.push(name(second)?);
                texts.push(String::new());
            }
            _ => {}
        }
    }
    let mut texts = texts.iter().map(|text| spelled(text)).collect::<Result<Vec<_>, _>>()?.into_iter();
    let before = texts.next().unwrap_or_default();
    if parameters.is_empty() {
        if is_dots(&before) {
            return Err(format!("no path has a segment `{before}`: it would be refused; leave it out"));
        }
        return Ok(Segment::Text(before));
    }
    let parameters = parameters.into_iter().zip(texts).map(|(name, after)| Parameter { name, after }).collect();
    Ok(Segment::Shape(Shape { before, parameters }))
}

/// Returns a text of a pattern in its canonical spelling. The text itself may be percent-encoded or not.
fn spelled(text: &str) -> Result<Box<str>, String> {
    let mut spelled = String::new();
    match spell(text, &mut spelled) {
        Ok(()) => Ok(spelled.into()),
        Err(BadPath::Malformed) => Err("write `%25` for a percent sign".to_owned()),
        Err(why) => Err(format!("no path can match `{text}`: it would be refused, because {why}")),
    }
}

#[derive(Debug)]
enum Token {
    Slash,
    Text(String),
    Parameter(String),
    Rest(String),
    Group(Vec<Token>),
}

/// Returns a list of tokens for each combination of present and absent groups. These lists have no groups any more.
fn written_out(tokens: &[Token]) -> Result<Vec<Vec<&Token>>, String> {
    let mut all: Vec<Vec<&Token>> = vec![Vec::new()];
    for token in tokens {
        let Token::Group(inner) = token else {
            all.iter_mut().for_each(|combination| combination.push(token));
            continue;
        };
        let mut choices = written_out(inner)?;
        choices.push(Vec::new());
        if all.len() * choices.len() > COMBINATIONS {
            return Err(format!(
                "its optional groups make more than {COMBINATIONS} combinations; register several patterns"
            ));
        }
        all = all.iter().flat_map(|one| choices.iter().map(move |more| [&one[..], more].concat())).collect();
    }
    Ok(all)
}

struct Reader<'a> {
    left: Peekable<Chars<'a>>,
    /// How many groups have been opened so far. Each group adds at least one combination, so `COMBINATIONS` groups are too many.
    groups: usize,
}

impl Reader<'_> {
    fn read(text: &str) -> Result<Vec<Token>, String> {
        let mut reader = Reader { left: text.chars().peekable(), groups: 0 };
        reader.tokens(false)
    }

    fn tokens(&mut self, in_group: bool) -> Result<Vec<Token>, String> {
        let mut tokens = Vec::new();
        while let Some(next) = self.left.next() {
            let token = match next {
                '/' => Token::Slash,
                ':' => {
                    Token::Parameter(self.name().ok_or("`:` needs a name, such as `:id`; write `\\:` for a colon")??)
                }
                '*' => {
                    Token::Rest(self.name().ok_or("`*` needs a name, such as `*rest`; write `\\*` for an asterisk")??)
                }
                '{' => {
                    self.groups += 1;
                    if self.groups >= COMBINATIONS {
                        return Err("it has too many optional groups; register several patterns".to_owned());
                    }
                    let group = self.tokens(true)?;
                    if let (Some(Token::Slash), Some(name)) = (tokens.last(), foreign_name(&group)) {
                        return Err(format!(
                            "what is in braces may be absent, and `{name}` is a text there; write `:{name}` for a \
                             parameter, or `{{/{name}}}` for a segment that may be absent"
                        ));
                    }
                    Token::Group(group)
                }
                '}' if in_group => return Ok(tokens),
                '}' => return Err("`}` closes no group; write `\\}` for the brace itself".to_owned()),
                '?' => return Err(reserved('?', "for an optional part write a group, such as `/users{/:id}`")),
                '+' => return Err(reserved('+', "for one or more segments write `/*rest`")),
                '(' | ')' | '[' | ']' | '!' => {
                    let instead = "there are no expressions; take a parameter, such as `:id`, and check its value";
                    return Err(reserved(next, instead));
                }
                '<' if matches!(tokens.last(), Some(Token::Slash)) => {
                    return Err(
                        "a parameter is written as `:id`, without brackets; write `\\<` for the bracket itself"
                            .to_owned(),
                    );
                }
                '\\' => match self.left.next() {
                    Some('/') => Token::Slash,
                    Some('%') => Token::Text("%25".to_owned()),
                    Some(literal) => Token::Text(literal.to_string()),
                    None => return Err("there is nothing behind the last `\\`".to_owned()),
                },
                text => Token::Text(text.to_string()),
            };
            tokens.push(token);
        }
        if in_group { Err("`{` is never closed; write `\\{` for the brace itself".to_owned()) } else { Ok(tokens) }
    }

    /// Reads the name of a parameter. `None` if no name follows.
    fn name(&mut self) -> Option<Result<String, String>> {
        if self.left.next_if_eq(&'"').is_some() {
            return Some(self.quoted());
        }
        let mut name = String::new();
        while let Some(letter) = self.left.next_if(|&letter| letter.is_alphanumeric() || letter == '_') {
            name.push(letter);
        }
        match name.chars().next() {
            None => None,
            Some(first) if first.is_numeric() => {
                Some(Err(format!("a name does not begin with a digit; write it in quotes: `:\"{name}\"`")))
            }
            Some(_) => Some(Ok(name)),
        }
    }

    /// Reads the rest of a name in quotes, after the opening quote.
    fn quoted(&mut self) -> Result<String, String> {
        let mut name = String::new();
        loop {
            match self.left.next() {
                Some('"') if name.is_empty() => return Err("a name in quotes is not empty".to_owned()),
                Some('"') => return Ok(name),
                Some('\\') => name.extend(self.left.next()),
                Some(letter) => name.push(letter),
                None => return Err("the quotes of a name are never closed".to_owned()),
            }
        }
    }
}

/// Returns the name in a group that other routers take for a parameter: `{id}`, or `{id:int}` with a type behind the name.
fn foreign_name(group: &[Token]) -> Option<String> {
    let mut name = String::new();
    for token in group {
        match token {
            Token::Text(text) if text.chars().all(|letter| letter.is_alphanumeric() || letter == '_') => {
                name.push_str(text)
            }
            Token::Parameter(_) => break,
            _ => return None,
        }
    }
    (!name.is_empty()).then_some(name)
}

fn reserved(character: char, instead: &str) -> String {
    format!("`{character}` is reserved: {instead}; for the character itself write `\\{character}`")
}
