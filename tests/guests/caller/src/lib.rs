//! Calls what the event asks it to call, and prints what came of it.
//!
//! The member `do` of the event's body is a list of steps, taken in order, each
//! an object with one of these members:
//!
//! | member | does | prints |
//! |---|---|---|
//! | `call` | an HTTP request, or several: see [`http::Call`] | `call status=… body=…` or `call error=…` |
//! | `kv` | a list of operations on state: see [`state::Op`] | `kv <op> …` |
//! | `fill` | sets keys until an error: see [`state::Fill`] | `fill …` |
//! | `config` | reads the keys of a list | `config <key>=<value>`, `config <key> missing` |
//! | `config_all` | reads all keys (`true`) | `config_all <key>=<value>` |
//! | `print`, `eprint` | | the text, to standard output or error |
//! | `log` | logs a text, or `{"level", "context", "text"}` | |
//! | `end` | ends the call: see [`end`] | |
//!
//! In the texts of `print`, `eprint`, `log` and `end` `${key}` is replaced by the
//! value of that setting.
//!
//! A step with `"on_attempts": [1, 3]` is taken on these attempts only. With
//! `"at_once": true` beside `call` all requests are begun before the first
//! answer is waited for.
//!
//! It uses the interfaces as they are, not the SDK's modules, so that it can say
//! what no well-behaved plugin would. It wants nothing.

mod http;
mod state;

use hookbox_sdk::{Delivery, Event, Failure, Plugin, RetryLater};
use serde::Deserialize;

#[allow(clippy::all, missing_docs, unsafe_code, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit/targetvideo-0.1.0",
        inline: "
            package hookbox:tests;
            world caller {
                import wasi:config/store@0.2.0-rc.1;
                import wasi:keyvalue/store@0.2.0-draft;
                import wasi:keyvalue/atomics@0.2.0-draft;
                import wasi:keyvalue/batch@0.2.0-draft;
                import wasi:logging/logging@0.1.0-draft;
                import wasi:http/types@0.2.12;
                import wasi:http/outgoing-handler@0.2.12;
            }
        ",
        world: "hookbox:tests/caller",
        generate_all,
    });
}

use bindings::wasi::config::store as config;
use bindings::wasi::logging::logging;

struct Caller;

impl Plugin for Caller {
    fn handle(event: Event, delivery: Delivery) -> Result<(), Failure> {
        let body: Body = serde_json::from_str(&event.document)
            .map_err(|e| Failure::Reject(format!("not a list of steps: {e}")))?;
        let mut state = state::State::default();
        for step in body.steps {
            let now = step.on_attempts.as_ref();
            if now.is_none_or(|attempts| attempts.contains(&delivery.attempt)) {
                step.take(&mut state)?;
            }
        }
        Ok(())
    }
}

hookbox_sdk::export!(Caller);

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "do", default)]
    steps: Vec<Step>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Step {
    on_attempts: Option<Vec<u32>>,
    call: Option<OneOrMany<http::Call>>,
    at_once: bool,
    kv: Vec<state::Op>,
    fill: Option<state::Fill>,
    config: Vec<String>,
    config_all: bool,
    print: Option<String>,
    eprint: Option<String>,
    log: Option<Log>,
    end: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Log {
    Text(String),
    Record {
        #[serde(default)]
        level: String,
        #[serde(default)]
        context: String,
        text: String,
    },
}

impl Step {
    /// # Errors
    /// What the step `end` asked for.
    fn take(self, state: &mut state::State) -> Result<(), Failure> {
        if let Some(calls) = self.call {
            let calls = match calls {
                OneOrMany::One(call) => vec![call],
                OneOrMany::Many(calls) => calls,
            };
            http::call(&calls, self.at_once);
        }
        for op in self.kv {
            state.run(&op);
        }
        if let Some(fill) = self.fill {
            state.fill(&fill);
        }
        for key in self.config {
            match config::get(&key) {
                Ok(Some(value)) => println!("config {key}={value}"),
                Ok(None) => println!("config {key} missing"),
                Err(e) => println!("config {key} error={e:?}"),
            }
        }
        if self.config_all {
            match config::get_all() {
                Ok(all) => all.iter().for_each(|(key, value)| println!("config_all {key}={value}")),
                Err(e) => println!("config_all error={e:?}"),
            }
        }
        if let Some(text) = self.print {
            println!("{}", filled(&text));
        }
        if let Some(text) = self.eprint {
            eprintln!("{}", filled(&text));
        }
        match self.log {
            Some(Log::Text(text)) => logging::log(logging::Level::Info, "", &filled(&text)),
            Some(Log::Record { level: name, context, text }) => {
                logging::log(level(&name), &context, &filled(&text));
            }
            None => {}
        }
        self.end.map_or(Ok(()), |how| end(&filled(&how)))
    }
}

/// The text with the settings that it names.
fn filled(text: &str) -> String {
    let mut filled = text.to_owned();
    for (key, value) in config::get_all().unwrap_or_default() {
        filled = filled.replace(&format!("${{{key}}}"), &value);
    }
    filled
}

fn level(name: &str) -> logging::Level {
    match name {
        "trace" => logging::Level::Trace,
        "debug" => logging::Level::Debug,
        "warn" => logging::Level::Warn,
        "error" => logging::Level::Error,
        "critical" => logging::Level::Critical,
        _ => logging::Level::Info,
    }
}

/// Ends the call: `ok`, which goes on with the next step, `reject`, `retry`,
/// each also with a reason as in `reject:too late`, `retry_after:<ms>`, `trap`,
/// `spin`, `panic:<text>`.
fn end(how: &str) -> Result<(), Failure> {
    let (how, text) = how.split_once(':').unwrap_or((how, "asked to"));
    match how {
        "ok" => Ok(()),
        "reject" => Err(Failure::Reject(text.to_owned())),
        "retry" => Err(Failure::Retry(text.to_owned())),
        "retry_after" => Err(Failure::RetryAfter(RetryLater {
            reason: "asked to".to_owned(),
            after_ms: text.parse().unwrap_or(0),
        })),
        "trap" => std::process::abort(),
        "spin" => loop {
            std::hint::spin_loop();
        },
        #[expect(clippy::panic, reason = "it was asked to")]
        "panic" => panic!("{text}"),
        other => Err(Failure::Reject(format!("no such end: {other}"))),
    }
}
