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

/// What the pages refer to.
pub(super) const ASSETS: &[Asset] = &[Asset {
    name: "app.css",
    media_type: "text/css; charset=utf-8",
    bytes: include_bytes!("dashboard/app.css"),
}];
