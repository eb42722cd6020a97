use crate::sim::Reply;
use serde::de::DeserializeOwned;

impl Reply {
    /// Returns the body, read as JSON (feature `json`).
    ///
    /// # Panics
    /// If it is not the JSON of a `T`. The message has the whole answer, and what was logged meanwhile.
    ///
    /// ```
    /// # use oneloop::{app::App, tester::Tester};
    /// let test = Tester::new(|| {
    ///     let mut app = App::new();
    ///     app.get("/", |_req, res| res.json(&["ivy", "fern"]));
    ///     app
    /// });
    /// let plants: Vec<String> = test.get("/").send().expect(200).json();
    /// assert_eq!(plants, ["ivy", "fern"]);
    /// ```
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(self.body()) {
            Ok(value) => value,
            Err(error) => panic!("oneloop: not the JSON that was expected: {error}:\n{self:?}"),
        }
    }
}
