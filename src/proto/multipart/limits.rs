//! The limits of a form.

/// How much a form may have. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultipartLimits {
    /// Parts: fields and files together.
    pub parts: usize,
    /// Parts that are files.
    pub files: usize,
    /// The content of one file.
    pub file: u64,
    /// The content of one field, which is a part that is no file.
    pub field: u64,
    /// The head of one part.
    pub head: usize,
    /// The lines of the head of one part.
    pub head_fields: usize,
    /// The name of one part.
    pub name: usize,
    /// The name of one file.
    pub file_name: usize,
}

impl Default for MultipartLimits {
    fn default() -> Self {
        MultipartLimits {
            parts: 100,
            files: 10,
            file: 16 * 1024 * 1024,
            field: 64 * 1024,
            head: 8 * 1024,
            head_fields: 16,
            name: 100,
            file_name: 255,
        }
    }
}
