//! Where each typed field is looked for, first hit first.
//!
//! Only the body of `sd_encoded` is documented. The other places are what
//! public clients of the vendor's API send and read, and guesses; the WIT text
//! says which is which.

use super::read::{first, flag, id, ids, text, text_or_digits};
use super::{
    Deletion, Encoding, EncodingStatus, LivestreamChange, Payload, PlaylistChange, PlaylistOrder,
    PlaylistVideos, Rendition, ScheduleChange, SnapshotChange, VideoChange,
};
use crate::json::{Node, Value};
use crate::limits::RENDITIONS_MAX;

/// The typed payload of an event of that name.
pub(super) fn payload(name: &str, root: &Node<'_>) -> Payload {
    match name {
        "add_video" => Payload::AddVideo(video_change(root)),
        "edit_video" => Payload::EditVideo(video_change(root)),
        "delete_video" => Payload::DeleteVideo(deletion(root, "video")),
        "video_encoded" => Payload::VideoEncoded(encoding(root)),
        "sd_encoded" => Payload::SdEncoded(encoding(root)),
        "add_playlist" => Payload::AddPlaylist(playlist_change(root)),
        "edit_playlist" => Payload::EditPlaylist(playlist_change(root)),
        "add_videos_to_playlist" => Payload::AddVideosToPlaylist(playlist_videos(root)),
        "delete_video_from_playlist" => Payload::DeleteVideoFromPlaylist(playlist_videos(root)),
        "sort_videos_in_playlist" => Payload::SortVideosInPlaylist(playlist_order(root)),
        "edit_snapshot" => Payload::EditSnapshot(snapshot_change(root)),
        "livestream_add_v2" => Payload::LivestreamAddV2(livestream_change(root)),
        "livestream_edit" => Payload::LivestreamEdit(livestream_change(root)),
        "livestream_delete" => Payload::LivestreamDelete(deletion(root, "livestream")),
        "livestreamschedule_add" => Payload::LivestreamscheduleAdd(schedule_change(root)),
        "livestreamschedule_edit" => Payload::LivestreamscheduleEdit(schedule_change(root)),
        "livestreamschedule_delete" => {
            Payload::LivestreamscheduleDelete(deletion(root, "livestreamschedule"))
        }
        _ => Payload::Other,
    }
}

/// Places to look, in order.
struct Places<'n, 'a>(Vec<&'n Node<'a>>);

impl<'n, 'a> Places<'n, 'a> {
    /// Those of the paths that exist.
    fn at(root: &'n Node<'a>, paths: &[&[&str]]) -> Self {
        Self(paths.iter().filter_map(|path| root.at(path)).collect())
    }

    /// The members of some object whose name, lower-cased and without `_`, is
    /// one of these.
    fn like(object: Option<&'n Node<'a>>, names: &[&str]) -> Self {
        let Some(Value::Object(members)) = object.map(|node| &node.value) else {
            return Self(Vec::new());
        };
        let mut found = Vec::new();
        for wanted in names {
            let matching = members.iter().filter(|(name, _)| plain(name) == *wanted);
            found.extend(matching.map(|(_, node)| node));
        }
        Self(found)
    }

    fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// In each place the member of that name.
    fn get(&self, name: &str) -> Self {
        Self(self.0.iter().filter_map(|place| place.get(name)).collect())
    }

    /// In each place the members of names like these.
    fn get_like(&self, names: &[&str]) -> Self {
        Self(self.0.iter().flat_map(|place| Self::like(Some(place), names).0).collect())
    }

    fn read<T: PartialEq>(self, read: impl Fn(&Node<'_>) -> Option<T>) -> Option<T> {
        first(self.0, read)
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

fn videos<'n, 'a>(root: &'n Node<'a>) -> Places<'n, 'a> {
    Places::at(root, &[&["response", "Video"], &["response", "data", "Video"], &["data", "Video"]])
}

fn video_id(root: &Node<'_>) -> Option<String> {
    videos(root).get("id").then(Places::at(root, &[&["response", "id"]])).read(id)
}

fn video_change(root: &Node<'_>) -> VideoChange {
    let video = videos(root);
    VideoChange {
        id: video_id(root),
        partner_id: video.get("partner_id").read(id),
        channel_id: video.get("channel_id").read(id),
        name: video.get("name").read(text),
        description: video.get("description").read(text),
        publish: video.get("publish").read(text),
        tags: video.get("tags").read(text),
        image: video.get("image").read(text),
        thumbnail: video.get("thumbnail").read(text),
        external_url: video.get("external_url").read(text),
    }
}

/// `model`: the object's name, lower-cased and without `_`.
fn deletion(root: &Node<'_>, model: &str) -> Deletion {
    let data = Places::like(root.get("data"), &[model]);
    let response = Places::like(root.get("response"), &[model]);
    let found = data
        .get("ids")
        .then(data.get("id"))
        .then(response.get("id"))
        .then(Places::at(root, &[&["data", "ids"], &["data", "id"]]))
        .read(ids);
    Deletion {
        ids: found.unwrap_or_default(),
        partner_id: data.then(response).get("partner_id").read(id),
    }
}

fn encoding(root: &Node<'_>) -> Encoding {
    let status =
        Places::at(root, &[&["response", "EncodingStatus"], &["data", "Video", "encoded"]]);
    let status = EncodingStatus {
        track_all: status.get("track_all").read(flag),
        sd: status.get("sd").read(flag),
        ld: status.get("ld").read(flag),
        hsd: status.get("hsd").read(flag),
        hd: status.get("hd").read(flag),
        fhd: status.get("fhd").read(flag),
        streaming: status.get("streaming").read(flag),
        snapshot: status.get("snapshot").read(flag),
        thumb: status.get("thumb").read(flag),
        vtt: status.get("vtt").read(flag),
        webp: status.get("webp").read(flag),
        ogg: status.get("ogg").read(flag),
        mp3: status.get("mp3").read(flag),
        more: more_renditions(&status),
    };
    Encoding {
        video_id: video_id(root),
        status: (status != EncodingStatus::default()).then_some(status),
        invoked_by: Places::at(root, &[&["response", "invoked_by"], &["data", "invoked_by"]])
            .read(text),
    }
}

/// Flags under names that have no field.
fn more_renditions(status: &Places<'_, '_>) -> Vec<Rendition> {
    const FIELDS: [&str; 13] = [
        "track_all",
        "sd",
        "ld",
        "hsd",
        "hd",
        "fhd",
        "streaming",
        "snapshot",
        "thumb",
        "vtt",
        "webp",
        "ogg",
        "mp3",
    ];
    let mut seen = std::collections::HashSet::new();
    let mut more = Vec::new();
    for place in &status.0 {
        let Value::Object(members) = &place.value else { continue };
        for (name, _) in members {
            if FIELDS.contains(&name.as_ref()) || !seen.insert(name.to_string()) {
                continue;
            }
            // Each is sought among all, so their number is bounded.
            if seen.len() > RENDITIONS_MAX {
                return more;
            }
            if let Some(flag) = status.get(name).read(flag) {
                more.push(Rendition { name: name.to_string(), flag });
            }
        }
    }
    more
}

fn playlists<'n, 'a>(root: &'n Node<'a>) -> Places<'n, 'a> {
    Places::at(
        root,
        &[&["response", "Playlist"], &["response", "data", "Playlist"], &["data", "Playlist"]],
    )
}

fn playlist_id(root: &Node<'_>) -> Option<String> {
    playlists(root).get("id").then(Places::at(root, &[&["data", "id"]])).read(id)
}

fn playlist_change(root: &Node<'_>) -> PlaylistChange {
    let playlist = playlists(root);
    PlaylistChange {
        id: playlist_id(root),
        partner_id: playlist.get("partner_id").read(id),
        name: playlist.get("name").read(text),
        publish: playlist.get("publish").read(text),
        video_ids: playlist_video_ids(root),
    }
}

fn playlist_video_ids(root: &Node<'_>) -> Vec<String> {
    let named = Places::at(
        root,
        &[
            &["data", "Video", "ids"],
            &["data", "Playlist", "ids"],
            &["data", "Playlist", "video_id"],
            &["data", "ids"],
        ],
    );
    // The answer to the vendor's own API call is keyed by video id. Its values
    // are not read, so they stay in `extra`, their pointers with them.
    let keys = || match root.at(&["response", "playlist_videos"]).map(|node| &node.value) {
        Some(Value::Object(members)) => members.iter().map(|(id, _)| id.to_string()).collect(),
        _ => Vec::new(),
    };
    named.read(ids).unwrap_or_else(keys)
}

fn playlist_videos(root: &Node<'_>) -> PlaylistVideos {
    PlaylistVideos { playlist_id: playlist_id(root), video_ids: playlist_video_ids(root) }
}

fn playlist_order(root: &Node<'_>) -> PlaylistOrder {
    let sort =
        Places::at(root, &[&["data", "Playlist", "sort"], &["response", "Playlist", "sort"]]);
    PlaylistOrder { playlist_id: playlist_id(root), video_ids: sort.read(ids).unwrap_or_default() }
}

fn snapshot_change(root: &Node<'_>) -> SnapshotChange {
    let video = videos(root);
    SnapshotChange {
        video_id: video_id(root),
        upload_snapshot: video.get("upload_snapshot").read(text),
        path: video.get("path").read(text),
        time_from_video: video.get("time_from_video").read(text_or_digits),
    }
}

/// The object of a livestream or schedule: under `data`, then `response`.
fn model<'n, 'a>(root: &'n Node<'a>, name: &str) -> Places<'n, 'a> {
    Places::like(root.get("data"), &[name]).then(Places::like(root.get("response"), &[name]))
}

fn livestream_change(root: &Node<'_>) -> LivestreamChange {
    let livestream = model(root, "livestream");
    LivestreamChange {
        id: livestream.get("id").read(id),
        partner_id: livestream.get("partner_id").read(id),
        name: livestream.get("name").read(text),
    }
}

fn schedule_change(root: &Node<'_>) -> ScheduleChange {
    let schedule = model(root, "livestreamschedule");
    let channel = model(root, "livestream").get("id");
    ScheduleChange {
        id: schedule.get("id").read(id),
        livestream_id: schedule
            .get_like(&["livestreamid", "channelid", "livestreamchannelid"])
            .then(channel)
            .read(id),
        title: schedule.get_like(&["title", "name"]).read(text),
        start: schedule
            .get_like(&["start", "starttime", "startdate", "startsat", "startat"])
            .read(text_or_digits),
        end: schedule
            .get_like(&["end", "endtime", "enddate", "endsat", "endat"])
            .read(text_or_digits),
    }
}
