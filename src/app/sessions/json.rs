//! Values of a session as JSON (feature `json`).

use super::session::Session;

impl Session {
    /// Puts a value into the session as JSON: see [`insert`](Session::insert).
    ///
    /// # Errors
    /// Those of `insert`, and if the value cannot be written as JSON.
    ///
    /// ```
    /// # use oneloop::app::App;
    /// # let mut app = App::new();
    /// app.post("/cart/:plant", |req, res| {
    ///     let session = req.session()?;
    ///     let mut plants: Vec<String> = session.read_json("cart").unwrap_or_default();
    ///     plants.push(req.param_as("plant")?);
    ///     session.insert_json("cart", &plants)?;
    ///     res.redirect("/cart");
    ///     Ok(())
    /// });
    /// ```
    pub fn insert_json<T: serde::Serialize + ?Sized>(&self, name: &str, value: &T) -> crate::http::Result {
        Ok(self.insert(name, serde_json::to_string(value)?)?)
    }

    /// The value with this name, which was put there as JSON. `None` if there is none, or if it is no `T`.
    ///
    /// ```
    /// # use oneloop::app::App;
    /// # let mut app = App::new();
    /// app.get("/cart", |req, res| {
    ///     let plants: Vec<String> = req.session()?.read_json("cart").unwrap_or_default();
    ///     res.end(plants.join("\n"));
    ///     Ok(())
    /// });
    /// ```
    pub fn read_json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(&self.text(name)?).ok()
    }
}
