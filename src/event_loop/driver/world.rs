//! The simulated world: to be written.
#![allow(missing_docs, dead_code)]
use super::{Address, Bind, Event, Io, Job, ListenHow, Waker};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, SystemTime};

pub(crate) struct World;
pub(crate) struct Stream;
pub(crate) struct Listener;

impl World {
    pub fn wait(&self, _timeout: Option<Duration>, _out: &mut Vec<Event>) -> io::Result<()> {
        todo!()
    }
    pub fn now(&self) -> Duration {
        todo!()
    }
    pub fn wall(&self) -> SystemTime {
        todo!()
    }
    pub fn register(&self, _io: &mut Io, _token: usize) -> io::Result<()> {
        todo!()
    }
    pub fn register_listener(&self, _l: &mut super::Listener, _token: usize) -> io::Result<()> {
        todo!()
    }
    pub fn listen(&self, _bind: &Bind, _how: &ListenHow) -> io::Result<super::Listener> {
        todo!()
    }
    pub fn connect(&self, _to: &Address) -> io::Result<Io> {
        todo!()
    }
    pub fn accept(&self, _l: &super::Listener) -> io::Result<(Io, Address)> {
        todo!()
    }
    pub fn shed(&self, _l: &super::Listener) -> io::Result<bool> {
        todo!()
    }
    pub fn spawn(&self, _job: Job) -> Result<(), Job> {
        todo!()
    }
    pub fn configure_pool(&self, _threads: usize, _queue: usize) {
        todo!()
    }
    pub fn resolver(&self) -> Box<dyn FnOnce(&str, u16) -> io::Result<Vec<SocketAddr>> + Send> {
        todo!()
    }
    pub fn waker(&self) -> Waker {
        todo!()
    }
}
impl Stream {
    pub fn shutdown(&self, _how: Shutdown) -> io::Result<()> {
        todo!()
    }
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        todo!()
    }
    pub fn local_addr(&self) -> Address {
        todo!()
    }
    pub fn peer_addr(&self) -> io::Result<Address> {
        todo!()
    }
    pub fn reset_on_close(&self) {
        todo!()
    }
}
impl Read for &Stream {
    fn read(&mut self, _b: &mut [u8]) -> io::Result<usize> {
        todo!()
    }
}
impl Write for &Stream {
    fn write(&mut self, _b: &[u8]) -> io::Result<usize> {
        todo!()
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
impl Listener {
    pub fn local_addr(&self) -> Address {
        todo!()
    }
}
