//! Compression of WebSockets: offers and answers are read in one way, whatever they are, and no number that zlib cannot take comes out of
//! them; what is inflated stays in the limit, and what was compressed inflates to itself.
//!
//! The input: a byte for the limit and what is done, then the values of the fields, a line for each, or a message.

use super::choices::Choices;
use oneloop::proto::ws::{PermessageDeflate, Window};

pub fn holds(bytes: &[u8]) {
    let (mut choices, rest) = Choices::split(bytes, 1);
    let choice = choices.byte();
    if choice & 1 == 0 {
        agreement(rest);
    } else {
        #[cfg(feature = "deflate")]
        content(rest, usize::from(choice) * 16, choice & 2 > 0);
    }
}

fn agreement(text: &[u8]) {
    let lines = || text.split(|&byte| byte == b'\n');
    for element in text.split(|&byte| byte == b',' || byte == b'\n') {
        let Some(read) = PermessageDeflate::parse(element) else { continue };
        let bits = [read.server_max_window_bits, read.client_max_window_bits.flatten()];
        assert!(bits.iter().flatten().all(|bits| (8..=15).contains(bits)), "{read}");
        assert_eq!(PermessageDeflate::parse(read.to_string().as_bytes()), Some(read));
        for window in [read.server_window(), read.client_window()].into_iter().flatten() {
            assert!((9..=15).contains(&window.bits()));
        }
    }
    if let Some(answer) = PermessageDeflate::accept(lines()) {
        assert!(answer.server_no_context_takeover && answer.client_no_context_takeover);
        assert!(answer.client_max_window_bits.is_none(), "not every client has offered it");
        let window = answer.server_window().map(Window::bits);
        assert!(answer.server_max_window_bits.is_none_or(|bits| window == Some(bits) && bits > 8));
        // A client that has offered what this one does takes the answer.
        assert_eq!(PermessageDeflate::check([answer.to_string().as_bytes()]), Ok(Some(answer)));
    }
    if let Ok(Some(answer)) = PermessageDeflate::check(lines()) {
        assert!(answer.server_no_context_takeover && answer.client_max_window_bits != Some(None));
    }
}

#[cfg(feature = "deflate")]
fn content(content: &[u8], limit: usize, text: bool) {
    use oneloop::proto::ws::{Compressed, Deflater, Fault, Inflater, Message};

    let mut inflater = Inflater::new();
    let message = Compressed { text, content };
    let told = inflater.inflate(message, limit).map(|message| message.as_bytes().to_vec());
    match &told {
        Ok(bytes) => {
            assert!(bytes.len() <= limit);
            assert_eq!(inflater.inflate(message, bytes.len()).map(Message::as_bytes), Ok(&bytes[..]));
            if let Some(less) = bytes.len().checked_sub(1) {
                assert_eq!(inflater.inflate(message, less), Err(Fault::TooLarge));
            }
        }
        Err(fault) => assert!(matches!(fault, Fault::TooLarge | Fault::Deflate | Fault::Utf8), "{fault}"),
    }
    // Nothing is left of one message in the next.
    assert_eq!(inflater.inflate(message, limit).map(|message| message.as_bytes().to_vec()), told);
    for window in [Window::Smallest, Window::Full] {
        let mut deflater = Deflater::new(1 + (limit % 9) as u32, window);
        if let Some(small) = deflater.deflate(content) {
            assert!(small.len() < content.len());
            let again = inflater.inflate(Compressed { text: false, content: small }, content.len());
            assert_eq!(again, Ok(Message::Binary(content)));
        }
    }
}
