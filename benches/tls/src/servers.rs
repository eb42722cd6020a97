//! The servers: oneloop with and without TLS, which is a role of this program, and nginx. Each uses one thread. All answer the same 20
//! bytes at `/`, and the same mebibyte at `/large`, and show the same certificate, with a key of ECDSA P-256.

use oneloop::tls::{Context, Identity, SelfSigned};
use oneloop::{http, https};
use oneloop_benches::child::{self, Launch, Server};
use oneloop_benches::installed::{self, Installed, Processes};
use oneloop_benches::trial::with_connections;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// The role of our server's process.
pub const SERVE: &str = "serve";
const HELLO: &str = "Hello from one loop\n";
/// How many bytes `/large` has.
pub const LARGE: usize = 1 << 20;
/// The cipher suite that both clients, OpenSSL's and ours, like best; nginx is told to have no other.
const CIPHER: &str = "TLS_AES_256_GCM_SHA384";

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Plain,
    Oneloop,
    Nginx,
}

impl Who {
    pub fn name(self) -> &'static str {
        match self {
            Who::Plain => "oneloop, plain HTTP",
            Who::Oneloop => "oneloop",
            Who::Nginx => "nginx",
        }
    }
}

/// What is needed to start the servers.
pub struct Kit {
    folder: PathBuf,
    nginx: Option<(Installed, u16)>,
    pin: Vec<String>,
}

/// A running server, and the port on which it speaks TLS, or does not.
pub struct Started {
    pub server: Server,
    pub port: u16,
}

impl Kit {
    pub fn prepare(pin: Vec<String>) -> io::Result<Kit> {
        let folder = std::env::temp_dir().join(format!("oneloop-tls-{}", std::process::id()));
        fs::create_dir(&folder)?;
        let mut kit = Kit { folder, nginx: None, pin };
        let made = SelfSigned::new(["localhost", "127.0.0.1"])?;
        fs::write(kit.folder.join("cert.pem"), made.certificate_pem())?;
        fs::write(kit.folder.join("key.pem"), made.key_pem())?;
        fs::write(kit.folder.join("large"), vec![b'x'; LARGE])?;
        let (place, port) = (installed::text(&kit.folder)?.to_owned(), installed::free_port()?);
        let served = format!(
            "listen 127.0.0.1:{port} ssl backlog=4096;
        ssl_certificate {place}/cert.pem;
        ssl_certificate_key {place}/key.pem;
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites {CIPHER};
        location = / {{ return 200 'Hello from one loop\\n'; }}
        location = /large {{ alias {place}/large; }}"
        );
        kit.nginx = installed::nginx(&kit.folder, Processes::One, &served)?.map(|nginx| (nginx, port));
        if kit.nginx.is_none() {
            println!("SKIPPED: nginx is not there (apt install nginx)");
        }
        Ok(kit)
    }

    /// Starts a server that may have so many connections. `None` if it is not there.
    pub fn start(&self, who: Who, connections: u64) -> io::Result<Option<Started>> {
        let server = match (who, &self.nginx) {
            (Who::Nginx, None) => return Ok(None),
            (Who::Nginx, Some((nginx, port))) => {
                // Checked before, since what dresses a command cannot fail.
                with_connections(Launch::default(), connections)?;
                let dress =
                    |launch: Launch| with_connections(launch.clone().under(&self.pin), connections).unwrap_or(launch);
                return Ok(Some(Started { server: nginx.start(dress)?, port: *port }));
            }
            (who, _) => {
                let launch = Launch::own(SERVE)?.arg(&self.folder).arg(if who == Who::Plain { "plain" } else { "tls" });
                Server::start(&with_connections(launch.under(&self.pin), connections)?)?
            }
        };
        let port = server.port;
        Ok(Some(Started { server, port }))
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The main function of our server's process, with the arguments FOLDER plain|tls. `/file` is the mebibyte as a file.
pub fn serve(args: &[String]) -> io::Result<()> {
    let [folder, how] = args else { return Err(io::Error::other("serve wants FOLDER plain|tls")) };
    child::end_with_parent();
    let folder = Path::new(folder);
    let (large, file) = (Rc::<[u8]>::from(fs::read(folder.join("large"))?), folder.join("large"));
    let answer = move |req: http::Request, res: http::Response| match req.path() {
        "/large" => res.end(large.clone()),
        "/file" => res.send_file(&file),
        _ => res.end(HELLO),
    };
    let server = if how == "tls" {
        let identity = Identity::from_files(folder.join("cert.pem"), folder.join("key.pem"))?;
        https::create_server(Context::new(identity)?, answer)
    } else {
        http::create_server(answer)
    };
    // Idle connections stay for the whole measurement.
    let mut limits = server.limits();
    limits.keep_alive = Duration::from_secs(600);
    server.set_limits(limits);
    let listening = server.clone();
    server.listen(("127.0.0.1", 0), move || {
        let port = listening.address().and_then(|address| address.port()).unwrap_or_default();
        println!("listening on http://127.0.0.1:{port}");
    })?;
    oneloop::run()
}
