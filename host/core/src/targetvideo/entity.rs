//! What an event is about, for plugins that must see the events of one video,
//! playlist or channel in the order in which they arrived.
//!
//! Not here: the order itself. This only says which events have to keep one.

use std::fmt;

use super::{Deletion, Event, Payload, ScheduleChange};
use crate::ids::Digest;

/// Bytes of an id that are kept as they are. The vendor's are numbers of about
/// six digits; whatever else a body says must not make keys of any size.
const ID_BYTES_MAX: usize = 128;

/// What an event is about. Shown as its kind and id, such as `video:734392`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity {
    kind: EntityKind,
    id: String,
}

/// The kinds of [`Entity`]. Ids are the vendor's, unique within a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    /// A video.
    Video,
    /// A playlist.
    Playlist,
    /// A livestream channel.
    Channel,
    /// A schedule whose channel is not known.
    Schedule,
}

impl EntityKind {
    /// A stable code, the first part of an [`Entity`]'s text.
    pub fn code(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Playlist => "playlist",
            Self::Channel => "channel",
            Self::Schedule => "schedule",
        }
    }
}

impl Entity {
    fn new(kind: EntityKind, id: &str) -> Self {
        let id = if id.len() > ID_BYTES_MAX {
            Digest::of(id.as_bytes()).to_string()
        } else {
            id.to_owned()
        };
        Self { kind, id }
    }

    /// What kind of thing it is.
    pub fn kind(&self) -> EntityKind {
        self.kind
    }

    /// Its id as the body has it, or the SHA-256 digest of one that is over
    /// 128 bytes. It can hold any character.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.code(), self.id)
    }
}

/// What the event is about: the video for video, encoding and snapshot events,
/// the playlist for playlist events, the channel for livestream events.
///
/// A schedule's event is about its channel; where the body does not say which
/// that is, as when a schedule is deleted, about the schedule itself. An event
/// that names several things is about the first. None where the body names
/// nothing, and for events of a name that is not documented.
pub fn entity(event: &Event) -> Option<Entity> {
    use EntityKind::{Channel, Playlist, Video};
    let (kind, id) = match &event.payload {
        Payload::AddVideo(video) | Payload::EditVideo(video) => (Video, video.id.as_deref()),
        Payload::DeleteVideo(deleted) => (Video, first(deleted)),
        Payload::VideoEncoded(encoding) | Payload::SdEncoded(encoding) => {
            (Video, encoding.video_id.as_deref())
        }
        Payload::EditSnapshot(snapshot) => (Video, snapshot.video_id.as_deref()),
        Payload::AddPlaylist(playlist) | Payload::EditPlaylist(playlist) => {
            (Playlist, playlist.id.as_deref())
        }
        Payload::AddVideosToPlaylist(videos) | Payload::DeleteVideoFromPlaylist(videos) => {
            (Playlist, videos.playlist_id.as_deref())
        }
        Payload::SortVideosInPlaylist(order) => (Playlist, order.playlist_id.as_deref()),
        Payload::LivestreamAddV2(channel) | Payload::LivestreamEdit(channel) => {
            (Channel, channel.id.as_deref())
        }
        Payload::LivestreamDelete(deleted) => (Channel, first(deleted)),
        Payload::LivestreamscheduleAdd(schedule) | Payload::LivestreamscheduleEdit(schedule) => {
            channel_or_own(schedule)
        }
        Payload::LivestreamscheduleDelete(deleted) => (EntityKind::Schedule, first(deleted)),
        Payload::Other => return None,
    };
    id.map(|id| Entity::new(kind, id))
}

fn first(deleted: &Deletion) -> Option<&str> {
    deleted.ids.first().map(String::as_str)
}

fn channel_or_own(schedule: &ScheduleChange) -> (EntityKind, Option<&str>) {
    match &schedule.livestream_id {
        Some(channel) => (EntityKind::Channel, Some(channel)),
        None => (EntityKind::Schedule, schedule.id.as_deref()),
    }
}

#[cfg(test)]
mod tests;
