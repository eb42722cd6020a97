//! axum on tokio's current-thread runtime, with `ServeDir` of tower-http.

use super::{HELLO, List, announce};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router, serve as serve_on};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

static REQUESTS: AtomicU64 = AtomicU64::new(0);

async fn shield(req: Request, next: Next) -> Response {
    let mut res = next.run(req).await;
    res.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    res.headers_mut().insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    res
}

async fn number(req: Request, next: Next) -> Response {
    let id = format!("{:016x}", REQUESTS.fetch_add(1, Ordering::Relaxed) + 1);
    let mut res = next.run(req).await;
    if let Ok(id) = HeaderValue::try_from(id) {
        res.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    res
}

pub fn serve(folder: &Path) -> io::Result<()> {
    let app = Router::new()
        .route("/hello", get(async || HELLO))
        .route("/json", post(async |Json(list): Json<List>| Json(list)))
        .nest_service("/files", ServeDir::new(folder))
        // The last layer is the outermost.
        .layer(from_fn(number))
        .layer(from_fn(shield));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        announce(listener.local_addr()?.port());
        serve_on(listener, app).await
    })
}
