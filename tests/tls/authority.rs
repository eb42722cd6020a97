//! Certificates with whatever a test wants in them: X.509 (RFC 5280) in DER, signed by keys of ECDSA P-256.

use oneloop::tls::{Client, Context, Identity, Roots};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use std::net::IpAddr;

/// A certificate with its key, and those that have signed it.
pub struct Certified {
    pub der: Vec<u8>,
    pkcs8: Vec<u8>,
    name: String,
    /// What a server shows: its own first, and not the root.
    chain: Vec<Vec<u8>>,
}

/// What a certificate says. [`Wish::of`] is one that is as it should be.
#[derive(Clone)]
pub struct Wish {
    pub name: String,
    pub alternatives: Vec<String>,
    pub from: &'static str,
    pub until: &'static str,
    /// For an authority: how many others may be below it.
    pub authority: Option<Option<u8>>,
    /// The last number of the purposes (1.3.6.1.5.5.7.3.N): 1 for servers, 2 for clients, 4 for mail.
    pub purposes: Vec<u8>,
    /// The only names that an authority may sign for.
    pub permitted: Option<&'static str>,
    /// An extension that nobody knows, and that counts.
    pub unknown_extension: bool,
    /// The object identifier of the algorithm that the signature claims.
    pub algorithm: &'static [u8],
    pub version: u8,
}

const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
pub const ECDSA_WITH_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];

impl Wish {
    /// A server's certificate for these names and addresses.
    pub fn of(names: &[&str]) -> Wish {
        Wish {
            name: names.first().map_or("nobody", |name| name).to_owned(),
            alternatives: names.iter().map(|name| (*name).to_owned()).collect(),
            from: "20200101000000Z",
            until: "20400101000000Z",
            authority: None,
            purposes: vec![1],
            permitted: None,
            unknown_extension: false,
            algorithm: ECDSA_WITH_SHA256,
            version: 2,
        }
    }

    pub fn authority(name: &str) -> Wish {
        let plain = Wish::of(&[]);
        Wish { name: name.to_owned(), authority: Some(None), purposes: Vec::new(), ..plain }
    }
}

pub fn root(name: &str) -> Certified {
    let key = new_key();
    let der = certificate(&Wish::authority(name), name, &key, &key);
    Certified { der, pkcs8: key, name: name.to_owned(), chain: Vec::new() }
}

impl Certified {
    /// Signs a certificate.
    pub fn sign(&self, wish: &Wish) -> Certified {
        let key = new_key();
        let der = certificate(wish, &self.name, &key, &self.pkcs8);
        let chain = [vec![der.clone()], self.chain.clone()].concat();
        Certified { der, pkcs8: key, name: wish.name.clone(), chain }
    }

    /// Signs a certificate that is as it should be.
    pub fn server(&self, names: &[&str]) -> Certified {
        self.sign(&Wish::of(names))
    }

    /// Forgets who has signed it.
    pub fn alone(mut self) -> Certified {
        self.chain.truncate(1);
        self
    }

    pub fn identity(&self) -> Identity {
        let chain: String = self.chain.iter().map(|der| pem("CERTIFICATE", der)).collect();
        Identity::from_pem(chain, pem("PRIVATE KEY", &self.pkcs8)).unwrap()
    }

    pub fn context(&self) -> Context {
        Context::new(self.identity()).unwrap()
    }

    pub fn roots(&self) -> Roots {
        Roots::from_pem(pem("CERTIFICATE", &self.der)).unwrap()
    }

    /// A client that trusts this certificate only.
    pub fn client(&self) -> Client {
        Client::trusting(self.roots()).unwrap()
    }

    pub fn key(&self) -> &[u8] {
        &self.pkcs8
    }
}

fn new_key() -> Vec<u8> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
    made.as_ref().to_vec()
}

fn pair(key: &[u8]) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key, &SystemRandom::new()).unwrap()
}

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
const UTF8: u8 = 0x0c;
const TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

fn certificate(wish: &Wish, issuer: &str, key: &[u8], issuers_key: &[u8]) -> Vec<u8> {
    let algorithm = sequence(&[&tagged(OBJECT, &[wish.algorithm])]);
    let p256 = sequence(&[
        &tagged(OBJECT, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]]),
        &tagged(OBJECT, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]]),
    ]);
    let signed = sequence(&[
        &tagged(0xa0, &[&tagged(INTEGER, &[&[wish.version]])]),
        &tagged(INTEGER, &[&[7]]),
        &algorithm,
        &distinguished(issuer),
        &sequence(&[&tagged(TIME, &[wish.from.as_bytes()]), &tagged(TIME, &[wish.until.as_bytes()])]),
        &distinguished(&wish.name),
        &sequence(&[&p256, &bits(pair(key).public_key().as_ref())]),
        &extensions(wish),
    ]);
    let signature = pair(issuers_key).sign(&SystemRandom::new(), &signed).unwrap();
    sequence(&[&signed, &algorithm, &bits(signature.as_ref())])
}

fn extensions(wish: &Wish) -> Vec<u8> {
    let mut all = Vec::new();
    let mut add = |object: &[u8], critical: bool, value: &[u8]| {
        let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
        all.extend(sequence(&[&tagged(OBJECT, &[object]), critical, &tagged(OCTETS, &[value])]));
    };
    if !wish.alternatives.is_empty() {
        let names: Vec<u8> = wish.alternatives.iter().flat_map(|name| alternative(name)).collect();
        add(&[0x55, 0x1d, 17], false, &sequence(&[&names]));
    }
    let constraints = match wish.authority {
        None => Vec::new(),
        Some(None) => vec![1, 1, 0xff],
        Some(Some(below)) => [&[1, 1, 0xff][..], &tagged(INTEGER, &[&[below]])].concat(),
    };
    add(&[0x55, 0x1d, 19], true, &sequence(&[&constraints]));
    if !wish.purposes.is_empty() {
        let purpose = |last: &u8| tagged(OBJECT, &[&[0x2b, 6, 1, 5, 5, 7, 3, *last]]);
        add(&[0x55, 0x1d, 37], false, &sequence(&[&wish.purposes.iter().flat_map(purpose).collect::<Vec<u8>>()]));
    }
    if let Some(name) = wish.permitted {
        let permitted = tagged(0xa0, &[&sequence(&[&tagged(0x82, &[name.as_bytes()])])]);
        add(&[0x55, 0x1d, 30], true, &sequence(&[&permitted]));
    }
    if wish.unknown_extension {
        add(&[0x2a, 3, 4], true, &[5, 0]);
    }
    tagged(0xa3, &[&sequence(&[&all])])
}

fn alternative(name: &str) -> Vec<u8> {
    match name.parse() {
        Ok(IpAddr::V4(ip)) => tagged(0x87, &[&ip.octets()]),
        Ok(IpAddr::V6(ip)) => tagged(0x87, &[&ip.octets()]),
        // With a mark in front an address goes as a name.
        Err(_) => tagged(0x82, &[name.trim_start_matches('=').as_bytes()]),
    }
}

fn distinguished(name: &str) -> Vec<u8> {
    let common = [tagged(OBJECT, &[&[0x55, 4, 3]]), tagged(UTF8, &[name.as_bytes()])].concat();
    sequence(&[&tagged(SET, &[&sequence(&[&common])])])
}

fn bits(bytes: &[u8]) -> Vec<u8> {
    tagged(BITS, &[&[0], bytes])
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tagged(SEQUENCE, parts)
}

fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut value = vec![tag];
    match content.len() {
        length @ 0..0x80 => value.push(length as u8),
        length @ 0x80..0x100 => value.extend([0x81, length as u8]),
        length => value.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    value.extend(content);
    value
}

pub fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for group in der.chunks(3) {
        let number = group.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        let digit = |place| char::from(DIGITS[(number >> (18 - 6 * place) & 63) as usize]);
        (0..4).for_each(|place| text.push(if place > group.len() { '=' } else { digit(place) }));
    }
    text + &format!("\n-----END {label}-----\n")
}
