//! Bytes as text, a character each: field values may have bytes above ASCII, and need not be UTF-8.

pub fn characters(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

pub fn bytes(characters: &str) -> Vec<u8> {
    characters.chars().map(|character| u8::try_from(character).expect("a character is a byte")).collect()
}
