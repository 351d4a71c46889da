//! A real browser: headless Chromium with a profile of its own, steered over
//! WebDriver (W3C) through a `chromedriver` on a port that it chose.
//!
//! Nothing here sleeps or asks again and again: the page itself says when what a
//! test waits for is there, each time something in it has changed.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fantoccini::client::Client;
use fantoccini::wd::{TimeoutConfiguration, WebDriverCompatibleCommand};
use fantoccini::{ClientBuilder, Locator};
use hookbox_tests::PATIENCE;
use hyper::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

/// Fulfilled as soon as `check` finds what it looks for. What the page does not
/// change by itself cannot be waited for with it.
const WATCH: &str = r"
    const [source, args, done] = arguments;
    const check = new Function('args', source);
    const look = () => {
        const found = check(args);
        if (found) { watcher.disconnect(); done(found); }
        return found;
    };
    const watcher = new MutationObserver(look);
    watcher.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
    look();
";

/// A browser with one page. Ended when dropped.
pub(crate) struct Browser {
    client: Client,
    // In this order: it ends before its profile goes.
    _driver: Driver,
    _profile: TempDir,
}

struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        // The browser is in the group of the driver, and would outlive it.
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _ended_already = kill_process_group(group, Signal::KILL);
        }
        let _ended_already = self.0.wait();
    }
}

/// A command that is not in the standard.
struct Own {
    path: &'static str,
    body: Value,
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path)
    }
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _url: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

fn started(program: &str) -> (Driver, u16) {
    let spawned = Command::new(program)
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    let child = spawned.unwrap_or_else(|e| {
        panic!("{program}: {e}: `cargo xtask test` installs Chromium and its driver")
    });
    let mut driver = Driver(child);
    let stdout = driver.0.stdout.take().expect("standard output");
    for line in BufReader::new(stdout).lines() {
        let line = line.expect("text");
        if let Some((_, port)) = line.split_once("successfully on port ") {
            return (driver, port.trim_end_matches('.').parse().expect("a port"));
        }
    }
    panic!("{program} ended before it listened");
}

impl Browser {
    /// Starts one, with a window of 1440 by 900.
    pub(crate) async fn open() -> Self {
        let (driver, port) = started("chromedriver");
        let profile =
            tempfile::Builder::new().prefix("hookbox-chromium-").tempdir().expect("a folder");
        let arguments = [
            "--headless=new".to_owned(),
            // It runs as root in containers; what it shows is our own.
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-background-networking".to_owned(),
            "--no-first-run".to_owned(),
            "--window-size=1440,900".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        let wanted = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(wanted) = wanted else { panic!("an object") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap_or_else(|e| {
                panic!("no browser: {e}: `cargo xtask test` installs Chromium and its driver")
            });
        client
            .update_timeouts(TimeoutConfiguration::new(Some(PATIENCE), Some(PATIENCE), None))
            .await
            .expect("timeouts");
        let browser = Self { client, _driver: driver, _profile: profile };
        browser.screen(1_440, 900, false).await;
        browser
    }

    async fn own(&self, path: &'static str, body: Value) -> Value {
        let answer = self.client.issue_cmd(Own { path, body }).await;
        answer.unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.own("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// A screen of that size; a phone's has no mouse.
    pub(crate) async fn screen(&self, width: u32, height: u32, phone: bool) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Whether the system is dark.
    pub(crate) async fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// Loads a page.
    pub(crate) async fn load(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|e| panic!("{url}: {e}"));
    }

    /// Runs a script in the page.
    pub(crate) async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.unwrap_or_else(|e| panic!("{script}: {e}"))
    }

    /// Waits until a script (with `args`) finds something, and returns it.
    pub(crate) async fn until(&self, script: &str, arguments: Vec<Value>) -> Value {
        let given = vec![json!(script), json!(arguments)];
        match self.client.execute_async(WATCH, given).await {
            Ok(found) => found,
            Err(e) => {
                let page = self
                    .run("return location.href + '\\n' + document.body.innerText", vec![])
                    .await;
                let log = self.complaints().await;
                panic!(
                    "{script} {arguments:?}: {e}\n{}\n{log:#?}",
                    page.as_str().unwrap_or_default()
                );
            }
        }
    }

    /// Waits for an element that has that text, and returns the whole of its text.
    pub(crate) async fn see(&self, css: &str, text: &str) -> String {
        let script = "const found = [...document.querySelectorAll(args[0])]\
            .find((e) => e.textContent.includes(args[1]));\
            return found && (found.textContent || ' ');";
        let found = self.until(script, vec![json!(css), json!(text)]).await;
        found.as_str().expect("text").to_owned()
    }

    /// Waits until no element has that text.
    pub(crate) async fn unsee(&self, css: &str, text: &str) {
        let script = "return ![...document.querySelectorAll(args[0])]\
            .some((e) => e.textContent.includes(args[1]));";
        self.until(script, vec![json!(css), json!(text)]).await;
    }

    /// Waits until there are that many elements.
    pub(crate) async fn count(&self, css: &str, count: usize) {
        let script = "return document.querySelectorAll(args[0]).length === args[1];";
        self.until(script, vec![json!(css), json!(count)]).await;
    }

    /// Waits for an element and clicks it as a person would: where it is not
    /// covered by another.
    pub(crate) async fn click(&self, css: &str) {
        self.see(css, "").await;
        let element = self.client.find(Locator::Css(css)).await.expect(css);
        element.click().await.unwrap_or_else(|e| panic!("{css}: {e}"));
    }

    /// Types into what has the focus.
    pub(crate) async fn type_keys(&self, keys: &str) {
        let element = self.client.active_element().await.expect("a focus");
        element.send_keys(keys).await.unwrap_or_else(|e| panic!("{keys}: {e}"));
    }

    /// What the browser said of the page since it was last asked: errors, and
    /// what its policy did not allow.
    pub(crate) async fn complaints(&self) -> Vec<Value> {
        let entries = self.own("se/log", json!({ "type": "browser" })).await;
        let Value::Array(entries) = entries else { panic!("{entries}") };
        let serious = |entry: &Value| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING"));
        entries.into_iter().filter(serious).collect()
    }

    /// Ends it, unless the browser complained of something.
    pub(crate) async fn content(self) {
        let complaints = self.complaints().await;
        assert!(complaints.is_empty(), "{complaints:#?}");
        self.client.close().await.expect("closing the browser");
    }

    /// A picture of the screen, as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let picture = self.devtools("Page.captureScreenshot", json!({ "format": "png" })).await;
        STANDARD.decode(picture["data"].as_str().expect("a picture")).expect("base64")
    }
}
