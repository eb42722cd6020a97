//! What went wrong on a secure connection, in words that say what to do.

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};
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
            Error::NoCertificatesPresented => f.write_str("the peer has shown no certificate, which it has to"),
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => f.write_str("the peer does not speak TLS"),
            Error::DecryptError => f.write_str("a record was changed on its way, or was encrypted with another key"),
            Error::NoApplicationProtocol => f.write_str("the peers have no application protocol (ALPN) in common"),
            Error::PeerIncompatible(lacking) => incompatible(lacking, f),
            other => other.fmt(f),
        }
    }
}

/// What the peer cannot do that we want.
fn incompatible(lacking: &PeerIncompatible, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let what = match lacking {
        PeerIncompatible::NoCipherSuitesInCommon => "cipher suite",
        PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NamedGroupsExtensionRequired => {
            "group for the exchange of keys"
        }
        PeerIncompatible::NoSignatureSchemesInCommon | PeerIncompatible::SignatureAlgorithmsExtensionRequired => {
            "signature scheme (that of our certificate's key is one)"
        }
        PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::Tls13RequiredForQuic
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::ServerDoesNotSupportTls12Or13 => "version of TLS (1.2 and 1.3 are spoken here)",
        other => return write!(f, "the peer cannot do what is needed here: {other:?}"),
    };
    write!(f, "the peers have no {what} in common")
}

fn certificate(error: &CertificateError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("the certificate of the peer is not accepted: ")?;
    f.write_str(match error {
        CertificateError::ExpiredContext { not_after, .. } => return write!(f, "it expired on {}", Day(*not_after)),
        CertificateError::NotValidYetContext { not_before, .. } => {
            return write!(f, "it is not valid before {}: does the clock go right?", Day(*not_before));
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            return write!(f, "it is for {}, not for {}", named(presented), expected.to_str());
        }
        CertificateError::Expired => "it has expired",
        CertificateError::NotValidYet => "it is not valid yet",
        CertificateError::UnknownIssuer => {
            "none of the trusted roots has signed it (or the server does not show those between it and the root)"
        }
        CertificateError::BadSignature => "a signature in it is wrong, or was made with a key that is too weak",
        CertificateError::BadEncoding => "it cannot be read, or is of an old version of X.509",
        CertificateError::UnhandledCriticalExtension => "it has a critical extension that is not known here",
        CertificateError::UnsupportedSignatureAlgorithmContext { .. } => {
            "it is signed in a way that is not accepted (SHA-1 and MD5 are too weak)"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it was not made for this purpose (extended key usage)"
        }
        CertificateError::Revoked => "it was revoked",
        CertificateError::Other(other) => return other_reason(&other.to_string(), f),
        other => return write!(f, "{other}"),
    })
}

/// For what rustls has no variants it hands on the name that the error has in webpki, which looks at certificates.
fn other_reason(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match name {
        "CaUsedAsEndEntity" => {
            "it is that of an authority, and no server's; `openssl req -x509` makes one for a server with \
             -addext basicConstraints=critical,CA:FALSE"
        }
        "EndEntityUsedAsCa" => "one of those that have signed it is no authority (basic constraints: CA:TRUE)",
        "NameConstraintViolation" => "one of those that have signed it may not do so for this name (name constraints)",
        "PathLenConstraintViolated" => {
            "there are more authorities between it and the root than one of them allows (path length)"
        }
        "UnsupportedCriticalExtension" => "it has a critical extension that is not known here",
        "UnsupportedCertVersion" => "it cannot be read, or is of an old version of X.509",
        other => other,
    })
}

/// The names that a certificate has. rustls writes them as `DnsName("a.example")` or `IpAddress(127.0.0.1)`.
fn named(presented: &[String]) -> String {
    let plain = |name: &String| {
        let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        inside.unwrap_or(name).trim_matches('"').to_owned()
    };
    match presented {
        [] => "no name".to_owned(),
        names => names.iter().map(plain).collect::<Vec<_>>().join(", "),
    }
}

/// The day of a time, in UTC: `2026-01-31`.
struct Day(UnixTime);

impl fmt::Display for Day {
    /// Counts in years that begin in March, so that the day that only some years have is the last one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days since the first of March of the year 0, in the calendar of today.
        let days = self.0.as_secs() / 86_400 + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        write!(f, "{:04}-{month:02}-{day:02}", era * 400 + year + next)
    }
}

/// What the peer has told by an alert.
fn told(alert: AlertDescription, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let why = match alert {
        AlertDescription::UnknownCA => "it does not trust who has signed our certificate",
        AlertDescription::CertificateExpired => "our certificate has expired",
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate => "it does not accept our certificate",
        AlertDescription::CertificateRevoked => "our certificate was revoked",
        AlertDescription::CertificateRequired => "it demands a certificate of us",
        AlertDescription::HandshakeFailure => "we have no cipher in common with it",
        AlertDescription::ProtocolVersion => "we have no version of TLS in common with it",
        AlertDescription::UnrecognisedName => "it has no certificate for the name that was asked for",
        AlertDescription::CloseNotify => "it has gone in the middle of the handshake",
        AlertDescription::NoApplicationProtocol => "we have no application protocol (ALPN) in common with it",
        other => return write!(f, "the peer has ended the connection with the alert {other:?}"),
    };
    write!(f, "the peer has ended the connection: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_767_225_599, "2025-12-31"),
            (1_767_225_600, "2026-01-01"),
            (4_107_542_400, "2100-03-01"),
            (4_102_444_799, "2099-12-31"),
        ] {
            assert_eq!(Day(UnixTime::since_unix_epoch(Duration::from_secs(seconds))).to_string(), day);
        }
    }
}
