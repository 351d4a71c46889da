//! Says which renditions of a video the vendor reports when its SD rendition or
//! all of them are done.

use hookbox_sdk::{Delivery, EncodingStatus, Event, Failure, OrFail as _, Payload, Plugin};

struct EncodingWatch;

impl Plugin for EncodingWatch {
    const EVENTS: &'static [&'static str] = &["sd_encoded", "video_encoded"];

    fn handle(event: Event, _: Delivery) -> Result<(), Failure> {
        let (stage, encoding) = match &event.payload {
            Payload::SdEncoded(encoding) => ("SD is ready", encoding),
            Payload::VideoEncoded(encoding) => ("all renditions are ready", encoding),
            _ => return Err(Failure::reject(format_args!("{} was not asked for", event.name))),
        };
        let video = encoding.video_id.as_ref().or_reject("the body names no video")?;
        let by = encoding.invoked_by.as_deref().unwrap_or("unknown");
        match &encoding.status {
            Some(status) => println!("video {video}: {stage}; {} (by {by})", flags(status)),
            None => println!("video {video}: {stage}; no flags were sent (by {by})"),
        }
        Ok(())
    }
}

hookbox_sdk::export!(EncodingWatch);

/// The flags, set ones first. A flag that is set does not mean that the
/// rendition is done: the vendor sets `hd` before it is.
fn flags(status: &EncodingStatus) -> String {
    let known = [
        ("sd", status.sd),
        ("ld", status.ld),
        ("hsd", status.hsd),
        ("hd", status.hd),
        ("fhd", status.fhd),
        ("streaming", status.streaming),
        ("ogg", status.ogg),
        ("mp3", status.mp3),
    ];
    let known = known.iter().filter_map(|(name, flag)| flag.map(|flag| (*name, flag)));
    let more = status.more.iter().map(|rendition| (rendition.name.as_str(), rendition.flag));
    let (set, unset): (Vec<_>, Vec<_>) = known.chain(more).partition(|(_, flag)| *flag);
    let names = |flags: &[(&str, bool)]| {
        let names: Vec<&str> = flags.iter().map(|(name, _)| *name).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(" ") }
    };
    format!("set: {}; not set: {}", names(&set), names(&unset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookbox_sdk::testing::{delivery, event, sample};

    #[test]
    fn set_and_unset_flags_are_told_apart() {
        let Payload::SdEncoded(encoding) = sample("sd_encoded").payload else {
            panic!("the sample is an sd_encoded")
        };
        assert_eq!(
            flags(&encoding.status.expect("flags")),
            "set: sd hd fhd streaming ogg mp3; not set: ld hsd"
        );
    }

    #[test]
    fn a_rendition_that_is_new_to_us_is_shown() {
        let body = r#"{"event":"sd_encoded","response":{"EncodingStatus":{"uhd":"1"}}}"#;
        let Payload::SdEncoded(encoding) = event(body).payload else { panic!("an sd_encoded") };
        assert_eq!(flags(&encoding.status.expect("flags")), "set: uhd; not set: none");
    }

    #[test]
    fn a_body_without_a_video_is_rejected_for_good() {
        let result = EncodingWatch::handle(event(r#"{"event":"video_encoded"}"#), delivery());
        assert_eq!(result, Err(Failure::Reject("the body names no video".to_owned())));
        assert_eq!(EncodingWatch::handle(sample("video_encoded"), delivery()), Ok(()));
    }
}
