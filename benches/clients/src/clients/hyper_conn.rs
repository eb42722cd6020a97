//! The crate hyper on tokio's current-thread runtime: its connections, each with a task that asks again and again. There is no pool.

use super::{IN_FLIGHT, PATH, on_demand};
use crate::failed;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::cell::Cell;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

pub fn ask(port: u16) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = LocalSet::new();
    let mut senders = Vec::new();
    for _ in 0..IN_FLIGHT {
        senders.push(tasks.block_on(&runtime, open(port))?);
    }
    let host: Rc<str> = format!("127.0.0.1:{port}").into();
    on_demand(|count| {
        let left = Rc::new(Cell::new(count));
        let asking = senders.drain(..).map(|sender| tasks.spawn_local(ask_again(sender, host.clone(), left.clone())));
        let asking: Vec<_> = asking.collect();
        let mut bytes = 0;
        for task in asking {
            let (sender, more) = tasks.block_on(&runtime, task)?.map_err(|error| failed("a request", error))?;
            senders.push(sender);
            bytes += more;
        }
        Ok(bytes)
    })
}

type Sender = SendRequest<Empty<Bytes>>;

async fn open(port: u16) -> io::Result<Sender> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::task::spawn_local(async move {
        // Its end is the end of the process.
        let _ = connection.await;
    });
    Ok(sender)
}

async fn ask_again(mut sender: Sender, host: Rc<str>, left: Rc<Cell<usize>>) -> hyper::Result<(Sender, u64)> {
    let mut bytes = 0;
    while let Some(less) = left.get().checked_sub(1) {
        left.set(less);
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = hyper::Uri::from_static(PATH);
        if let Ok(host) = hyper::header::HeaderValue::from_str(&host) {
            request.headers_mut().insert(hyper::header::HOST, host);
        }
        sender.ready().await?;
        let mut body = sender.send_request(request).await?.into_body();
        while let Some(frame) = body.frame().await {
            bytes += frame?.data_ref().map_or(0, Bytes::len) as u64;
        }
    }
    Ok((sender, bytes))
}
