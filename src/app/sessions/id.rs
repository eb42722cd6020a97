//! The id of a session: a secret between the client and this server.

use crate::app::signed::hex;
use hmac_sha256::Hash;

/// 128 random bits, as 32 digits. Nobody guesses one.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Id(String);

impl Id {
    /// Makes an id that nobody has had before.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn random() -> Result<Id, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Id(hex(&bytes)))
    }

    /// Reads what a client sends. `None` if it has not the form of an id.
    pub fn read(text: &str) -> Option<Id> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 32 && text.bytes().all(is_digit)).then(|| Id(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key under which the store keeps the session. Nobody can make the id from the key, so a reader of the store cannot use
    /// the session.
    pub fn key(&self) -> String {
        hex(&Hash::hash(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn an_id_has_128_bits_and_is_read_as_it_was_written() {
        let ids: HashSet<String> = (0..100).map(|_| Id::random().unwrap().0).collect();
        assert_eq!(ids.len(), 100);
        assert!(ids.iter().all(|id| Id::read(id).unwrap().as_str() == id));
        for wrong in ["", "0", &"0".repeat(31), &"0".repeat(33), &"A".repeat(32), &"g".repeat(32), &"é".repeat(16)] {
            assert!(Id::read(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_key_is_the_sha_256_of_the_id() {
        let id = Id("00112233445566778899aabbccddeeff".to_owned());
        assert_eq!(id.key(), "5947d7c33d783f94b3b4c1a96ebc8991ed28f1b069b71e03376cba8caa98a720");
    }
}
