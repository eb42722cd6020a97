//! Parsers of others, each in a process of its own (`tests/fuzz/oracles/`).
//!
//! Streams go to it one after another, each with its length before it; for each it answers with the messages that it
//! framed. All lengths are four bytes, the highest first.
//! ```text
//!   answer  = *message %x00 ending why
//!   message = %x01 whole count method target content 2count(name or value of a trailer)   ; each with its length
//!   ending  = %x00 clean / %x01 incomplete / %x02 refused / %x03 closed
//! ```
//! Its first word is its name and version.

use super::message::{Ending, Framed, Message};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

pub struct Oracle {
    pub name: String,
    child: Child,
    /// Taken at the end: the process ends when its input does.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// Each program with the script that it runs: as a server, which frames requests.
const SERVERS: [(&str, &str); 2] = [("node", "node_http.js"), ("python3", "h11_server.py")];
/// As a client, which frames the answers to one request.
const CLIENTS: [(&str, &str); 2] = [("node", "node_client.js"), ("python3", "h11_client.py")];

/// All oracles for requests that run here.
pub fn all() -> Vec<Oracle> {
    SERVERS.iter().filter_map(|(program, script)| Oracle::start(program, script).ok()).collect()
}

/// All oracles for answers that run here.
pub fn clients() -> Vec<Oracle> {
    CLIENTS.iter().filter_map(|(program, script)| Oracle::start(program, script).ok()).collect()
}

impl Oracle {
    /// Runs it.
    ///
    /// # Errors
    /// Where its program or library is not installed.
    pub fn start(program: &str, script: &str) -> io::Result<Oracle> {
        let root = option_env!("CARGO_MANIFEST_DIR").unwrap_or(".");
        let nested = Path::new(root).join("oracles").join(script);
        let path = if nested.exists() { nested } else { Path::new(root).join("tests/fuzz/oracles").join(script) };
        let mut child = Command::new(program)
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut oracle = Oracle { name: String::new(), child, input, output };
        oracle.name = String::from_utf8_lossy(&oracle.field()?).into_owned();
        Ok(oracle)
    }

    /// How it frames each stream.
    pub fn ask(&mut self, streams: &[Vec<u8>]) -> Vec<Framed> {
        let mut input = self.input.take().expect("it was given back");
        let written: Vec<u8> = streams
            .iter()
            .flat_map(|stream| [&(stream.len() as u32).to_be_bytes()[..], &stream[..]].concat())
            .collect();
        // Its answers are read meanwhile, or both would wait for ever.
        let writer = move || input.write_all(&written).and_then(|()| input.flush()).map(|()| input);
        let (result, framed) = if streams.len() == 1 {
            (writer(), self.answers(1))
        } else {
            thread::scope(|scope| {
                let writer = scope.spawn(writer);
                let framed = self.answers(streams.len());
                (writer.join().expect("it does not panic"), framed)
            })
        };
        self.input = Some(result.unwrap_or_else(|error| panic!("{} has ended: {error}", self.name)));
        framed
    }

    fn answers(&mut self, count: usize) -> Vec<Framed> {
        let answers: io::Result<Vec<_>> = (0..count).map(|_| self.answer()).collect();
        answers.unwrap_or_else(|error| panic!("{} has ended: {error}", self.name))
    }

    fn answer(&mut self) -> io::Result<Framed> {
        let mut messages = Vec::new();
        while self.byte()? == 1 {
            let (whole, trailers) = (self.byte()? == 1, self.byte()?);
            let (method, target, content) = (self.text()?, self.text()?, self.field()?);
            let trailers = (0..trailers).map(|_| Ok((self.text()?, self.text()?))).collect::<io::Result<_>>()?;
            messages.push(Message { method, target, content, trailers, whole });
        }
        let ending = match self.byte()? {
            0 => Ending::Clean,
            1 => Ending::Incomplete,
            2 => Ending::Refused,
            _ => Ending::Closed,
        };
        Ok(Framed { messages, ending, why: self.text()? })
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.output.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn field(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.output.read_exact(&mut length)?;
        let mut field = vec![0; u32::from_be_bytes(length) as usize];
        self.output.read_exact(&mut field)?;
        Ok(field)
    }

    /// Each byte is one character.
    fn text(&mut self) -> io::Result<String> {
        Ok(self.field()?.into_iter().map(char::from).collect())
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
