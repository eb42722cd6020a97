//! Servers of others that are installed here and do not say when they listen: looked for, launched, waited for. And nginx, which
//! two programs measure, with one configuration.

use crate::child::{Launch, Server};
use crate::machine;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server that was started may take to listen.
const START: Duration = Duration::from_secs(10);

/// A server that is installed here, on a port of the loopback interface.
#[derive(Clone)]
pub struct Installed {
    launch: Launch,
    port: u16,
}

impl Installed {
    /// Of the command, and of the port that its configuration names.
    pub fn new(port: u16, command: &[&str]) -> Installed {
        // The shell is replaced by the server, which so has the process id that the warden knows.
        let launch = Launch::new("sh").arg("-c").arg(r#"echo "listening on http://127.0.0.1:$0"; exec "$@""#);
        let launch = command.iter().fold(launch.arg(port.to_string()), |launch, word| launch.arg(word));
        Installed { launch, port }
    }

    /// Starts it, and waits until it listens. `dress` may put a `taskset` in front of its command, or raise its limits.
    pub fn start(&self, dress: impl FnOnce(Launch) -> Launch) -> io::Result<Server> {
        let server = Server::start(&dress(self.launch.clone()))?;
        let end = Instant::now() + START;
        while let Err(error) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
            if Instant::now() > end {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }
}

/// Processes of nginx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processes {
    /// One alone, which serves: the CPU time of its process is all that there is.
    One,
    /// So many workers beside the one that starts them. `None`: as many as there are CPUs.
    Workers(Option<usize>),
}

/// Prepares nginx with static files by `sendfile`, without `open_file_cache`, and without a log of requests. Its configuration and
/// what it writes lie in `folder`; `served` says what it serves, in the words of its configuration. `None` where it is not
/// installed.
pub fn nginx(folder: &Path, processes: Processes, served: &str) -> io::Result<Option<Installed>> {
    let Some(program) = find(&["nginx"]) else { return Ok(None) };
    let (port, place) = (free_port()?, text(folder)?);
    let processes = match processes {
        Processes::One => "worker_processes 1;\nmaster_process off;".to_owned(),
        Processes::Workers(None) => "worker_processes auto;\nworker_rlimit_nofile 20000;".to_owned(),
        Processes::Workers(Some(count)) => format!("worker_processes {count};\nworker_rlimit_nofile 20000;"),
    };
    let configuration = format!(
        "{processes}
daemon off;
pid {place}/pid;
error_log stderr crit;
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
        {served}
    }}
}}
"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, configuration)?;
    let command = [text(&program)?, "-p", place, "-e", "stderr", "-c", text(&file)?];
    Ok(Some(Installed::new(port, &command)))
}

/// Looks for a daemon, which the `PATH` of a user does not always lead to.
pub fn find(names: &[&str]) -> Option<PathBuf> {
    let beside = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(Path::new);
    let known = names.iter().find_map(|name| machine::find_program(name));
    known.or_else(|| names.iter().flat_map(|name| beside.map(|folder| folder.join(name))).find(|file| file.is_file()))
}

/// A port that nobody listens on. Another program could take it before the server does, which then does not start.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A path in a configuration file.
pub fn text(path: &Path) -> io::Result<&str> {
    path.to_str().ok_or_else(|| io::Error::other("the temporary folder's path is no text"))
}
