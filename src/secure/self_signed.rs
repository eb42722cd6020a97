//! Certificates for development, made here: X.509 (RFC 5280) in DER, signed by their own key.

use super::{Identity, invalid};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io;
use std::net::IpAddr;

/// A certificate that is signed by its own key, for development and tests. Nobody trusts it who was not told to: a browser warns, and
/// curl wants `--cacert`. For a server that others use, get one of [Let's Encrypt](https://letsencrypt.org), or of your own authority.
///
/// It is valid from 2000 until 2100. The key is of ECDSA P-256.
///
/// ```
/// use oneloop::tls::{Context, SelfSigned};
///
/// let made = SelfSigned::new(["localhost", "127.0.0.1", "::1"])?;
/// let context = Context::new(made.identity())?;
/// println!("{}", made.certificate_pem()); // for curl --cacert
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct SelfSigned {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl SelfSigned {
    /// Makes a certificate for these names and IP addresses, and its key.
    ///
    /// # Errors
    /// If there is no name, if one is not ASCII, or if the system gives no random numbers.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> io::Result<SelfSigned> {
        let names: Vec<&str> = names.into_iter().collect();
        if names.is_empty() || names.iter().any(|name| name.is_empty() || !name.is_ascii()) {
            return Err(invalid("a certificate needs a name, in ASCII"));
        }
        let random = SystemRandom::new();
        let failed = |_| io::Error::other("a key cannot be made");
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).map_err(failed)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &random)
            .map_err(|error| io::Error::other(format!("a key cannot be used: {error}")))?;
        let mut serial = [0; 16];
        random.fill(&mut serial).map_err(failed)?;
        // Positive, and not zero.
        serial[0] = serial[0] & 0x7f | 0x40;
        let signed = to_be_signed(&names, &serial, pair.public_key().as_ref());
        let signature = pair.sign(&random, &signed).map_err(failed)?;
        let certificate = sequence(&[&signed, &ecdsa_with_sha256(), &bits(signature.as_ref())]);
        Ok(SelfSigned { certificate, key: key.as_ref().to_vec() })
    }

    /// The certificate and its key, for a [`Context`](super::Context).
    pub fn identity(&self) -> Identity {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        Identity::from_der(vec![CertificateDer::from(self.certificate.clone())], key)
    }

    /// The certificate in PEM: what clients that are to trust it need.
    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// The private key in PEM. Keep it to yourself.
    pub fn key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.key)
    }
}

/// Nothing of the key is shown.
impl std::fmt::Debug for SelfSigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SelfSigned").finish_non_exhaustive()
    }
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT: u8 = 0x06;
const UTF8: u8 = 0x0c;
const TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// The part of a certificate that is signed (RFC 5280, 4.1.2).
fn to_be_signed(names: &[&str], serial: &[u8], public_key: &[u8]) -> Vec<u8> {
    let version = tagged(0xa0, &[&tagged(INTEGER, &[&[2]])]);
    let common_name = [&tagged(OBJECT, &[&[0x55, 4, 3]])[..], &tagged(UTF8, &[names[0].as_bytes()])].concat();
    let name = sequence(&[&tagged(SET, &[&sequence(&[&common_name])])]);
    let valid = sequence(&[&tagged(TIME, &[b"20000101000000Z"]), &tagged(TIME, &[b"21000101000000Z"])]);
    let elliptic_key = tagged(OBJECT, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]]);
    let p256 = tagged(OBJECT, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]]);
    let key = sequence(&[&sequence(&[&elliptic_key, &p256]), &bits(public_key)]);
    let alternatives: Vec<u8> = names.iter().flat_map(|name| alternative(name)).collect();
    // It is for these names, and an end entity: no authority.
    let alternatives = extension(&[0x55, 0x1d, 17], false, &sequence(&[&alternatives]));
    let constraints = extension(&[0x55, 0x1d, 19], true, &sequence(&[]));
    let extensions = tagged(0xa3, &[&sequence(&[&alternatives, &constraints])]);
    let serial = tagged(INTEGER, &[serial]);
    sequence(&[&version, &serial, &ecdsa_with_sha256(), &name, &valid, &name, &key, &extensions])
}

/// A name or an address for which the certificate is (RFC 5280, 4.2.1.6).
fn alternative(name: &str) -> Vec<u8> {
    match name.parse() {
        Ok(IpAddr::V4(ip)) => tagged(0x87, &[&ip.octets()]),
        Ok(IpAddr::V6(ip)) => tagged(0x87, &[&ip.octets()]),
        Err(_) => tagged(0x82, &[name.as_bytes()]),
    }
}

fn extension(object: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    sequence(&[&tagged(OBJECT, &[object]), critical, &tagged(OCTET_STRING, &[value])])
}

fn ecdsa_with_sha256() -> Vec<u8> {
    sequence(&[&tagged(OBJECT, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]])])
}

fn bits(bytes: &[u8]) -> Vec<u8> {
    tagged(BIT_STRING, &[&[0], bytes])
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tagged(SEQUENCE, parts)
}

/// A value of DER: its tag, its length, and the parts that it is made of.
fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut value = vec![tag];
    match length {
        0..0x80 => value.push(length as u8),
        0x80..0x100 => value.extend([0x81, length as u8]),
        _ => value.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    value.extend(parts.concat());
    value
}

/// RFC 7468: lines of 64 characters.
fn pem(label: &str, der: &[u8]) -> String {
    let text = base64(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let number = group.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * place) & 63) as usize];
            text.push(if place > group.len() { '=' } else { char::from(digit) });
        }
    }
    text
}
