//! Values that the program keeps with a request: a middleware puts them there, and a handler uses them.

use crate::app::journey::Journey;
use crate::callback::discard;
use crate::http::{Error, Request, Result};
use std::any::{TypeId, type_name};
use std::rc::Rc;

impl Request {
    /// Keeps a value with this request, for the steps behind and for the listeners of its end: Express's `res.locals`, and
    /// `req.user = …`. There is one value of each type; a second one takes the place of the first. It is dropped when the exchange
    /// is over, after the listeners of [`on_close`](Request::on_close) and
    /// [`on_exchange_end`](crate::http::Server::on_exchange_end). (If the exchange is over already, it is not kept.)
    ///
    /// ```
    /// use oneloop::app::App;
    /// use oneloop::http::Error;
    ///
    /// struct User { name: String }
    ///
    /// let mut app = App::new();
    /// app.with(|req, _res, next| {
    ///     let name = req.header("X-User").ok_or(Error::new(401, "who are you?"))?.to_owned();
    ///     req.put(User { name });
    ///     next.run();
    ///     Ok(())
    /// });
    /// app.get("/", |req, res| {
    ///     res.end(format!("Hello {}\n", req.need::<User>()?.name));
    ///     Ok(())
    /// });
    /// # let sim = oneloop::sim::Sim::new();
    /// # app.listen(80, ())?;
    /// # assert_eq!(sim.request("GET", "/").header("X-User", "Ada").send().text(), "Hello Ada\n");
    /// # assert_eq!(sim.request("GET", "/").send().status(), 401);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn put<T: 'static>(&self, value: T) -> Rc<T> {
        let value = Rc::new(value);
        if !self.0.is_over() {
            let old = Journey::of(&self.0).put(TypeId::of::<T>(), value.clone());
            discard(old);
        }
        value
    }

    /// The value of this type that was [put](Request::put) into this request.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     req.put(42_u32);
    ///     assert_eq!(req.find::<u32>().as_deref(), Some(&42));
    ///     assert_eq!(req.find::<String>(), None);
    ///     res.end("found\n");
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().text(), "found\n");
    /// ```
    pub fn find<T: 'static>(&self) -> Option<Rc<T>> {
        Journey::find(&self.0)?.find_value(TypeId::of::<T>())?.downcast().ok()
    }

    /// The value of this type that was [put](Request::put) into this request. If there is none, the error is a 500, whose log names the
    /// type: a middleware is missing.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|req, res| {
    ///     req.put("a plant");
    ///     res.end(*req.need::<&str>()?);
    ///     Ok(())
    /// });
    /// # server.listen(80, ()).unwrap();
    /// # assert_eq!(sim.request("GET", "/").send().text(), "a plant");
    /// ```
    pub fn need<T: 'static>(&self) -> Result<Rc<T>> {
        let missing =
            || Error::from(format!("nobody has put a value of the type `{}` into this request", type_name::<T>()));
        self.find().ok_or_else(missing)
    }
}
