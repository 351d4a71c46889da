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
use hookbox_sdk::{Delivery, Event, Failure, Payload, Plugin, Want, config};
use serde_json::json;

struct NotifyChat;

impl Plugin for NotifyChat {
    const EVENTS: &'static [&'static str] = &["video_encoded"];

    fn wants() -> Vec<Want> {
        vec![Want::Secret("url".to_owned())]
    }

    fn handle(event: Event, delivery: Delivery) -> Result<(), Failure> {
        let message = json!({ "text": text(&event)? });
        let mut request = Request::post(config::required("url")?)
            .header("Content-Type", "application/json")
            // The same in each attempt, so that a chat that heeds it posts once.
            .header("Idempotency-Key", delivery.id)
            .body(message.to_string());
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
        return Err(Failure::Reject(format!("{} was not asked for", event.name)));
    };
    match &encoding.video_id {
        Some(video) => Ok(format!("Video {video} is ready in all renditions.")),
        None => Err(Failure::Reject("the body names no video".to_owned())),
    }
}

#[cfg(test)]
mod tests;
