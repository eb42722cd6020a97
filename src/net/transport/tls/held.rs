use super::Tls;

impl Tls {
    /// Returns whether bytes have come of which the stream has got nothing: a part of a record, or what there was no room for.
    pub fn is_holding(&self) -> bool {
        !self.input.is_empty() || !self.plain.is_empty()
    }

    /// How many bytes the transport keeps for this connection: ciphertext of the peer, decrypted bytes, and ciphertext that the kernel has
    /// not taken.
    pub fn buffered(&self) -> usize {
        let refused = self.refused.as_ref().map_or(0, |refused| refused.bytes.len());
        self.input.len() + self.plain.len() + refused
    }
}
