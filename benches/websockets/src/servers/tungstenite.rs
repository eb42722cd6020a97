//! The crate tokio-tungstenite on tokio's current-thread runtime. Answers are written together while further messages are there.

use super::announce;
use futures_util::{SinkExt, Stream, StreamExt};
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::Poll;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// In bytes.
const READ_BUFFER: usize = 8 * 1024;

pub fn serve() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        announce(listener.local_addr()?.port());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::task::spawn_local(async move {
                // The end of a connection is no error here.
                let _ = echo(stream).await;
            });
        }
    })
}

async fn echo(stream: TcpStream) -> Result<(), Error> {
    // Its buffer is cleared for each read: with its default of 128 KiB a small message costs several times as much.
    let settings = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    let mut socket = tokio_tungstenite::accept_async_with_config(stream, Some(settings)).await?;
    while let Some(message) = socket.next().await {
        let mut next = Some(message?);
        while let Some(message) = next {
            if message.is_text() || message.is_binary() {
                socket.feed(message).await?;
            }
            // Another message that is there already, if there is one.
            let there = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut socket).poll_next(cx)));
            next = match there.await {
                Poll::Ready(Some(message)) => Some(message?),
                _ => None,
            };
        }
        socket.flush().await?;
    }
    Ok(())
}
