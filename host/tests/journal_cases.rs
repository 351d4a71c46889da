//! The journal in situations that chance would seldom make.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hookbox::store::records::{ChangeKind, Filter, NewChange, Operation};
use hookbox::store::sqlite::{Command, Done, Journal, Limits, News};
use hookbox::store::{Accept, Accepted, Attempt, Claim, LivePlugin, NewDelivery, Policy, Settled};
use hookbox_core::breaker::BreakerPolicy;
use hookbox_core::effects::{CalledBody, OutboundCall, StateChange, StateValue};
use hookbox_core::event::{Event, Stored};
use hookbox_core::ids::{DeliveryId, Digest, EventId, PluginName};
use hookbox_core::outcome::{Failure, FailureKind, Outcome};
use hookbox_core::retry::RetryPolicy;
use rusqlite::{Connection, OptionalExtension as _};

const DAY_MS: u64 = 86_400_000;

const LIMITS: Limits = Limits {
    deliveries_max: 1_000_000,
    keep_ms: 7 * DAY_MS,
    keep_bytes_max: u64::MAX,
    refused_max: 10,
    attempt_log_bytes_max: 100,
};

fn name(plugin: &str) -> PluginName {
    plugin.parse().expect("a name")
}

fn open(folder: &Path, now_ms: u64) -> Journal {
    Journal::open(&folder.join("journal.sqlite"), None, LIMITS, now_ms).expect("a journal")
}

fn file(folder: &Path) -> Connection {
    Connection::open(folder.join("journal.sqlite")).expect("the file")
}

fn count(folder: &Path, text: &str) -> i64 {
    file(folder).query_row(text, [], |row| row.get(0)).expect("a number")
}

fn live(plugins: &[&str], attempts_max: u32, ordered: bool) -> Command {
    let live = plugins.iter().map(|plugin| LivePlugin {
        name: name(plugin),
        digest: Digest::of(b"code"),
        asks_for: Vec::new(),
        policy: Policy {
            retry: RetryPolicy { attempts_max, backoff_first_ms: 0, backoff_max_ms: 0 },
            breaker: BreakerPolicy { failures: 0, open_first_ms: 1, open_max_ms: 1 },
            ordered,
            serial: false,
        },
    });
    Command::Plugins { live: live.collect(), unloadable: Vec::new() }
}

/// An event about the video 7, for these plugins.
fn accept(number: u64, now_ms: u64, plugins: &[&str], ordered: bool) -> Command {
    let stored = Stored {
        source: "main".parse().expect("a name"),
        secret: "test".to_owned(),
        name: "edit_video".to_owned(),
        document: format!(
            r#"{{"event":"edit_video","n":{number},"data":{{"Video":{{"id":"7"}}}}}}"#
        ),
    };
    let [.., a, b, c, d] = number.to_be_bytes();
    let random = [0, 0, 0, 0, 0, 0, a, b, c, d];
    let deliveries = plugins.iter().map(|plugin| NewDelivery {
        id: DeliveryId::new(now_ms, random),
        plugin: name(plugin),
        backlog_max: 1_000_000,
        ordered,
    });
    Command::Accept(Accept {
        deliveries: deliveries.collect(),
        id: EventId::new(now_ms, random),
        event: Arc::new(Event::restore(stored).expect("an event")),
        received_at_ms: now_ms,
        duplicate_window_ms: 0,
        trace: None,
    })
}

fn attempt(outcome: Outcome) -> Attempt {
    Attempt {
        digest: Digest::of(b"code"),
        generation: 1,
        started_at_ms: 1,
        duration: Duration::from_micros(20),
        outcome,
        log: String::new(),
        changes: Vec::new(),
        calls: Vec::new(),
    }
}

fn failed(kind: FailureKind) -> Outcome {
    Outcome::Failed(Failure { kind, message: "asked to".to_owned() })
}

fn claims(journal: &mut Journal, plugin: &str, workers: usize, now_ms: u64) -> Vec<Claim> {
    journal.set_wants(&name(plugin), workers);
    journal.run(&[], now_ms).expect("a batch").claims
}

#[test]
fn old_events_go_and_what_is_owed_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    journal.run(&[live(&["parked", "quick"], 20, false)], 0).expect("a batch");
    let owed: Vec<Command> = (0..20_000).map(|n| accept(n, 0, &["parked"], false)).collect();
    journal.run(&owed, 0).expect("a batch");
    journal.set_wants(&name("quick"), 100);
    let done: Vec<Command> = (20_000..20_100).map(|n| accept(n, 0, &["quick"], false)).collect();
    let handed = journal.run(&done, 0).expect("a batch").claims;
    let settle = |claim| Command::Settle(claim, attempt(Outcome::Handled));
    let settled: Vec<Command> = handed.into_iter().map(settle).collect();
    journal.run(&settled, 0).expect("a batch");
    while journal.retain(8 * DAY_MS).expect("a step") {}
    assert_eq!(count(folder.path(), "SELECT count(*) FROM events"), 20_000);
    assert_eq!(count(folder.path(), "SELECT count(*) FROM queue"), 20_000);
}

#[test]
fn a_stored_body_that_is_no_text_any_more_stops_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    let three: Vec<Command> = (0..3).map(|n| accept(n, 0, &["probe"], false)).collect();
    journal.run(&three, 0).expect("a batch");
    drop(journal);
    file(folder.path())
        .execute("UPDATE events SET document = CAST(x'7b22ff' AS TEXT) WHERE seq = 2", [])
        .expect("damage");
    let mut journal = open(folder.path(), 0);
    journal.run(&[live(&["probe"], 20, false)], 0).expect("a batch");
    let handed = claims(&mut journal, "probe", 9, 0);
    assert_eq!(handed.iter().map(|claim| claim.key.event).collect::<Vec<_>>(), [1, 3]);
    let dead = "SELECT count(*) FROM dead_letters WHERE reason = 'unreadable' AND event = 2";
    assert_eq!(count(folder.path(), dead), 1);
    // An operator who touches it is told, and the batch goes on.
    let redrive = Operation::Redrive { filter: Filter::default(), dry_run: false, after: None };
    let batch = journal.run(&[Command::Operate(redrive), accept(9, 0, &["probe"], false)], 0);
    let batch = batch.expect("a batch");
    assert!(matches!(batch.done.last(), Some(Done::Accept(Ok(Accepted::New { .. })))));
}

#[test]
fn what_ended_with_the_process_in_its_last_attempt_is_handed_over_once_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut attempts = Vec::new();
    for start in 0..6 {
        let mut journal = open(folder.path(), start);
        journal.run(&[live(&["probe"], 1, false)], start).expect("a batch");
        if start == 0 {
            journal.run(&[accept(1, 0, &["probe"], false)], start).expect("a batch");
        }
        attempts.extend(claims(&mut journal, "probe", 1, start).iter().map(|c| c.attempt));
        // The process ends here.
    }
    // But not for ever: it may be the delivery that ends the process.
    assert_eq!(attempts, [1, 2, 3, 4]);
    assert_eq!(count(folder.path(), "SELECT count(*) FROM dead_letters"), 1);
    assert_eq!(count(folder.path(), "SELECT count(*) FROM queue"), 0);
}

#[test]
fn what_is_redriven_while_its_plugin_is_away_keeps_its_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    journal.run(&[live(&["probe"], 20, true)], 0).expect("a batch");
    journal.run(&[accept(1, 0, &["probe"], true)], 0).expect("a batch");
    let first = claims(&mut journal, "probe", 1, 0).remove(0);
    let rejected = attempt(failed(FailureKind::Rejected));
    journal.run(&[Command::Settle(first, rejected)], 0).expect("a batch");
    journal.run(&[accept(2, 0, &["probe"], true)], 0).expect("a batch");
    journal.run(&[live(&[], 20, true)], 0).expect("a batch");
    let redrive = Operation::Redrive { filter: Filter::default(), dry_run: false, after: None };
    journal.run(&[Command::Operate(redrive)], 0).expect("a batch");
    journal.run(&[live(&["probe"], 20, true)], 0).expect("a batch");
    let handed = claims(&mut journal, "probe", 9, 1);
    assert_eq!(handed.len(), 1, "both are about the same video: {handed:?}");
}

#[test]
fn what_ends_and_is_due_again_in_one_batch_is_handed_out_again_and_stays_known() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    journal
        .run(&[live(&["probe"], 20, false), accept(1, 0, &["probe"], false)], 0)
        .expect("a batch");
    let mut claim = claims(&mut journal, "probe", 1, 0).remove(0);
    for number in 2..5 {
        journal.set_wants(&name("probe"), 1);
        let retry = attempt(failed(FailureKind::Retry));
        let mut batch = journal.run(&[Command::Settle(claim, retry)], 0).expect("a batch");
        assert!(matches!(batch.done.first(), Some(Done::Settle(Settled::Waiting { .. }))));
        claim = batch.claims.remove(0);
        assert_eq!(claim.attempt, number);
    }
    journal.run(&[Command::Settle(claim, attempt(Outcome::Handled))], 0).expect("a batch");
    assert_eq!(journal.owed(), 0);
}

#[test]
fn a_call_whose_event_was_forgotten_and_removed_ends_without_a_trace() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    journal
        .run(&[live(&["probe"], 20, false), accept(1, 0, &["probe"], false)], 0)
        .expect("a batch");
    let claim = claims(&mut journal, "probe", 1, 0).remove(0);
    journal.run(&[live(&[], 20, false)], 0).expect("a batch");
    let forget = Operation::Forget { plugin: "probe".to_owned(), dry_run: false, after: None };
    journal.run(&[Command::Operate(forget)], 0).expect("a batch");
    assert_eq!(journal.owed(), 0);
    while journal.retain(8 * DAY_MS).expect("a step") {}
    assert_eq!(count(folder.path(), "SELECT count(*) FROM events"), 0);
    journal.run(&[Command::Settle(claim, attempt(Outcome::Handled))], 0).expect("a batch");
    assert_eq!(count(folder.path(), "SELECT count(*) FROM attempts"), 0);
}

#[test]
fn a_clock_that_was_far_ahead_puts_nothing_off_for_ever() {
    let folder = tempfile::tempdir().expect("a folder");
    let far = 400 * DAY_MS;
    let mut journal = open(folder.path(), far);
    journal
        .run(&[live(&["probe"], 20, false), accept(1, far, &["probe"], false)], far)
        .expect("a batch");
    let claim = claims(&mut journal, "probe", 1, far).remove(0);
    journal.run(&[Command::Release(claim)], far).expect("a batch");
    drop(journal);
    let mut journal = open(folder.path(), DAY_MS);
    journal.run(&[live(&["probe"], 20, false)], DAY_MS).expect("a batch");
    assert_eq!(claims(&mut journal, "probe", 1, DAY_MS).len(), 1);
}

fn change(key: &str, value: StateValue) -> StateChange {
    StateChange { key: key.to_owned(), value }
}

fn set(key: &str, value: &str) -> StateChange {
    change(key, StateValue::Set(value.as_bytes().to_vec()))
}

fn with_changes(outcome: Outcome, changes: Vec<StateChange>) -> Attempt {
    Attempt { changes, ..attempt(outcome) }
}

/// Keys and values.
type Pairs = Vec<(String, String)>;

/// All that is kept, and its size by `state_sizes`.
fn state(folder: &Path) -> (Pairs, Option<(i64, i64)>) {
    let file = file(folder);
    let mut statement =
        file.prepare("SELECT key, CAST(value AS TEXT) FROM state ORDER BY key").expect("state");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    let kept = rows.map(|row| row.expect("a row")).collect();
    let size =
        file.query_row("SELECT keys, bytes FROM state_sizes WHERE plugin = 'probe'", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        });
    (kept, size.optional().expect("a size"))
}

fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// One event is accepted, claimed and settled with these changes.
fn call(journal: &mut Journal, number: u64, outcome: Outcome, changes: Vec<StateChange>) {
    journal.run(&[accept(number, 0, &["probe"], false)], 0).expect("a batch");
    let claim = claims(journal, "probe", 1, 0).remove(0);
    journal.run(&[Command::Settle(claim, with_changes(outcome, changes))], 0).expect("a batch");
}

#[test]
fn what_a_call_changed_is_kept_with_its_success_and_sizes_are_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    journal.run(&[live(&["probe"], 20, false)], 0).expect("a batch");
    let add = |by, to| StateValue::Add { by, to };
    call(
        &mut journal,
        1,
        Outcome::Handled,
        vec![
            set("a", "one"),
            set("ä", "two"),
            change("n", add(3, 3)),
            change("nowhere", StateValue::Delete),
        ],
    );
    let kept = pairs(&[("a", "one"), ("n", "3"), ("ä", "two")]);
    // Keys of 1, 2 and 1 bytes, values of 3, 3 and 1, and 64 for each.
    assert_eq!(state(folder.path()), (kept, Some((3, 203))));
    // What is there counts, not what the call saw; where that is no number, it is
    // what the call saw.
    call(
        &mut journal,
        2,
        Outcome::Handled,
        vec![set("a", "longer"), change("ä", StateValue::Delete), change("n", add(2, 2))],
    );
    assert_eq!(state(folder.path()), (pairs(&[("a", "longer"), ("n", "5")]), Some((2, 137))));
    let most = u64::MAX.to_string();
    call(&mut journal, 3, Outcome::Handled, vec![change("a", add(2, 7)), set("n", &most)]);
    call(&mut journal, 4, Outcome::Handled, vec![change("n", add(1, 9))]);
    assert_eq!(state(folder.path()), (pairs(&[("a", "7"), ("n", "9")]), Some((2, 132))));
    call(
        &mut journal,
        5,
        Outcome::Handled,
        vec![change("a", StateValue::Delete), change("n", StateValue::Delete)],
    );
    assert_eq!(state(folder.path()), (Vec::new(), None));
}

#[test]
fn a_call_that_did_not_end_well_leaves_no_trace_in_state() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    journal.run(&[live(&["probe"], 1, false)], 0).expect("a batch");
    let kinds = [
        FailureKind::Retry,
        FailureKind::Rejected,
        FailureKind::Trap,
        FailureKind::Deadline,
        FailureKind::Cpu,
        FailureKind::Memory,
        FailureKind::Host,
    ];
    for (number, kind) in (0..).zip(kinds) {
        call(&mut journal, number, failed(kind), vec![set("a", "one")]);
    }
    assert_eq!(state(folder.path()), (Vec::new(), None));
}

#[test]
fn a_success_that_is_written_again_counts_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    journal
        .run(&[live(&["probe"], 20, false), accept(1, 0, &["probe"], false)], 0)
        .expect("a batch");
    let claim = claims(&mut journal, "probe", 1, 0).remove(0);
    let add = change("n", StateValue::Add { by: 1, to: 1 });
    let settle =
        || Command::Settle(claim.clone(), with_changes(Outcome::Handled, vec![add.clone()]));
    // As where the commit failed and was in the file after all.
    for _ in 0..3 {
        let batch = journal.run(&[settle()], 0).expect("a batch");
        assert!(matches!(batch.done.as_slice(), [Done::Settle(Settled::Succeeded)]));
        journal.reopen(true, 0).expect("opening again");
    }
    assert_eq!(state(folder.path()).0, pairs(&[("n", "1")]));
}

#[test]
fn a_plugin_with_state_has_one_call_at_a_time_and_the_next_comes_with_the_same_commit() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    let mut policy = live(&["probe"], 20, false);
    if let Command::Plugins { live, .. } = &mut policy {
        live.iter_mut().for_each(|plugin| plugin.policy.serial = true);
    }
    journal.run(&[policy], 0).expect("a batch");
    journal.set_wants(&name("probe"), 4);
    let four: Vec<Command> = (1..5).map(|n| accept(n, 0, &["probe"], false)).collect();
    let mut handed = journal.run(&four, 0).expect("a batch").claims;
    for number in 1..5 {
        assert_eq!(handed.len(), 1, "one at a time");
        let claim = handed.remove(0);
        assert_eq!(claim.key.event, number);
        // It does not wake up in vain.
        assert_eq!(journal.wakes_at_ms(), None);
        assert!(journal.run(&[], 0).expect("a batch").claims.is_empty());
        // Neither by giving it back nor by its end does anything get stuck.
        let again = if number == 2 {
            Command::Release(claim)
        } else {
            Command::Settle(claim, attempt(Outcome::Handled))
        };
        journal.set_wants(&name("probe"), 4);
        handed = journal.run(&[again], 0).expect("a batch").claims;
        if number == 2 {
            let claim = handed.remove(0);
            assert_eq!(claim.key.event, 2);
            let settle = Command::Settle(claim, attempt(Outcome::Handled));
            handed = journal.run(&[settle], 0).expect("a batch").claims;
        }
    }
    assert!(handed.is_empty());
    assert_eq!(journal.owed(), 0);
}

#[test]
fn requests_that_a_call_sent_are_kept_whatever_became_of_it_and_go_with_its_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    journal
        .run(&[live(&["probe"], 1, false), accept(1, 0, &["probe"], false)], 0)
        .expect("a batch");
    let claim = claims(&mut journal, "probe", 1, 0).remove(0);
    let sent = OutboundCall {
        started_at_ms: 7,
        duration: Duration::from_micros(20),
        method: "POST".to_owned(),
        url: "https://chat.example/hook".to_owned(),
        address: Some([192, 0, 2, 1].into()),
        status: Some(200),
        error: None,
        request: CalledBody { bytes: 2, digest: Some(Digest::of(b"hi")), kept: None },
        response: CalledBody::default(),
    };
    let calls = vec![sent.clone(), OutboundCall { status: None, ..sent }];
    let failure = Attempt { calls, ..attempt(failed(FailureKind::Rejected)) };
    for _ in 0..2 {
        let settle = Command::Settle(claim.clone(), failure.clone());
        journal.run(&[settle], 0).expect("a batch");
    }
    let rows = "SELECT count(*) FROM calls c JOIN attempts a USING (event, plugin, replay)
         WHERE a.number = c.attempt AND address = '192.0.2.1' AND c.duration_us = 20";
    assert_eq!(count(folder.path(), rows), 2);
    let filter = Filter { ids: vec![claim.delivery.to_string()], ..Filter::default() };
    let discard = Operation::Discard { filter, dry_run: false, after: None };
    journal.run(&[Command::Operate(discard)], 0).expect("a batch");
    while journal.retain(8 * DAY_MS).expect("a step") {}
    assert_eq!(count(folder.path(), "SELECT count(*) FROM calls"), 0);
}

#[test]
fn a_result_that_can_never_be_written_does_not_call_its_plugin_without_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    let mut policy = live(&["probe"], 2, false);
    if let Command::Plugins { live, .. } = &mut policy {
        live.iter_mut().for_each(|plugin| plugin.policy.serial = true);
    }
    journal.run(&[policy, accept(1, 0, &["probe"], false)], 0).expect("a batch");
    let mut calls = 0;
    loop {
        let handed = claims(&mut journal, "probe", 1, 0);
        let Some(claim) = handed.first() else { break };
        calls += 1;
        assert_eq!(claim.attempt, calls, "each call counts");
        assert!(calls < 20);
        journal.abandon(claim, true);
        journal.reopen(true, 0).expect("opening again");
    }
    assert!(calls >= 2, "{calls}");
    let dead = "SELECT count(*) FROM dead_letters WHERE reason = 'attempts-exhausted'";
    assert_eq!(count(folder.path(), dead), 1);
    // One that nobody called is as it was.
    let handed = journal.run(&[accept(2, 0, &["probe"], false)], 0).expect("a batch").claims;
    journal.abandon(handed.first().expect("a claim"), false);
    journal.reopen(true, 0).expect("opening again");
    let again = claims(&mut journal, "probe", 1, 0);
    assert_eq!(again.first().map(|claim| claim.attempt), Some(1));
}

#[test]
fn the_trace_of_an_event_goes_with_it_to_each_claim_and_over_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    journal.run(&[live(&["first", "second"], 20, false)], 0).expect("a batch");
    journal.set_wants(&name("first"), 1);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut traced = accept(1, 0, &["first", "second"], false);
    if let Command::Accept(accept) = &mut traced {
        accept.trace = Some(parent.to_owned());
    }
    let plain = accept(2, 0, &["second"], false);
    let at_once = journal.run(&[traced, plain], 0).expect("a batch").claims;
    let traces = |claims: Vec<Claim>| claims.into_iter().map(|c| c.trace).collect::<Vec<_>>();
    assert_eq!(traces(at_once), [Some(parent.to_owned())]);
    // From memory, and given back; then from the file.
    let from_memory = claims(&mut journal, "second", 1, 0);
    journal.run(&[Command::Release(from_memory[0].clone())], 0).expect("a batch");
    assert_eq!(traces(from_memory), [Some(parent.to_owned())]);
    drop(journal);
    let mut journal = open(folder.path(), 1);
    journal.run(&[live(&["first", "second"], 20, false)], 1).expect("a batch");
    assert_eq!(traces(claims(&mut journal, "first", 1, 1)), [Some(parent.to_owned())]);
    let rest = traces(claims(&mut journal, "second", 2, 1));
    assert_eq!(rest.len(), 2);
    assert!(rest.contains(&Some(parent.to_owned())) && rest.contains(&None), "{rest:?}");
}

fn pause(plugin: &str) -> Command {
    Command::Operate(Operation::Pause { plugin: plugin.to_owned() })
}

fn resume(plugin: &str) -> Command {
    Command::Operate(Operation::Resume { plugin: plugin.to_owned() })
}

#[test]
fn a_paused_plugin_gets_nothing_over_restarts_too_until_it_is_resumed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    let both = || live(&["paused", "other"], 20, false);
    journal.run(&[both()], 0).expect("a batch");
    journal.set_wants(&name("paused"), 1);
    let runs = journal.run(&[accept(1, 0, &["paused"], false)], 0).expect("a batch").claims;
    journal.run(&[pause("paused")], 0).expect("a batch");
    // What runs goes on to its end, here to be tried again; what is new is owed.
    journal.set_wants(&name("paused"), 3);
    journal.set_wants(&name("other"), 3);
    let ended = Command::Settle(runs[0].clone(), attempt(failed(FailureKind::Retry)));
    let new = accept(2, 0, &["paused", "other"], false);
    let batch = journal.run(&[ended, new], 10).expect("a batch");
    assert!(matches!(batch.done[0], Done::Settle(Settled::Waiting { .. })), "{batch:?}");
    assert_eq!(batch.claims.iter().map(|c| c.plugin.as_str()).collect::<Vec<_>>(), ["other"]);
    assert_eq!(journal.wakes_at_ms(), None, "no time alone ends a pause");
    // A restart, new code, and a file that goes and comes back.
    drop(journal);
    let mut journal = open(folder.path(), 20);
    journal.run(&[both()], 20).expect("a batch");
    journal.run(&[live(&["other"], 20, false)], 20).expect("a batch");
    journal.run(&[both()], 20).expect("a batch");
    assert_eq!(claims(&mut journal, "paused", 3, 1_000_000).len(), 0);
    // The batch that resumes it hands out what it is owed.
    let batch = journal.run(&[resume("paused")], 1_000_000).expect("a batch");
    assert_eq!(batch.claims.len(), 2);
}

#[test]
fn a_pause_that_failed_to_be_written_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    journal.run(&[live(&["plugin"], 20, false)], 0).expect("a batch");
    // SQLite refuses the second command, and the batch with it.
    file(folder.path())
        .execute_batch(
            "CREATE TRIGGER broken BEFORE INSERT ON events BEGIN SELECT RAISE(FAIL, 'no'); END",
        )
        .expect("a trigger");
    let commands = [pause("plugin"), accept(1, 0, &["plugin"], false)];
    journal.run(&commands, 0).expect_err("a failure");
    file(folder.path()).execute_batch("DROP TRIGGER broken").expect("none");
    journal.reopen(true, 0).expect("the journal");
    journal.run(&[accept(2, 0, &["plugin"], false)], 0).expect("a batch");
    assert_eq!(claims(&mut journal, "plugin", 1, 0).len(), 1);
    // And one that was written is one after a failure, too.
    journal.run(&[pause("plugin"), accept(3, 0, &["plugin"], false)], 0).expect("a batch");
    journal.reopen(true, 0).expect("the journal");
    assert_eq!(claims(&mut journal, "plugin", 1, 0).len(), 0);
}

#[test]
fn what_a_breaker_does_is_noted_once_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    let breaks = || {
        let Command::Plugins { mut live, unloadable } = live(&["plugin"], 20, false) else {
            panic!("a list of plugins")
        };
        for plugin in &mut live {
            plugin.policy.breaker =
                BreakerPolicy { failures: 1, open_first_ms: 100, open_max_ms: 100 };
        }
        Command::Plugins { live, unloadable }
    };
    let kinds = || -> Vec<String> {
        let file = file(folder.path());
        let mut kinds = file.prepare("SELECT kind || ' ' || plugin FROM changes").expect("SQL");
        let kinds = kinds.query_map([], |row| row.get(0)).expect("rows");
        kinds.collect::<Result<_, _>>().expect("text")
    };
    journal.run(&[breaks()], 0).expect("a batch");
    let call = |journal: &mut Journal, number, now_ms, outcome| {
        let mut claims = claims(journal, "plugin", 1, now_ms);
        journal.set_wants(&name("plugin"), 0);
        if claims.is_empty() {
            journal.set_wants(&name("plugin"), 1);
            let new = accept(number, now_ms, &["plugin"], false);
            claims = journal.run(&[new], now_ms).expect("a batch").claims;
        }
        let settle = Command::Settle(claims[0].clone(), attempt(outcome));
        let news = journal.run(&[settle], now_ms).expect("a batch").news;
        news.into_iter()
            .map(|news| match news {
                News::Breaker { plugin, kind, .. } => format!("{} {plugin}", kind.code()),
                News::Dead { .. } => panic!("nothing is dead"),
            })
            .collect::<Vec<_>>()
    };
    let (opened, closed) = ("breaker-open plugin", "breaker-closed plugin");
    assert_eq!(call(&mut journal, 1, 0, failed(FailureKind::Trap)), [opened]);
    assert_eq!(kinds(), [opened]);
    // A trial that fails leaves it open, and so does opening the file again.
    assert_eq!(call(&mut journal, 2, 100, failed(FailureKind::Trap)), [""; 0]);
    journal.reopen(true, 110).expect("the journal");
    journal.run(&[], 110).expect("a batch");
    assert_eq!(kinds(), [opened]);
    let until = "SELECT breaker_until_ms FROM plugins";
    assert_eq!(count(folder.path(), until), 200);
    assert_eq!(call(&mut journal, 3, 200, Outcome::Handled), [closed]);
    assert_eq!(kinds(), [opened, closed]);
    assert_eq!(call(&mut journal, 4, 210, failed(FailureKind::Trap)), [opened]);
    drop(journal);
    let mut journal = open(folder.path(), 220);
    journal.run(&[breaks()], 220).expect("a batch");
    assert_eq!(kinds(), [opened, closed, opened, closed], "with each process they begin closed");
}

#[test]
fn the_newest_changes_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = open(folder.path(), 0);
    let note = |n: u64| {
        let text = format!("number {n}");
        let kind = ChangeKind::LogLevel;
        let (plugin, subject, actor) = (None, None, None);
        let change = NewChange { at_ms: n, kind, plugin, subject, actor, text };
        Command::Operate(Operation::Note { change })
    };
    let notes: Vec<Command> = (1..=11_200).map(note).collect();
    journal.run(&notes, 0).expect("a batch");
    let mut steps = 0;
    // However old they are.
    while journal.retain(1_000 * DAY_MS).expect("a step") {
        steps += 1;
        assert!(steps < 10, "it does not end");
    }
    assert_eq!(steps, 2, "a step is bounded");
    assert_eq!(count(folder.path(), "SELECT min(at_ms) FROM changes"), 1_201);
    assert_eq!(count(folder.path(), "SELECT count(*) FROM changes"), 10_000);
    // What operators did does not go for what hookbox does, however often.
    let operators = |n: u64| {
        let Command::Operate(Operation::Note { mut change }) = note(n) else { panic!("a note") };
        change.actor = Some("ops".to_owned());
        Command::Operate(Operation::Note { change })
    };
    let mixed: Vec<Command> = (20_001..=20_003).map(operators).collect();
    journal.run(&mixed, 0).expect("a batch");
    let notes: Vec<Command> = (30_001..=41_000).map(note).collect();
    journal.run(&notes, 0).expect("a batch");
    while journal.retain(1_000 * DAY_MS).expect("a step") {}
    assert_eq!(count(folder.path(), "SELECT count(*) FROM changes WHERE actor = 'ops'"), 3);
    let own = "SELECT count(*) || ' ' || min(at_ms) FROM changes WHERE actor IS NULL";
    let own: String = file(folder.path()).query_row(own, [], |row| row.get(0)).expect("a text");
    assert_eq!(own, "10000 31001");
}
