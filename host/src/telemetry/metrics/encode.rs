//! The figures as text for Prometheus, in the OpenMetrics format 1.0.
//!
//! What others know (what is owed, the journal) is handed in and not kept here,
//! so that it is as fresh as the question.

use std::collections::BTreeMap;
use std::fmt;

use hookbox_core::ids::PluginName;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::buckets::Buckets;
use super::plugins::Counts;
use super::process::Process;
use super::{Metrics, locked, unix_ms};

/// The media type of what [`Metrics::encode`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a plugin is owed now, and what holds it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneGauges<'a> {
    /// The plugin.
    pub plugin: &'a PluginName,
    /// Deliveries that it is owed.
    pub owed: u64,
    /// When the event of the oldest of these arrived: milliseconds since the
    /// Unix epoch.
    pub oldest_at_ms: Option<u64>,
    /// Its dead letters that were not discarded.
    pub dead: u64,
    /// Whether it is live.
    pub live: bool,
    /// Whether an operator paused it.
    pub paused: bool,
    /// Whether its breaker is open.
    pub breaker_open: bool,
}

/// The server, as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerGauges {
    /// Whether the journal can be written.
    pub good: bool,
    /// Bytes of its file.
    pub bytes: u64,
    /// Plugin files that are there, and refused.
    pub files_refused: u64,
}

/// A label's name and value.
type Label = (&'static str, String);

/// One series with its value, with up to two labels.
type Sample<T> = (Vec<Label>, T);

/// All that is written, copied, so that no lock is held meanwhile.
#[derive(Debug)]
struct Exposition {
    requests: Vec<Sample<u64>>,
    accept: Buckets,
    commit: Buckets,
    commit_size: Buckets,
    reloads: Vec<Sample<u64>>,
    plugins: Vec<(Vec<Label>, Counts)>,
    lanes: Vec<Sample<Gauges>>,
    server: ServerGauges,
    process: Process,
    started_s: f64,
}

/// Over all plugins of one label.
#[derive(Debug, Default, Clone, Copy)]
struct Gauges {
    owed: u64,
    oldest_age_s: f64,
    dead: u64,
    live: u64,
    paused: u64,
    breaker_open: u64,
}

/// One of them.
type Part = fn(&Gauges) -> u64;

impl Metrics {
    /// All figures as text.
    pub fn encode(&self, lanes: &[LaneGauges<'_>], server: ServerGauges) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.exposition(lanes, server)));
        let mut text = String::new();
        // Writing to a text does not fail.
        let _written = encode(&mut text, &registry);
        text
    }

    fn exposition(&self, lanes: &[LaneGauges<'_>], server: ServerGauges) -> Exposition {
        let lanes = self.gauges(lanes);
        let plugins = self.plugins().counts();
        let reloads = *locked(&self.reloads);
        let process = Process::read();
        let intake = self.intake();
        let requests = intake.requests.iter().flat_map(|(source, answers)| {
            answers.iter().map(|(answer, count)| {
                let labels = vec![("source", source.to_string()), ("answer", (*answer).into())];
                (labels, *count)
            })
        });
        Exposition {
            requests: requests.collect(),
            accept: intake.accept.clone(),
            commit: intake.commit.clone(),
            commit_size: intake.commit_size.clone(),
            reloads: reloads
                .iter()
                .map(|(outcome, count)| (vec![("outcome", outcome.code().to_owned())], *count))
                .collect(),
            plugins: plugins
                .into_iter()
                .map(|(name, counts)| (vec![("plugin", name)], counts))
                .collect(),
            lanes,
            server,
            process,
            started_s: self.started_unix_ms as f64 / 1e3,
        }
    }

    fn gauges(&self, lanes: &[LaneGauges<'_>]) -> Vec<Sample<Gauges>> {
        let now_ms = unix_ms();
        let mut places = self.plugins();
        let mut all: BTreeMap<String, Gauges> = BTreeMap::new();
        for lane in lanes {
            let label = places.label(lane.plugin, lane.live);
            let gauges = all.entry(label).or_default();
            let age_ms = lane.oldest_at_ms.map_or(0, |at_ms| now_ms.saturating_sub(at_ms));
            gauges.owed += lane.owed;
            gauges.oldest_age_s = gauges.oldest_age_s.max(age_ms as f64 / 1e3);
            gauges.dead += lane.dead;
            gauges.live += u64::from(lane.live);
            gauges.paused += u64::from(lane.paused);
            gauges.breaker_open += u64::from(lane.breaker_open);
        }
        all.into_iter().map(|(name, gauges)| (vec![("plugin", name)], gauges)).collect()
    }
}

impl Collector for Exposition {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut text = Text(encoder);
        self.server(&mut text)?;
        self.plugins(&mut text)?;
        self.lanes(&mut text)?;
        self.process(&mut text)
    }
}

impl Exposition {
    fn server(&self, text: &mut Text<'_>) -> fmt::Result {
        text.counters(
            "hookbox_requests",
            "Requests for webhooks, by source and answer.",
            self.requests.iter().map(|(labels, count)| (labels, *count)),
        )?;
        let none: &[Label] = &[];
        text.histograms(
            "hookbox_accept_duration_seconds",
            "From a request's head to its answer, of accepted ones.",
            [(none, &self.accept)],
        )?;
        text.histograms(
            "hookbox_commit_duration_seconds",
            "How long the journal's commits take.",
            [(none, &self.commit)],
        )?;
        text.histograms(
            "hookbox_commit_size",
            "Changes in one commit.",
            [(none, &self.commit_size)],
        )?;
        text.counters(
            "hookbox_reloads",
            "Plugin files that were made live, refused, or deleted.",
            self.reloads.iter().map(|(labels, count)| (labels, *count)),
        )?;
        let good = u64::from(self.server.good);
        text.gauge("hookbox_journal_good", "1: the journal can be written.", good)?;
        text.gauge("hookbox_journal_bytes", "Bytes of the journal's file.", self.server.bytes)?;
        let refused = self.server.files_refused;
        text.gauge("hookbox_plugin_files_refused", "Plugin files that are refused now.", refused)
    }

    fn plugins(&self, text: &mut Text<'_>) -> fmt::Result {
        let calls = self.plugins.iter().flat_map(|(plugin, counts)| {
            counts.outcomes.iter().map(|(code, count)| (with(plugin, "outcome", code), *count))
        });
        text.counters("hookbox_calls", "Calls of plugins, by outcome.", calls)?;
        text.histograms(
            "hookbox_call_duration_seconds",
            "How long calls of plugins take.",
            self.plugins.iter().map(|(plugin, counts)| (plugin.as_slice(), &counts.durations)),
        )?;
        let outbound = self.plugins.iter().flat_map(|(plugin, counts)| {
            counts.outbound.iter().map(|(code, count)| (with(plugin, "result", code), *count))
        });
        text.counters(
            "hookbox_outbound_requests",
            "Requests that plugins sent, by class of status or code of failure.",
            outbound,
        )?;
        let sent = self.plugins.iter().filter(|(_, counts)| !counts.outbound.is_empty());
        text.histograms(
            "hookbox_outbound_duration_seconds",
            "How long requests of plugins take, of those that reached a server.",
            sent.map(|(plugin, counts)| (plugin.as_slice(), &counts.outbound_durations)),
        )
    }

    fn lanes(&self, text: &mut Text<'_>) -> fmt::Result {
        let counts: [(&str, &str, Part); 5] = [
            ("hookbox_queue_depth", "Deliveries that are owed.", |lane| lane.owed),
            ("hookbox_dead_letters", "Dead letters that were not discarded.", |lane| lane.dead),
            ("hookbox_plugin_live", "1: the plugin is live.", |lane| lane.live),
            ("hookbox_plugin_paused", "1: an operator paused the plugin.", |lane| lane.paused),
            ("hookbox_breaker_open", "1: the plugin's breaker is open.", |lane| lane.breaker_open),
        ];
        for (name, help, part) in counts {
            text.gauges(name, help, self.lanes.iter().map(|(plugin, lane)| (plugin, part(lane))))?;
        }
        text.gauges(
            "hookbox_queue_oldest_age_seconds",
            "How long ago the event of the oldest owed delivery arrived.",
            self.lanes.iter().map(|(plugin, lane)| (plugin, lane.oldest_age_s)),
        )
    }

    fn process(&self, text: &mut Text<'_>) -> fmt::Result {
        text.info("hookbox_build", "The version of hookbox.", env!("CARGO_PKG_VERSION"))?;
        let process = self.process;
        text.gauge("process_resident_memory_bytes", "Bytes of memory.", process.resident_bytes)?;
        text.counters(
            "process_cpu_seconds",
            "Processor time.",
            [(Vec::<Label>::new(), process.cpu_s)],
        )?;
        text.gauge("process_open_fds", "Open files.", process.open_fds)?;
        text.gauge("process_start_time_seconds", "When it started.", self.started_s)
    }
}

fn with(labels: &[Label], name: &'static str, value: &str) -> Vec<Label> {
    let mut labels = labels.to_vec();
    labels.push((name, value.to_owned()));
    labels
}

/// Writes one family after another.
struct Text<'a>(DescriptorEncoder<'a>);

impl Text<'_> {
    fn counters<L: AsRef<[Label]>, T: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, T)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in samples {
            each(&mut family, labels.as_ref(), |series| {
                series.encode_counter::<NoLabelSet, _, u64>(&value, None)
            })?;
        }
        Ok(())
    }

    fn gauges<'l, T: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (&'l Vec<Label>, T)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in samples {
            each(&mut family, labels, |series| series.encode_gauge(&value))?;
        }
        Ok(())
    }

    fn gauge<T: EncodeGaugeValue>(&mut self, name: &str, help: &str, value: T) -> fmt::Result {
        self.gauges(name, help, [(&Vec::new(), value)])
    }

    fn histograms<'l>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (&'l [Label], &'l Buckets)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, buckets) in samples {
            let (sum, count, all) = (buckets.sum(), buckets.count(), buckets.by_bound());
            each(&mut family, labels, |series| {
                series.encode_histogram::<NoLabelSet>(sum, count, &all, None)
            })?;
        }
        Ok(())
    }

    fn info(&mut self, name: &str, help: &str, version: &str) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Info)?;
        family.encode_info(&[("version", version)])
    }
}

/// One series of a family. Without labels it has no braces.
fn each(
    family: &mut MetricEncoder<'_>,
    labels: &[Label],
    write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    if labels.is_empty() {
        return write(family);
    }
    let labels: Vec<(&str, &str)> =
        labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
    write(&mut family.encode_family(&labels)?)
}
