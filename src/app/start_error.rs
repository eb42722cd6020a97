use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};
use std::io;

/// The mistakes in the routes of an app, each with the lines of the program that it is about. It is the inner error of the
/// [`io::Error`] that [`App::listen`](super::App::listen) returns.
pub(super) struct StartError(Vec<String>);

impl StartError {
    pub fn new(faults: Vec<String>) -> StartError {
        StartError(faults)
    }
}

impl Display for StartError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the app cannot start:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

/// As text, so that it is readable where `main` returns it.
impl Debug for StartError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl Error for StartError {}

impl From<StartError> for io::Error {
    fn from(error: StartError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, error)
    }
}
