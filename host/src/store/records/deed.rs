//! What an operator did, as it is noted: the same with a server and without.

use super::{ChangeKind, Filter, NewChange, Operation, Report};

/// Bytes of a filter's text in a note.
const FILTER_BYTES_MAX: usize = 1_024;

/// Something an operator did, before it has a time and a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// What kind of thing.
    pub kind: ChangeKind,
    /// The plugin that it concerns.
    pub plugin: Option<String>,
    /// The event or delivery that it concerns.
    pub subject: Option<String>,
    /// In words.
    pub text: String,
}

impl Deed {
    /// None: it changes nothing, or is a note itself.
    pub fn of(operation: &Operation) -> Option<Self> {
        let plain = |kind, plugin: &str, text: &str| {
            let plugin = Some(plugin.to_owned());
            Some(Deed { kind, plugin, subject: None, text: text.to_owned() })
        };
        let chosen = |kind, plugin: Option<&String>, filter: &Filter, text: &str| {
            let (subject, which) = match filter.ids.as_slice() {
                [id] => (Some(id.clone()), id.clone()),
                _ => (None, words(filter)),
            };
            let plugin = plugin.or(filter.plugin.as_ref()).cloned();
            Some(Deed { kind, plugin, subject, text: format!("{text} {which}") })
        };
        match operation {
            Operation::Redrive { dry_run: true, .. }
            | Operation::Discard { dry_run: true, .. }
            | Operation::Replay { dry_run: true, .. }
            | Operation::Forget { dry_run: true, .. }
            | Operation::Note { .. } => None,
            Operation::Redrive { filter, .. } => {
                chosen(ChangeKind::Redriven, None, filter, "dead letters are owed again:")
            }
            Operation::Discard { filter, .. } => {
                chosen(ChangeKind::Discarded, None, filter, "dead letters were discarded:")
            }
            Operation::Replay { filter, plugin, .. } => chosen(
                ChangeKind::Replayed,
                Some(plugin),
                filter,
                "events are handed over once more:",
            ),
            Operation::Forget { plugin, .. } => {
                plain(ChangeKind::Forgotten, plugin, "all that it was owed was given up")
            }
            Operation::Pause { plugin } => plain(ChangeKind::Paused, plugin, "it gets no calls"),
            Operation::Resume { plugin } => {
                plain(ChangeKind::Resumed, plugin, "it gets calls again")
            }
            Operation::SetState { plugin, .. } => {
                plain(ChangeKind::StateChanged, plugin, "keys of its state were set")
            }
            Operation::DeleteState { plugin, .. } => {
                plain(ChangeKind::StateChanged, plugin, "keys of its state were deleted")
            }
        }
    }

    /// The same after a step; none where that changed nothing. The last step of
    /// forgetting removes the plugin itself, however little it was owed.
    #[must_use]
    pub fn done(mut self, report: &Report) -> Option<Self> {
        let forgot = self.kind == ChangeKind::Forgotten && report.next.is_none();
        if !matches!(self.kind, ChangeKind::Paused | ChangeKind::Resumed) {
            self.text = format!("{} ({})", self.text, report.count);
        }
        (report.count > 0 || forgot).then_some(self)
    }

    /// The note of it. `at_ms`: milliseconds since the Unix epoch.
    pub fn by(self, actor: &str, at_ms: u64) -> NewChange {
        let Self { kind, plugin, subject, text } = self;
        NewChange { at_ms, kind, plugin, subject, actor: Some(actor.to_owned()), text }
    }
}

/// A filter as it is noted.
fn words(filter: &Filter) -> String {
    if filter.is_everything() {
        return "all".to_owned();
    }
    let mut text = serde_json::to_value(filter)
        .ok()
        .and_then(|value| value.as_object().cloned())
        .unwrap_or_default()
        .into_iter()
        .filter(|(_, value)| !value.is_null() && *value != serde_json::json!([]))
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(" ");
    text.truncate(text.floor_char_boundary(FILTER_BYTES_MAX));
    text
}
