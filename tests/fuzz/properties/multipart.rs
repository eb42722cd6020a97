//! Forms with files: any split gives the same parts as the whole, in the limits, and no content has a delimiter in it.
//!
//! The input: a byte for the limits, a byte for the cuts, a form whose boundary is `b`.

use super::choices::{Choices, cuts};
use oneloop::proto::multipart::{Multipart, MultipartEvent, MultipartFault, MultipartLimits, Part};

pub fn holds(bytes: &[u8]) {
    let (mut choices, form) = Choices::split(bytes, 2);
    let limits = limits(choices.byte());
    let ends = cuts(choices.byte(), form.len());
    let whole = read(form, [], limits);
    assert_eq!(read(form, ends.iter().copied(), limits), whole, "in pieces that end at {ends:?}");
    assert_eq!(read(form, 0..form.len(), limits), whole, "a byte at a time");
    let Ok(parts) = whole else { return };
    let files = parts.iter().filter(|(part, _)| part.file_name.as_deref().is_some_and(|name| !name.is_empty()));
    assert!(parts.len() <= limits.parts && files.count() <= limits.files);
    for (part, content) in &parts {
        let most = if part.file_name.is_some() { limits.file } else { limits.field };
        assert!(content.len() as u64 <= most && part.name.len() <= limits.name);
        let behind_a_line_end = [b"\r\n", &content[..]].concat();
        assert!(!behind_a_line_end.windows(5).any(|window| window == b"\r\n--b"), "a delimiter is content");
        assert!(!part.name.contains(['\r', '\n', '\0']));
    }
}

fn limits(choice: u8) -> MultipartLimits {
    let few = usize::from(choice >> 1);
    match choice & 1 {
        0 => MultipartLimits::default(),
        _ => MultipartLimits {
            parts: few / 8,
            files: few / 16,
            file: few as u64,
            field: few as u64 / 2,
            head: few,
            head_fields: few / 32,
            name: few / 16,
            file_name: few / 8,
        },
    }
}

type Parts = Vec<(Part, Vec<u8>)>;

/// Feeds pieces that end at `ends`, each byte once.
fn read(form: &[u8], ends: impl IntoIterator<Item = usize>, limits: MultipartLimits) -> Result<Parts, MultipartFault> {
    let mut reader = Multipart::new("b", limits)?;
    let (mut parts, mut at, mut open) = (Parts::new(), 0, false);
    for end in ends.into_iter().chain([form.len()]) {
        loop {
            let piece = &form[at..end.max(at)];
            let step = reader.decode(piece)?;
            at += step.consumed;
            assert!(step.consumed <= piece.len());
            match step.event {
                MultipartEvent::NeedMore => {
                    assert_eq!(step.consumed, piece.len());
                    break;
                }
                MultipartEvent::Part(part) => {
                    assert!(!open);
                    open = true;
                    parts.push((part, Vec::new()));
                }
                MultipartEvent::Data(bytes) => {
                    assert!(open && !bytes.is_empty());
                    parts.last_mut().expect("a part is open").1.extend_from_slice(bytes);
                }
                MultipartEvent::PartEnd => assert!(std::mem::take(&mut open)),
                MultipartEvent::End => assert!(!open && reader.is_done()),
            }
        }
    }
    reader.end_of_input()?;
    Ok(parts)
}
