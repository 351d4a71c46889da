//! Says in a sentence what became of videos and playlists: one arm for each
//! kind of change.

use hookbox_sdk::{Delivery, Event, Failure, Payload, Plugin, VideoChange};

struct Catalog;

impl Plugin for Catalog {
    const EVENTS: &'static [&'static str] = &[
        "add_video",
        "edit_video",
        "delete_video",
        "add_playlist",
        "edit_playlist",
        "add_videos_to_playlist",
        "delete_video_from_playlist",
        "sort_videos_in_playlist",
    ];

    fn handle(event: Event, _: Delivery) -> Result<(), Failure> {
        println!("{}", sentence(&event)?);
        Ok(())
    }
}

hookbox_sdk::export!(Catalog);

fn sentence(event: &Event) -> Result<String, Failure> {
    let known = |id: &Option<String>| id.clone().unwrap_or_else(|| "(unknown)".to_owned());
    Ok(match &event.payload {
        Payload::AddVideo(video) => format!("new video {}{}", known(&video.id), details(video)),
        Payload::EditVideo(video) => {
            format!("video {} was edited{}", known(&video.id), details(video))
        }
        Payload::DeleteVideo(gone) => format!("deleted videos: {}", gone.ids.join(" ")),
        Payload::AddPlaylist(playlist) => format!(
            "new playlist {} {:?} of {} videos",
            known(&playlist.id),
            playlist.name.as_deref().unwrap_or_default(),
            playlist.video_ids.len()
        ),
        Payload::EditPlaylist(playlist) => format!("playlist {} was edited", known(&playlist.id)),
        Payload::AddVideosToPlaylist(change) => {
            format!("playlist {} gained {}", known(&change.playlist_id), change.video_ids.join(" "))
        }
        Payload::DeleteVideoFromPlaylist(change) => {
            format!("playlist {} lost {}", known(&change.playlist_id), change.video_ids.join(" "))
        }
        Payload::SortVideosInPlaylist(order) => {
            format!("playlist {} is now {}", known(&order.playlist_id), order.video_ids.join(" "))
        }
        _ => return Err(Failure::Reject(format!("{} was not asked for", event.name))),
    })
}

/// The fields that were sent: an edit holds only what changed.
fn details(video: &VideoChange) -> String {
    let fields = [("name", &video.name), ("published", &video.publish), ("tags", &video.tags)];
    let sent = fields.iter().filter_map(|(field, value)| Some((field, value.as_ref()?)));
    sent.map(|(field, value)| format!(", {field} {value:?}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookbox_sdk::testing::{event, sample};

    #[test]
    fn each_change_has_its_sentence() {
        let said = |name| sentence(&sample(name)).expect(name);
        assert_eq!(
            said("edit_video"),
            r#"video 734392 was edited, name "Harbour at dusk", tags "harbour,evening""#
        );
        assert_eq!(said("delete_video"), "deleted videos: 734392 734393");
        assert_eq!(said("add_playlist"), r#"new playlist 5120 "Harbours" of 2 videos"#);
        assert_eq!(said("sort_videos_in_playlist"), "playlist 5120 is now 734394 734392");
        for name in Catalog::EVENTS {
            assert!(!said(name).contains("unknown"), "{}", said(name));
        }
    }

    #[test]
    fn a_video_without_an_id_is_still_told_of() {
        let said = sentence(&event(r#"{"event":"add_video","data":{"Video":{"name":"x"}}}"#));
        assert_eq!(said, Ok(r#"new video (unknown), name "x""#.to_owned()));
    }
}
