//! Events of TargetVideo (formerly Brid.tv).
//!
//! The types mirror `hookbox:targetvideo/events@0.1.0`, whose text
//! (`wit/targetvideo-0.1.0/events.wit`) says of each field what it means and
//! where it is known from; [`fields`] says where it is looked for.
//!
//! Invariants:
//! - Decoding never fails for a body's shape.
//! - Each leaf of the body is in a typed field or in [`Event::extra`].
//! - [`Event::document`] is the verified text, unchanged.

pub mod entity;
pub mod fields;
mod read;
pub mod samples;
mod to_json;
mod wit;

use serde_json::{Map, Value};

use self::to_json::{Field, put};
use crate::json::Node;
use crate::limits::{EXTRA_BYTES, EXTRA_FACTOR};
use crate::verify::Refusal;

/// The names that the vendor documents, in its page's order.
pub const EVENT_NAMES: [&str; 17] = [
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

/// One webhook, typed.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each field is documented in the WIT text")]
pub struct Event {
    pub name: String,
    pub payload: Payload,
    pub scope: Option<String>,
    pub method: Option<String>,
    pub api: Option<bool>,
    pub timestamp: Option<i64>,
    pub extra: Vec<Member>,
    pub document: String,
}

/// One leaf that no typed field took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is documented in the WIT text")]
pub struct Member {
    pub pointer: String,
    pub json: String,
}

/// One case for each documented event.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each case is documented in the WIT text")]
pub enum Payload {
    AddVideo(VideoChange),
    EditVideo(VideoChange),
    DeleteVideo(Deletion),
    VideoEncoded(Encoding),
    SdEncoded(Encoding),
    AddPlaylist(PlaylistChange),
    EditPlaylist(PlaylistChange),
    AddVideosToPlaylist(PlaylistVideos),
    DeleteVideoFromPlaylist(PlaylistVideos),
    SortVideosInPlaylist(PlaylistOrder),
    EditSnapshot(SnapshotChange),
    LivestreamAddV2(LivestreamChange),
    LivestreamEdit(LivestreamChange),
    LivestreamDelete(Deletion),
    LivestreamscheduleAdd(ScheduleChange),
    LivestreamscheduleEdit(ScheduleChange),
    LivestreamscheduleDelete(Deletion),
    Other,
}

macro_rules! records {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq)]
        #[expect(missing_docs, reason = "each field is documented in the WIT text")]
        pub struct $name { $(pub $field: $type),* }

        impl Field for $name {
            fn field(&self) -> Option<Value> {
                let mut members = Map::new();
                $(put(&mut members, stringify!($field), &self.$field);)*
                Some(Value::Object(members))
            }
        }
    )*};
}

records! {
    /// A video as it was added or edited.
    VideoChange {
        id: Option<String>,
        partner_id: Option<String>,
        channel_id: Option<String>,
        name: Option<String>,
        description: Option<String>,
        publish: Option<String>,
        tags: Option<String>,
        image: Option<String>,
        thumbnail: Option<String>,
        external_url: Option<String>,
    }
    /// What was deleted.
    Deletion { ids: Vec<String>, partner_id: Option<String> }
    /// News of a video's encoding.
    Encoding {
        video_id: Option<String>,
        status: Option<EncodingStatus>,
        invoked_by: Option<String>,
    }
    /// Flags as the vendor sends them; true does not mean done.
    EncodingStatus {
        track_all: Option<bool>,
        sd: Option<bool>,
        ld: Option<bool>,
        hsd: Option<bool>,
        hd: Option<bool>,
        fhd: Option<bool>,
        streaming: Option<bool>,
        snapshot: Option<bool>,
        thumb: Option<bool>,
        vtt: Option<bool>,
        webp: Option<bool>,
        ogg: Option<bool>,
        mp3: Option<bool>,
        more: Vec<Rendition>,
    }
    /// A rendition that has no field of its own.
    Rendition { name: String, flag: bool }
    /// A playlist as it was created or edited.
    PlaylistChange {
        id: Option<String>,
        partner_id: Option<String>,
        name: Option<String>,
        publish: Option<String>,
        video_ids: Vec<String>,
    }
    /// Videos that were put into a playlist or taken out of it.
    PlaylistVideos { playlist_id: Option<String>, video_ids: Vec<String> }
    /// A playlist's new order.
    PlaylistOrder { playlist_id: Option<String>, video_ids: Vec<String> }
    /// A video's new snapshot.
    SnapshotChange {
        video_id: Option<String>,
        upload_snapshot: Option<String>,
        path: Option<String>,
        time_from_video: Option<String>,
    }
    /// A livestream channel as it was added or edited.
    LivestreamChange { id: Option<String>, partner_id: Option<String>, name: Option<String> }
    /// A schedule of a livestream channel as it was added or edited.
    ScheduleChange {
        id: Option<String>,
        livestream_id: Option<String>,
        title: Option<String>,
        start: Option<String>,
        end: Option<String>,
    }
}

/// Types a document that is known to be JSON. `name` is the value of its member
/// `event`.
///
/// # Errors
/// [`Refusal::TooDeep`], and [`Refusal::NotJson`] for a lone surrogate.
pub fn decode(name: String, document: String) -> Result<Event, Refusal> {
    let root = Node::parse_valid(&document)?;
    let top = |key| [root.get(key)].into_iter().flatten();
    if let Some(event) = root.get("event") {
        event.take();
    }
    let mut event = Event {
        payload: fields::payload(&name, &root),
        name,
        scope: read::first(top("scope"), read::text),
        method: read::first(top("method"), read::text),
        api: read::first(top("api"), read::flag),
        timestamp: read::first(top("timestamp"), read::integer),
        extra: Vec::new(),
        document: String::new(),
    };
    let budget = EXTRA_FACTOR * document.len() + EXTRA_BYTES;
    root.leaves(budget, &mut |pointer, json| {
        event.extra.push(Member { pointer: pointer.to_owned(), json: json.to_owned() });
    });
    drop(root);
    event.document = document;
    Ok(event)
}

#[cfg(test)]
mod tests;
