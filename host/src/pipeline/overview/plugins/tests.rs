#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::*;

fn lane(name: &str) -> LaneStatus {
    LaneStatus {
        plugin: name.parse().expect("a name"),
        digest: "d".to_owned(),
        live: false,
        deleted_at_ms: Some(1),
        owed: 3,
        oldest_at_ms: Some(7),
        running: 1,
        dead: 2,
        paused_at_ms: None,
        breaker_until_ms: None,
    }
}

fn refusal() -> VerdictView {
    VerdictView {
        at_ms: 9,
        accepted: false,
        digest: None,
        code: Some("not-a-component".to_owned()),
        message: Some("it is no component".to_owned()),
        fix: Vec::new(),
    }
}

#[test]
fn who_is_owed_something_and_not_live_is_gone_and_who_was_never_live_is_refused() {
    let lanes = [lane("gone")];
    let verdicts = BTreeMap::from([("bad".parse().expect("a name"), refusal())]);
    let all = views(&Generation::default(), &lanes, &verdicts, |_| PluginStats::default());
    let states: Vec<_> = all.iter().map(|view| (view.name.as_str(), view.state)).collect();
    assert_eq!(states, [("bad", PluginState::Refused), ("gone", PluginState::Gone)]);
    assert_eq!(all[0].reason.as_deref(), Some("it is no component"));
    assert_eq!((all[1].owed, all[1].dead, all[1].running), (3, 2, 1));
    assert_eq!(all[1].digest.as_deref(), Some("d"));
}
