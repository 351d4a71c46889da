#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use super::super::fixture::{Fixture, NOW_MS, World, event_id, filter, received};
use super::*;
use crate::store::records::ChangeKind;

fn redrive(filter: Filter) -> Operation {
    Operation::Redrive { filter, dry_run: false, after: None }
}

fn discard(filter: Filter) -> Operation {
    Operation::Discard { filter, dry_run: false, after: None }
}

fn replay(filter: Filter, plugin: &str) -> Operation {
    Operation::Replay { filter, plugin: plugin.to_owned(), dry_run: false, after: None }
}

fn forget(plugin: &str) -> Operation {
    Operation::Forget { plugin: plugin.to_owned(), dry_run: false, after: None }
}

fn dry(mut operation: Operation) -> Operation {
    let (Operation::Redrive { dry_run, .. }
    | Operation::Discard { dry_run, .. }
    | Operation::Replay { dry_run, .. }
    | Operation::Forget { dry_run, .. }) = &mut operation
    else {
        panic!("{operation:?} is done or not")
    };
    *dry_run = true;
    operation
}

/// `plugin event.replay state` of all that is owed.
fn queue(fixture: &Fixture) -> Vec<String> {
    fixture.column(
        "SELECT plugin || ' ' || event || '.' || replay || ' ' || state
         FROM queue ORDER BY plugin, event, replay",
    )
}

fn names(step: &Step) -> Vec<&str> {
    step.touched.keys().map(PluginName::as_str).collect()
}

#[test]
fn a_redriven_delivery_is_owed_again_with_its_attempts_forgiven() {
    let mut fixture = Fixture::new();
    fixture.events(2);
    fixture.plugin("audit", true, None);
    let id = fixture.dead("audit", 1, false);
    fixture.dead("audit", 2, false);
    let named = filter(|f| f.ids = vec![id.clone()]);
    let step = World::default().step(&fixture, &redrive(named), NOW_MS).expect("a report");
    assert_eq!(step.report, Report { count: 1, next: None });
    assert_eq!(names(&step), ["audit"]);
    let row: Vec<String> = fixture.column(
        "SELECT concat_ws(' ', id, state, attempts, forgiven, due_at_ms, entity) FROM queue",
    );
    assert_eq!(row, [format!("{id} waiting 5 5 {NOW_MS}")]);
    assert_eq!(fixture.column::<i64>("SELECT event FROM dead_letters"), [2]);
}

#[test]
fn discarded_ones_are_redriven_only_by_name() {
    let mut fixture = Fixture::new();
    fixture.events(2);
    fixture.plugin("audit", true, None);
    let discarded = fixture.dead("audit", 1, true);
    fixture.dead("audit", 2, false);
    let mut world = World::default();
    let by_state = redrive(filter(|f| f.state = Some(State::Discarded)));
    let error = world.step(&fixture, &by_state, NOW_MS).expect_err("an error");
    assert_eq!(error.code, "invalid");
    assert_eq!(world.run(&mut fixture, redrive(Filter::default()), |_| {}), (1, 1));
    assert_eq!(queue(&fixture), ["audit 2.0 waiting"]);
    let by_name = redrive(filter(|f| f.ids = vec![discarded]));
    assert_eq!(world.run(&mut fixture, by_name, |_| {}), (1, 1));
    assert_eq!(queue(&fixture), ["audit 1.0 waiting", "audit 2.0 waiting"]);
}

#[test]
fn redriving_takes_many_steps_and_leaves_alone_what_dies_meanwhile() {
    let mut fixture = Fixture::new();
    fixture.events(1_300);
    fixture.plugin("audit", true, None);
    fixture.plugin("mail", true, None);
    for seq in 1..=1_200 {
        fixture.dead(if seq % 2 == 0 { "audit" } else { "mail" }, seq, false);
    }
    let mut world = World::default();
    assert_eq!(world.run(&mut fixture, dry(redrive(Filter::default())), |_| {}).0, 1_200);
    assert_eq!(queue(&fixture), [""; 0]);
    // What was redriven dies again at once, and so does what is new.
    let mut late = 1_200;
    let (count, steps) = world.run(&mut fixture, redrive(Filter::default()), |fixture| {
        late += 1;
        fixture.dead("audit", late, false);
        fixture
            .conn
            .execute_batch(&format!(
                "UPDATE dead_letters SET died_at_ms = {NOW_MS} + 1000 WHERE event > 1200;
                 INSERT INTO dead_letters SELECT id, plugin, event, replay, 6, {NOW_MS} + 1000,
                     'rejected', NULL, NULL FROM queue;
                 DELETE FROM queue"
            ))
            .expect("they die");
    });
    assert_eq!((count, steps), (1_200, 3));
}

#[test]
fn filters_choose_what_is_redriven_or_discarded() {
    let by = |set: fn(&mut Filter)| filter(set);
    let cases: [(Filter, &[i64]); 6] = [
        (by(|f| f.plugin = Some("mail".into())), &[2]),
        (by(|f| f.event = Some("add_video".into())), &[3]),
        (by(|f| f.source = Some("other".into())), &[3]),
        (by(|f| f.since_ms = Some(received(3))), &[2, 3]),
        (by(|f| f.until_ms = Some(received(3))), &[1]),
        (by(|f| f.state = Some(State::Dead)), &[1, 2, 3]),
    ];
    for (filter, expected) in cases {
        let mut fixture = Fixture::new();
        fixture.plugin("audit", true, None);
        fixture.plugin("mail", true, None);
        fixture.events(2);
        fixture.event(3, "other", "add_video", 1);
        fixture.event(4, "main", "sd_encoded", 1);
        fixture.dead("audit", 1, false);
        fixture.dead("mail", 2, false);
        fixture.dead("audit", 3, false);
        fixture.dead("audit", 4, true);
        let count = expected.len() as u64;
        let mut world = World::default();
        for operation in [dry(discard(filter.clone())), discard(filter.clone())] {
            assert_eq!(world.run(&mut fixture, operation, |_| {}).0, count, "{filter:?}");
        }
        let discarded =
            "SELECT event FROM dead_letters WHERE discarded_at_ms >= 1790010000000 ORDER BY event";
        assert_eq!(fixture.column::<i64>(discarded), expected, "{filter:?}");
        assert_eq!(world.run(&mut fixture, discard(filter.clone()), |_| {}).0, 0, "{filter:?}");
        fixture.conn.execute_batch("UPDATE dead_letters SET discarded_at_ms = NULL").expect("SQL");
        let again = redrive(filter.clone());
        let more = u64::from(
            filter.until_ms.is_none()
                && filter.plugin.as_deref() != Some("mail")
                && filter.source.is_none()
                && filter.event.is_none(),
        );
        assert_eq!(world.run(&mut fixture, again, |_| {}).0, count + more, "{filter:?}");
    }
}

#[test]
fn an_id_that_is_not_dead_refuses_the_whole_step() {
    let mut fixture = Fixture::new();
    fixture.events(2);
    fixture.plugin("audit", true, None);
    let dead = fixture.dead("audit", 1, false);
    let owed = fixture.owe("audit", 2, 0, "pending");
    let forgotten = fixture.dead("forgotten", 2, true);
    let mut world = World::default();
    for (ids, make) in [
        (vec![dead.clone(), owed.clone()], redrive as fn(Filter) -> Operation),
        (vec![dead.clone(), owed], discard),
        (vec![dead, forgotten], redrive),
    ] {
        let operation = make(filter(|f| f.ids = ids));
        let error = world.step(&fixture, &operation, NOW_MS).expect_err("an error");
        assert_eq!(error.code, "not-found", "{operation:?}");
    }
    assert_eq!(queue(&fixture), ["audit 2.0 pending"]);
    assert_eq!(fixture.column::<i64>("SELECT count(*) FROM dead_letters"), [2]);
}

#[test]
fn an_ordered_plugin_gets_what_is_redriven_about_one_entity_in_its_order() {
    let mut fixture = Fixture::new();
    // About the videos 1, 2, 0, 1, 2, 0.
    fixture.events(6);
    fixture.plugin("audit", true, None);
    for seq in [5, 4, 2, 1] {
        fixture.dead("audit", seq, false);
    }
    fixture.owe_about("audit", 6, 0, "running", Some("video:0"));
    let mut world = World { ordered: vec!["audit"], ..World::default() };
    world.run(&mut fixture, redrive(Filter::default()), |_| {});
    let expected = [
        "audit 1.0 waiting",
        "audit 2.0 waiting",
        "audit 4.0 blocked",
        "audit 5.0 blocked",
        "audit 6.0 running",
    ];
    assert_eq!(queue(&fixture), expected);
    let entities = fixture.column::<String>("SELECT entity FROM queue ORDER BY event");
    assert_eq!(entities, ["video:1", "video:2", "video:1", "video:2", "video:0"]);
    // Behind the one that runs, though it came before.
    world.run(&mut fixture, replay(filter(|f| f.ids = vec![event_id(3)]), "audit"), |_| {});
    assert!(queue(&fixture).contains(&"audit 3.1 blocked".to_owned()));
}

#[test]
fn a_replay_is_counted_up_over_all_that_is_known_of_earlier_ones() {
    let mut fixture = Fixture::new();
    fixture.events(5);
    fixture.plugin("audit", true, None);
    fixture.succeeded("audit", 1);
    fixture.attempt("audit", 2, 7, "x", "succeeded");
    fixture.dead("audit", 3, false);
    fixture.owe("audit", 4, 2, "pending");
    fixture.succeeded("mail", 5);
    let mut world = World::default();
    let all = replay(Filter::default(), "audit");
    assert_eq!(world.run(&mut fixture, dry(all.clone()), |_| {}), (5, 1));
    assert_eq!(world.run(&mut fixture, all, |_| {}), (5, 1));
    let expected = [
        "audit 1.1 waiting",
        "audit 2.8 waiting",
        "audit 3.1 waiting",
        "audit 4.2 pending",
        "audit 4.3 waiting",
        "audit 5.1 waiting",
    ];
    assert_eq!(queue(&fixture), expected);
    let ids = fixture.column::<String>("SELECT DISTINCT id FROM queue");
    assert_eq!(ids.len(), 6, "each is a delivery of its own");
    assert_eq!(fixture.column::<i64>("SELECT sum(deliveries) FROM events"), [5]);
}

#[test]
fn a_replay_by_a_filter_brings_what_the_plugin_asks_for_and_by_id_anything() {
    let fixture = Fixture::new();
    fixture.events(3);
    fixture.plugin("audit", true, None);
    fixture.conn.execute_batch("UPDATE plugins SET asks_for = '[\"another\"]'").expect("an update");
    let world = &mut World::default();
    let all = world.step(&fixture, &replay(Filter::default(), "audit"), NOW_MS).expect("a report");
    assert_eq!(all.report.count, 0);
    fixture
        .conn
        .execute_batch("UPDATE events SET name = 'another' WHERE seq = 2")
        .expect("an update");
    let all = world.step(&fixture, &replay(Filter::default(), "audit"), NOW_MS).expect("a report");
    assert_eq!((all.report.count, queue(&fixture)), (1, vec!["audit 2.1 waiting".to_owned()]));
    let named = replay(filter(|f| f.ids = vec![event_id(3)]), "audit");
    assert_eq!(world.step(&fixture, &named, NOW_MS).expect("a report").report.count, 1);
}

#[test]
fn a_replay_ends_though_events_keep_coming() {
    let mut fixture = Fixture::new();
    fixture.events(1_100);
    fixture.plugin("audit", true, None);
    let mut world = World::default();
    let mut late = 1_100;
    let ran = world.run(&mut fixture, replay(Filter::default(), "audit"), |fixture| {
        for _ in 0..600 {
            late += 1;
            fixture.event(late, "main", "sd_encoded", 1);
        }
    });
    assert_eq!(ran, (1_100, 3));
    // Each state is walked in its own way; none sees what it made itself.
    for state in [State::Waiting, State::Unrouted, State::Dead] {
        let by = replay(filter(|f| f.state = Some(state)), "audit");
        let (count, _) = world.run(&mut fixture, by, |_| {});
        assert_eq!(count, if state == State::Waiting { 1_100 } else { 0 }, "{state:?}");
    }
}

#[test]
fn unrouted_events_are_replayed_once() {
    let mut fixture = Fixture::new();
    for seq in 1..=700 {
        fixture.event(seq, "main", "sd_encoded", seq % 2);
    }
    fixture.plugin("gone", false, None);
    let mut world = World::default();
    let unrouted = replay(filter(|f| f.state = Some(State::Unrouted)), "gone");
    assert_eq!(world.run(&mut fixture, dry(unrouted.clone()), |_| {}).0, 350);
    assert_eq!(world.run(&mut fixture, unrouted.clone(), |_| {}).0, 350);
    assert_eq!(world.run(&mut fixture, unrouted.clone(), |_| {}).0, 0);
    // Nor again when they have died, or are done.
    fixture
        .conn
        .execute_batch("DELETE FROM queue WHERE event > 2; UPDATE queue SET state = 'running'")
        .expect("SQL");
    fixture.dead("gone", 4, true);
    fixture.succeeded("gone", 6);
    assert_eq!(world.run(&mut fixture, unrouted, |_| {}).0, 347);
}

#[test]
fn a_replay_names_what_it_does_not_find() {
    let fixture = Fixture::new();
    fixture.events(1);
    fixture.plugin("audit", true, None);
    fixture.plugin("mail", false, None);
    let mut world = World::default();
    let error = world.step(&fixture, &replay(Filter::default(), "adit"), NOW_MS);
    let error = error.expect_err("an error");
    assert_eq!(error.code, "not-found");
    assert_eq!(error.message, "there is no plugin \"adit\"; known are audit, mail");
    let ids = filter(|f| f.ids = vec![event_id(1), event_id(2)]);
    let error = world.step(&fixture, &replay(ids, "audit"), NOW_MS).expect_err("an error");
    assert_eq!(error.code, "not-found");
    assert_eq!(queue(&fixture), [""; 0]);
}

#[test]
fn all_that_is_owed_to_a_plugin_that_is_gone_can_be_forgotten() {
    let mut fixture = Fixture::new();
    fixture.events(1_200);
    fixture.plugin("gone", false, None);
    fixture.plugin("audit", true, None);
    for seq in 1..=1_200 {
        let state = if seq == 1 { "waiting" } else { "blocked" };
        fixture.owe_about("gone", seq, 0, state, Some("video:1"));
    }
    fixture.owe("audit", 1, 0, "pending");
    let mut world = World::default();
    assert_eq!(world.run(&mut fixture, dry(forget("gone")), |_| {}), (1_200, 3));
    let mut open = Vec::new();
    let ran = world.run(&mut fixture, forget("gone"), |fixture| {
        open.push(fixture.column::<i64>(
            "SELECT count(*) FROM queue WHERE plugin = 'gone' AND state = 'waiting'",
        ));
    });
    assert_eq!(ran, (1_200, 3));
    // Between the steps the rest could go on.
    assert_eq!(open, [[1], [1], [0]]);
    assert_eq!(queue(&fixture), ["audit 1.0 pending"]);
    let reasons = "SELECT reason || (discarded_at_ms = died_at_ms) || ' ' || count(*)
                   FROM dead_letters GROUP BY reason, discarded_at_ms = died_at_ms";
    assert_eq!(fixture.column::<String>(reasons), ["forgotten1 1200"]);
    assert_eq!(fixture.column::<String>("SELECT name FROM plugins"), ["audit"]);
    let error = world.step(&fixture, &forget("gone"), NOW_MS).expect_err("an error");
    assert_eq!(error.code, "not-found");
}

#[test]
fn a_plugin_that_is_there_is_not_forgotten() {
    let mut fixture = Fixture::new();
    fixture.events(1);
    fixture.plugin("audit", true, None);
    fixture.plugin("back", false, None);
    fixture.owe("audit", 1, 0, "pending");
    let mut world = World { live: vec!["back"], ..World::default() };
    for plugin in ["audit", "back"] {
        let error = world.step(&fixture, &forget(plugin), NOW_MS).expect_err("an error");
        assert_eq!(error.code, "invalid", "{plugin}");
    }
    assert_eq!(queue(&fixture), ["audit 1.0 pending"]);
}

#[test]
fn a_plugin_is_paused_once_and_since_then() {
    let fixture = Fixture::new();
    fixture.plugin("audit", true, None);
    fixture.plugin("gone", false, None);
    let world = &mut World::default();
    let mut count = |operation: Operation, now_ms| {
        let step = world.step(&fixture, &operation, now_ms).expect("a report");
        let paused = step.paused.map(|(plugin, paused)| (plugin.to_string(), paused));
        (step.report.count, paused)
    };
    let pause = |plugin: &str| Operation::Pause { plugin: plugin.to_owned() };
    let resume = |plugin: &str| Operation::Resume { plugin: plugin.to_owned() };
    let said = |plugin: &str, paused| Some((plugin.to_owned(), paused));
    assert_eq!(count(pause("audit"), NOW_MS), (1, said("audit", true)));
    assert_eq!(count(pause("audit"), NOW_MS + 1), (0, said("audit", true)));
    assert_eq!(count(pause("gone"), NOW_MS + 2), (1, said("gone", true)));
    assert_eq!(count(resume("gone"), NOW_MS), (1, said("gone", false)));
    assert_eq!(count(resume("gone"), NOW_MS), (0, said("gone", false)));
    let since = "SELECT name || ' ' || paused_at_ms FROM plugins WHERE paused_at_ms IS NOT NULL";
    assert_eq!(fixture.column::<String>(since), [format!("audit {NOW_MS}")]);
    for operation in [pause("adit"), resume("adit")] {
        let error = world.step(&fixture, &operation, NOW_MS).expect_err("an error");
        assert_eq!(error.code, "not-found");
    }
}

#[test]
fn what_is_owed_to_a_paused_plugin_is_parked_but_for_what_runs_or_is_blocked() {
    let mut fixture = Fixture::new();
    fixture.events(4);
    fixture.plugin("audit", true, None);
    for (seq, state) in [(1, "pending"), (2, "running"), (3, "waiting"), (4, "blocked")] {
        fixture.owe("audit", seq, 0, state);
    }
    let states =
        |fixture: &Fixture| fixture.column::<String>("SELECT state FROM deliveries ORDER BY event");
    assert_eq!(states(&fixture), ["pending", "running", "waiting", "blocked"]);
    let pause = Operation::Pause { plugin: "audit".to_owned() };
    World::default().step(&fixture, &pause, NOW_MS).expect("a report");
    assert_eq!(states(&fixture), ["parked", "running", "parked", "blocked"]);
}

#[test]
fn a_pause_is_forgotten_with_its_plugin() {
    let mut fixture = Fixture::new();
    fixture.plugin("gone", false, None);
    let pause = Operation::Pause { plugin: "gone".to_owned() };
    let mut world = World::default();
    world.step(&fixture, &pause, NOW_MS).expect("a report");
    let dry = world.step(&fixture, &dry(forget("gone")), NOW_MS).expect("a report");
    assert_eq!(dry.paused, None);
    let step = world.step(&fixture, &forget("gone"), NOW_MS).expect("a report");
    assert_eq!(step.paused, Some(("gone".parse().expect("a name"), false)));
    world.run(&mut fixture, redrive(Filter::default()), |_| {});
}

#[test]
fn a_change_is_noted_with_its_words_cut_between_characters() {
    let fixture = Fixture::new();
    let change = NewChange {
        at_ms: NOW_MS,
        kind: ChangeKind::Revealed,
        plugin: None,
        subject: Some(event_id(1)),
        actor: Some("\u{fc}".repeat(200)),
        text: format!("a{}", "\u{20ac}".repeat(2_000)),
    };
    let step = World::default().step(&fixture, &Operation::Note { change }, NOW_MS);
    assert_eq!(step.expect("a report").report, Report { count: 1, next: None });
    let row = "SELECT concat_ws(' ', seq, at_ms, kind, plugin, subject, octet_length(actor),
                   octet_length(text)) FROM changes";
    let text_bytes = 1 + NewChange::TEXT_BYTES_MAX / 3 * 3;
    let expected = format!("1 {NOW_MS} revealed {} 256 {text_bytes}", event_id(1));
    assert_eq!(fixture.column::<String>(row), [expected]);
}

#[test]
fn dead_letters_are_counted_as_they_come_back_or_are_discarded() {
    let mut fixture = Fixture::new();
    fixture.events(4);
    fixture.plugin("audit", true, None);
    fixture.plugin("mail", true, None);
    let mut named = vec![fixture.dead("audit", 1, false), fixture.dead("audit", 2, true)];
    named.push(fixture.dead("mail", 3, false));
    let mut world = World::default();
    let mut dead = |operation: Operation| {
        let step = world.step(&fixture, &operation, NOW_MS).expect("a report");
        let dead = step.dead.into_iter().map(|(plugin, change)| format!("{plugin} {change}"));
        dead.collect::<Vec<_>>()
    };
    let these = |ids: &[String]| filter(|f| f.ids = ids.to_vec());
    assert_eq!(dead(dry(discard(Filter::default()))), [""; 0]);
    assert_eq!(dead(discard(these(&named[2..]))), ["mail -1"]);
    assert_eq!(dead(discard(these(&named[2..]))), [""; 0]);
    // Of the three only one was still counted.
    assert_eq!(dead(redrive(these(&named))), ["audit -1", "mail 0"]);
}

#[test]
fn a_cursor_that_is_none_is_refused() {
    let fixture = Fixture::new();
    fixture.events(1);
    fixture.plugin("audit", true, None);
    fixture.plugin("gone", false, None);
    let all = Filter::default;
    let codes: BTreeMap<_, _> =
        [redrive(all()), discard(all()), replay(all(), "audit"), forget("gone")]
            .into_iter()
            .map(|operation| {
                let resumed = operation.resumed("7;x".to_owned());
                let error = World::default().step(&fixture, &resumed, NOW_MS);
                (format!("{resumed:?}"), error.expect_err("an error").code)
            })
            .collect();
    assert!(codes.values().all(|code| code == "invalid"), "{codes:?}");
    assert_eq!(codes.len(), 4);
}
