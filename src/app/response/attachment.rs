//! Files for the client to keep.

use super::super::disposition;
use crate::http::Response;
use std::path::Path;

impl Response {
    /// Says that the body is a file to be kept, with this name (`Content-Disposition: attachment`, RFC 6266). Sets `Content-Type` by
    /// the extension of the name, unless it is set. The name may be any text: it is written so that every client reads it; folders
    /// before it and control characters are dropped. If it is empty, the client chooses a name.
    ///
    /// ```
    /// # let sim = oneloop::sim::Sim::new();
    /// let server = oneloop::http::create_server(|_req, res| res.attachment("naïve plan.csv").end("what;when\n"));
    /// # server.listen(80, ()).unwrap();
    /// let reply = sim.request("GET", "/plan").send();
    /// let expected = "attachment; filename=\"na?ve plan.csv\"; filename*=UTF-8''na%C3%AFve%20plan.csv";
    /// assert_eq!(reply.header("Content-Disposition"), Some(expected));
    /// assert_eq!(reply.header("Content-Type"), Some("text/csv; charset=utf-8"));
    /// ```
    pub fn attachment(&self, name: &str) -> &Self {
        let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
        if let Some(extension) = extension.filter(|_| !self.has_header("Content-Type")) {
            self.content_type(extension);
        }
        self.set_header("Content-Disposition", disposition::attachment(name))
    }

    /// Sends a file that the client keeps under this name: [`attachment`](Response::attachment) and
    /// [`send_file`](Response::send_file).
    ///
    /// ```
    /// let server = oneloop::http::create_server(|_req, res| res.download("data/report-2026.pdf", "report.pdf"));
    /// ```
    pub fn download(&self, path: impl AsRef<Path>, name: &str) {
        self.attachment(name).send_file(path);
    }
}
