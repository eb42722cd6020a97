//! hyper 1 on tokio's multi-thread runtime: a task a connection. What computes is spawned as blocking work, as tokio's
//! documentation asks.

use super::super::handlers::{self, CONTENT_TYPE, DONE, HELLO, NOT_FOUND, PIECE, Work};
use super::super::{BACKLOG, Listening, Setup};
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE as TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use tokio::net::TcpSocket;

pub const SERVES: &[&str] = &["/", "/wait", "/block", "/cpu", "/upload", "/download"];

pub fn serve(setup: &Setup, listening: Listening) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(setup.threads).enable_all().build()?;
    let (limits, work_per_ms) = (setup.limits.clone(), setup.work_per_ms);
    runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, setup.port)))?;
        let listener = socket.listen(BACKLOG.into())?;
        listening(listener.local_addr()?.port());
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.header)
                .pipeline_flush(true)
                .serve_connection(TokioIo::new(stream), service_fn(move |request| answer(request, work_per_ms)));
            // How a connection ends is its peer's affair.
            tokio::spawn(async move { drop(connection.await) });
        }
    })
}

type Answer = Response<Either<Full<Bytes>, Download>>;

async fn answer(request: Request<Incoming>, work_per_ms: u64) -> Result<Answer, hyper::Error> {
    let (mut status, mut text) = (200, DONE.to_owned());
    let work = Work::of(request.method().as_str(), request.uri().path(), request.uri().query());
    match work {
        Work::Hello => return Ok(respond(200, Either::Left(Full::new(Bytes::from_static(HELLO.as_bytes()))))),
        Work::Wait(time) => tokio::time::sleep(time).await,
        Work::Block(time) => thread::sleep(time),
        Work::Cpu(ms) => {
            let computed = tokio::task::spawn_blocking(move || handlers::burn(ms * work_per_ms)).await;
            text = computed.unwrap_or_default();
        }
        Work::Upload => {
            let (mut body, mut length) = (request.into_body(), 0);
            while let Some(frame) = body.frame().await {
                length += frame?.data_ref().map_or(0, Bytes::len);
            }
            text = length.to_string();
        }
        Work::Download(bytes) => return Ok(respond(200, Either::Right(Download(bytes)))),
        Work::Event | Work::Publish | Work::Unknown => (status, text) = (404, NOT_FOUND.to_owned()),
    }
    Ok(respond(status, Either::Left(Full::new(text.into()))))
}

fn respond(status: u16, body: Either<Full<Bytes>, Download>) -> Answer {
    let mut response = Response::new(body);
    *response.status_mut() = status.try_into().unwrap_or_default();
    response.headers_mut().insert(TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}

/// So many bytes, piece by piece.
struct Download(u64);

impl Body for Download {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let length = self.0.min(PIECE.len() as u64);
        self.0 -= length;
        let piece = Bytes::from_static(&PIECE[..length as usize]);
        Poll::Ready((length > 0).then(|| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}
