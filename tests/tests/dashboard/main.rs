//! The operators' dashboard in a real browser, against the real server with real
//! plugins. Each test ends by asking the browser what it complained of: an error
//! in its console, or something that the page's content security policy forbids,
//! fails the test.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod browser;
mod pictures;

use hookbox_core::ids::Digest;
use hookbox_tests::{Server, Site, body, probe, sample};
use serde_json::json;

use crate::browser::Browser;

/// A server with the plugin `probe`, and a browser that shows it live.
async fn shown(more: &str) -> (Site, Server, Browser) {
    let site = Site::new(more);
    site.install("probe", &probe(1));
    let server = site.serve();
    server.wait_live("probe", &probe(1));
    let browser = Browser::open().await;
    browser.load(&server.admin()).await;
    browser.see("#live[data-state=live]", "Live").await;
    (site, server, browser)
}

/// A body that `probe` handles as it is asked to.
fn asking(probe: &str) -> String {
    sample("sd_encoded").replacen('{', &format!(r#"{{"probe":"{probe}","#), 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_seen_as_it_arrives_and_can_be_found_read_and_replayed() {
    let (_site, server, browser) = shown("").await;
    browser.see("[data-testid=version]", env!("CARGO_PKG_VERSION")).await;
    browser.see("[data-testid=parts] .good", "journal").await;
    browser.see("[data-testid=needs]", "All parts work").await;

    let event = server.post(sample("sd_encoded")).event();
    browser.see(".notice[data-kind=received]", "sd_encoded").await;
    browser.see(".notice[data-kind=attempt]", "probe").await;
    browser.see("[data-testid=total-received]", "1").await;
    browser.see("[data-testid=total-handled]", "1").await;

    // By the keyboard: `/`, then a text that nothing has, then one of the body.
    browser.type_keys("/").await;
    browser.see("#search:focus", "").await;
    let row = format!("[data-testid=events] [data-event='{event}']");
    browser.see(&row, "sd_encoded").await;
    browser.type_keys("no such text").await;
    browser.see(".empty", "No event matches").await;
    browser.click("[data-testid=clear]").await;
    browser.see(&row, "probe").await;
    browser.click("#search").await;
    browser.type_keys("734392").await;
    browser.until("return location.hash.endsWith('text=734392')", vec![]).await;
    browser.see(&row, "sd_encoded").await;
    browser.click(&format!("{row} a")).await;

    browser.see("[data-testid=event-name]", "sd_encoded").await;
    browser.see("[data-testid=event-id]", &event).await;
    browser.see("[data-testid=genuine]", "test").await;
    browser.see("[data-testid=delivery][data-state=succeeded]", "probe").await;
    browser.see("[data-testid=attempt]", &Digest::of(&probe(1)).short()).await;
    browser.see("[data-testid=log]", "probe-build-000001").await;
    browser.see("[data-testid=typed]", "734392").await;
    let document = browser.see("[data-testid=document]", "MediaConvert").await;
    assert!(!document.contains(hookbox_tests::SECRET), "{document}");

    browser.click("[data-testid=replay]").await;
    browser.see("[data-testid=replay-plugin] option", "probe").await;
    browser.click("[data-testid=dialog-go]").await;
    browser.see("[data-testid=dialog-result]", "Handed to probe").await;
    browser.click("[data-testid=dialog-close]").await;
    browser.count("dialog", 0).await;
    browser.count("[data-testid=delivery][data-state=succeeded]", 2).await;
    browser.see("[data-testid=delivery]", "replay").await;

    // The address can be shared, and the way back keeps the search.
    browser.run("history.back()", vec![]).await;
    browser.until("return document.getElementById('search')?.value === '734392'", vec![]).await;
    browser.content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_of_a_plugin_is_seen_without_loading_the_page_again() {
    let (site, server, browser) = shown("").await;
    let row = "[data-testid=plugins] [data-plugin=probe]";
    browser.see(row, &Digest::of(&probe(1)).short()).await;
    let before = browser
        .run(&format!("return document.querySelector('{row}').dataset.generation"), vec![])
        .await;
    browser.run("window.sameDocument = true", vec![]).await;

    site.install("probe", &probe(2));
    server.wait_live("probe", &probe(2));
    browser.see(row, &Digest::of(&probe(2)).short()).await;
    browser.see(".notice[data-kind=plugin]", "is live").await;
    let newer = format!(
        "return Number(document.querySelector('{row}').dataset.generation) > Number(args[0])"
    );
    browser.until(&newer, vec![before]).await;

    browser.click("nav [data-page=changes]").await;
    browser.see("[data-testid=changes] [data-kind=plugin-live]", "probe").await;
    assert_eq!(browser.run("return window.sameDocument", vec![]).await, json!(true));

    // What does not load is said with its reason, and the page of the plugin has it.
    site.install("probe", b"no component");
    browser.click("nav [data-page=plugins]").await;
    browser.see(row, "refused").await;
    browser.click(&format!("{row} .row-link")).await;
    browser.see("[data-testid=verdict]", "refused").await;
    browser.content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_says_why_and_can_be_redriven_and_discarded() {
    let (site, server, browser) = shown("").await;
    let event = server.post(asking("reject")).event();
    browser.see("#dead-count", "1").await;
    browser.click("nav [data-page=dead]").await;
    browser.see("[data-testid=dead] tbody tr", "asked to reject").await;

    browser.click("[data-testid=redrive-all]").await;
    browser.see("[data-testid=counted]", "1 dead letter").await;
    browser.click("[data-testid=dialog-go]").await;
    browser.see("[data-testid=dialog-result]", "owed again").await;
    browser.click("[data-testid=dialog-close]").await;

    // It is rejected once more.
    browser.load(&format!("{}/#/events/{event}", server.admin())).await;
    browser.count("[data-testid=attempt]", 2).await;
    browser.see("[data-testid=attempt] pre.error", "asked to reject").await;
    browser.see("[data-testid=delivery][data-state=dead]", "refused it for good").await;
    browser.click("[data-testid=discard]").await;
    browser.click("[data-testid=dialog-go]").await;
    browser.see("[data-testid=dialog-result]", "discarded").await;
    browser.click("[data-testid=dialog-close]").await;
    browser.see("[data-testid=delivery][data-state=discarded]", "probe").await;
    assert_eq!(site.wait_listed(&["dead", "list", "--state", "discarded"], 1).len(), 1);
    browser.content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_paused_and_resumed() {
    let (_site, server, browser) = shown("").await;
    browser.click("nav [data-page=plugins]").await;
    browser.click("[data-plugin=probe] [data-testid=pause]").await;
    browser.click("[data-testid=dialog-go]").await;
    browser.see("[data-testid=dialog-result]", "paused").await;
    browser.click("[data-testid=dialog-close]").await;
    browser.see("[data-plugin=probe][data-state=paused]", "probe").await;

    let event = server.post(sample("add_video")).event();
    browser.click("nav [data-page=events]").await;
    browser.see(&format!("[data-event='{event}']"), "probe parked").await;

    browser.click("nav [data-page=plugins]").await;
    browser.click("[data-plugin=probe] [data-testid=resume]").await;
    browser.click("[data-testid=dialog-go]").await;
    browser.see("[data-testid=dialog-result]", "goes on").await;
    browser.click("[data-testid=dialog-close]").await;
    server.wait_done(&event, "probe");
    browser.click("nav [data-page=events]").await;
    browser.see(&format!("[data-event='{event}'] .went-well"), "probe").await;
    browser.content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_values_are_shown_on_demand_and_that_is_recorded() {
    let (_site, server, browser) = shown("").await;
    let event = server
        .post(body(
            "livestream_add_v2",
            r#","data":{"Livestream":{"id":"7","stream_key":"sk-991"}}"#,
        ))
        .event();
    browser.load(&format!("{}/#/events/{event}", server.admin())).await;
    browser.see("[data-testid=document]", "[hidden]").await;
    browser.unsee("main", "sk-991").await;
    browser.click("[data-testid=reveal]").await;
    browser.click("[data-testid=dialog-go]").await;
    browser.see("[data-testid=dialog-result]", "They are shown").await;
    browser.click("[data-testid=dialog-close]").await;
    browser.see("[data-testid=document]", "sk-991").await;
    browser.click("nav [data-page=changes]").await;
    browser.see("[data-testid=changes] [data-kind=revealed]", "").await;
    browser.content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_senders_write_is_shown_as_text() {
    let (_site, server, browser) = shown("").await;
    let hostile = r#"<img src=x onerror="document.title='taken'">"#;
    let name = serde_json::to_string(hostile).expect("JSON");
    let members = format!(r#","data":{{"Video":{{"id":"1","name":{name}}}}}"#);
    let named = server.post(body("add_video", &members)).event();
    let other = body("x", "").replacen(r#""x""#, &name, 1);
    let event = server.post(other).event();
    browser.see(".notice[data-kind=received]", hostile).await;
    browser.click("nav [data-page=events]").await;
    browser.see(&format!("[data-event='{event}']"), hostile).await;
    browser.load(&format!("{}/#/events/{named}", server.admin())).await;
    browser.see("[data-testid=typed]", hostile).await;
    browser.count("main img", 0).await;
    assert_ne!(browser.run("return document.title", vec![]).await, json!("taken"));
    browser.content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_is_noted_with_its_reason() {
    let (_site, server, browser) = shown("").await;
    let forged = sample("sd_encoded").replace(hookbox_tests::SECRET, "guessed");
    assert_eq!(server.post(forged).status, 401);
    browser.see(".notice[data-kind=refused]", "401").await;
    browser.click("nav [data-page=refusals]").await;
    browser.see("[data-testid=refusals] tbody tr", "The secret is wrong").await;
    browser.content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_fit_a_phone() {
    let (_site, server, browser) = shown("").await;
    let event = server.post(asking("panic")).event();
    browser.see(".notice[data-kind=attempt]", "trap").await;
    browser.screen(390, 844, true).await;
    let pages = [
        "",
        "events",
        &format!("events/{event}"),
        "plugins",
        "plugins/probe",
        "dead",
        "refusals",
        "changes",
    ];
    for page in pages {
        browser.run("location.hash = arguments[0]", vec![json!(format!("#/{page}"))]).await;
        browser.until("return document.querySelector('.page h1') && !document.querySelector('[aria-busy=true]')", vec![]).await;
        let room = "return document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.run(room, vec![]).await, json!(true), "{page} is wider than a phone");
    }
    browser.content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_policy_forbids_is_complained_of() {
    let (_site, _server, browser) = shown("").await;
    let inline = "const script = document.createElement('script');\
        script.textContent = 'window.ran = true'; document.body.append(script); return window.ran";
    assert_eq!(browser.run(inline, vec![]).await, json!(null));
    let complaints = browser.complaints().await;
    assert!(format!("{complaints:?}").contains("Content Security Policy"), "{complaints:?}");
    browser.content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_token_logs_in_and_out_again() {
    const TOKEN: &str = "a-token-for-the-browser";
    let site = Site::new(&format!(
        "[server]\nadmin_tokens = [{{ name = \"ops\", value = \"{TOKEN}\" }}]\n"
    ));
    let server = site.serve();
    let browser = Browser::open().await;
    browser.load(&server.admin()).await;
    browser.see("label", "Access token").await;
    browser.click("#token").await;
    browser.type_keys("not-the-right-token").await;
    browser.click("form button").await;
    browser.see("[data-testid=login-error]", "not known").await;
    browser.click("#token").await;
    browser.type_keys(TOKEN).await;
    browser.click("form button").await;
    browser.see("#live[data-state=live]", "Live").await;
    browser.click("[data-testid=logout]").await;
    browser.see("label", "Access token").await;
    browser.content().await;
}
