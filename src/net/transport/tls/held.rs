use super::Tls;

impl Tls {
    /// How many bytes the transport keeps for this connection: ciphertext of the peer, decrypted bytes, and ciphertext that the kernel has
    /// not taken.
    pub fn buffered(&self) -> usize {
        let refused = self.refused.as_ref().map_or(0, |refused| refused.bytes.len());
        self.input.len() + self.plain.len() + refused
    }
}
