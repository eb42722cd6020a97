use std::fmt;

/// The reason why a form is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MultipartFault {
    /// The boundary does not have 1 to 70 characters of those that are allowed.
    Boundary,
    /// Something else than a line end follows a delimiter.
    Delimiter,
    /// A line of a part's head is no field.
    Head,
    /// A part has no `Content-Disposition: form-data` with one name, or has two of them.
    Disposition,
    /// The name of a part or of a file is not UTF-8, or is coded wrongly.
    Name,
    /// A part has content and a file name that is empty.
    NamelessFile,
    /// The content of a part is coded, in base64 for instance (RFC 7578, 4.7 deprecates that).
    TransferEncoding,
    /// The last delimiter is missing.
    Truncated,
    /// There are more parts than are allowed.
    TooManyParts,
    /// There are more files than are allowed.
    TooManyFiles,
    /// A file has more bytes than are allowed.
    FileTooLarge,
    /// A field has more bytes than are allowed.
    FieldTooLarge,
    /// A part's head has more bytes or more lines than are allowed.
    HeadTooLarge,
    /// The name of a part has more bytes than are allowed.
    NameTooLong,
    /// The name of a file has more bytes than are allowed.
    FileNameTooLong,
}

impl MultipartFault {
    /// The status of the answer: 413 if there is too much of something, else 400.
    pub fn status(self) -> u16 {
        use MultipartFault::*;
        match self {
            Boundary | Delimiter | Head | Disposition | Name | NamelessFile | TransferEncoding | Truncated => 400,
            TooManyParts | TooManyFiles | FileTooLarge | FieldTooLarge | HeadTooLarge | NameTooLong
            | FileNameTooLong => 413,
        }
    }
}

impl fmt::Display for MultipartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MultipartFault::Boundary => "the boundary must have 1 to 70 characters that RFC 2046 allows",
            MultipartFault::Delimiter => "something follows a delimiter on its line",
            MultipartFault::Head => "a line in the head of a part is no field",
            MultipartFault::Disposition => "a part must have one Content-Disposition, form-data, with one name",
            MultipartFault::Name => "a name is not UTF-8 or is coded wrongly",
            MultipartFault::NamelessFile => "a file has no name",
            MultipartFault::TransferEncoding => "the content of a part must not be coded",
            MultipartFault::Truncated => "the last delimiter is missing",
            MultipartFault::TooManyParts => "there are too many parts",
            MultipartFault::TooManyFiles => "there are too many files",
            MultipartFault::FileTooLarge => "a file is too large",
            MultipartFault::FieldTooLarge => "a field is too large",
            MultipartFault::HeadTooLarge => "the head of a part is too large",
            MultipartFault::NameTooLong => "the name of a part is too long",
            MultipartFault::FileNameTooLong => "the name of a file is too long",
        })
    }
}

impl std::error::Error for MultipartFault {}
