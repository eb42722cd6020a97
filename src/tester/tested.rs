use crate::app::App;
use crate::http::Server;
use std::fmt::Display;
use std::io;

/// What a [`Tester`](super::Tester) tests: an [`App`], a [`Server`], or a `Result` of one.
pub trait Tested {
    /// The server that is asked.
    ///
    /// # Errors
    /// If there is none.
    fn into_server(self) -> io::Result<Server>;
}

impl Tested for App {
    fn into_server(self) -> io::Result<Server> {
        self.server()
    }
}

impl Tested for Server {
    fn into_server(self) -> io::Result<Server> {
        Ok(self)
    }
}

impl<T: Tested, E: Display> Tested for Result<T, E> {
    fn into_server(self) -> io::Result<Server> {
        self.map_err(|error| io::Error::other(error.to_string()))?.into_server()
    }
}
