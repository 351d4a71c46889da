//! `cargo xtask api-check`: holds a running server against `docs/openapi.json`,
//! by requests that schemathesis makes up from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::server::{Server, text};
use crate::{build_server, guests, root, run, target};

/// What makes the requests up. Of one version, so that the same is checked
/// everywhere.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

const TOKEN: &str = "a-token-for-the-check";

const CONFIG: &str = r#"# Written by `cargo xtask api-check`.
[server]
listen = "127.0.0.1:0"
admin = "127.0.0.1:0"
admin_tokens = [{ name = "check", value = "a-token-for-the-check" }]

[[source]]
name = "main"
secrets = [{ name = "check", value = "your_secret_key" }]
"#;

/// Requests for each operation, and seconds in all.
const EXAMPLES: &str = "20";
const SECONDS_MAX: &str = "90";

/// Checks it.
pub(crate) fn check() -> Result<()> {
    let program = build_server()?;
    let tool = tool()?;
    let folder = target().join("api-check");
    let _not_there = fs::remove_dir_all(folder.join("data"));
    fs::create_dir_all(&folder)?;
    let config = folder.join("hookbox.toml");
    fs::write(&config, CONFIG)?;
    let server = Server::start(&program, &config)?;
    let admin = server.until("listening for operators", |_| {})?;
    let public = server.until("listening for webhooks at /hooks/<source>", |_| {})?;
    let url = format!("{}/hooks/main", text(&public, "address"));
    for event in ["sd_encoded", "add_video"] {
        ureq::post(&url).send(guests::sample(event)?)?;
    }
    let checked = run(Command::new(tool)
        .current_dir(&folder)
        .arg("run")
        .arg(root().join("docs/openapi.json"))
        .args(["--url", text(&admin, "address")])
        .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
        // It has no end.
        .args(["--exclude-path", "/api/v1/stream"])
        // What JSON Schema cannot say, such as that a cursor comes from a page
        // before, is refused rightly.
        .args(["--exclude-checks", "positive_data_acceptance"])
        .args(["--max-examples", EXAMPLES, "--max-time", SECONDS_MAX])
        .args(["--request-timeout", "20", "--no-color"]));
    drop(server);
    checked.context("the server does not do what docs/openapi.json says; see above")
}

/// schemathesis, in a folder of its own.
fn tool() -> Result<PathBuf> {
    let folder = target().join("schemathesis");
    let tool = folder.join("bin/schemathesis");
    let mark = folder.join("version");
    if fs::read_to_string(&mark).is_ok_and(|version| version == SCHEMATHESIS) && tool.exists() {
        return Ok(tool);
    }
    println!("Installing {SCHEMATHESIS} in {}", folder.display());
    make_environment(&folder)?;
    run(Command::new(folder.join("bin/python")).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        SCHEMATHESIS,
    ]))
    .context("pip cannot install it: it needs a package index; PIP_INDEX_URL names another")?;
    fs::write(mark, SCHEMATHESIS)?;
    Ok(tool)
}

fn make_environment(folder: &Path) -> Result<()> {
    let _not_there = fs::remove_dir_all(folder);
    let made = Command::new("python3").args(["-m", "venv"]).arg(folder).status();
    match made {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!("python3 cannot make an environment: install its venv (python3-venv)"),
        Err(error) => bail!("python3 cannot be started ({error}): install Python 3.10 or later"),
    }
}
