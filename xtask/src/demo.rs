//! `cargo xtask demo`: the main job on real input.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::server::{Server, text};
use crate::{build_server, guests, output, target};

const CONFIG: &str = r#"# Written by `cargo xtask demo`.
[server]
listen = "127.0.0.1:0"
admin = "127.0.0.1:0"
data_dir = "data"
plugins_dir = "plugins"

[[source]]
name = "main"
kind = "targetvideo"
secrets = [{ name = "demo", value = "your_secret_key" }]
"#;

/// Shows it.
pub(crate) fn run(once: bool) -> Result<()> {
    step("Building the example plugins and the server");
    let components = guests::build()?;
    let program = build_server()?;

    let folder = target().join("demo");
    let _not_there = fs::remove_dir_all(&folder);
    let plugins = folder.join("plugins");
    fs::create_dir_all(&plugins)?;
    for name in ["audit-log", "encoding-watch", "catalog"] {
        fs::copy(components.join(format!("{name}.wasm")), plugins.join(format!("{name}.wasm")))?;
    }
    let config = folder.join("hookbox.toml");
    fs::write(&config, CONFIG)?;

    step("Starting hookbox beside a directory with three plugins");
    let server = Server::start(&program, &config)?;
    let listening = server.until("listening for webhooks at /hooks/<source>", show)?;
    let url = format!("{}/hooks/main", text(&listening, "address"));

    let body = guests::sample("sd_encoded")?;
    step("A webhook: the body that the vendor documents for sd_encoded, as it is");
    println!("    {}", body.trim());
    post(&server, &url, &body, 2)?;

    step("The same once more, as a sender does that saw no answer: it is a duplicate");
    post(&server, &url, &body, 0)?;

    step("The same with a wrong secret");
    post(&server, &url, &body.replace("your_secret_key", "a-guess"), 0)?;

    step("Another event: add_video");
    post(&server, &url, &guests::sample("add_video")?, 2)?;

    step("Swapping a plugin: another build of audit-log takes the place of the one that runs");
    let coming = plugins.join(".audit-log.new");
    fs::copy(components.join("audit-log-key-value.wasm"), &coming)?;
    fs::rename(&coming, plugins.join("audit-log.wasm"))?;
    println!("    mv audit-log-key-value.wasm {}", plugins.join("audit-log.wasm").display());
    server.until("plugin is live", show)?;

    step("The webhook of another moment: the new code runs, nothing was restarted");
    post(&server, &url, &body.replace("1614908944", "1614908945"), 2)?;

    step("What is in the journal, asked beside the running server: hookbox events list, show");
    let list = operator(&program, &config, &["events", "list"])?;
    print(&list);
    let newest = list.lines().nth(1).and_then(|row| row.split_whitespace().next());
    print(&operator(&program, &config, &["events", "show", newest.context("an event")?])?);

    if once {
        server.end()?;
        step("Done");
        return Ok(());
    }
    step("The server stays up until Ctrl-C; go on by hand");
    println!("    curl -d @host/core/samples/edit_video.json {url}");
    println!("    {} events list --config {}", program.display(), config.display());
    println!("    rm {}", plugins.join("catalog.wasm").display());
    println!("    settings: {} (read again when you change them)", config.display());
    println!();
    while let Some(line) = server.line_whenever() {
        show(&line);
    }
    Ok(())
}

/// What a verb for operators prints.
fn operator(program: &Path, config: &Path, verb: &[&str]) -> Result<String> {
    output(Command::new(program).args(verb).arg("--config").arg(config))
}

fn print(text: &str) {
    text.lines().for_each(|line| println!("    {line}"));
}

fn step(title: &str) {
    println!("\n── {title}");
}

/// Posts a body, shows the answer, and what the plugins did, `handled` of them.
fn post(server: &Server, url: &str, body: &str, handled: usize) -> Result<()> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut response = agent.post(url).send(body).context("posting the webhook")?;
    let answer = response.body_mut().read_to_string()?;
    println!("    → {} {}", response.status(), answer.trim());
    let duplicate = answer.contains(r#""duplicate":true"#);
    let message = match (response.status().is_success(), duplicate) {
        (true, false) => "accepted",
        (true, true) => "duplicate: it was accepted before",
        (false, _) => "refused",
    };
    // They come in any order: a plugin can be done before the answer is logged.
    server.until_all(&[(message, 1), ("handled", handled)], show)?;
    Ok(())
}

/// A log line for people: who, what, and the most telling of its members.
fn show(line: &Value) {
    let message = text(line, "message");
    let plugin = text(line, "plugin");
    let number = |member: &str| line.get(member).map(ToString::to_string).unwrap_or_default();
    let short = |member: &str| text(line, member).get(..8).unwrap_or_default().to_owned();
    match message {
        "plugin is live" => {
            let replaces = match text(line, "replaces") {
                "" => String::new(),
                old => format!(", replaces {old}"),
            };
            println!(
                "    {plugin:<15} is live: build {}, generation {}{replaces}",
                text(line, "digest"),
                number("generation")
            );
        }
        "listening for webhooks at /hooks/<source>" => {
            println!("    listening on {}", text(line, "address"));
        }
        "accepted" => println!(
            "    accepted {}, for {} plugins, with the secret called {:?}",
            text(line, "name"),
            number("plugins"),
            text(line, "secret")
        ),
        "duplicate: it was accepted before" => {
            println!("    duplicate of {}: no plugin gets it again", short("event"));
        }
        "refused" => println!("    refused: {} ({})", text(line, "code"), number("status")),
        "handled" => println!("    {plugin:<15} handled it in {} µs", number("duration_us")),
        "failed" => println!("    {plugin:<15} failed: {}", text(line, "error")),
        _ if !text(line, "stream").is_empty() => println!("    {plugin:<15} says: {message}"),
        _ => println!("    {} {plugin} {message} {}", text(line, "level"), short("digest")),
    }
}
