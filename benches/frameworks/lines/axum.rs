use axum::extract::{DefaultBodyLimit, Path, Query, State, rejection::JsonRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tower_http::{cors::CorsLayer, trace::TraceLayer};

#[derive(Clone, Serialize, Deserialize)]
struct Todo {
    id: u64,
    title: String,
    done: bool,
}
#[derive(Deserialize)]
struct New {
    title: String,
    #[serde(default)]
    done: bool,
}
#[derive(Deserialize)]
struct Patch {
    title: Option<String>,
    done: Option<bool>,
}
#[derive(Deserialize)]
struct Filter {
    done: Option<bool>,
}

#[derive(Default)]
struct App {
    todos: Mutex<BTreeMap<u64, Todo>>,
    saving: tokio::sync::Mutex<()>,
    file: String,
}

struct Fail(StatusCode, String);
impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}
impl From<JsonRejection> for Fail {
    fn from(e: JsonRejection) -> Fail {
        Fail(e.status(), e.body_text())
    }
}
fn no_such() -> Fail {
    Fail(StatusCode::NOT_FOUND, "no such todo".into())
}

impl App {
    fn save(self: &Arc<App>) {
        let app = self.clone();
        tokio::spawn(async move {
            let _one = app.saving.lock().await;
            let bytes = serde_json::to_vec(&app.todos.lock().unwrap().values().collect::<Vec<_>>()).unwrap();
            let new = format!("{}.new", app.file);
            if let Err(e) = async {
                tokio::fs::write(&new, bytes).await?;
                tokio::fs::rename(&new, &app.file).await
            }
            .await
            {
                tracing::error!("not saved: {e}")
            }
        });
    }
}

async fn list(State(app): State<Arc<App>>, Query(f): Query<Filter>) -> Json<Vec<Todo>> {
    Json(app.todos.lock().unwrap().values().filter(|t| f.done.is_none_or(|d| t.done == d)).cloned().collect())
}
async fn create(
    State(app): State<Arc<App>>,
    new: Result<Json<New>, JsonRejection>,
) -> Result<(StatusCode, Json<Todo>), Fail> {
    let Json(new) = new?;
    if new.title.trim().is_empty() {
        return Err(Fail(StatusCode::UNPROCESSABLE_ENTITY, "a title is needed".into()));
    }
    let mut todos = app.todos.lock().unwrap();
    let todo = Todo { id: todos.keys().last().unwrap_or(&0) + 1, title: new.title, done: new.done };
    todos.insert(todo.id, todo.clone());
    app.save();
    Ok((StatusCode::CREATED, Json(todo)))
}
async fn one(State(app): State<Arc<App>>, Path(id): Path<u64>) -> Result<Json<Todo>, Fail> {
    app.todos.lock().unwrap().get(&id).cloned().map(Json).ok_or_else(no_such)
}
async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<u64>,
    patch: Result<Json<Patch>, JsonRejection>,
) -> Result<Json<Todo>, Fail> {
    let Json(patch) = patch?;
    let mut todos = app.todos.lock().unwrap();
    let todo = todos.get_mut(&id).ok_or_else(no_such)?;
    if let Some(title) = patch.title {
        todo.title = title
    }
    todo.done = patch.done.unwrap_or(todo.done);
    app.save();
    Ok(Json(todo.clone()))
}
async fn delete(State(app): State<Arc<App>>, Path(id): Path<u64>) -> Result<StatusCode, Fail> {
    app.todos.lock().unwrap().remove(&id).ok_or_else(no_such)?;
    app.save();
    Ok(StatusCode::NO_CONTENT)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).init();
    let port: u16 = std::env::args().nth(1).and_then(|p| p.parse().ok()).unwrap_or(7777);
    let file = std::env::args().nth(2).unwrap_or("todos.json".into());
    let todos: Vec<Todo> = match std::fs::read(&file) {
        Ok(b) => serde_json::from_slice(&b)?,
        Err(_) => vec![],
    };
    let app =
        Arc::new(App { todos: Mutex::new(todos.into_iter().map(|t| (t.id, t)).collect()), file, ..App::default() });
    let router = Router::new()
        .route("/todos", get(list).post(create))
        .route("/todos/{id}", get(one).patch(change).delete(delete))
        .fallback(|| async { Fail(StatusCode::NOT_FOUND, "there is nothing here".into()) })
        .layer(DefaultBodyLimit::max(64 * 1024))
        .layer(CorsLayer::permissive())
        .layer(TraceLayer::new_for_http())
        .with_state(app.clone());
    let listener = tokio::net::TcpListener::bind(("0.0.0.0", port)).await?;
    axum::serve(listener, router)
        .with_graceful_shutdown(async {
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap().recv().await;
        })
        .await?;
    drop(app.saving.lock().await);
    Ok(())
}
