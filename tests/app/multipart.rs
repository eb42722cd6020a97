//! Forms with files, as bytes: the parts are the same wherever the bytes are split, and what two readers might take for different
//! parts is refused.

use oneloop::proto::multipart::{Multipart, MultipartEvent, MultipartFault, MultipartLimits};
use proptest::prelude::*;

/// A part: its name, the name of its file, its media type, its content.
type Part = (String, Option<String>, Option<String>, Vec<u8>);

/// Reads a form whose boundary is `b`, in pieces that end at these places.
fn read_pieces(form: &[u8], ends: &[usize], limits: MultipartLimits) -> Result<Vec<Part>, MultipartFault> {
    let mut reader = Multipart::new("b", limits).unwrap();
    let mut parts: Vec<Part> = Vec::new();
    let (mut open, mut ended, mut from) = (false, false, 0);
    for &end in ends.iter().chain([&form.len()]) {
        let mut piece = &form[from..end];
        from = end;
        loop {
            let step = reader.decode(piece)?;
            match step.event {
                MultipartEvent::NeedMore => {
                    assert_eq!(step.consumed, piece.len());
                    break;
                }
                MultipartEvent::Part(part) => {
                    assert!(!open && !ended);
                    open = true;
                    parts.push((part.name, part.file_name, part.media_type, Vec::new()));
                }
                MultipartEvent::Data(bytes) => {
                    assert!(open && !bytes.is_empty());
                    parts.last_mut().unwrap().3.extend_from_slice(bytes);
                }
                MultipartEvent::PartEnd => {
                    assert!(open);
                    open = false;
                }
                MultipartEvent::End => {
                    assert!(!open && !ended);
                    ended = true;
                }
            }
            piece = &piece[step.consumed..];
        }
    }
    assert_eq!(reader.is_done(), ended);
    reader.end_of_input().map(|()| parts)
}

fn limited(form: impl AsRef<[u8]>, limits: MultipartLimits) -> Result<Vec<Part>, MultipartFault> {
    let form = form.as_ref();
    let whole = read_pieces(form, &[], limits);
    let each: Vec<_> = (0..form.len()).collect();
    assert_eq!(read_pieces(form, &each, limits), whole, "a byte at a time: {}", form.escape_ascii());
    if form.len() < 2_000 {
        for at in 0..=form.len() {
            assert_eq!(read_pieces(form, &[at], limits), whole, "split at {at}: {}", form.escape_ascii());
        }
    }
    whole
}

/// Reads a form whole, a byte at a time, and split in two at every place.
fn read(form: impl AsRef<[u8]>) -> Result<Vec<Part>, MultipartFault> {
    limited(form, MultipartLimits::default())
}

fn field(name: &str, content: &str) -> Part {
    (name.to_owned(), None, None, content.as_bytes().to_vec())
}

fn file(name: &str, file_name: &str, media_type: &str, content: &str) -> Part {
    (name.to_owned(), Some(file_name.to_owned()), Some(media_type.to_owned()), content.as_bytes().to_vec())
}

/// A form of one part, whose Content-Disposition is this one.
fn disposed(disposition: &str) -> String {
    format!("--b\r\nContent-Disposition: {disposition}\r\n\r\nx\r\n--b--\r\n")
}

/// A form of one part, whose head has these lines behind its Content-Disposition.
fn headed(lines: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n{lines}\r\nx\r\n--b--\r\n")
}

#[test]
fn a_form_has_its_fields_and_files_in_order() {
    let form = [
        "--b",
        "Content-Disposition: form-data; name=\"file_name_0\"",
        "",
        "super alpha file",
        "--b",
        "Content-Disposition: form-data; name=\"upload_file_0\"; filename=\"1k_a.dat\"",
        "Content-Type: application/octet-stream",
        "",
        "AAAA",
        "--b",
        "content-type:text/plain; charset=utf-8",
        "CONTENT-DISPOSITION:form-data;name=file_name_0;x=y",
        "X-Other: whatever",
        "",
        "line one\r\nline two\r\n--",
        "--b--",
        "",
    ];
    let with_type =
        ("file_name_0".into(), None, Some("text/plain; charset=utf-8".into()), b"line one\r\nline two\r\n--".into());
    assert_eq!(
        read(form.join("\r\n")).unwrap(),
        [
            field("file_name_0", "super alpha file"),
            file("upload_file_0", "1k_a.dat", "application/octet-stream", "AAAA"),
            with_type,
        ]
    );
}

/// Cases of the suites of busboy, @fastify/busboy and dicer, and what becomes of them here. Where they mend something, or give what
/// has come so far, we refuse: a form that ends early, a part without a name, and a disposition that is not `form-data`.
#[test]
fn frames_are_read_as_the_rfcs_say() {
    use MultipartFault::*;
    let a = "Content-Disposition: form-data; name=\"a\"\r\n";
    let cases: &[(&str, String, Result<Vec<Part>, MultipartFault>)] = &[
        ("no bytes at all", String::new(), Err(Truncated)),
        ("an empty form", "--b--".into(), Ok(vec![])),
        ("an empty form with a line end", "--b--\r\n".into(), Ok(vec![])),
        ("a line end before the first delimiter", format!("\r\n--b\r\n{a}\r\nx\r\n--b--"), Ok(vec![field("a", "x")])),
        ("a preamble", format!("for old readers\r\n--bug\n--b\r\r\n--b\r\n{a}\r\nx\r\n--b--"), Err(Delimiter)),
        (
            "a preamble with dashes",
            format!("ignore\r\n-\r\n--\r\n\r\n--b\r\n{a}\r\nx\r\n--b--"),
            Ok(vec![field("a", "x")]),
        ),
        (
            "an epilogue",
            format!("--b\r\n{a}\r\nx\r\n--b--\r\nignore\r\n--b\r\nthis\r\n--b--"),
            Ok(vec![field("a", "x")]),
        ),
        ("an epilogue on the same line", format!("--b\r\n{a}\r\nx\r\n--b-- \t ignored"), Ok(vec![field("a", "x")])),
        ("padding behind a delimiter", format!("--b \t\r\n{a}\r\nx\r\n--b--"), Ok(vec![field("a", "x")])),
        ("empty content", format!("--b\r\n{a}\r\n\r\n--b--"), Ok(vec![field("a", "")])),
        ("no content, and no line end for it", format!("--b\r\n{a}\r\n--b--"), Ok(vec![field("a", "")])),
        ("content that is a line end", format!("--b\r\n{a}\r\n\r\n\r\n--b--"), Ok(vec![field("a", "\r\n")])),
        ("content that begins as a delimiter", format!("--b\r\n{a}\r\n--x\r\n--b--"), Ok(vec![field("a", "--x")])),
        (
            "content full of nearly delimiters",
            format!("--b\r\n{a}\r\n\r\r\n-\r\n--\r\n--c--b\n--b\r\n\r\n--b--"),
            Ok(vec![field("a", "\r\r\n-\r\n--\r\n--c--b\n--b\r\n")]),
        ),
        (
            "many line ends before the delimiter",
            format!("--b\r\n{a}\r\nx\r\r\r\n\r\n--b--"),
            Ok(vec![field("a", "x\r\r\r\n")]),
        ),
        ("content that is JSON", format!("--b\r\n{a}\r\n{{}}\r\n--b--"), Ok(vec![field("a", "{}")])),
        ("a boundary that goes on", format!("--b\r\n{a}\r\nx\r\n--bb\r\n\r\n--b--"), Err(Delimiter)),
        ("a delimiter with one dash", format!("--b\r\n{a}\r\nx\r\n--b-\r\n"), Err(Delimiter)),
        ("a delimiter with a bare line feed", format!("--b\n{a}\r\nx\r\n--b--"), Err(Delimiter)),
        ("a delimiter with a bare carriage return", format!("--b\r{a}\r\nx\r\n--b--"), Err(Delimiter)),
        ("text behind padding", format!("--b x\r\n{a}\r\nx\r\n--b--"), Err(Delimiter)),
        ("dashes behind padding", format!("--b --\r\n{a}\r\nx\r\n--b--"), Err(Delimiter)),
        (
            "bare line feeds everywhere",
            "--b\nContent-Disposition: form-data; name=\"a\"\n\nx\n--b--\n".into(),
            Err(Delimiter),
        ),
        ("cut off in the preamble", "--".into(), Err(Truncated)),
        ("cut off in a head", format!("--b\r\n{a}"), Err(Truncated)),
        ("cut off in content", format!("--b\r\n{a}\r\nx"), Err(Truncated)),
        ("cut off in a delimiter", format!("--b\r\n{a}\r\nx\r\n--"), Err(Truncated)),
        ("cut off behind a delimiter", format!("--b\r\n{a}\r\nx\r\n--b"), Err(Truncated)),
        ("cut off before the last dash", format!("--b\r\n{a}\r\nx\r\n--b-"), Err(Truncated)),
        (
            "stopped in the middle of a head",
            "--b\r\n:)Content-Type: text/plain\r\n:)\r\n:)x\r\n:)--b--".into(),
            Err(Head),
        ),
        ("a part without a head", "--b\r\n\r\nx\r\n--b--".into(), Err(Disposition)),
        ("a part with a type only", "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--".into(), Err(Disposition)),
        ("a delimiter right behind a delimiter", "--b\r\n--b--".into(), Err(Truncated)),
        (
            "nested parts are content",
            format!("--b\r\n{a}Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--"),
            Ok(vec![("a".into(), None, Some("multipart/mixed; boundary=c".into()), b"--c\r\n\r\nx\r\n--c--".into())]),
        ),
    ];
    for (what, form, expected) in cases {
        assert_eq!(&read(form), expected, "{what}");
    }
}

/// The names of a part, by its Content-Disposition. Path-like names are not cut: they are data (busboy takes the last part of a
/// path unless told otherwise, and a name that is no path changes).
#[test]
fn a_part_has_one_name_and_at_most_one_file_name() {
    use MultipartFault::{Disposition, Name};
    let name = |name: &str| Ok((name.to_owned(), None));
    let both = |name: &str, file: &str| Ok((name.to_owned(), Some(file.to_owned())));
    for (disposition, expected) in [
        ("form-data; name=\"a\"", name("a")),
        ("form-data; name=a", name("a")),
        ("FORM-DATA ;\tNAME=\"a\" ; ", name("a")),
        ("form-data; x=1; name=\"a\"; y=\"2;name=b\"", name("a")),
        ("form-data; name=\"\"", name("")), // CVE-2025-48997 of multer: a crash
        ("form-data; name=\"__proto__\"", name("__proto__")), // CVE-2026-8161 of multiparty
        ("form-data; name=\"a[b][c]\"", name("a[b][c]")), // CVE-2026-5079 of multer: nesting
        ("form-data; name=\"a;b=c, d\"", name("a;b=c, d")),
        ("form-data; name=\"grün\"", name("grün")),
        (r#"form-data; name="a\"b\\c\d""#, name(r#"a"b\c\d"#)),
        ("form-data; name=\"a%22b%0D%0Ac%\"", name("a\"b%0D%0Ac%")),
        ("form-data; name=\"a\"; filename=\"b.txt\"", both("a", "b.txt")),
        ("form-data; filename=\"b.txt\"; name=\"a\"", both("a", "b.txt")),
        ("form-data; name=\"a\"; filename=b.txt", both("a", "b.txt")),
        ("form-data; name=\"a\"; filename=\"/tmp/1k_a.dat\"", both("a", "/tmp/1k_a.dat")),
        ("form-data; name=\"a\"; filename=\"C:\\files\\1k_b.dat\"", both("a", "C:\\files\\1k_b.dat")),
        ("form-data; name=\"a\"; filename=\"../../etc/passwd\"", both("a", "../../etc/passwd")),
        ("form-data; name=\"a\"; filename=\"a;b \\\"c\\\".txt\"", both("a", "a;b \"c\".txt")),
        ("form-data; name=\"a\"; filename*=utf-8''n%C3%A4me.txt", both("a", "näme.txt")),
        ("form-data; name=\"a\"; filename*=UTF-8'de'n%c3%a4me.txt", both("a", "näme.txt")),
        ("form-data; name=\"a\"; filename=\"b.txt\"; filename*=utf-8''c.txt", both("a", "b.txt")),
        ("form-data", Err(Disposition)),
        ("form-data;", Err(Disposition)),
        ("", Err(Disposition)),
        ("attachment; name=\"a\"", Err(Disposition)),
        ("form-datax; name=\"a\"", Err(Disposition)),
        ("form-data name=\"a\"", Err(Disposition)),
        ("form-data, name=\"a\"", Err(Disposition)),
        ("form-data; filename=\"b\"", Err(Disposition)),
        ("form-data; name=\"a\"; name=\"b\"", Err(Disposition)),
        ("form-data; name=\"a\"; Name=\"a\"", Err(Disposition)),
        ("form-data; name=\"a\"; filename=\"b\"; filename=\"c\"", Err(Disposition)),
        ("form-data; name=\"a\"; filename*=utf-8''b; filename*=utf-8''c", Err(Disposition)),
        ("form-data; name", Err(Disposition)),
        ("form-data; name=", Err(Disposition)),
        ("form-data; =\"a\"", Err(Disposition)),
        ("form-data; name =\"a\"", Err(Disposition)),
        ("form-data; name= \"a\"", Err(Disposition)),
        ("form-data; name=\"a", Err(Disposition)),
        ("form-data; name=\"a\\\"", Err(Disposition)),
        ("form-data; name=\"a\"b", Err(Disposition)),
        ("form-data; name=grün", Err(Disposition)),
        ("form-data; name=\"a\"; filename*=utf-8''%", Err(Name)), // CVE-2026-8162 of multiparty: uncaught
        ("form-data; name=\"a\"; filename*=utf-8''%4", Err(Name)),
        ("form-data; name=\"a\"; filename*=utf-8''%4x", Err(Name)),
        ("form-data; name=\"a\"; filename*=utf-8''%ff", Err(Name)),
        ("form-data; name=\"a\"; filename*=utf-8''%0d%0a", Err(Name)),
        ("form-data; name=\"a\"; filename*=utf-8''%00", Err(Name)),
        ("form-data; name=\"a\"; filename*=latin1''%e4", Err(Name)),
        ("form-data; name=\"a\"; filename*=b.txt", Err(Name)),
    ] {
        let names = read(disposed(disposition)).map(|parts| {
            assert_eq!((parts.len(), parts[0].3.as_slice()), (1, &b"x"[..]));
            (parts[0].0.clone(), parts[0].1.clone())
        });
        assert_eq!(names, expected, "{disposition}");
    }
    assert_eq!(read(disposed("form-data; name=\"a\"; filename=\"\"")), Err(MultipartFault::NamelessFile));
    let latin1 = [b"--b\r\nContent-Disposition: form-data; name=\"gr\xfcn\"\r\n\r\nx\r\n--b--".as_slice()].concat();
    assert_eq!(read(latin1), Err(Name));
}

#[test]
fn a_head_has_fields_on_lines_of_their_own() {
    use MultipartFault::{Disposition, Head, TransferEncoding};
    for (lines, expected) in [
        ("", Ok(None)),
        ("Content-Type: text/plain\r\n", Ok(Some("text/plain"))),
        ("content-type:\ttext/plain \r\n", Ok(Some("text/plain"))),
        ("Content-Type:\r\n", Ok(None)),
        ("Content-Type: nonsense\r\n", Ok(None)),
        ("Content-Transfer-Encoding: 7bit\r\n", Ok(None)),
        ("Content-Transfer-Encoding: BINARY\r\n", Ok(None)),
        ("Content-Transfer-Encoding: base64\r\n", Err(TransferEncoding)),
        ("Content-Transfer-Encoding: quoted-printable\r\n", Err(TransferEncoding)),
        ("X-Any: \u{80}thing\r\n", Ok(None)),
        (" X: y\r\n", Err(Head)), // CVE-2022-24434 of dicer: a crash
        ("\tX: y\r\n", Err(Head)),
        ("X: y\r\n z\r\n", Err(Head)),
        ("X : y\r\n", Err(Head)),
        ("X\r\n", Err(Head)),
        (": y\r\n", Err(Head)),
        ("X: y\n", Err(Head)),
        ("X: y\rZ: a\r\n", Err(Head)), // busboy cc7da17: bare CR and LF in values
        ("X: y\r\r\n", Err(Head)),
        ("X: \0\r\n", Err(Head)),
        ("Ü: y\r\n", Err(Head)),
        ("Content-Disposition: form-data; name=\"a\"\r\n", Err(Disposition)),
    ] {
        let media_type = read(headed(lines)).map(|parts| parts[0].2.clone());
        assert_eq!(media_type, expected.map(|text| text.map(str::to_owned)), "{lines:?}");
    }
    let before = "--b\r\n\tContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b--";
    assert_eq!(read(before), Err(Head), "the first line begins with a blank");
}

#[test]
fn a_boundary_has_1_to_70_characters_of_those_that_are_allowed() {
    let is_fine = |boundary: &str| Multipart::new(boundary, MultipartLimits::default()).is_ok();
    for fine in ["b", "a b", "'()+_,-./:=?", "----WebKitFormBoundaryTB2MiQ36fnSJlrhY", &"x".repeat(70)] {
        assert!(is_fine(fine), "{fine}");
    }
    // busboy 632a237: 256 and more were an overflow of a table.
    for bad in ["", " ", "b ", "a\"b", "a\\b", "a\r\nb", "ü", "a\tb", "a;b", &"x".repeat(71), &"x".repeat(256)] {
        assert!(!is_fine(bad), "{bad:?}");
    }
}

#[test]
fn everything_that_a_form_can_have_much_of_has_a_limit() {
    use MultipartFault::*;
    let small =
        MultipartLimits { parts: 3, files: 2, file: 5, field: 4, head: 90, head_fields: 2, name: 3, file_name: 6 };
    let part = |name: &str, more: &str, content: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{content}\r\n")
    };
    let file = "; filename=\"f\"";
    let form = |parts: &[String]| parts.concat() + "--b--";
    for (what, parts, fault) in [
        ("three parts", vec![part("a", "", ""); 3], None),
        ("four parts", vec![part("a", "", ""); 4], Some(TooManyParts)),
        ("two files", vec![part("a", file, ""); 2], None),
        ("three files", vec![part("a", file, ""); 3], Some(TooManyFiles)),
        ("files that were not chosen are none", vec![part("a", "; filename=\"\"", ""); 3], None),
        ("a field of 4 bytes", vec![part("a", "", "\r\n\r\n")], None),
        ("a field of 5 bytes", vec![part("a", "", "12345")], Some(FieldTooLarge)),
        ("a file of 5 bytes", vec![part("a", file, "12345"); 2], None),
        ("a file of 6 bytes", vec![part("a", file, "\r\n--\r\n")], Some(FileTooLarge)),
        ("two more lines of a head", vec![part("a", "\r\nB: c", "")], None),
        ("three lines of a head", vec![part("a", "\r\nB: c\r\nD: e", "")], Some(HeadTooLarge)),
        ("a head of 90 bytes", vec![part("a", &format!("\r\nB: {}", "c".repeat(41)), "")], None),
        ("a head of 91 bytes", vec![part("a", &format!("\r\nB: {}", "c".repeat(42)), "")], Some(HeadTooLarge)),
        ("a name of 3 bytes", vec![part("äa", "", "")], None),
        ("a name of 4 bytes", vec![part("ää", "", "")], Some(NameTooLong)),
        ("a file name of 6 bytes", vec![part("a", "; filename=\"123456\"", "")], None),
        ("a file name of 7 bytes", vec![part("a", "; filename=\"1234567\"", "")], Some(FileNameTooLong)),
    ] {
        assert_eq!(limited(form(&parts), small).err(), fault, "{what}");
        assert!(fault.is_none_or(|fault| fault.status() == 413), "{what}");
    }
    // A head that never ends is refused at the limit, and not when it ends.
    let endless = "--b\r\nContent-Disposition: form-data; name=\"".to_owned() + &"x".repeat(8 * 1024);
    assert_eq!(read(endless), Err(HeadTooLarge)); // CVE-2026-8159 of multiparty: seconds for such a file name
}

#[test]
fn the_limits_are_those_that_are_documented() {
    let MultipartLimits { parts, files, file, field, head, head_fields, name, file_name } = MultipartLimits::default();
    assert_eq!((parts, files, file, field), (100, 10, 16 * 1024 * 1024, 64 * 1024));
    assert_eq!((head, head_fields, name, file_name), (8 * 1024, 16, 100, 255));
}

/// Content that is full of what a delimiter begins with.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece =
        prop::sample::select(vec![&b"\r\n--"[..], b"\r\n-", b"\r", b"\n", b"--", b"b", b"\r\n--a", b"\0\xff", b"text"]);
    let pieces = proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat());
    pieces.prop_filter("the boundary must not be in it", |content| {
        let around = [b"\r\n", &content[..], b"\r\n--"].concat();
        !around.windows(5).any(|window| window == b"\r\n--b")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]
    /// Property (e) of the layer `app`.
    #[test]
    fn what_was_written_is_read_in_any_split(
        contents in proptest::collection::vec(content(), 0..4),
        ends in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        before in prop::option::of("[a-z\n]{0,5}"),
    ) {
        let mut form = before.clone().map_or_else(Vec::new, |text| format!("{text}\r\n").into_bytes());
        let mut expected = Vec::new();
        for (number, content) in contents.iter().enumerate() {
            form.extend_from_slice(format!("--b\r\nContent-Disposition: form-data; name=\"{number}\"\r\n\r\n").as_bytes());
            form.extend_from_slice(content);
            form.extend_from_slice(b"\r\n");
            expected.push((number.to_string(), None, None, content.clone()));
        }
        form.extend_from_slice(b"--b--\r\nafter");
        let mut ends: Vec<_> = ends.iter().map(|end| end.index(form.len())).collect();
        ends.sort();
        prop_assert_eq!(read_pieces(&form, &ends, MultipartLimits::default()), Ok(expected));
    }
}
