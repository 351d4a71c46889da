//! The files that operators start from, `docs/deploy`: what they configure is a
//! configuration that the program takes, what they set around it fits that, and
//! what they ask of metrics is there.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hookbox_tests::upstream::Upstream;
use hookbox_tests::{PATIENCE, Server, Site, body, plugin, program, text};
use serde_json::{Value, json};
use yaml_rust2::{Yaml, YamlLoader};

/// The names that `/metrics` has.
const METRICS: [&str; 23] = [
    "hookbox_accept_duration_seconds",
    "hookbox_breaker_open",
    "hookbox_build_info",
    "hookbox_call_duration_seconds",
    "hookbox_calls_total",
    "hookbox_commit_duration_seconds",
    "hookbox_commit_size",
    "hookbox_dead_letters",
    "hookbox_journal_bytes",
    "hookbox_journal_good",
    "hookbox_outbound_duration_seconds",
    "hookbox_outbound_requests_total",
    "hookbox_plugin_files_refused",
    "hookbox_plugin_live",
    "hookbox_plugin_paused",
    "hookbox_queue_depth",
    "hookbox_queue_oldest_age_seconds",
    "hookbox_reloads_total",
    "hookbox_requests_total",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
];

/// Seconds after both drains, for traces (2), changes (5) and the journal (10): see
/// `pipeline::server`.
const LAST_S: i64 = 17;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/deploy")
}

fn read(name: &str) -> String {
    let file = folder().join(name);
    fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

fn yaml(name: &str) -> Vec<Yaml> {
    YamlLoader::load_from_str(&read(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn kind<'a>(manifests: &'a [Yaml], kind: &str) -> &'a Yaml {
    let found = manifests.iter().find(|manifest| manifest["kind"].as_str() == Some(kind));
    found.unwrap_or_else(|| panic!("no {kind}"))
}

/// Values of `key=value` lines of the unit.
fn unit(key: &str) -> Vec<String> {
    let text = read("hookbox.service");
    let values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(str::to_owned).collect()
}

/// Settings that a file gives by the environment.
fn variables(text: &str) -> Vec<(String, String)> {
    let words = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let words = words.flat_map(str::split_whitespace);
    let words = words.map(|word| word.strip_prefix("Environment=").unwrap_or(word));
    let settings = words.filter(|word| word.starts_with("HOOKBOX_") && word.contains("__"));
    settings
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Paths of the files that a configuration takes secrets from.
fn secret_files(configuration: &str) -> Vec<&str> {
    let parts = configuration.split("file = \"").skip(1);
    parts.map(|part| part.split_once('"').expect("a quote").0).collect()
}

fn defaults() -> String {
    let output = Command::new(program())
        .args(["config", "default"])
        .env_clear()
        .output()
        .expect("running the program");
    String::from_utf8(output.stdout).expect("text")
}

/// A default of the program's: the first of that name.
fn default_of(key: &str) -> i64 {
    let defaults = defaults();
    let line = defaults.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    line.expect(key).replace('_', "").parse().expect("a number")
}

/// The program must take the configuration, with secrets where it looks for them.
fn takes(configuration: &str, variables: &[(String, String)]) {
    let site = tempfile::tempdir().expect("a folder");
    let mut text = configuration.to_owned();
    let files = secret_files(configuration);
    assert!(!files.is_empty(), "a configuration without secrets shows nothing");
    for (number, file) in files.iter().enumerate() {
        let here = site.path().join(format!("secret-{number}"));
        fs::write(&here, format!("a-secret-that-is-long-enough-{number}\n")).expect("a secret");
        text = text.replace(file, here.to_str().expect("a path"));
    }
    let file = site.path().join("hookbox.toml");
    fs::write(&file, text).expect("a configuration");
    let output = Command::new(program())
        .args(["config", "check", "--config"])
        .arg(&file)
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .output()
        .expect("running the program");
    let said = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{configuration}\n{error}");
    assert!(said.contains("source main: POST /hooks/main"), "{said}");
}

#[test]
fn the_unit_configures_what_the_program_takes() {
    let variables = variables(&read("hookbox.service"));
    assert!(!variables.is_empty());
    takes(&read("hookbox.toml"), &variables);
}

#[test]
fn the_unit_leaves_room_for_what_the_settings_ask_for() {
    let seconds: i64 = unit("TimeoutStopSec")[0].parse().expect("seconds");
    assert!(seconds * 1_000 > 2 * default_of("drain_ms") + LAST_S * 1_000);
    let files: i64 = unit("LimitNOFILE")[0].parse().expect("a number");
    assert!(files >= default_of("connections_max") + 256);
    // Plugins could not be compiled.
    assert!(unit("MemoryDenyWriteExecute").is_empty());
    let state = format!("/var/lib/{}", unit("StateDirectory")[0]);
    assert!(unit("Environment").contains(&format!("HOOKBOX_SERVER__DATA_DIR={state}")));
    let configuration = read("hookbox.toml");
    let credentials = unit("LoadCredential");
    for file in secret_files(&configuration) {
        let name = file.strip_prefix("/run/credentials/hookbox.service/").expect(file);
        let loaded = |credential: &String| credential.starts_with(&format!("{name}:/"));
        assert!(credentials.iter().any(loaded), "{name} is not loaded");
    }
}

#[test]
fn compose_configures_what_the_program_takes() {
    let compose = &yaml("compose.yaml")[0];
    let configuration = compose["configs"]["hookbox"]["content"].as_str().expect("a text");
    let image = variables(&read("Dockerfile"));
    assert_eq!(image.len(), 4, "{image:?}");
    takes(configuration, &image);
    for file in secret_files(configuration) {
        let name = file.strip_prefix("/run/secrets/").expect(file);
        assert!(compose["secrets"][name]["file"].as_str().is_some(), "{name}");
        let service = compose["services"]["hookbox"]["secrets"].as_vec().expect("secrets");
        assert!(service.iter().any(|secret| secret.as_str() == Some(name)), "{name}");
    }
    let grace = compose["services"]["hookbox"]["stop_grace_period"].as_str().expect("a time");
    let seconds: i64 = grace.trim_end_matches('s').parse().expect("seconds");
    assert!(seconds * 1_000 > 2 * default_of("drain_ms") + LAST_S * 1_000);
}

#[test]
fn kubernetes_configures_what_the_program_takes() {
    let manifests = yaml("kubernetes.yaml");
    let configuration = kind(&manifests, "ConfigMap")["data"]["hookbox.toml"].as_str();
    takes(configuration.expect("a text"), &variables(&read("Dockerfile")));
}

#[test]
fn the_pod_has_what_the_configuration_names() {
    let manifests = yaml("kubernetes.yaml");
    let configuration = kind(&manifests, "ConfigMap")["data"]["hookbox.toml"].as_str();
    let configuration = configuration.expect("a text");
    let set = &kind(&manifests, "StatefulSet")["spec"];
    assert_eq!(set["replicas"].as_i64(), Some(1), "one process has a journal at a time");
    let pod = &set["template"]["spec"];
    let seconds = pod["terminationGracePeriodSeconds"].as_i64().expect("seconds");
    assert!(seconds * 1_000 > 2 * default_of("drain_ms") + LAST_S * 1_000);
    let container = &pod["containers"][0];
    let mounts = container["volumeMounts"].as_vec().expect("mounts");
    let mount = |path: &str| {
        let found = mounts.iter().find(|mount| mount["mountPath"].as_str() == Some(path));
        found.unwrap_or_else(|| panic!("nothing is mounted at {path}"))
    };
    for key in ["data_dir", "plugins_dir"] {
        let (_, rest) = configuration.split_once(&format!("{key} = \"")).expect(key);
        mount(rest.split_once('"').expect("a quote").0);
    }
    assert_eq!(mount("/var/lib/hookbox")["name"].as_str(), Some("data"));
    let claim = &set["volumeClaimTemplates"][0]["metadata"]["name"];
    assert_eq!(claim.as_str(), Some("data"), "the journal outlives the pod");
    for file in secret_files(configuration) {
        mount(Path::new(file).parent().expect("a folder").to_str().expect("text"));
    }
    let version = format!(":{}", env!("CARGO_PKG_VERSION"));
    assert!(container["image"].as_str().expect("an image").ends_with(&version));
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"].as_bool(), Some(true));
    let monitor = &yaml("kubernetes-monitoring.yaml")[0]["spec"];
    let wanted = &monitor["selector"]["matchLabels"];
    let service = manifests.iter().find(|manifest| {
        manifest["kind"].as_str() == Some("Service") && manifest["metadata"]["labels"] == *wanted
    });
    let port = &service.expect("the service that is scraped")["spec"]["ports"][0]["name"];
    assert_eq!(*port, monitor["endpoints"][0]["port"]);
}

/// The metrics that PromQL expressions name.
fn metrics(text: &str) -> BTreeSet<String> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let words = text.split(word).filter(|w| w.starts_with("hookbox_") || w.starts_with("process_"));
    let base = |name: &str| {
        let part = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        part.unwrap_or(name).to_owned()
    };
    words.map(base).collect()
}

/// What `/metrics` of a server says.
fn scraped(server: &Server) -> String {
    let url = server.admin();
    let (_, address) = url.split_once("://").expect("a URL");
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer
}

#[test]
fn a_server_has_each_metric_that_is_listed_here() {
    let upstream = Upstream::fine();
    let site = Site::new(&format!(
        "[plugin.caller]\nhttp = [{{ origin = \"{}\", addresses = [\"127.0.0.0/8\"] }}]\n\
         secrets = [{{ name = \"token\", value = \"hush-hush-hush\" }}]\n",
        upstream.origin()
    ));
    site.install("caller", &plugin("caller"));
    let server = site.serve();
    let todo = json!([{ "call": { "url": format!("{}/", upstream.origin()) } }]);
    let event = server.post(body("steps", &format!(",\"do\":{todo}"))).event();
    assert_eq!(text(&server.wait_done(&event, "caller"), "message"), "handled");
    let answer = scraped(&server);
    let types = answer.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let have: BTreeSet<String> = types
        .map(|(name, kind)| match kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        })
        .collect();
    let listed: BTreeSet<String> = METRICS.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(listed.difference(&have).collect::<Vec<_>>(), [""; 0], "{answer}");
}

fn expressions(value: &Value, found: &mut String) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if let (true, Some(text)) = (name == "expr" || name == "definition", value.as_str())
                {
                    found.push_str(text);
                    found.push('\n');
                }
                expressions(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_and_the_alerts_name_metrics_that_there_are() {
    let known: BTreeSet<String> = METRICS.iter().map(|&name| name.to_owned()).collect();
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")).expect("JSON");
    let mut shown = String::new();
    expressions(&dashboard, &mut shown);
    let shown = metrics(&shown);
    assert_eq!(shown.difference(&known).collect::<Vec<_>>(), [""; 0]);
    let mut alerts = String::new();
    let rules = yaml("alerts.yaml").remove(0);
    for rule in rules["groups"][0]["rules"].as_vec().expect("rules") {
        alerts.push_str(rule["expr"].as_str().expect("an expression"));
        alerts.push('\n');
    }
    let alerts = metrics(&alerts);
    assert_eq!(alerts.difference(&known).collect::<Vec<_>>(), [""; 0]);
    assert!(alerts.len() > 5);
    // What nobody looks at need not be measured.
    assert_eq!(known.difference(&shown).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn panels_of_the_dashboard_have_a_place_and_a_source_each() {
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")).expect("JSON");
    let mut ids = BTreeSet::new();
    let mut places = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        let place = &panel["gridPos"];
        let (x, y) = (place["x"].as_u64().expect("x"), place["y"].as_u64().expect("y"));
        assert!(x + place["w"].as_u64().expect("a width") <= 24, "{panel}");
        assert!(ids.insert(panel["id"].as_u64()), "{panel}");
        assert!(places.insert((x, y)), "{panel}");
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}");
            assert!(!panel["targets"].as_array().expect("targets").is_empty());
        }
    }
}
