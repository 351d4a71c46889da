//! Posts a message to a chat when a video is ready.
//!
//! | setting | kind | is |
//! |---|---|---|
//! | `url` | secret | address of the chat's incoming webhook; who knows it can post |
//! | `token` | secret, may be left out | sent as `Authorization: Bearer …` |
//!
//! It also needs the grant of outgoing HTTP to the origin of `url`. The plugin
//! cannot know that origin when it is built, so it wants only the setting; a
//! missing grant shows at the first event, and its delivery is tried again.

use hookbox_sdk::http::Request;
use hookbox_sdk::json::json;
use hookbox_sdk::{Delivery, Event, Failure, OrFail as _, Payload, Plugin, Want, config};

struct NotifyChat;

impl Plugin for NotifyChat {
    const EVENTS: &'static [&'static str] = &["video_encoded"];

    fn wants() -> Vec<Want> {
        vec![Want::Secret("url".to_owned())]
    }

    fn handle(event: Event, delivery: Delivery) -> Result<(), Failure> {
        let mut request = Request::post(config::required("url")?)
            // The same in each attempt, so that a chat that heeds it posts once.
            .header("Idempotency-Key", delivery.id)
            .json(&json!({ "text": text(&event)? }));
        if let Some(token) = config::get("token") {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        request.send()?.success()?;
        Ok(())
    }
}

hookbox_sdk::export!(NotifyChat);

fn text(event: &Event) -> Result<String, Failure> {
    let Payload::VideoEncoded(encoding) = &event.payload else {
        return Err(Failure::reject(format_args!("{} was not asked for", event.name)));
    };
    let video = encoding.video_id.as_ref().or_reject("the body names no video")?;
    Ok(format!("Video {video} is ready in all renditions."))
}

#[cfg(test)]
mod tests;
