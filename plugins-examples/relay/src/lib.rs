//! Forwards each event's document to another HTTP endpoint, signed by
//! [Standard Webhooks](https://www.standardwebhooks.com), so that any service
//! that speaks it can receive events without knowing hookbox.
//!
//! | setting | kind | is |
//! |---|---|---|
//! | `url` | setting | where to post to |
//! | `signing-key` | secret | `whsec_` and the key in base64; the receiver has the same |
//!
//! It also needs the grant of outgoing HTTP to the origin of `url`.
//!
//! `webhook-id` is the delivery's id, the same in each attempt, by which the
//! receiver knows repetitions. Answers: 2xx is success; 429 and 5xx are tried
//! again, with `Retry-After` not before then; other 4xx, 410 among them, reject
//! the event.

mod signature;

use std::time::{SystemTime, UNIX_EPOCH};

use hookbox_sdk::http::Request;
use hookbox_sdk::{Delivery, Event, Failure, OrFail as _, Plugin, Want, config};

struct Relay;

impl Plugin for Relay {
    fn wants() -> Vec<Want> {
        vec![Want::Config("url".to_owned()), Want::Secret("signing-key".to_owned())]
    }

    fn handle(event: Event, delivery: Delivery) -> Result<(), Failure> {
        let url = config::required("url")?;
        let key = signature::key(&config::required("signing-key")?)
            .or_retry("the setting `signing-key` is no signing key")?;
        // Of this attempt, not of the event: receivers refuse old ones.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let signature = signature::sign(&key, &delivery.id, now, &event.document);
        Request::post(url)
            .header("Content-Type", "application/json")
            .header("webhook-id", delivery.id)
            .header("webhook-timestamp", now.to_string())
            .header("webhook-signature", signature)
            .body(event.document)
            .send()?
            .success()?;
        Ok(())
    }
}

hookbox_sdk::export!(Relay);

#[cfg(test)]
mod tests {
    use hookbox_sdk::RetryLater;
    use hookbox_sdk::testing::{Answer, FakeHost, delivery, sample};

    use super::*;

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn relayed(answer: Answer) -> (FakeHost, Result<(), Failure>) {
        let host = FakeHost::new()
            .config("url", "https://example.com/in")
            .config("signing-key", KEY)
            .answer(answer);
        let result = host.deliver::<Relay>(sample("edit_video"), delivery());
        (host, result)
    }

    #[test]
    fn the_document_is_forwarded_as_it_is_and_signed() {
        let (host, result) = relayed(Answer::status(204));
        assert_eq!(result, Ok(()));
        let sent = host.requests().remove(0);
        assert_eq!((&*sent.method, &*sent.url), ("POST", "https://example.com/in"));
        assert_eq!(sent.text(), sample("edit_video").document);
        assert_eq!(sent.header("webhook-id"), Some(&*delivery().id));
        let time: u64 = sent.header("webhook-timestamp").expect("a time").parse().expect("seconds");
        assert!(time > 1_700_000_000, "{time}");
        let key = signature::key(KEY).expect("a key");
        let signature = signature::sign(&key, &delivery().id, time, &sent.text());
        assert_eq!(sent.header("webhook-signature"), Some(&*signature));
    }

    #[test]
    fn the_answer_says_whether_to_try_again() {
        for status in [200, 202] {
            assert_eq!(relayed(Answer::status(status)).1, Ok(()));
        }
        for status in [400, 404, 410] {
            let (_host, result) = relayed(Answer::status(status));
            assert!(matches!(result, Err(Failure::Reject(_))), "{status}");
        }
        for status in [429, 500, 503] {
            let (_host, result) = relayed(Answer::status(status));
            assert!(matches!(result, Err(Failure::Retry(_))), "{status}");
        }
        for status in [429, 503] {
            let (_host, result) = relayed(Answer::status(status).header("Retry-After", "9"));
            let reason = format!("https://example.com answered {status}");
            let later = RetryLater { reason, after_ms: 9_000 };
            assert_eq!(result, Err(Failure::RetryAfter(later)));
        }
    }

    #[test]
    fn a_bad_key_is_not_shown_and_nothing_is_sent() {
        let host = FakeHost::new()
            .config("url", "https://example.com/in")
            .config("signing-key", "whsec_hush!");
        let result = host.deliver::<Relay>(sample("edit_video"), delivery());
        let Err(Failure::Retry(reason)) = result else { panic!("the operator can mend it") };
        assert!(reason.contains("`signing-key`") && !reason.contains("hush"), "{reason}");
        assert_eq!(host.requests(), []);
    }
}
