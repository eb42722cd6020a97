//! A strict reader of JSON (RFC 8259), for tests of what we write.

/// A JSON value; objects keep their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a whole document.
    #[track_caller]
    pub fn parse(text: &str) -> Json {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value();
        reader.space();
        assert_eq!(reader.at, text.len(), "something follows the document");
        value
    }

    /// A member of an object; it must be there.
    #[track_caller]
    pub fn at(&self, name: &str) -> &Json {
        self.find(name).unwrap_or_else(|| panic!("no {name:?} in {self:?}"))
    }

    pub fn find(&self, name: &str) -> Option<&Json> {
        let Json::Object(members) = self else { panic!("not an object: {self:?}") };
        let mut found = members.iter().filter(|(member, _)| member == name);
        let first = found.next();
        assert!(found.next().is_none(), "{name:?} twice in {self:?}");
        first.map(|(_, value)| value)
    }

    #[track_caller]
    pub fn text(&self) -> &str {
        let Json::Text(text) = self else { panic!("not a string: {self:?}") };
        text
    }

    #[track_caller]
    pub fn number(&self) -> f64 {
        let Json::Number(number) = self else { panic!("not a number: {self:?}") };
        *number
    }

    #[track_caller]
    pub fn list(&self) -> &[Json] {
        let Json::List(list) = self else { panic!("not a list: {self:?}") };
        list
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn next(&mut self) -> char {
        let next = self.rest().chars().next().expect("the document ends early");
        self.at += next.len_utf8();
        next
    }

    fn takes(&mut self, word: &str) -> bool {
        self.space();
        let is_next = self.rest().starts_with(word);
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    fn expect(&mut self, word: &str) {
        assert!(self.takes(word), "{word:?} is missing before {:.40}", self.rest());
    }

    fn value(&mut self) -> Json {
        if self.takes("{") {
            let members = self.items("}", |reader| {
                reader.expect("\"");
                let name = reader.string();
                reader.expect(":");
                (name, reader.value())
            });
            return Json::Object(members);
        }
        if self.takes("[") {
            return Json::List(self.items("]", Reader::value));
        }
        if self.takes("\"") {
            return Json::Text(self.string());
        }
        for (word, value) in [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))] {
            if self.takes(word) {
                return value;
            }
        }
        self.number()
    }

    fn items<T>(&mut self, end: &str, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut items = Vec::new();
        if self.takes(end) {
            return items;
        }
        loop {
            items.push(item(self));
            if self.takes(end) {
                return items;
            }
            self.expect(",");
        }
    }

    /// The four digits of an escaped UTF-16 unit.
    fn unit(&mut self) -> u16 {
        let digits: String = (0..4).map(|_| self.next()).collect();
        u16::from_str_radix(&digits, 16).expect("four digits")
    }

    /// What follows the opening quote.
    fn string(&mut self) -> String {
        let mut text = String::new();
        loop {
            match self.next() {
                '"' => return text,
                '\\' => match self.next() {
                    plain @ ('"' | '\\' | '/') => text.push(plain),
                    'u' => {
                        let mut units = vec![self.unit()];
                        if (0xd800..0xdc00).contains(&units[0]) {
                            assert_eq!((self.next(), self.next()), ('\\', 'u'), "half of a surrogate pair");
                            units.push(self.unit());
                        }
                        text += &String::from_utf16(&units).expect("a character");
                    }
                    other => panic!("we do not write \\{other}"),
                },
                control if control < ' ' => panic!("a bare control character {control:?}"),
                other => text.push(other),
            }
        }
    }

    fn number(&mut self) -> Json {
        let length = self.rest().find(|next: char| !"+-.eE0123456789".contains(next)).unwrap_or(self.rest().len());
        let digits = self.rest()[..length].to_owned();
        self.at += length;
        let whole = digits.trim_start_matches('-').split(['.', 'e', 'E']).next().unwrap_or_default();
        assert!(!whole.is_empty() && (whole == "0" || !whole.starts_with('0')), "{digits:?} is no number");
        Json::Number(digits.parse().expect("a number"))
    }
}
