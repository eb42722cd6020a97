//! axum on tokio's current-thread runtime, with `ServeDir` of tower-http.

use super::{HELLO, List, Site, announce};
use crate::todos::{self, Todo};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router, serve as serve_on};
use rusqlite::Connection;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
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

/// The connections that read. At most so many queries run on the blocking threads of tokio at a time: what deadpool-sqlite does.
struct Readers {
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
    database: PathBuf,
}

impl Readers {
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self, account: i64) -> rusqlite::Result<Vec<Todo>> {
        let idle = self.idle().pop();
        let connection = idle.map_or_else(|| todos::open(&self.database), Ok)?;
        let list = todos::list(&connection, account);
        self.idle().push(connection);
        list
    }
}

async fn list(State(readers): State<Arc<Readers>>, Path(account): Path<i64>) -> Result<Json<Vec<Todo>>, StatusCode> {
    let failed = StatusCode::INTERNAL_SERVER_ERROR;
    let Ok(_permit) = readers.permits.acquire().await else { return Err(failed) };
    let shared = readers.clone();
    match spawn_blocking(move || shared.list(account)).await {
        Ok(Ok(list)) => Ok(Json(list)),
        _ => Err(failed),
    }
}

pub fn serve(site: &Site) -> io::Result<()> {
    let permits = Semaphore::new(todos::READERS);
    let readers = Readers { idle: Mutex::default(), permits, database: site.database() };
    let app = Router::new()
        .route("/hello", get(async || HELLO))
        .route("/json", post(async |Json(list): Json<List>| Json(list)))
        .nest_service("/files", ServeDir::new(site.public()))
        .route("/todos/{account}", get(list))
        .with_state(Arc::new(readers))
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
