//! Bridge to the types that `bindgen!` (host) and `generate!` (SDK) make of
//! `hookbox:targetvideo/events@0.1.0`. They are alike but for their path, so
//! one text serves both.

/// Defines `event_to_wit` and what it needs in the module where it is called,
/// which must have the module that was generated for the interface in scope
/// under the name `events`.
#[macro_export]
macro_rules! targetvideo_0_1_0_to_wit {
    () => {
        /// The event as the plugin interface has it.
        pub(crate) fn event_to_wit(
            event: &$crate::targetvideo::Event,
        ) -> events::Event {
            events::Event {
                name: event.name.clone(),
                payload: payload_to_wit(&event.payload),
                scope: event.scope.clone(),
                method: event.method.clone(),
                api: event.api,
                timestamp: event.timestamp,
                extra: event
                    .extra
                    .iter()
                    .map(|m| events::Member { pointer: m.pointer.clone(), json: m.json.clone() })
                    .collect(),
                document: event.document.clone(),
            }
        }

        fn payload_to_wit(payload: &$crate::targetvideo::Payload) -> events::Payload {
            use $crate::targetvideo::Payload as From;
            use events::Payload as To;
            match payload {
                From::AddVideo(p) => To::AddVideo(video_change_to_wit(p)),
                From::EditVideo(p) => To::EditVideo(video_change_to_wit(p)),
                From::DeleteVideo(p) => To::DeleteVideo(deletion_to_wit(p)),
                From::VideoEncoded(p) => To::VideoEncoded(encoding_to_wit(p)),
                From::SdEncoded(p) => To::SdEncoded(encoding_to_wit(p)),
                From::AddPlaylist(p) => To::AddPlaylist(playlist_change_to_wit(p)),
                From::EditPlaylist(p) => To::EditPlaylist(playlist_change_to_wit(p)),
                From::AddVideosToPlaylist(p) => To::AddVideosToPlaylist(playlist_videos_to_wit(p)),
                From::DeleteVideoFromPlaylist(p) => {
                    To::DeleteVideoFromPlaylist(playlist_videos_to_wit(p))
                }
                From::SortVideosInPlaylist(p) => To::SortVideosInPlaylist(playlist_order_to_wit(p)),
                From::EditSnapshot(p) => To::EditSnapshot(snapshot_change_to_wit(p)),
                From::LivestreamAddV2(p) => To::LivestreamAddV2(livestream_change_to_wit(p)),
                From::LivestreamEdit(p) => To::LivestreamEdit(livestream_change_to_wit(p)),
                From::LivestreamDelete(p) => To::LivestreamDelete(deletion_to_wit(p)),
                From::LivestreamscheduleAdd(p) => {
                    To::LivestreamscheduleAdd(schedule_change_to_wit(p))
                }
                From::LivestreamscheduleEdit(p) => {
                    To::LivestreamscheduleEdit(schedule_change_to_wit(p))
                }
                From::LivestreamscheduleDelete(p) => {
                    To::LivestreamscheduleDelete(deletion_to_wit(p))
                }
                From::Other => To::Other,
            }
        }

        $crate::records_to_wit! {
            video_change_to_wit VideoChange {
                id, partner_id, channel_id, name, description, publish, tags, image, thumbnail,
                external_url
            }
            deletion_to_wit Deletion { ids, partner_id }
            playlist_change_to_wit PlaylistChange { id, partner_id, name, publish, video_ids }
            playlist_videos_to_wit PlaylistVideos { playlist_id, video_ids }
            playlist_order_to_wit PlaylistOrder { playlist_id, video_ids }
            snapshot_change_to_wit SnapshotChange { video_id, upload_snapshot, path, time_from_video }
            livestream_change_to_wit LivestreamChange { id, partner_id, name }
            schedule_change_to_wit ScheduleChange { id, livestream_id, title, start, end }
            rendition_to_wit Rendition { name, flag }
        }

        fn encoding_to_wit(p: &$crate::targetvideo::Encoding) -> events::Encoding {
            events::Encoding {
                video_id: p.video_id.clone(),
                status: p.status.as_ref().map(|s| events::EncodingStatus {
                    track_all: s.track_all,
                    sd: s.sd,
                    ld: s.ld,
                    hsd: s.hsd,
                    hd: s.hd,
                    fhd: s.fhd,
                    streaming: s.streaming,
                    snapshot: s.snapshot,
                    thumb: s.thumb,
                    vtt: s.vtt,
                    webp: s.webp,
                    ogg: s.ogg,
                    mp3: s.mp3,
                    more: s.more.iter().map(rendition_to_wit).collect(),
                }),
                invoked_by: p.invoked_by.clone(),
            }
        }
    };
}

/// Part of [`targetvideo_0_1_0_to_wit`]: records whose fields are cloned.
#[doc(hidden)]
#[macro_export]
macro_rules! records_to_wit {
    ($($function:ident $record:ident { $($field:ident),* })*) => {$(
        fn $function(p: &$crate::targetvideo::$record) -> events::$record {
            events::$record { $($field: p.$field.clone()),* }
        }
    )*};
}
