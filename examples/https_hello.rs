//! A greeting over HTTPS, with a certificate that is made at the first start.
//!
//! cargo run --release --features tls,signals --example https_hello
//! curl --cacert localhost.pem https://localhost:7443
//!
//! Nobody trusts this certificate but who was told to, so a browser warns. For a server that others use, get one of Let's Encrypt
//! (`certbot certonly`), and give its files as arguments; after each renewal send SIGHUP, and no connection is lost:
//!
//! cargo run --release --features tls,signals --example https_hello -- 443 fullchain.pem privkey.pem

use oneloop::{https, signals, tls};
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().and_then(|port| port.parse().ok()).unwrap_or(7443);
    let mut files = arguments.map(PathBuf::from);
    let (chain, key) = match (files.next(), files.next()) {
        (Some(chain), Some(key)) => (chain, key),
        _ => ("localhost.pem".into(), "localhost.key".into()),
    };
    if !chain.exists() && chain == Path::new("localhost.pem") {
        make(&chain, &key)?;
    }
    let server = https::create_server(tls::Context::from_files(&chain, &key)?, |req, res| {
        let tls = req.tls().map(|tls| format!("{}, {}", tls.protocol(), tls.cipher()));
        res.set_header("Content-Type", "text/plain; charset=utf-8");
        res.end(format!("Hello from one loop, by {}\n", tls.unwrap_or_default()));
    });
    // What strangers do wrong is nothing to be alarmed about. This helps to find out why a client does not connect.
    server.on_tls_error(|error| println!("{error}"));
    server.listen(port, || ())?;
    println!("https://localhost:{}", server.address().and_then(|address| address.port()).unwrap_or(port));
    let renewed = server.clone();
    let hangup = signals::on(signals::SIGHUP, move |_| match tls::Context::from_files(&chain, &key) {
        Ok(context) => {
            renewed.set_secure_context(context);
            println!("new connections get the new certificate");
        }
        Err(error) => eprintln!("the certificate stays as it is: {error}"),
    })?;
    hangup.unref();
    signals::on(signals::SIGTERM, move |_| server.close(|| println!("the last answer has gone")))?.unref();
    oneloop::run()
}

/// Makes a certificate for this machine, and writes it and its key.
fn make(chain: &Path, key: &Path) -> io::Result<()> {
    let made = tls::SelfSigned::new(["localhost", "127.0.0.1", "::1"])?;
    std::fs::write(chain, made.certificate_pem())?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    // The key is for this user alone.
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    io::Write::write_all(&mut options.open(key)?, made.key_pem().as_bytes())?;
    println!("made {} and {}, for development", chain.display(), key.display());
    Ok(())
}
