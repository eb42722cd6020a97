//! nginx: one loop a process, static files by `sendfile`.

use super::{DOWNLOAD, Folder, Reference, find_daemon, free_port, of_files, text};
use std::io;

pub fn prepare(workers: Option<usize>) -> io::Result<Option<Reference>> {
    let Some(program) = find_daemon(&["nginx"]) else { return Ok(None) };
    let (folder, port) = (Folder::new("nginx")?, free_port()?);
    let place = text(folder.path())?;
    let workers = workers.map_or("auto".to_owned(), |workers| workers.to_string());
    let configuration = format!(
        "worker_processes {workers};
daemon off;
pid {place}/pid;
error_log stderr crit;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    default_type 'text/plain; charset=utf-8';
    sendfile on;
    tcp_nodelay on;
    keepalive_timeout 65s;
    keepalive_requests 1000000000;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {place}/www;
        location = / {{ try_files /hello =404; }}
        location = /download {{ try_files /download-{DOWNLOAD} =404; }}
    }}
}}
"
    );
    let file = folder.write("nginx.conf", &configuration)?;
    let command = [text(&program)?, "-p", place, "-e", "stderr", "-c", text(&file)?].map(str::to_owned);
    Ok(Some(of_files(folder, port, &command.each_ref().map(String::as_str))))
}
