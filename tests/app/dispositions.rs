//! The names of files in forms, beside the cases of content-disposition 3 (jshttp), `parse`, each once, with `form-data` as its type. What is left
//! out: its types, which are not those of a form, and its options.

use oneloop::proto::multipart::MultipartFault::{self, Disposition, Name};
use oneloop::proto::multipart::{Multipart, MultipartEvent, MultipartLimits};

/// What stands behind the name of a part, and the name of its file in both.
const SAME: &[(&str, Option<&str>)] = &[
    ("; filename=\"a.pdf\";", Some("a.pdf")),
    ("; FileName=\"a.pdf\"", Some("a.pdf")),
    ("; filename=a.pdf", Some("a.pdf")),
    ("; filename=\"a.pdf\" \t;  \t x=y", Some("a.pdf")),
    ("; x=\"y\"; filename=\"a.pdf\"", Some("a.pdf")),
    ("; x=\"\\\"\\\\\";filename=\"a.pdf\"", Some("a.pdf")),
    ("; filename=a ;", Some("a")),
    ("; filename=\"0000000000111111111122222222222233333\"", Some("0000000000111111111122222222222233333")),
    ("; filename=\"a \\\"b\\\".pdf\"", Some("a \"b\".pdf")),
    ("; filename=\"a;b.c\"", Some("a;b.c")),
    ("; filename='a.b'", Some("'a.b'")),
    ("; filename=\"£ €.pdf\"", Some("£ €.pdf")),
    ("; filename=\"Ã¤.pdf\"", Some("Ã¤.pdf")),
    ("; filename=\"a%41.pdf\"", Some("a%41.pdf")),
    ("; filename=\"50%.pdf\"", Some("50%.pdf")),
    ("; filename=\"ä-%41\"", Some("ä-%41")),
    ("; filename=\"%c3%a4-%e2%82%ac\"", Some("%c3%a4-%e2%82%ac")),
    ("; xfilename=a", None),
    ("; filename=\"/a\"", Some("/a")),
    ("; filename=\"\\\\a\"", Some("\\a")),
    ("; x=\"filename=a.txt\"", None),
    ("; creation-date=\"Wed, 12 Feb 1997 16:29:51 -0500\"", None),
    ("; filename=\"=?ISO-8859-1?Q?a=E4?=\"", Some("=?ISO-8859-1?Q?a=E4?=")),
    ("; filename*0=\"a.\"; filename*1=\"b\"", None),
    ("; filename*0=\"a\"; filename*01=\"b\"", None),
    ("; filename*0*=UTF-8''%c3%a4; filename*1=\"b\"", None),
    ("; filename*1=\"b\"; filename*0=\"a\"", None),
    ("; filename*=UTF-8''%E2%82%AC%20a", Some("€ a")),
    ("; filename*=utf-8''%e2%82%ac", Some("€")),
    ("; filename*=UTF-8'en'%E2%82%AC", Some("€")),
    ("; filename*=UTF-8''a%cc%88", Some("a\u{308}")),
    ("; filename*=UTF-8''A-%2541", Some("A-%41")),
    ("; filename*=UTF-8''%5ca", Some("\\a")),
    ("; filename=\"a %22b%22\"", Some("a \"b\"")),
    ("; filename=\"a%2\"", Some("a%2")),
];

type Row = (&'static str, Option<&'static str>, Result<Option<&'static str>, MultipartFault>);

/// Why, then what stands behind the name, the name of the file there, and here.
const DIFFERS: &[(&str, &[Row])] = &[
    (
        "browsers write a backslash as it is: one that escapes neither a quote nor a backslash stays",
        &[
            ("; filename=\"f\\oo\"", Some("foo"), Ok(Some("f\\oo"))),
            ("; filename=\"a%\\41\"", Some("a%41"), Ok(Some("a%\\41"))),
        ],
    ),
    (
        "a name has no line ends, so their codes stay",
        &[
            ("; filename=\"a%0ab%0d\"", Some("a\nb\r"), Ok(Some("a%0ab%0d"))),
            ("; filename=\"a%0Ab%0D\"", Some("a\nb\r"), Ok(Some("a%0Ab%0D"))),
        ],
    ),
    (
        "RFC 7578, 4.2: a form has no `filename*`; where both are there, `filename` counts",
        &[
            ("; filename=\"E a\"; filename*=UTF-8''%E2%82%AC", Some("€"), Ok(Some("E a"))),
            ("; filename*=UTF-8''%E2%82%AC; filename=\"E a\"", Some("€"), Ok(Some("E a"))),
        ],
    ),
    ("its quotes change nothing", &[("; filename*=\"UTF-8''%E2%82%AC\"", None, Ok(Some("€")))]),
    (
        "`filename*` is UTF-8 (RFC 8187, 3.2.1), said as `UTF-8`, and whole; else the name is not guessed",
        &[
            ("; filename*=utf8''%E2%82%AC", Some("€"), Err(Name)),
            ("; filename*=\"a%20b\"", None, Err(Name)),
            ("; filename*=UTF-8''%E4%20a", None, Err(Name)),
            ("; filename*=ISO-8859-1''%A3", Some("£"), Err(Name)),
            ("; filename*=ISO-8859-1''%82", Some("\u{82}"), Err(Name)),
            ("; filename*=ISO-8859-1''ABC", Some("ABC"), Err(Name)),
            ("; filename*=ISO-8859-1''%A3%2r", None, Err(Name)),
            ("; filename*=ISO-8859-2''%A4", None, Err(Name)),
            ("; filename*=''%c3%a4", None, Err(Name)),
            ("; filename*=UTF-8'%c3%a4", None, Err(Name)),
            ("; filename*=UTF-8''a%", None, Err(Name)),
            ("; filename*=UTF-8''f%oo", None, Err(Name)),
            ("; filename=\"a\"; filename*=ISO-8859-1''b%2", Some("a"), Err(Name)),
            ("; filename=\"a\"; filename*=ISO-8859-2''%A4", Some("a"), Err(Name)),
            ("; filename*0*=ISO-8859-15''%a4; filename*=ISO-8859-1''%a4", Some("¤"), Err(Name)),
        ],
    ),
    (
        "who of two readers takes which?",
        &[
            ("; filename*=UTF-8''a; filename*=UTF-8''b", Some("a"), Err(Disposition)),
            ("; filename*=UTF-8''%E4; filename*=UTF-8''b", None, Err(Disposition)),
            ("; filename=a; filename=b", Some("a"), Err(Disposition)),
            ("; filename=\"a\"; filename=\"b\"", Some("a"), Err(Disposition)),
        ],
    ),
    (
        "RFC 9110, 5.6.6 has no such parameter. Recovery differs from reader to reader, so that two of them see two names",
        &[
            ("; ;filename=a", Some("a"), Err(Disposition)),
            ("; filename@=\"a\"", None, Err(Disposition)),
            ("; filename=", Some(""), Err(Disposition)),
            ("; filename=a,b", Some("a,b"), Err(Disposition)),
            ("; filename=a/; x=y", Some("a/"), Err(Disposition)),
            ("; filename=a b", Some("a b"), Err(Disposition)),
            ("; filename=a[1](2)", Some("a[1](2)"), Err(Disposition)),
            ("; filename=ä", Some("ä"), Err(Disposition)),
            ("; filename=Ã¤", Some("Ã¤"), Err(Disposition)),
            ("; filename =\"a\"", Some("a"), Err(Disposition)),
            ("; filename *=UTF-8''%c3%a4", None, Err(Disposition)),
            ("; filename*= UTF-8''%c3%a4", Some("ä"), Err(Disposition)),
            ("; filename* =UTF-8''%c3%a4", Some("ä"), Err(Disposition)),
            ("; x; filename=a", Some("a"), Err(Disposition)),
            ("; filename=\"a\".txt", Some("a"), Err(Disposition)),
            ("; filename=\"a", None, Err(Disposition)),
            ("; filename=a\"b;c\"d", Some("a\"b"), Err(Disposition)),
            ("; filename=a, x; filename=b", Some("a, x"), Err(Disposition)),
            ("; x=y filename=a", None, Err(Disposition)),
            ("; filename=a x=y", Some("a x=y"), Err(Disposition)),
            ("; filename==?ISO-8859-1?Q?a?=", Some("=?ISO-8859-1?Q?a?="), Err(Disposition)),
        ],
    ),
];

fn file_name(behind: &str) -> Result<Option<String>, MultipartFault> {
    let form = format!("--b\r\nContent-Disposition: form-data; name=a{behind}\r\n\r\n\r\n--b--");
    match Multipart::new("b", MultipartLimits::default())?.decode(form.as_bytes())?.event {
        MultipartEvent::Part(part) => Ok(part.file_name),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_file_of_a_form_has_the_name_that_its_sender_meant_or_is_refused() {
    for (behind, expected) in SAME {
        assert_eq!(file_name(behind).as_ref().map(|name| name.as_deref()), Ok(*expected), "{behind}");
    }
    for (why, rows) in DIFFERS {
        for (behind, theirs, ours) in *rows {
            let found = file_name(behind);
            assert_eq!(found.as_ref().map(|name| name.as_deref()), ours.as_ref().map(|name| *name), "{behind}");
            assert_ne!(found.as_ref().map(|name| name.as_deref()), Ok(*theirs), "then it is no deviation: {why}");
        }
    }
}
