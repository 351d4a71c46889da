//! The dashboard's files, within the program: `dashboard/`.

/// A file of the dashboard.
pub(super) struct Asset {
    /// Its name under `/assets/`.
    pub(super) name: &'static str,
    /// Its media type.
    pub(super) media_type: &'static str,
    /// Its contents.
    pub(super) bytes: &'static [u8],
}

/// The page itself.
pub(super) const INDEX: &str = include_str!("dashboard/index.html");

/// The page that asks for a token.
pub(super) const LOGIN: &str = include_str!("dashboard/login.html");

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! assets {
    ($($media_type:ident $name:literal,)*) => {
        &[$(Asset {
            name: $name,
            media_type: $media_type,
            bytes: include_bytes!(concat!("dashboard/", $name)),
        },)*]
    };
}

/// What the pages refer to.
pub(super) const ASSETS: &[Asset] = assets! {
    JAVASCRIPT "api.js",
    CSS "app.css",
    JAVASCRIPT "attempts.js",
    JAVASCRIPT "changes.js",
    JAVASCRIPT "dead.js",
    JAVASCRIPT "dialog.js",
    JAVASCRIPT "dom.js",
    JAVASCRIPT "event.js",
    JAVASCRIPT "events.js",
    JAVASCRIPT "explain.js",
    JAVASCRIPT "filters.js",
    JAVASCRIPT "format.js",
    JAVASCRIPT "known.js",
    JAVASCRIPT "list.js",
    JAVASCRIPT "login.js",
    JAVASCRIPT "main.js",
    JAVASCRIPT "notices.js",
    JAVASCRIPT "overview.js",
    CSS "parts.css",
    JAVASCRIPT "pieces.js",
    JAVASCRIPT "plots.js",
    JAVASCRIPT "plugin.js",
    JAVASCRIPT "plugins.js",
    JAVASCRIPT "refusals.js",
    JAVASCRIPT "steer.js",
    JAVASCRIPT "stream.js",
    JAVASCRIPT "tree.js",
};
