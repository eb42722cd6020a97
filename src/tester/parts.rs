//! Forms with files, as browsers send them (`multipart/form-data`).

use crate::http::file_types;
use crate::sim::ClientRequest;

/// The beginning of the boundary. It gets longer if a part has it in its content.
const BOUNDARY: &str = "----oneloop";

/// The parts of a form.
#[derive(Default)]
pub(super) struct Parts(Vec<Part>);

struct Part {
    name: String,
    file_name: Option<String>,
    content: Vec<u8>,
}

impl Parts {
    pub fn add(&mut self, name: &str, file_name: Option<&str>, content: &[u8]) {
        self.0.push(Part { name: escaped(name), file_name: file_name.map(escaped), content: content.to_vec() });
    }

    /// Puts the parts into a request, as its body. Without parts the request stays as it is.
    pub fn put_into<'a>(&mut self, request: ClientRequest<'a>) -> ClientRequest<'a> {
        let parts = std::mem::take(&mut self.0);
        if parts.is_empty() {
            return request;
        }
        let mut boundary = BOUNDARY.to_owned();
        let is_in = |boundary: &str, part: &Part| {
            part.content.windows(boundary.len()).any(|window| window == boundary.as_bytes())
        };
        while parts.iter().any(|part| is_in(&boundary, part)) {
            boundary.push('-');
        }
        let mut body = Vec::new();
        for Part { name, file_name, content } in parts {
            let mut head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"");
            if let Some(file_name) = file_name {
                let media_type = file_types::of(file_name.as_ref());
                head += &format!("; filename=\"{file_name}\"\r\nContent-Type: {media_type}");
            }
            body.extend([head.as_bytes(), b"\r\n\r\n", &content, b"\r\n"].concat());
        }
        body.extend(format!("--{boundary}--\r\n").as_bytes());
        request.header("Content-Type", format!("multipart/form-data; boundary={boundary}")).body(body)
    }
}

/// A name in the head of a part (HTML, "multipart/form-data encoding algorithm").
fn escaped(name: &str) -> String {
    name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22")
}
