//! One body for each documented event, as it would arrive.
//!
//! That of `sd_encoded` is the one that the vendor documents. The others are
//! made by the tables that [`fields`](super::fields) follows, with values of
//! our own: they show a likely shape, not a recorded one.

/// The value of the member `secret` in each sample.
pub const SECRET: &str = "your_secret_key";

macro_rules! samples {
    ($($name:literal),* $(,)?) => {
        /// (event name, body), in the order of [`EVENT_NAMES`](super::EVENT_NAMES).
        pub const ALL: [(&str, &str); super::EVENT_NAMES.len()] =
            [$(($name, include_str!(concat!("../../samples/", $name, ".json")))),*];
    };
}

samples![
    "add_video",
    "edit_video",
    "delete_video",
    "video_encoded",
    "sd_encoded",
    "add_playlist",
    "edit_playlist",
    "add_videos_to_playlist",
    "delete_video_from_playlist",
    "sort_videos_in_playlist",
    "edit_snapshot",
    "livestream_add_v2",
    "livestream_edit",
    "livestream_delete",
    "livestreamschedule_add",
    "livestreamschedule_edit",
    "livestreamschedule_delete",
];

/// The body of that event.
pub fn body(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(have, _)| *have == name).map(|(_, body)| *body)
}
