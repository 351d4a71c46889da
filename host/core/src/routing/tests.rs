#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::*;
use crate::verify::{Secrets, verify};

fn event(name: &str, source: &str) -> Event {
    let body = format!(r#"{{"event":"{name}","secret":"s"}}"#);
    let secrets = Secrets::new([("s", "s")]).expect("secrets");
    let source = source.parse().expect("a name");
    Event::decode(verify(&source, &secrets, body.as_bytes()).expect("verified")).expect("an event")
}

fn events(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn no_names_asked_for_means_every_event() {
    assert!(Subscription::default().takes(&event("new_thing", "main")));
}

#[test]
fn a_plugin_gets_what_it_asked_for() {
    let subscription = Subscription::new(events(&["a", "b"]), None, None);
    assert!(subscription.takes(&event("b", "main")));
    assert!(!subscription.takes(&event("c", "main")));
}

#[test]
fn the_operator_narrows_and_never_widens() {
    let sources = Some(BTreeSet::from(["main".parse().expect("a name")]));
    let subscription = Subscription::new(events(&["a", "b"]), Some(events(&["b", "c"])), sources);
    assert!(subscription.takes(&event("b", "main")));
    assert!(!subscription.takes(&event("a", "main")), "narrowed by event");
    assert!(!subscription.takes(&event("c", "main")), "widened");
    assert!(!subscription.takes(&event("b", "other")), "narrowed by source");
    let none = Subscription::new(events(&[]), Some(events(&[])), None);
    assert!(!none.takes(&event("a", "main")), "an empty list narrows to nothing");
}
