//! A typed event as JSON, for people and their tools: fields in kebab-case as in
//! the WIT text, absent ones and empty lists left out.

use serde_json::{Map, Value};

use super::{Event, Member, Payload};

impl Event {
    /// `{"name", "payload": {"kind": "sd-encoded", …}, "scope", …, "extra"}`,
    /// without [`Event::document`]. `extra` is a list of `{"pointer", "json"}`.
    pub fn to_json(&self) -> Value {
        let mut members = Map::new();
        put(&mut members, "name", &self.name);
        members.insert("payload".to_owned(), self.payload.to_json());
        put(&mut members, "scope", &self.scope);
        put(&mut members, "method", &self.method);
        put(&mut members, "api", &self.api);
        put(&mut members, "timestamp", &self.timestamp);
        put(&mut members, "extra", &self.extra);
        Value::Object(members)
    }
}

impl Payload {
    fn to_json(&self) -> Value {
        let (kind, fields) = match self {
            Self::AddVideo(video) => ("add-video", video.field()),
            Self::EditVideo(video) => ("edit-video", video.field()),
            Self::DeleteVideo(deletion) => ("delete-video", deletion.field()),
            Self::VideoEncoded(encoding) => ("video-encoded", encoding.field()),
            Self::SdEncoded(encoding) => ("sd-encoded", encoding.field()),
            Self::AddPlaylist(playlist) => ("add-playlist", playlist.field()),
            Self::EditPlaylist(playlist) => ("edit-playlist", playlist.field()),
            Self::AddVideosToPlaylist(videos) => ("add-videos-to-playlist", videos.field()),
            Self::DeleteVideoFromPlaylist(videos) => ("delete-video-from-playlist", videos.field()),
            Self::SortVideosInPlaylist(order) => ("sort-videos-in-playlist", order.field()),
            Self::EditSnapshot(snapshot) => ("edit-snapshot", snapshot.field()),
            Self::LivestreamAddV2(livestream) => ("livestream-add-v2", livestream.field()),
            Self::LivestreamEdit(livestream) => ("livestream-edit", livestream.field()),
            Self::LivestreamDelete(deletion) => ("livestream-delete", deletion.field()),
            Self::LivestreamscheduleAdd(schedule) => ("livestreamschedule-add", schedule.field()),
            Self::LivestreamscheduleEdit(schedule) => ("livestreamschedule-edit", schedule.field()),
            Self::LivestreamscheduleDelete(deletion) => {
                ("livestreamschedule-delete", deletion.field())
            }
            Self::Other => ("other", None),
        };
        let mut members = match fields {
            Some(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        members.insert("kind".to_owned(), kind.into());
        Value::Object(members)
    }
}

/// A field's value; none where it is absent.
pub(super) trait Field {
    fn field(&self) -> Option<Value>;
}

/// A member of that field's name in the code.
pub(super) fn put(members: &mut Map<String, Value>, name: &str, field: &impl Field) {
    if let Some(value) = field.field() {
        members.insert(name.replace('_', "-"), value);
    }
}

impl Field for String {
    fn field(&self) -> Option<Value> {
        Some(self.as_str().into())
    }
}

impl Field for bool {
    fn field(&self) -> Option<Value> {
        Some((*self).into())
    }
}

impl Field for i64 {
    fn field(&self) -> Option<Value> {
        Some((*self).into())
    }
}

impl<T: Field> Field for Option<T> {
    fn field(&self) -> Option<Value> {
        self.as_ref().and_then(Field::field)
    }
}

impl<T: Field> Field for Vec<T> {
    fn field(&self) -> Option<Value> {
        (!self.is_empty()).then(|| self.iter().filter_map(Field::field).collect())
    }
}

impl Field for Member {
    fn field(&self) -> Option<Value> {
        let mut members = Map::new();
        put(&mut members, "pointer", &self.pointer);
        put(&mut members, "json", &self.json);
        Some(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use crate::targetvideo::{decode, samples};

    #[test]
    fn fields_are_in_kebab_case_and_absent_ones_are_left_out() {
        let body = r#"{"event":"sd_encoded","api":false,"timestamp":7,"data":{"Video":{"id":"5",
            "encoded":{"track_all":"1","uhd":"0"},"new":1e400}}}"#;
        let event = decode("sd_encoded".to_owned(), body.to_owned()).expect("an event");
        let expected = json!({
            "name": "sd_encoded",
            "payload": {
                "kind": "sd-encoded",
                "video-id": "5",
                "status": {"track-all": true, "more": [{"name": "uhd", "flag": false}]},
            },
            "api": false,
            "timestamp": 7,
            "extra": [{"pointer": "/data/Video/new", "json": "1e400"}],
        });
        assert_eq!(event.to_json(), expected);
    }

    #[test]
    fn each_kind_is_the_events_name_in_kebab_case() {
        for (name, body) in samples::ALL {
            let event = decode(name.to_owned(), body.to_owned()).expect("an event");
            assert_eq!(event.to_json()["payload"]["kind"], name.replace('_', "-"));
        }
        let other = decode("new".to_owned(), r#"{"event":"new"}"#.to_owned()).expect("an event");
        assert_eq!(other.to_json(), json!({"name": "new", "payload": {"kind": "other"}}));
    }
}
