//! An event as people look at it: what lets somebody in is hidden, unless they
//! asked to see it.

use hookbox_core::sensitive::{HIDDEN, Mask};
use hookbox_core::targetvideo;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{AttemptRecord, BodyRecord, CallRecord, Content, EventDetail, EventSummary};

/// All that is known of an event, with or without what is hidden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// The same as in a list.
    pub summary: EventSummary,
    /// The name of the secret that it came with.
    pub secret: String,
    /// The body without the secret, with `"[hidden]"` for each hidden value.
    pub document: String,
    /// The event as plugins get it: `name`, `payload` with its `kind`, `extra`
    /// and so on, without what is absent. Null where it is revealed and cannot be
    /// read.
    #[schema(value_type = Object)]
    pub typed: Value,
    /// How many values of the document are hidden. What is hidden there is
    /// hidden in the attempts too.
    pub masked: u64,
    /// The calls of plugins with it, in order; the first 1,000.
    pub attempts: Vec<AttemptRecord>,
}

/// An event to look at. `revealed`: nothing is hidden. That it was revealed is
/// to be noted down before.
pub fn event_view(detail: EventDetail, revealed: bool) -> EventView {
    let EventDetail { summary, secret, mut document, mut attempts } = detail;
    let mut masked = 0;
    if !revealed {
        let mask = Mask::of(&summary.name, &document);
        masked = mask.count();
        document = mask.document().to_owned();
        for attempt in &mut attempts {
            hide_in_attempt(attempt, &mask);
        }
    }
    // Of what is left, so that it cannot show more.
    let typed = targetvideo::decode(summary.name.clone(), document.clone());
    let typed = typed.map(|event| event.to_json()).unwrap_or_default();
    EventView { summary, secret, document, typed, masked, attempts }
}

fn hide_in_attempt(attempt: &mut AttemptRecord, mask: &Mask) {
    hide_in(&mut attempt.error, mask);
    hide_in(&mut attempt.log, mask);
    for call in &mut attempt.calls {
        let CallRecord { url, error, request, response, .. } = call;
        *url = mask.text(url).into_owned();
        hide_in(error, mask);
        hide_in_body(request, mask);
        hide_in_body(response, mask);
    }
}

fn hide_in(text: &mut Option<String>, mask: &Mask) {
    if let Some(text) = text {
        *text = mask.text(text).into_owned();
    }
}

fn hide_in_body(body: &mut BodyRecord, mask: &Mask) {
    match &mut body.kept {
        Some(Content::Text(text)) => *text = mask.text(text).into_owned(),
        // It may be compressed, or cut off within a character: nobody can tell
        // what is in it.
        Some(bytes @ Content::Base64(_)) if mask.count() > 0 => {
            *bytes = Content::Text(HIDDEN.to_owned());
        }
        Some(Content::Base64(_)) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use hookbox_core::targetvideo::samples;

    use super::*;

    const KEY: &str = "sk-example-only";
    const ADDRESS: &str = "rtmp://ingest.example/live";

    fn body(kept: Content) -> BodyRecord {
        BodyRecord { bytes: 9, sha256: None, kept: Some(kept) }
    }

    /// A livestream, and a plugin that gave everything away.
    fn detail() -> EventDetail {
        let call = CallRecord {
            started_at_ms: 1,
            duration_us: 1,
            method: "POST".to_owned(),
            url: format!("https://a.example/{KEY}"),
            address: None,
            status: Some(200),
            code: None,
            error: Some(format!("no {KEY}")),
            request: body(Content::Text(format!(r#"{{"k":"{KEY}"}}"#))),
            response: body(Content::Base64("c2stZXhhbXBsZS1vbmx5".to_owned())),
        };
        let attempt = AttemptRecord {
            delivery: "d".to_owned(),
            plugin: "p".to_owned(),
            number: 1,
            digest: String::new(),
            generation: 1,
            started_at_ms: 1,
            duration_us: 1,
            outcome: "trap".to_owned(),
            blame: None,
            error: Some(format!("panicked at {ADDRESS}")),
            log: Some(format!("got {KEY}\nand {ADDRESS}")),
            became: "dead".to_owned(),
            calls: vec![call],
        };
        let summary = EventSummary {
            id: "e".to_owned(),
            source: "main".to_owned(),
            name: "livestream_add_v2".to_owned(),
            received_at_ms: 1,
            bytes: 1,
            repeats: 0,
            deliveries: Vec::new(),
        };
        let document = samples::body("livestream_add_v2").unwrap_or_default().to_owned();
        EventDetail { summary, secret: "2026".to_owned(), document, attempts: vec![attempt] }
    }

    #[test]
    fn what_is_hidden_in_the_body_is_hidden_in_all_that_plugins_did_with_it() {
        let view = event_view(detail(), false);
        let shown = serde_json::to_string(&view).unwrap_or_default();
        assert!(!shown.contains(KEY) && !shown.contains("ingest.example"), "{shown}");
        assert!(!shown.contains("c2stZXhhbXBsZS1vbmx5"), "{shown}");
        assert_eq!(view.masked, 3);
        assert_eq!(view.typed["payload"]["name"], "Harbour camera");
        assert_eq!(view.attempts[0].log.as_deref(), Some("got [hidden]\nand [hidden]"));
        assert_eq!(view.attempts[0].calls[0].url, "https://a.example/[hidden]");
    }

    #[test]
    fn what_is_revealed_is_as_it_was() {
        let detail = detail();
        let view = event_view(detail.clone(), true);
        assert_eq!((&view.document, &view.attempts), (&detail.document, &detail.attempts));
        assert_eq!(view.masked, 0);
        assert!(view.typed["extra"].to_string().contains(KEY));
    }

    #[test]
    fn a_document_that_cannot_be_read_is_hidden() {
        let damaged = EventDetail { document: format!("{{\"k\":\"{KEY}"), ..detail() };
        let view = event_view(damaged, false);
        assert_eq!(view.document, "\"[hidden]\"");
        assert!(!view.typed.to_string().contains(KEY), "{}", view.typed);
    }
}
