//! The client of the crate hyper-util on tokio's current-thread runtime: hyper with a pool, as most programs have it (reqwest is built on
//! it).

use super::{IN_FLIGHT, PATH, on_demand};
use crate::failed;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use tokio::task::LocalSet;

type Pooled = Client<HttpConnector, Empty<Bytes>>;

pub fn ask(port: u16) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = LocalSet::new();
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let mut builder = Client::builder(TokioExecutor::new());
    let client: Pooled = builder.pool_idle_timeout(None).pool_max_idle_per_host(IN_FLIGHT).build(connector);
    let uri: Uri = format!("http://127.0.0.1:{port}{PATH}").parse().map_err(io::Error::other)?;
    on_demand(|count| {
        let left = Rc::new(Cell::new(count));
        let ask = |_| tasks.spawn_local(ask_again(client.clone(), uri.clone(), left.clone()));
        let asking: Vec<_> = (0..IN_FLIGHT).map(ask).collect();
        let mut bytes = 0;
        for task in asking {
            bytes += tasks.block_on(&runtime, task)?.map_err(|error| failed("a request", error))?;
        }
        Ok(bytes)
    })
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

async fn ask_again(client: Pooled, uri: Uri, left: Rc<Cell<usize>>) -> Result<u64, Failed> {
    let mut bytes = 0;
    while let Some(less) = left.get().checked_sub(1) {
        left.set(less);
        let mut body = client.get(uri.clone()).await?.into_body();
        while let Some(frame) = body.frame().await {
            bytes += frame?.data_ref().map_or(0, Bytes::len) as u64;
        }
    }
    Ok(bytes)
}
