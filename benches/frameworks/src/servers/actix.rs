//! actix-web with one worker, and actix-files.

use super::{HELLO, List, Site, announce};
use actix_files::Files;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Json};
use actix_web::{App, Error, HttpServer, rt};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

static REQUESTS: AtomicU64 = AtomicU64::new(0);

type Answer<B> = Result<ServiceResponse<B>, Error>;

async fn shield(req: ServiceRequest, next: Next<impl MessageBody>) -> Answer<impl MessageBody> {
    let mut res = next.call(req).await?;
    res.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    res.headers_mut().insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    Ok(res)
}

async fn number(req: ServiceRequest, next: Next<impl MessageBody>) -> Answer<impl MessageBody> {
    let id = format!("{:016x}", REQUESTS.fetch_add(1, Ordering::Relaxed) + 1);
    let mut res = next.call(req).await?;
    if let Ok(id) = HeaderValue::try_from(id) {
        res.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    Ok(res)
}

async fn hello() -> &'static str {
    HELLO
}

async fn echo(list: Json<List>) -> Json<List> {
    list
}

pub fn serve(site: &Site) -> io::Result<()> {
    let folder = site.public();
    let server = HttpServer::new(move || {
        App::new()
            // The last one is the outermost.
            .wrap(from_fn(number))
            .wrap(from_fn(shield))
            .route("/hello", web::get().to(hello))
            .route("/json", web::post().to(echo))
            .service(Files::new("/files", &folder))
    });
    let server = server.workers(1).bind(("127.0.0.1", 0))?;
    announce(server.addrs().first().map_or(0, |address| address.port()));
    rt::System::new().block_on(server.run())
}
