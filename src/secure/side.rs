use super::{Client, Context, NewSession, Session};
use std::io;

/// Which side of a secure connection one is, and with which settings: made of a [`Context`], or of a [`Client`] and the name of the
/// server (a host, or an IP address).
#[derive(Clone, Debug)]
pub struct Side(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Server(Context),
    Client(Client, String),
}

impl Side {
    pub(crate) fn session(&self) -> io::Result<NewSession> {
        match &self.0 {
            Kind::Server(context) => Session::server(context).map_err(|fault| fault.into_error()),
            Kind::Client(client, name) => Session::client(client, name),
        }
    }
}

impl From<&Context> for Side {
    fn from(context: &Context) -> Side {
        Side(Kind::Server(context.clone()))
    }
}

impl From<Context> for Side {
    fn from(context: Context) -> Side {
        Side(Kind::Server(context))
    }
}

impl From<(&Client, &str)> for Side {
    fn from((client, name): (&Client, &str)) -> Side {
        Side(Kind::Client(client.clone(), name.to_owned()))
    }
}
