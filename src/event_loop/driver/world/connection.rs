use super::readiness::{Audience, Source, Watch};
use super::{Address, Ready, Script, Sendfile, World};
use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

/// One end of a connection in memory, as its owner holds it. Dropping it closes the connection: with a RST if there is
/// unread input or [`Stream::set_reset_on_close`] was called, as Linux does, and with a FIN otherwise.
pub(crate) struct Stream {
    world: World,
    end: Endpoint,
    owner: Owner,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The program under test. Its sockets count as open file descriptors.
    Program,
    /// The test harness.
    Script,
}

/// A connection, seen from one of its two ends.
#[derive(Clone)]
pub(super) struct Endpoint {
    ends: Rc<RefCell<[End; 2]>>,
    side: usize,
}

pub(super) struct End {
    watch: Watch,
    address: Address,
    link: Link,
    /// True if the owner has dropped this end. Packets that still arrive are answered with a RST.
    released: bool,
    reset_on_close: bool,
    error: Option<ErrorKind>,
    input: Input,
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    Connecting,
    Open,
    /// Refused, timed out or reset.
    Dead,
}

#[derive(Default)]
struct Input {
    unread: VecDeque<u8>,
    /// How many bytes have been sent to this end and have not arrived.
    in_flight: usize,
    ended: bool,
    /// When the last packet in flight arrives. No later packet may overtake it.
    last_arrival: Duration,
}

#[derive(Default)]
struct Output {
    ended: bool,
    /// A write was refused in whole or in part, so an edge (a report of changed readiness) follows when there is room.
    starved: bool,
    /// True if the network takes fewer bytes than there is room for, until the next edge (`Network::partial_writes`).
    held: bool,
    /// The edge that reports room is scheduled.
    room_on_its_way: bool,
}

/// A packet on its way to an end.
enum Packet {
    Connected,
    Bytes(Vec<u8>),
    Fin,
    Reset,
}

impl End {
    fn new(address: Address, link: Link) -> RefCell<[End; 2]> {
        let end = || End {
            watch: Watch::default(),
            address: address.clone(),
            link,
            released: false,
            reset_on_close: false,
            error: None,
            input: Input::default(),
            output: Output::default(),
        };
        RefCell::new([end(), end()])
    }

    fn fill(&self) -> usize {
        self.input.unread.len() + self.input.in_flight
    }
}

impl Endpoint {
    /// The end of the side that connects. Nobody holds the other end yet.
    pub fn connecting(from: Address, to: Address) -> Endpoint {
        let ends = End::new(from, Link::Connecting);
        ends.borrow_mut()[1].address = to;
        Endpoint { ends: Rc::new(ends), side: 0 }
    }

    pub fn me(&self) -> RefMut<'_, End> {
        RefMut::map(self.ends.borrow_mut(), |ends| &mut ends[self.side])
    }

    pub fn other(&self) -> Endpoint {
        Endpoint { ends: self.ends.clone(), side: 1 - self.side }
    }

    pub fn address(&self) -> Address {
        self.me().address.clone()
    }

    pub fn is_released(&self) -> bool {
        self.me().released
    }

    /// Called when the listener has put the connection into its backlog. From now on bytes can be sent to the listener's
    /// end, and the connecting side is told that it is connected.
    pub fn establish(&self, world: &World) {
        self.me().link = Link::Open;
        self.send(world, Packet::Connected);
    }

    /// Breaks the connection from the network's side. The owner of this end will see `reason`.
    pub fn fail(&self, world: &World, reason: ErrorKind) {
        {
            let mut me = self.me();
            if me.released || me.link == Link::Dead {
                return;
            }
            me.link = Link::Dead;
            me.error = Some(reason);
            me.input.unread.clear();
        }
        world.edge(self);
    }

    /// Sends a RST to the other end. This end has no owner any more.
    pub fn reset(&self, world: &World) {
        {
            let mut me = self.me();
            me.released = true;
            me.link = Link::Dead;
        }
        self.send(world, Packet::Reset);
    }

    /// Sends a packet to the other end.
    fn send(&self, world: &World, packet: Packet) {
        let delay = world.0.network.borrow().delay(&world.0.random);
        self.send_at(world, world.now().saturating_add(delay), packet);
    }

    fn send_at(&self, world: &World, at: Duration, packet: Packet) {
        let to = self.other();
        let at = {
            let mut receiver = to.me();
            receiver.input.last_arrival = receiver.input.last_arrival.max(at);
            receiver.input.last_arrival
        };
        world.at(at, move |world| to.arrive(world, packet));
    }

    fn arrive(&self, world: &World, packet: Packet) {
        let mut me = self.me();
        let (released, link) = (me.released, me.link);
        match packet {
            _ if link == Link::Dead => return,
            // A released end answers with a RST: its owner has dropped it.
            Packet::Bytes(_) | Packet::Connected if released => {
                drop(me);
                return self.reset(world);
            }
            Packet::Bytes(bytes) => {
                me.input.in_flight -= bytes.len();
                me.input.unread.extend(bytes);
            }
            Packet::Connected => me.link = Link::Open,
            Packet::Fin => me.input.ended = true,
            Packet::Reset => {
                let reason = match link {
                    Link::Connecting => ErrorKind::ConnectionRefused,
                    // As on Linux: after the end of input, the error is the one for writing to a closed connection.
                    _ if me.input.ended => ErrorKind::BrokenPipe,
                    _ => ErrorKind::ConnectionReset,
                };
                drop(me);
                return self.fail(world, reason);
            }
        }
        drop(me);
        world.edge(self);
    }

    /// Called when the owner has dropped this end.
    fn release(&self, world: &World) {
        let mut me = self.me();
        // Dropped after the borrow, since a script may hold user values.
        let audience = mem::take(&mut me.watch.audience);
        me.released = true;
        let unread = !mem::take(&mut me.input.unread).is_empty();
        let packet = match me.link {
            Link::Open if unread || me.reset_on_close => {
                me.link = Link::Dead;
                Some(Packet::Reset)
            }
            Link::Open if !me.output.ended => Some(Packet::Fin),
            _ => None,
        };
        me.output.ended = true;
        drop(me);
        drop(audience);
        if let Some(packet) = packet {
            self.send(world, packet);
        }
    }

    /// Returns whether the writer is to be told of room: at least a third of the buffer is free, as on Linux.
    fn has_room(&self, ends: &[End; 2], world: &World) -> bool {
        let fill = ends[1 - self.side].fill();
        let free = world.buffer().saturating_sub(fill);
        !ends[self.side].output.held && free * 2 >= fill.max(1)
    }

    fn read(&self, world: &World, into: &mut [u8]) -> io::Result<usize> {
        let mut ends = self.ends.borrow_mut();
        let me = &mut ends[self.side];
        if me.input.unread.is_empty() {
            return match me.error.take() {
                Some(error) => Err(error.into()),
                None if me.input.ended || me.link == Link::Dead || into.is_empty() => Ok(0),
                None => Err(ErrorKind::WouldBlock.into()),
            };
        }
        let possible = into.len().min(me.input.unread.len());
        let length = world.0.network.borrow().seen(possible, &world.0.random);
        me.input.unread.read_exact(&mut into[..length])?;
        let arrives_just_now = length < possible;
        let writer = self.other();
        let room = {
            let has_room = writer.has_room(&ends, world);
            let output = &mut ends[writer.side].output;
            let news = output.starved && !output.room_on_its_way && has_room;
            output.room_on_its_way |= news;
            news
        };
        drop(ends);
        if arrives_just_now {
            world.edge(self);
        }
        if room {
            let delay = world.0.network.borrow().delay(&world.0.random);
            world.at(world.now().saturating_add(delay), move |world| {
                writer.me().output.room_on_its_way = false;
                writer.find_room(world);
            });
        }
        Ok(length)
    }

    /// Tells a writer that waits for room, if there is enough.
    fn find_room(&self, world: &World) {
        let found = {
            let mut ends = self.ends.borrow_mut();
            let found = ends[self.side].output.starved && self.has_room(&ends, world);
            ends[self.side].output.starved &= !found;
            found
        };
        if found {
            world.edge(self);
        }
    }

    fn write(&self, world: &World, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        let mut ends = self.ends.borrow_mut();
        let room = world.buffer().saturating_sub(ends[1 - self.side].fill());
        let me = &mut ends[self.side];
        if let Some(error) = me.error.take() {
            return Err(error.into());
        }
        if me.link == Link::Dead || me.output.ended {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if length == 0 {
            return Ok(0);
        }
        if me.link == Link::Connecting || me.output.held || room == 0 {
            me.output.starved = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        let possible = length.min(room);
        let accepted = world.0.network.borrow().accepted(possible, &world.0.random);
        me.output.starved |= accepted < length;
        me.output.held = accepted < possible;
        let held = me.output.held;
        ends[1 - self.side].input.in_flight += accepted;
        drop(ends);
        self.send_bytes(world, gather(pieces, accepted));
        if held {
            let writer = self.clone();
            let delay = world.0.network.borrow().delay(&world.0.random);
            world.at(world.now().saturating_add(delay), move |world| {
                writer.me().output.held = false;
                writer.find_room(world);
            });
        }
        Ok(accepted)
    }

    /// Sends the bytes of one write, in as many pieces as the network splits them into.
    fn send_bytes(&self, world: &World, mut bytes: Vec<u8>) {
        let mut at = {
            let delay = world.0.network.borrow().delay(&world.0.random);
            world.now().saturating_add(delay).max(self.other().me().input.last_arrival)
        };
        loop {
            let length = world.0.network.borrow().piece(bytes.len(), &world.0.random);
            let rest = bytes.split_off(length);
            self.send_at(world, at, Packet::Bytes(bytes));
            if rest.is_empty() {
                return;
            }
            bytes = rest;
            at += world.0.network.borrow().gap(&world.0.random);
        }
    }
}

impl Source for Endpoint {
    fn watch(&self) -> RefMut<'_, Watch> {
        RefMut::map(self.me(), |end| &mut end.watch)
    }

    fn ready(&self, world: &World) -> Ready {
        let mut ends = self.ends.borrow_mut();
        let has_room = self.has_room(&ends, world);
        let me = &mut ends[self.side];
        if me.link == Link::Connecting {
            return Ready::NONE;
        }
        let dead = me.link == Link::Dead;
        let writable = dead || me.output.ended || has_room;
        // An owner that was told "not writable" waits for the edge that reports room.
        me.output.starved |= !writable;
        Ready::READ
            .when(dead || me.input.ended || !me.input.unread.is_empty())
            .with(Ready::WRITE.when(writable))
            .with(Ready::READ_CLOSED.when(dead || me.input.ended))
            .with(Ready::ERROR.when(me.error.is_some()))
    }
}

fn gather(pieces: &[IoSlice<'_>], length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length);
    for piece in pieces {
        let left = length - bytes.len();
        bytes.extend_from_slice(piece.get(..left).unwrap_or(piece));
    }
    bytes
}

impl World {
    /// The size of the buffer of one direction. At least one byte: without room nothing could ever be sent.
    fn buffer(&self) -> usize {
        let buffer = self.0.network.borrow().buffer.max(1);
        #[cfg(any(test, oneloop_veil))]
        let buffer = super::veil::buffer(buffer);
        buffer
    }
}

impl Stream {
    pub(super) fn new(world: &World, end: Endpoint, owner: Owner) -> Stream {
        if owner == Owner::Program {
            world.0.ports.open_fd();
        }
        Stream { world: world.clone(), end, owner }
    }

    /// Registers the stream with the loop.
    pub(super) fn tell_loop(&self, world: &World, token: usize) {
        world.tell(&self.end, Audience::Loop(token));
    }

    /// Makes the script run after each edge, instead of telling a loop.
    pub fn tell_script(&self, script: Script) {
        self.world.tell(&self.end, Audience::Script(script));
    }

    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.check_faults()?;
        let mut me = self.end.me();
        if me.link != Link::Open {
            return Err(ErrorKind::NotConnected.into());
        }
        me.input.ended |= how != Shutdown::Write;
        let fin = how != Shutdown::Read && !mem::replace(&mut me.output.ended, true);
        drop(me);
        if fin {
            self.end.send(&self.world, Packet::Fin);
        }
        Ok(())
    }

    /// Counts a call of the program. If it is the one that is to fail, returns its error and resets the connection, which
    /// the peer sees.
    fn check_faults(&self) -> io::Result<()> {
        if self.owner == Owner::Script {
            return Ok(());
        }
        let Some(kind) = self.world.0.faults.call() else { return Ok(()) };
        if kind != ErrorKind::Interrupted {
            self.end.fail(&self.world, kind);
            self.end.me().error = None;
            self.end.send(&self.world, Packet::Reset);
        }
        Err(kind.into())
    }

    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.end.me().error.take().map(io::Error::from))
    }

    pub fn local_addr(&self) -> Address {
        self.end.address()
    }

    pub fn peer_addr(&self) -> io::Result<Address> {
        let connected = self.end.me().link == Link::Open;
        if connected { Ok(self.end.other().address()) } else { Err(ErrorKind::NotConnected.into()) }
    }

    pub fn set_reset_on_close(&self, on: bool) {
        self.end.me().reset_on_close = on;
    }

    pub fn sendfile(&self) -> Sendfile {
        self.world.0.sendfile.get()
    }

    /// Returns whether the other side's FIN has arrived. It need not have been read yet.
    pub fn has_ended(&self) -> bool {
        self.end.me().input.ended
    }

    /// Returns whether the handshake is over and no failure has followed.
    pub fn is_connected(&self) -> bool {
        self.end.me().link == Link::Open
    }

    /// Returns whether the connection was refused or reset.
    pub fn is_dead(&self) -> bool {
        self.end.me().link == Link::Dead
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.owner == Owner::Program {
            self.world.0.ports.close_fd();
        }
        self.end.release(&self.world);
    }
}

impl Read for &Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.check_faults()?;
        self.end.read(&self.world, into)
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check_faults()?;
        self.end.write(&self.world, &[IoSlice::new(bytes)])
    }

    /// All pieces go into one packet, as with the system's `writev`.
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.check_faults()?;
        self.end.write(&self.world, pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
