//! What an event is about.

use std::fmt;

use crate::{Event, Payload};

/// Kind of thing that an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubjectKind {
    /// A video.
    Video,
    /// A playlist.
    Playlist,
    /// A livestream channel.
    Livestream,
    /// A schedule of a livestream channel.
    Schedule,
}

/// The thing that an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subject<'a> {
    /// What it is.
    pub kind: SubjectKind,
    /// Its id. Where an event names several, the first.
    pub id: &'a str,
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            SubjectKind::Video => "video",
            SubjectKind::Playlist => "playlist",
            SubjectKind::Livestream => "livestream",
            SubjectKind::Schedule => "schedule",
        };
        write!(f, "{kind} {}", self.id)
    }
}

impl Event {
    /// What the event is about, where its body says so: the video, playlist,
    /// livestream channel or schedule that was added, changed or deleted.
    pub fn subject(&self) -> Option<Subject<'_>> {
        use SubjectKind::{Livestream, Playlist, Schedule, Video};
        let (kind, id) = match &self.payload {
            Payload::AddVideo(v) | Payload::EditVideo(v) => (Video, v.id.as_ref()),
            Payload::DeleteVideo(d) => (Video, d.ids.first()),
            Payload::VideoEncoded(e) | Payload::SdEncoded(e) => (Video, e.video_id.as_ref()),
            Payload::EditSnapshot(s) => (Video, s.video_id.as_ref()),
            Payload::AddPlaylist(p) | Payload::EditPlaylist(p) => (Playlist, p.id.as_ref()),
            Payload::AddVideosToPlaylist(p) | Payload::DeleteVideoFromPlaylist(p) => {
                (Playlist, p.playlist_id.as_ref())
            }
            Payload::SortVideosInPlaylist(p) => (Playlist, p.playlist_id.as_ref()),
            Payload::LivestreamAddV2(l) | Payload::LivestreamEdit(l) => (Livestream, l.id.as_ref()),
            Payload::LivestreamDelete(d) => (Livestream, d.ids.first()),
            Payload::LivestreamscheduleAdd(s) | Payload::LivestreamscheduleEdit(s) => {
                (Schedule, s.id.as_ref())
            }
            Payload::LivestreamscheduleDelete(d) => (Schedule, d.ids.first()),
            Payload::Other => return None,
        };
        Some(Subject { kind, id: id? })
    }
}
