#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, and one shows what it measured"
)]

use hookbox_core::effects::CalledBody;
use hookbox_core::ids::Digest;

use super::*;
use crate::telemetry::changes::{Changes, What};
use crate::telemetry::live::Live;

const MS: Duration = Duration::from_millis(1);
const JOURNAL: ServerGauges = ServerGauges { good: true, bytes: 4_096, files_refused: 1 };

fn name(name: &str) -> PluginName {
    name.parse().expect("a name")
}

fn ended<'a>(plugin: &'a PluginName, requests: &'a [OutboundCall]) -> CallEnded<'a> {
    let event = EventId::new(1, [0; 10]);
    CallEnded { plugin, event, outcome: "handled", error: None, duration: MS, requests }
}

fn request(status: Option<u16>, error: Option<&'static str>) -> OutboundCall {
    OutboundCall {
        started_at_ms: 1,
        duration: MS,
        method: "POST".to_owned(),
        url: "https://chat.example/private".to_owned(),
        address: status.map(|_| [127, 0, 0, 1].into()),
        status,
        error: error.map(|code| (code, "why".to_owned())),
        request: CalledBody::default(),
        response: CalledBody::default(),
    }
}

/// The value of a series.
fn value(text: &str, series: &str) -> Option<f64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(series));
    let found = lines.find_map(|rest| rest.strip_prefix(' '))?;
    Some(found.parse().expect("a number"))
}

#[test]
fn each_metric_has_the_name_that_operators_are_told() {
    let metrics = Metrics::new();
    metrics.request(Request::Accepted { source: "main" }, MS);
    metrics.commit(3, MS);
    let plugin = name("audit");
    metrics.reload(&plugin, Reload::Live);
    let requests = [request(Some(204), None), request(None, Some("not-granted"))];
    metrics.call(&ended(&plugin, &requests));
    let lane = LaneGauges {
        plugin: &plugin,
        owed: 7,
        oldest_at_ms: Some(unix_ms() - 60_000),
        dead: 2,
        live: true,
        paused: false,
        breaker_open: true,
    };
    let text = metrics.encode(&[lane], JOURNAL);
    let version = env!("CARGO_PKG_VERSION");
    for (series, expected) in [
        ("hookbox_requests_total{source=\"main\",answer=\"accepted\"}", 1.0),
        ("hookbox_accept_duration_seconds_count", 1.0),
        ("hookbox_accept_duration_seconds_bucket{le=\"0.001\"}", 1.0),
        ("hookbox_accept_duration_seconds_bucket{le=\"0.0005\"}", 0.0),
        ("hookbox_commit_duration_seconds_count", 1.0),
        ("hookbox_commit_size_sum", 3.0),
        ("hookbox_queue_depth{plugin=\"audit\"}", 7.0),
        ("hookbox_dead_letters{plugin=\"audit\"}", 2.0),
        ("hookbox_calls_total{plugin=\"audit\",outcome=\"handled\"}", 1.0),
        ("hookbox_call_duration_seconds_count{plugin=\"audit\"}", 1.0),
        ("hookbox_call_duration_seconds_bucket{le=\"+Inf\",plugin=\"audit\"}", 1.0),
        ("hookbox_reloads_total{outcome=\"live\"}", 1.0),
        ("hookbox_reloads_total{outcome=\"refused\"}", 0.0),
        ("hookbox_reloads_total{outcome=\"gone\"}", 0.0),
        ("hookbox_outbound_requests_total{plugin=\"audit\",result=\"2xx\"}", 1.0),
        ("hookbox_outbound_requests_total{plugin=\"audit\",result=\"not-granted\"}", 1.0),
        ("hookbox_outbound_duration_seconds_count{plugin=\"audit\"}", 1.0),
        ("hookbox_plugin_live{plugin=\"audit\"}", 1.0),
        ("hookbox_plugin_paused{plugin=\"audit\"}", 0.0),
        ("hookbox_breaker_open{plugin=\"audit\"}", 1.0),
        ("hookbox_journal_good", 1.0),
        ("hookbox_journal_bytes", 4_096.0),
        ("hookbox_plugin_files_refused", 1.0),
        (&format!("hookbox_build_info{{version=\"{version}\"}}"), 1.0),
    ] {
        assert_eq!(value(&text, series), Some(expected), "{series} in\n{text}");
    }
    for (series, least) in [
        ("hookbox_queue_oldest_age_seconds{plugin=\"audit\"}", 60.0),
        ("process_resident_memory_bytes", 100_000.0),
        ("process_cpu_seconds_total", 0.000_001),
        ("process_open_fds", 3.0),
        ("process_start_time_seconds", 1_000_000_000.0),
    ] {
        assert!(value(&text, series).is_some_and(|value| value >= least), "{series} in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
    // Each sample belongs to a family that is described once.
    let families: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert_eq!(families.len(), 23, "{families:?}");
    assert!(!text.contains("private"), "{text}");
}

#[test]
fn plugins_past_their_number_are_counted_together() {
    let metrics = Metrics::new();
    let names: Vec<PluginName> = (0..205).map(|n| name(&format!("p{n:03}"))).collect();
    for plugin in &names {
        metrics.call(&ended(plugin, &[]));
    }
    let lanes: Vec<LaneGauges<'_>> = names
        .iter()
        .map(|plugin| LaneGauges {
            plugin,
            owed: 1,
            oldest_at_ms: None,
            dead: 0,
            live: true,
            paused: false,
            breaker_open: false,
        })
        .collect();
    let text = metrics.encode(&lanes, JOURNAL);
    assert_eq!(
        value(&text, "hookbox_calls_total{plugin=\"other\",outcome=\"handled\"}"),
        Some(5.0)
    );
    assert_eq!(value(&text, "hookbox_queue_depth{plugin=\"other\"}"), Some(5.0));
    assert_eq!(text.matches("hookbox_calls_total{").count(), 201);
    assert_eq!(text.matches("hookbox_plugin_live{").count(), 201);
    // They have no figures of their own, and none of another's.
    assert_eq!(metrics.plugin_stats(&names[204]), PluginStats::default());
    assert_eq!(metrics.plugin_stats(&names[0]).outcomes["handled"], 1);

    // One that is gone makes room, and no other.
    metrics.reload(&names[3], Reload::Gone);
    metrics.call(&ended(&names[203], &[]));
    metrics.call(&ended(&names[204], &[]));
    assert_eq!(metrics.plugin_stats(&names[3]), PluginStats::default());
    assert_eq!(metrics.plugin_stats(&names[203]).outcomes["handled"], 1);
    assert_eq!(metrics.plugin_stats(&names[204]), PluginStats::default());

    // One that is back keeps its place.
    let (changes, _noting) = Changes::new(Live::default(), Arc::clone(&metrics));
    let (plugin, digest) = (names[5].clone(), Digest::of(b"code"));
    changes.tell(What::Gone { plugin: plugin.clone(), generation: 1 });
    changes.tell(What::Back { plugin, digest, generation: 2 });
    metrics.call(&ended(&names[204], &[]));
    assert_eq!(metrics.plugin_stats(&names[5]).outcomes["handled"], 1);
}

#[test]
fn sources_that_are_not_configured_have_one_name_and_the_others_are_bounded() {
    let metrics = Metrics::new();
    for _ in 0..3 {
        metrics.request(Request::Refused { source: None, code: "unknown-source" }, MS);
    }
    for source in 0..300 {
        metrics.request(Request::Duplicate { source: &format!("s{source}") }, MS);
    }
    let text = metrics.encode(&[], JOURNAL);
    let unknown = "hookbox_requests_total{source=\"unknown\",answer=\"unknown-source\"}";
    assert_eq!(value(&text, unknown), Some(3.0));
    let other = "hookbox_requests_total{source=\"other\",answer=\"duplicate\"}";
    assert_eq!(value(&text, other), Some(101.0));
    assert_eq!(text.matches("hookbox_requests_total{").count(), 201);
}

#[test]
fn totals_and_figures_of_a_plugin_follow_what_happened() {
    let metrics = Metrics::new();
    metrics.owed(4);
    metrics.request(Request::Accepted { source: "main" }, 2 * MS);
    metrics.request(Request::Duplicate { source: "main" }, 2 * MS);
    metrics.request(Request::Refused { source: Some("main"), code: "not-json" }, MS);
    let plugin = name("audit");
    metrics.call(&ended(&plugin, &[]));
    metrics.call(&CallEnded { outcome: "trap", error: Some("it trapped"), ..ended(&plugin, &[]) });
    metrics.dead();
    let stats = metrics.stats();
    let totals = stats.totals;
    assert_eq!((totals.received, totals.accepted, totals.duplicate, totals.refused), (3, 1, 1, 1));
    assert_eq!((totals.handled, totals.failed, totals.dead), (1, 1, 1));
    assert_eq!(stats.accept.count, 2);
    assert!((2_000..2_020).contains(&stats.accept.p50_us), "{stats:?}");
    assert_eq!(stats.series.received.iter().sum::<u64>(), 2);
    assert_eq!(stats.series.refused.iter().sum::<u64>(), 1);
    assert_eq!(stats.series.pending.last(), Some(&4));
    assert!(stats.memory_bytes > 0 && stats.started_at_ms <= stats.at_ms);
    let stats = metrics.plugin_stats(&plugin);
    assert_eq!((stats.outcomes["handled"], stats.outcomes["trap"]), (1, 1));
    assert_eq!(stats.calls.count, 2);
    assert!(stats.rate_per_s > 0.0);
    let failure = stats.last_failure.expect("a failure");
    assert_eq!((failure.outcome.as_str(), failure.error.as_str()), ("trap", "it trapped"));
}

/// `cargo test --release -p hookbox --lib -- --ignored --nocapture what_counting`
#[test]
#[ignore = "measures, and has no bound to hold"]
fn what_counting_costs() {
    const ROUNDS: u32 = 1_000_000;
    let metrics = Metrics::new();
    let plugin = name("audit");
    let begun = Instant::now();
    for n in 0..ROUNDS {
        metrics.request(Request::Accepted { source: "main" }, Duration::from_micros(n.into()));
    }
    let request = begun.elapsed() / ROUNDS;
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        metrics.call(&ended(&plugin, &[]));
    }
    println!("request {request:?}, call {:?}", begun.elapsed() / ROUNDS);
    let begun = Instant::now();
    metrics.stats();
    println!("stats {:?}", begun.elapsed());
}
