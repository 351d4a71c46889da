//! Bytes of a body, through all of the core: verified, typed, and restored from
//! what a journal keeps of it.

#[path = "../../../host/core/tests/leaves/mod.rs"]
mod leaves;

use std::sync::LazyLock;

use hookbox_core::event::{Event, Stored};
use hookbox_core::ids::{Digest, SourceName};
use hookbox_core::limits::{EXTRA_BYTES, EXTRA_FACTOR, NESTING_MAX};
use hookbox_core::targetvideo::samples::SECRET;
use hookbox_core::verify::{Refusal, Secrets, Verified, verify};
use leaves::Members;
use serde_json::value::RawValue;

static SOURCE: LazyLock<SourceName> = LazyLock::new(|| "main".parse().expect("a name"));
static SECRETS: LazyLock<Secrets> = LazyLock::new(|| {
    Secrets::new([("other", "another secret"), ("test", SECRET)]).expect("secrets")
});

/// Checks a body as it is, and the same with the secret put into it, since few
/// bytes made by chance have it. Returns what became of it as it is: the code of
/// a refusal, or `typed`.
///
/// # Panics
/// Where something that must hold does not.
pub fn check(bytes: &[u8]) -> &'static str {
    if let Some(body) = with_secret(bytes) {
        whole(body.as_bytes());
    }
    whole(bytes)
}

/// The body of an object with the secret as its first member.
fn with_secret(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let inner = text.trim_start().strip_prefix('{')?;
    let comma = if inner.trim_start().starts_with('}') { "" } else { "," };
    Some(format!("{{\"secret\":\"{SECRET}\"{comma}{inner}"))
}

fn whole(body: &[u8]) -> &'static str {
    let expected = document(body);
    let verified = match verify(&SOURCE, &SECRETS, body) {
        Ok(verified) => verified,
        Err(refusal) => {
            assert!(expected.is_none(), "{refusal:?}, though all is there");
            return refusal.log_code();
        }
    };
    let expected = expected.expect("taken, though something is missing");
    is_cut_out(body, &verified, &expected);
    let document = verified.document().to_owned();
    let (name, content) = (verified.name().to_owned(), verified.content());
    let event = match Event::decode(verified) {
        Ok(event) => event,
        Err(refusal) => return is_refused_rightly(&document, refusal),
    };
    assert_eq!(event.typed().document, document, "the document changed");
    assert_eq!((event.name(), event.content()), (name.as_str(), content));
    is_complete(&event);
    is_bounded(&event);
    is_restored(&event);
    "typed"
}

/// The top level of what must remain of a body that has to be taken, found
/// without the code under test.
fn document(body: &[u8]) -> Option<Vec<(String, Box<RawValue>)>> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let text = std::str::from_utf8(body).ok()?;
    let Members(mut members) = serde_json::from_str(text).ok()?;
    let string = |name: &str| -> Option<String> {
        let mut values = members.iter().filter(|(have, _)| have == name);
        let value = values.next()?.1.get();
        values.next().is_none().then(|| serde_json::from_str(value).ok())?
    };
    string("event")?;
    if string("secret")? != SECRET && string("secret")? != "another secret" {
        return None;
    }
    members.retain(|(name, _)| name != "secret");
    Some(members)
}

/// The secret's member is gone, and nothing else changed.
fn is_cut_out(body: &[u8], verified: &Verified, expected: &[(String, Box<RawValue>)]) {
    let document = verified.document();
    let Members(members) = serde_json::from_str(document).expect("the document is an object");
    let texts = |members: &[(String, Box<RawValue>)]| -> Vec<(String, String)> {
        members.iter().map(|(name, value)| (name.clone(), value.get().to_owned())).collect()
    };
    assert_eq!(texts(&members), texts(expected), "members of the top level");
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let kept = document.as_bytes();
    let before = body.iter().zip(kept).take_while(|(a, b)| a == b).count();
    let after = body.iter().rev().zip(kept.iter().rev()).take_while(|(a, b)| a == b).count();
    assert!(before + after >= kept.len(), "more was cut than one piece");
    assert_eq!(verified.content(), Digest::of(document.as_bytes()));
}

/// What is verified is refused only for its depth, or for half of a character.
fn is_refused_rightly(document: &str, refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::TooDeep => {
            let opened = document.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
            assert!(opened > NESTING_MAX, "too deep with {opened} levels at most");
        }
        Refusal::NotJson => {
            assert!(document.contains("\\u"), "no escape, and yet half a character");
        }
        other => panic!("{other:?} after verification"),
    }
    refusal.log_code()
}

/// Each leaf is in a typed field or in `extra`, and nothing is there that was
/// not sent.
fn is_complete(event: &Event) {
    let lost = leaves::lost(event.typed());
    assert!(lost.is_empty(), "lost: {lost:?}");
    let invented = leaves::invented(event.typed());
    assert!(invented.is_empty(), "invented: {invented:?}");
}

/// Nothing that a body says makes memory out of proportion.
fn is_bounded(event: &Event) {
    let typed = event.typed();
    let pointers: usize = typed.extra.iter().map(|member| member.pointer.len()).sum();
    // One that is listed whole has the pointer that its parent's budget paid for.
    let budget = EXTRA_FACTOR * typed.document.len() + EXTRA_BYTES;
    assert!(pointers <= budget, "{pointers} bytes of pointers, of {budget}");
    assert!(event.bytes() >= typed.document.len());
    if let Some(entity) = event.entity() {
        assert!(entity.id().len() <= 128, "a key of {} bytes", entity.id().len());
        assert_eq!(entity.to_string(), format!("{}:{}", entity.kind().code(), entity.id()));
    }
}

/// What the journal keeps of it makes the same event again.
fn is_restored(event: &Event) {
    let stored = Stored {
        source: event.source().clone(),
        secret: event.secret().to_owned(),
        document: event.typed().document.clone(),
        name: event.name().to_owned(),
    };
    let restored = Event::restore(stored).expect("what was taken once is taken again");
    assert_eq!(&restored, event);
}
