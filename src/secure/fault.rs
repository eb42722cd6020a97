//! What went wrong on a secure connection, in words that say what to do.

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};
use std::fmt;
use std::io::{self, ErrorKind};

/// Why a connection is not secure, or not any more.
#[derive(Clone, Debug)]
pub(crate) struct Fault(Error);

impl Fault {
    pub fn of(error: Error) -> Fault {
        Fault(error)
    }

    pub fn into_error(self) -> io::Error {
        io::Error::new(ErrorKind::InvalidData, self.to_string())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Error::InvalidCertificate(error) => certificate(error, f),
            Error::AlertReceived(alert) => told(*alert, f),
            Error::NoCertificatesPresented => {
                f.write_str("the client has shown no certificate, and this server demands one")
            }
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => f.write_str("the peer does not speak TLS"),
            Error::DecryptError => f.write_str("a record was changed on its way, or was encrypted with another key"),
            Error::NoApplicationProtocol => f.write_str("the peers have no application protocol (ALPN) in common"),
            other => other.fmt(f),
        }
    }
}

fn certificate(error: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let why = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::NotValidForNameContext { expected, presented } => {
            return write!(
                f,
                "the certificate of the peer is not accepted: it is for {}, not for {}",
                if presented.is_empty() { "no name".to_owned() } else { presented.join(", ") },
                expected.to_str()
            );
        }
        CertificateError::UnknownIssuer => "none of the trusted roots has signed it",
        CertificateError::BadSignature => "its signature is wrong",
        CertificateError::Revoked => "it was revoked",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it was not made for this purpose"
        }
        other => return write!(f, "the certificate of the peer is not accepted: {other}"),
    };
    write!(f, "the certificate of the peer is not accepted: {why}")
}

/// What the peer has told by an alert.
fn told(alert: AlertDescription, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let why = match alert {
        AlertDescription::UnknownCA => "it does not trust who has signed our certificate",
        AlertDescription::BadCertificate => "it does not accept our certificate",
        AlertDescription::CertificateExpired => "our certificate has expired",
        AlertDescription::CertificateUnknown => "it does not accept our certificate",
        AlertDescription::CertificateRequired => "it demands a certificate of us",
        AlertDescription::HandshakeFailure => "we have no cipher in common with it",
        AlertDescription::ProtocolVersion => "we have no version of TLS in common with it",
        AlertDescription::UnrecognisedName => "it has no certificate for the name that was asked for",
        AlertDescription::NoApplicationProtocol => "we have no application protocol (ALPN) in common with it",
        other => return write!(f, "the peer has ended the connection with the alert {other:?}"),
    };
    write!(f, "the peer has ended the connection: {why}")
}
