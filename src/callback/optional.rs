/// The callback parameter of `listen` and `close`: a closure, or `()` for no callback. The closure is called once, after `listen`
/// or `close` has returned.
///
/// ```
/// let server = oneloop::net::create_server(|socket| socket.end("hello"));
/// server.listen(("127.0.0.1", 0), ())?; // without a callback
/// server.close(|| println!("closed")); // with one
/// oneloop::run()
/// # ?; std::io::Result::Ok(())
/// ```
pub trait OptionalCallback {
    #[doc(hidden)]
    fn boxed(self) -> Box<dyn FnOnce()>;
}

impl<F: FnOnce() + 'static> OptionalCallback for F {
    fn boxed(self) -> Box<dyn FnOnce()> {
        Box::new(self)
    }
}

impl OptionalCallback for () {
    fn boxed(self) -> Box<dyn FnOnce()> {
        Box::new(|| ())
    }
}
