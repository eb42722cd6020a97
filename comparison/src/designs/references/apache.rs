//! Apache's httpd with one of its three designs: `event` (a thread a request, a poller for idle connections), `worker` (a
//! thread a connection), `prefork` (a process a connection).

use super::{DOWNLOAD, Folder, Reference, of_files};
use oneloop_benches::installed::{Installed, find, free_port, text};
use std::io;
use std::path::{Path, PathBuf};

/// Threads of one process, as Apache has it by default.
const THREADS_PER_CHILD: usize = 25;
/// All workers, as Apache has it by default: of `event` and `worker`, and of `prefork`.
const WORKERS: (usize, usize) = (400, 256);
/// Connections that `event` keeps for each of its threads beyond the one that it serves. The default, 2, would refuse
/// 10,000 idle ones; this takes 16,000 with the default number of threads.
const IDLE_PER_WORKER: usize = 40;

pub fn prepare(module: &str, workers: Option<usize>) -> io::Result<Option<Reference>> {
    let Some(program) = find(&["apache2", "httpd"]) else { return Ok(None) };
    let Some(modules) = find_modules(&program, module) else { return Ok(None) };
    let (folder, port) = (Folder::new("apache")?, free_port()?);
    let (place, modules) = (text(folder.path())?, text(&modules)?);
    let load = |name: &str| {
        // Where it is not a file of its own it is part of the program.
        let file = format!("{modules}/mod_{name}.so");
        if Path::new(&file).is_file() { format!("LoadModule {name}_module {file}\n") } else { String::new() }
    };
    let loaded: String = [&format!("mpm_{module}"), "unixd", "authz_core", "alias"].map(load).concat();
    let size = sizes(module, workers);
    let configuration = format!(
        "{loaded}
ServerRoot {place}
ServerName localhost
PidFile {place}/pid
ErrorLog {place}/error.log
LogLevel crit
User nobody
Group #65534
Listen 127.0.0.1:{port}
ListenBackLog 4096
KeepAlive On
KeepAliveTimeout 65
MaxKeepAliveRequests 0
{size}DocumentRoot {place}/www
<Directory {place}/www>
    Require all granted
    ForceType 'text/plain; charset=utf-8'
</Directory>
AliasMatch ^/$ {place}/www/hello
Alias /download {place}/www/download-{DOWNLOAD}
"
    );
    let file = folder.write("apache.conf", &configuration)?;
    // Not in the background, yet in a session of its own: `prefork` ends its whole process group when it is ended.
    let installed = Installed::new(port, &[text(&program)?, "-f", text(&file)?, "-DNO_DETACH"]);
    Ok(Some(of_files(folder, installed)))
}

fn sizes(module: &str, workers: Option<usize>) -> String {
    if module == "prefork" {
        let workers = workers.unwrap_or(WORKERS.1);
        return format!("ServerLimit {workers}\nMaxRequestWorkers {workers}\n");
    }
    let workers = workers.unwrap_or(WORKERS.0).max(1);
    let threads = workers.min(THREADS_PER_CHILD);
    let processes = workers.div_ceil(threads);
    let idle = if module == "event" { format!("AsyncRequestWorkerFactor {IDLE_PER_WORKER}\n") } else { String::new() };
    format!(
        "ServerLimit {processes}\nThreadLimit {threads}\nThreadsPerChild {threads}\nMaxRequestWorkers {}\n{idle}",
        processes * threads
    )
}

/// Where its modules are: beside the program, as the usual systems have it.
fn find_modules(program: &Path, module: &str) -> Option<PathBuf> {
    let prefix = program.parent()?.parent()?;
    let places = ["lib/apache2/modules", "lib64/httpd/modules", "lib/httpd/modules", "libexec/apache2"];
    let mut places = places.iter().map(|place| prefix.join(place));
    places.find(|place| place.join(format!("mod_mpm_{module}.so")).is_file())
}
