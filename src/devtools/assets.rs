//! The files of the page, as the program holds them. The page itself is in `page/`: its colours and layout in `page/style.css`, the
//! patterns of the legend in `page/legend.js`.

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The files of the page: path below the prefix, media type, content.
const ASSETS: &[(&str, &str, &str)] = &[
    ("/", HTML, include_str!("page/index.html")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
    ("/style.css", CSS, include_str!("page/style.css")),
    ("/mounted.js", SCRIPT, include_str!("page/mounted.js")),
    ("/main.js", SCRIPT, include_str!("page/main.js")),
    ("/feed.js", SCRIPT, include_str!("page/feed.js")),
    ("/words.js", SCRIPT, include_str!("page/words.js")),
    ("/ribbon.js", SCRIPT, include_str!("page/ribbon.js")),
    ("/detail.js", SCRIPT, include_str!("page/detail.js")),
    ("/legend.js", SCRIPT, include_str!("page/legend.js")),
    ("/parts.js", SCRIPT, include_str!("page/parts.js")),
    ("/scrolls.js", SCRIPT, include_str!("page/scrolls.js")),
    ("/table.js", SCRIPT, include_str!("page/table.js")),
    ("/house.js", SCRIPT, include_str!("page/house.js")),
    ("/numbers.js", SCRIPT, include_str!("page/numbers.js")),
    ("/requests.js", SCRIPT, include_str!("page/requests.js")),
    ("/sockets.js", SCRIPT, include_str!("page/sockets.js")),
    ("/waited.js", SCRIPT, include_str!("page/waited.js")),
];

pub(super) fn find(path: &str) -> Option<(&'static str, &'static str)> {
    ASSETS.iter().find(|(name, _, _)| *name == path).map(|(_, kind, content)| (*kind, *content))
}
