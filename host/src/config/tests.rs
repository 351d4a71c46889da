#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use super::*;

const SOURCE: &str =
    "[[source]]\nname = \"main\"\nsecrets = [{ name = \"a\", value = \"hush-hush\" }]\n";

fn config(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let layer = layers::read(Some((Path::new("hookbox.toml"), text)), variables.iter().map(own));
    let lookup =
        |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    layer
        .and_then(|layer| checked::check(layer, Path::new("/etc/hb"), lookup))
        .map_err(|e| e.to_string())
}

fn error(text: &str, variables: &[(&str, &str)]) -> String {
    let error = config(text, variables).expect_err("an error");
    assert!(!error.contains("hush"), "quotes a secret: {error}");
    error
}

#[test]
fn the_defaults_are_complete_and_a_source_is_all_that_is_needed() {
    let config = config(SOURCE, &[]).expect("a configuration");
    assert_eq!(config.settings.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.settings.server.plugins_dir, Path::new("/etc/hb/plugins"));
    let plugin = "x".parse().expect("a name");
    assert_eq!(config.live.plugins.of(&plugin).deadline_ms, 30_000);
}

#[test]
fn the_commented_examples_in_the_defaults_are_valid() {
    let from = DEFAULTS.find("# [plugin.audit-log]").expect("the example");
    let examples = DEFAULTS.split_at(from).1;
    let text: String = examples
        .lines()
        .map(|line| line.strip_prefix("# ").unwrap_or(line).to_owned() + "\n")
        .collect();
    let text = text.replace("file = \"/run/secrets/tv\"", "value = \"other\"");
    let config = config(&text, &[("TV_SECRET", "x"), ("CHAT_TOKEN", "hush-hush")]).expect(&text);
    assert_eq!(config.live.sources.len(), 1);
    let plugin = "audit-log".parse().expect("a name");
    assert_eq!(config.live.plugins.of(&plugin).deadline_ms, 5_000);
}

#[test]
fn the_environment_wins_over_the_file() {
    let text =
        format!("{SOURCE}[server]\nlisten = \"127.0.0.1:1\"\n[plugin.audit-log]\ncpu_ms = 70\n");
    let variables = [
        ("HOOKBOX_SERVER__LISTEN", "127.0.0.1:2"),
        ("HOOKBOX_PLUGIN__AUDIT_LOG__DEADLINE_MS", "50"),
        ("HOOKBOX_LOG__LEVEL", "warn"),
        ("HOOKBOX_PORT", "tcp://10.0.0.1:80"),
    ];
    let config = config(&text, &variables).expect("a configuration");
    assert_eq!(config.settings.server.listen.port(), 2);
    assert_eq!(config.live.log.level, "warn");
    let plugin = "audit-log".parse().expect("a name");
    assert_eq!(config.live.plugins.of(&plugin).deadline_ms, 50);
    assert_eq!(config.live.plugins.of(&plugin).cpu_ms, 70);
}

#[test]
fn all_sources_can_come_from_the_environment() {
    let sources = r#"[{ name = "main", secrets = [{ name = "2026", env = "TV" }] }]"#;
    let config = config("", &[("HOOKBOX_SOURCE", sources), ("TV", "s")]).expect("a configuration");
    assert_eq!(config.live.sources.len(), 1);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    let text = format!("{SOURCE}\n[server]\nlisen = \"127.0.0.1:1\"\n");
    assert_eq!(
        error(&text, &[]),
        "hookbox.toml, line 6: unknown key `lisen`; did you mean `listen`?"
    );
    assert_eq!(
        error(SOURCE, &[("HOOKBOX_SERVER__LISEN", "127.0.0.1:1")]),
        "environment variable HOOKBOX_SERVER__LISEN: unknown key `lisen`; did you mean `listen`?"
    );
    assert_eq!(
        error("[[source]]\nname = \"m\"\nsecret = [{ name = \"a\", value = \"hush\" }]\n", &[]),
        "hookbox.toml, line 3: unknown key `secret`; did you mean `secrets`?"
    );
}

#[test]
fn a_mistake_is_explained_without_quoting_what_was_written() {
    for (text, expected) in [
        (
            "[server]\nbody_bytes_max = \"hush\"\n",
            "hookbox.toml, line 2: invalid type (string), expected usize",
        ),
        (
            "[[source]]\nname = \"m\"\nsecrets = \"hush-hush\"\n",
            "hookbox.toml, line 3: invalid type (string), expected a sequence",
        ),
        ("[server\n", "hookbox.toml, line 1: unclosed table, expected `]`"),
        ("", "source: none is configured"),
        ("[[source]]\nname = \"m\"\nsecrets = []\n", "source \"m\": no secret is configured"),
        ("[[source]]\nname = \"M\"\nsecrets = []\n", "source \"M\": \"M\" is not a name"),
        (
            "[[source]]\nname = \"m\"\nsecrets = [{ name = \"a\", value = \"\" }]\n",
            "source \"m\": the secret \"a\" is empty",
        ),
        (
            "[[source]]\nname = \"m\"\nsecrets = [{ name = \"a\", value = \"hush\\n\" }]\n",
            "source \"m\", secret \"a\": it begins or ends with white space",
        ),
        (
            "[[source]]\nname = \"m\"\nsecrets = [{ name = \"a\", env = \"NOT_SET\" }]\n",
            "source \"m\", secret \"a\": the environment variable NOT_SET is not set",
        ),
        (
            "[[source]]\nname = \"m\"\nsecrets = [{ name = \"a\", file = \"/nowhere\" }]\n",
            "source \"m\", secret \"a\": /nowhere: No such file",
        ),
        (
            "[[source]]\nname = \"m\"\nsecrets = [{ name = \"a\", env = \"X\", value = \"hush\" }]\n",
            "source \"m\", secret \"a\": give exactly one of",
        ),
    ] {
        let error = error(text, &[]);
        assert!(error.starts_with(expected), "{error:?} does not start with {expected:?}");
    }
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    for (text, expected) in [
        ("[plugin.a]\nconcurrency = 0\n", "plugin.a.concurrency: is 0, must be at least 1"),
        ("[plugin.a]\nsources = [\"gone\"]\n", "plugin.a.sources: there is no source \"gone\""),
        ("[plugin.A]\n", "plugin.A: \"A\" is not a name"),
        ("[reload]\nrescan_ms = 10\n", "reload.rescan_ms: is 10, must be at least 100"),
        ("[plugin.a]\nconcurrency = 500\n", "plugin.a.concurrency: is 500, must be at most 128"),
        ("[plugin.a]\nattempts_max = 0\n", "plugin.a.attempts_max: is 0, must be at least 1"),
        (
            "[plugin.a]\nbackoff_first_ms = 5000\nbackoff_max_ms = 1000\n",
            "plugin.a.backoff_max_ms: is 1000, must be at least 5000",
        ),
        (
            "[plugin.a]\nbreaker_open_first_ms = 0\n",
            "plugin.a.breaker_open_first_ms: is 0, must be at least 1",
        ),
        (
            "[journal]\ncommits_bytes_max = 1000\n",
            "journal.commits_bytes_max: is 1000, must be at least",
        ),
        ("[server]\ndata_dir = \"plugins/data\"\n", "server.data_dir: must not be"),
        ("[server]\ntls_key = \"k\"\n", "server: tls_certificate and tls_key only go together"),
        (
            "[server]\nadmin = \"here\"\n",
            "hookbox.toml, line 5: invalid value (string), expected an address such as",
        ),
        (
            "[server]\nadmin = \"0.0.0.0:8081\"\n",
            "server.admin: 0.0.0.0:8081 can be reached from other machines",
        ),
        (
            "[server]\nadmin_hosts = [\"https://x.example\"]\n",
            "server.admin_hosts: \"https://x.example\" is no name of a host",
        ),
        (
            "[server]\nadmin_hosts = [\"10.0.0.1\"]\n",
            "server.admin_hosts: \"10.0.0.1\" is an address",
        ),
        (
            "[server]\nadmin_tokens = [{ name = \"ops\", value = \"hush-hush\" }]\n",
            "server.admin_tokens, secret \"ops\": it has 9 bytes, must have at least 16",
        ),
        (
            "[server]\nadmin_tokens = [{ name = \"ops\", env = \"NOT_SET\" }]\n",
            "server.admin_tokens, secret \"ops\": the environment variable NOT_SET is not set",
        ),
        (
            "[server]\nadmin_tokens = [{ name = \"local\", value = \"hush-hush-hush-hush\" }]\n",
            "server.admin_tokens, secret \"local\": it needs a name of its own",
        ),
        (
            "[server]\nadmin_tokens = [{ name = \"a\", value = \"hush hush hush hush\" }]\n",
            "server.admin_tokens, secret \"a\": it must be of printable ASCII",
        ),
        ("[traces]\nsample_ratio = 1.5\n", "traces.sample_ratio: is 1.5, must be from 0.0 to 1.0"),
        ("[traces]\ntimeout_ms = 0\n", "traces.timeout_ms: is 0, must be at least 1"),
        ("[traces]\nservice_name = \"\"\n", "traces.service_name: is empty"),
        ("[traces]\notlp_endpoint = \"collector\"\n", "traces.otlp_endpoint: is no URL"),
        (
            "[traces]\notlp_endpoint = \"grpc://collector:4317\"\n",
            "traces.otlp_endpoint: must begin with http:// or https://",
        ),
        (
            "[traces]\notlp_endpoint = \"https://me:hush@collector/v1/traces\"\n",
            "traces.otlp_endpoint: must have no user name and password",
        ),
        (
            "[traces]\nheaders = [{ name = \"a b\", value = \"hush\" }]\n",
            "traces.headers, secret \"a b\": this is no name of a header field",
        ),
        (
            "[traces]\nheaders = [{ name = \"a\", env = \"NOT_SET\" }]\n",
            "traces.headers, secret \"a\": the environment variable NOT_SET is not set",
        ),
        ("[runtime]\ninstances_max = 0\n", "runtime.instances_max: is 0, must be at least 1"),
    ] {
        let error = error(&format!("{SOURCE}{text}"), &[]);
        assert!(error.starts_with(expected), "{error:?} does not start with {expected:?}");
    }
}

#[test]
fn an_address_for_others_needs_a_token_and_none_needs_nothing() {
    let text = format!(
        "{SOURCE}[server]\nadmin = \"[::]:81\"\nadmin_hosts = [\"Hooks.Example.com\"]\n\
         admin_tokens = [{{ name = \"ops\", env = \"TOKEN\" }}]\n"
    );
    let with = config(&text, &[("TOKEN", "0123456789abcdef")]).expect("a configuration");
    let operators = &with.settings.server.operators;
    assert_eq!(operators.hosts, ["hooks.example.com"]);
    let tokens = operators.tokens.as_ref().expect("tokens");
    assert_eq!(tokens.matching("0123456789abcdef"), Some("ops"));
    assert_eq!(tokens.matching("0123456789abcdeF"), None);
    let off = config(&format!("{SOURCE}[server]\nadmin = \"\"\n"), &[]).expect("a configuration");
    assert_eq!(off.settings.server.admin, AdminAddress(None));
    assert_eq!(off.settings.server.operators, Operators::default());
}

#[test]
fn a_secret_shows_in_no_text_form() {
    let tokens = "admin_tokens = [{ name = \"ops\", value = \"hush-hush-hush-hush\" }]";
    let text = format!("{SOURCE}[server]\n{tokens}\n");
    let shown = format!("{:?}", config(&text, &[]).expect("a configuration"));
    assert!(!shown.contains("hush"), "{shown}");
    let headers = "[traces]\nheaders = [{ name = \"authorization\", value = \"hush token\" }]\n";
    let config = config(&format!("{SOURCE}{headers}"), &[]).expect("a configuration");
    assert_eq!(config.settings.traces.header_values.0["authorization"], "hush token");
    let shown = format!("{config:?}");
    assert!(!shown.contains("hush") && shown.contains("authorization"), "{shown}");
}
