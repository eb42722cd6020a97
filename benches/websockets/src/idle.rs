//! How much resident memory an idle socket costs a server: the growth of its `Rss` over many of them. A process of its own, the holder,
//! has the other ends.

use crate::failed;
use crate::servers::{CEILING, ONELOOP, Servers};
use crate::{compare, pins};
use oneloop_benches::child::{Launch, Server};
use oneloop_benches::figures::median;
use oneloop_benches::machine;
use oneloop_benches::trial::{Running, address, with_connections};
use oneloop_benches::websocket::{self, Client, ECHO};
use socket2::{Domain, Socket, Type};
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// The role of the process that holds the sockets.
pub const HOLD: &str = "hold";
/// How long one socket, and how long all of them, may take to open.
const ONE: Duration = Duration::from_secs(5);
const ALL: Duration = Duration::from_secs(120);
/// How many messages are sent back before memory is first read, so that what is set up lazily does not count for the sockets.
const SETTLING: usize = 20;
/// How long to wait before memory is read, for allocators and the kernel to come to rest.
const REST: Duration = Duration::from_secs(1);
/// The most bytes that an idle socket of oneloop may cost.
const MOST: f64 = 380.0;

/// Measures all servers. Returns whether oneloop's sockets are small enough.
pub fn compare(rounds: usize, sockets: usize) -> io::Result<bool> {
    let servers = Servers::prepare()?;
    let [pin, _] = pins();
    println!("{sockets} idle sockets, {rounds} rounds; {}\n", machine::description());
    let mut small = true;
    for name in servers.names() {
        if name == CEILING {
            continue;
        }
        let Some(launch) = servers.launch(name, &compare::ONE)? else { continue };
        let launch = with_connections(launch.under(&pin), sockets as u64)?;
        let bytes = (0..rounds).map(|_| measure(&launch, sockets)).collect::<io::Result<Vec<_>>>();
        match bytes {
            Ok(bytes) => {
                let middle = median(bytes.iter().copied());
                println!("  {name:16} {middle:8.0} bytes each {bytes:.0?}");
                if name == ONELOOP {
                    small = middle <= MOST;
                    println!("  at most {MOST:.0}: {}", if small { "ok" } else { "MISSED" });
                }
            }
            Err(error) => println!("SKIPPED: {}", failed(name, error)),
        }
    }
    println!("{}", if small { "MET" } else { "NOT MET" });
    Ok(small)
}

fn measure(launch: &Launch, sockets: usize) -> io::Result<f64> {
    let server = Server::start(launch)?;
    let content = websocket::content(20);
    for _ in 0..SETTLING {
        let mut client = Client::open(server.port, ECHO)?;
        client.send(&websocket::sent(true, &content))?;
        client.expect(&websocket::answered(true, &content))?;
    }
    let before = rested(&server)?;
    let holder = Launch::own(HOLD)?.arg(server.port.to_string()).arg(sockets.to_string());
    let holder = Running::start(&with_connections(holder, sockets as u64)?)?;
    match holder.line(ALL) {
        Some(_) => Ok((rested(&server)? - before) / sockets as f64),
        None => Err(io::Error::other("not all sockets could be opened")),
    }
}

/// The resident memory after a rest.
fn rested(server: &Server) -> io::Result<f64> {
    thread::sleep(REST);
    let bytes = machine::resident_bytes(server.pid).ok_or_else(|| io::Error::other("no figure (no /proc?)"))?;
    Ok(bytes as f64)
}

/// The main function of the holder's process, with the arguments PORT SOCKETS. Each socket sends one message, gets it back, and stays.
pub fn main(args: &[String]) -> ExitCode {
    let numbers: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let &[port, sockets] = &numbers[..] else {
        eprintln!("{HOLD} wants PORT SOCKETS");
        return ExitCode::FAILURE;
    };
    match (0..sockets).map(|number| open(port as u16, number)).collect::<io::Result<Vec<_>>>() {
        Ok(held) => {
            println!("ready");
            // Until the parent wants this process to end, or is gone.
            let _ = io::stdin().lock().read_to_end(&mut Vec::new());
            drop(held);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{HOLD}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn open(port: u16, number: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // One address has too few ports.
    let from: Ipv4Addr = address(number).parse().map_err(io::Error::other)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into(), ONE)?;
    let mut client = Client::over(socket.into(), port, ECHO)?;
    let content = websocket::content(20);
    client.send(&websocket::sent(true, &content))?;
    client.expect(&websocket::answered(true, &content))?;
    Ok(client.into_stream())
}
