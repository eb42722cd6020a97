//! Whose list it is: to sign up, to log in, to log out.
//!
//! * Passwords are kept as argon2id hashes. Such a hash takes some 20 ms of a processor and 19 MiB, on purpose; so it is made on the
//!   pool of worker threads, and the loop goes on.
//! * Who tries a name that nobody has waits as long as for one that somebody has: how long an answer takes says nothing.
//! * An address has a few tries a minute, and so has a name.

use crate::database::Database;
use crate::templates::Templates;
use crate::{answer, with};
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier};
use oneloop::app::{Next, Rate, Router, rate_limit, rate_limit_by};
use oneloop::http::{Error, Request, Response, Result};
use oneloop::worker;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How often an address, or a name, may try in a minute.
const TRIES: u32 = 5;
/// Bytes of a form: two short fields.
const FORM: usize = 4096;
/// Letters.
const LONGEST_NAME: usize = 40;
const SHORTEST_PASSWORD: usize = 10;
/// What the form does.
const LOG_IN: &str = "Log in";
const SIGN_UP: &str = "Sign up";
/// No account has this number, but that of all who have none; nobody logs in to it.
const NOBODY: i64 = 0;

/// Who asks: [`recognise`] puts it into the request.
#[derive(Serialize)]
pub struct Account {
    pub id: i64,
    pub name: String,
}

impl Account {
    /// The account of all who have none.
    pub fn everybody() -> Account {
        Account { id: NOBODY, name: String::new() }
    }
}

/// A step: finds out who asks. Who is not logged in is everybody on an open site, else gets 401.
pub fn recognise(open: bool) -> impl FnMut(Request, Response, Next) -> Result + 'static {
    move |req, res, next| {
        let session = req.session()?;
        let account = session.read("account").zip(session.read("name")).map(|(id, name)| Account { id, name });
        let Some(account) = account.or_else(|| open.then(Account::everybody)) else {
            res.set_header("WWW-Authenticate", "Cookie form-action=\"/login\"");
            return Err(Error::new(401, "Log in first."));
        };
        req.put(account);
        Ok(next.run())
    }
}

pub struct Accounts {
    pub database: Database,
    pub templates: Rc<Templates>,
    hashing: Argon2<'static>,
    /// What the password of a name that nobody has is compared with.
    nobody: String,
}

impl Accounts {
    pub fn new(
        database: Database,
        templates: Rc<Templates>,
        hashing: Argon2<'static>,
    ) -> password_hash::Result<Accounts> {
        let nobody = hash(&hashing, "")?;
        Ok(Accounts { database, templates, hashing, nobody })
    }
}

pub fn router(accounts: &Rc<Accounts>) -> Router {
    let tries = Rate::per_minute(TRIES);
    let name = |req: &Request| req.find::<Credentials>().map(|given| given.name.to_lowercase());
    let mut router = Router::new();
    router.get("/login", with(accounts, |accounts, _, res| show(accounts, &res, LOG_IN, "", "")));
    router.get("/signup", with(accounts, |accounts, _, res| show(accounts, &res, SIGN_UP, "", "")));
    let (log_in, sign_up) = (with(accounts, log_in), with(accounts, sign_up));
    router.route("/login").with(rate_limit(tries)).on("POST", read).with(rate_limit_by(tries, name)).post(log_in);
    router.route("/signup").with(rate_limit(tries)).on("POST", read).post(sign_up);
    router.post("/logout", log_out);
    router
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
}

/// Reads the form before the tries of its name are counted.
fn read(req: Request, _res: Response, next: Next) {
    req.clone().read_form(FORM, move |form: Result<Credentials>| {
        let Credentials { name, password } = form?;
        req.put(Credentials { name: name.trim().to_owned(), password });
        Ok(next.run())
    });
}

fn show(accounts: &Accounts, res: &Response, action: &str, name: &str, problem: &str) -> Result {
    let status = if problem.is_empty() { 200 } else { 422 };
    let values = BTreeMap::from([("action", action), ("name", name), ("problem", problem)]);
    accounts.templates.show(res, status, "account.html", values)
}

fn log_in(accounts: &Rc<Accounts>, req: Request, res: Response) -> Result {
    let given = req.need::<Credentials>()?;
    let (name, accounts) = (given.name.clone(), accounts.clone());
    let database = accounts.database.clone();
    let found = move |res, found: Option<(Account, String)>| {
        let (account, hash) = found.unwrap_or_else(|| (Account::everybody(), accounts.nobody.clone()));
        let (hashing, password) = (accounts.hashing.clone(), given.password.clone());
        let done = move |res, is_right| match is_right {
            true if account.id != NOBODY => enter(&req, res, &account),
            _ => show(&accounts, &res, LOG_IN, &given.name, "The name or the password is not right."),
        };
        let work = move || is_right(&hashing, &password, &hash);
        Ok(worker::run(work, |result| answer(res, result.map_err(Error::from), done)))
    };
    Ok(database.query(move |db| find(db, &name), |result| answer(res, result, found)))
}

fn sign_up(accounts: &Rc<Accounts>, req: Request, res: Response) -> Result {
    let given = req.need::<Credentials>()?;
    let problem = match given.name.chars().count() {
        0 => "A name is wanted.",
        letters if letters > LONGEST_NAME => "The name is too long: 40 characters at most.",
        _ if given.name.chars().any(char::is_control) => "The name has a character that nobody can see.",
        _ if given.password.chars().count() < SHORTEST_PASSWORD => "The password is too short: 10 characters at least.",
        _ => "",
    };
    if !problem.is_empty() {
        return show(accounts, &res, SIGN_UP, &given.name, problem);
    }
    let (accounts, hashing, password) = (accounts.clone(), accounts.hashing.clone(), given.password.clone());
    let hashed = move |res, hash: password_hash::Result<String>| {
        let (name, hash, database) = (given.name.clone(), hash?, accounts.database.clone());
        let added = move |res, added: Option<Account>| match added {
            Some(account) => enter(&req, res, &account),
            None => show(&accounts, &res, SIGN_UP, &given.name, "Somebody has this name already."),
        };
        Ok(database.change(move |db| add(db, &name, &hash), |result| answer(res, result, added)))
    };
    let work = move || hash(&hashing, &password);
    Ok(worker::run(work, |result| answer(res, result.map_err(Error::from), hashed)))
}

/// The session gets a new id: nobody can have given the visitor one that he knows.
fn enter(req: &Request, res: Response, account: &Account) -> Result {
    let session = req.session()?;
    session.renew()?;
    session.insert("account", account.id)?;
    session.insert("name", &account.name)?;
    Ok(res.redirect("/todos"))
}

fn log_out(req: Request, res: Response) -> Result {
    req.session()?.destroy();
    Ok(res.redirect("/login"))
}

/// The account of this name, and the hash of its password. That of everybody has none.
fn find(db: &Connection, name: &str) -> rusqlite::Result<Option<(Account, String)>> {
    db.prepare_cached("SELECT id, name, password FROM accounts WHERE name = ? AND password <> ''")?
        .query_row(params![name], |row| Ok((Account { id: row.get(0)?, name: row.get(1)? }, row.get(2)?)))
        .optional()
}

/// `None`: somebody has this name.
fn add(db: &Connection, name: &str, hash: &str) -> rusqlite::Result<Option<Account>> {
    let insert = "INSERT INTO accounts (name, password) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id, name";
    db.prepare_cached(insert)?
        .query_row(params![name, hash], |row| Ok(Account { id: row.get(0)?, name: row.get(1)? }))
        .optional()
}

fn hash(hashing: &Argon2, password: &str) -> password_hash::Result<String> {
    hashing.hash_password(password.as_bytes()).map(|hash| hash.to_string())
}

fn is_right(hashing: &Argon2, password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| hashing.verify_password(password.as_bytes(), &hash).is_ok())
}
