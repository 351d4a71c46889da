//! The pictures of the documentation. Not a test of anything: it writes files.
//!
//! `cargo test -p hookbox-tests --test dashboard -- --ignored pictures`

use std::fs;
use std::path::Path;

use hookbox_tests::{Site, body, plugin, probe, sample};

use crate::browser::Browser;

/// A picture is no larger: it is in the repository.
const BYTES_MAX: usize = 300_000;

const EXAMPLES: [&str; 3] = ["audit-log", "catalog", "encoding-watch"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes docs/dashboard-*.png"]
async fn pictures() {
    let site = Site::new("[plugin.catalog]\nkeyvalue = true\n");
    for name in EXAMPLES {
        site.install(name, &plugin(name));
    }
    site.install("probe", &probe(1));
    let server = site.serve();
    for name in EXAMPLES {
        server.wait_live(name, &plugin(name));
    }
    server.wait_live("probe", &probe(1));
    let browser = Browser::open().await;
    browser.load(&server.admin()).await;
    browser.see("#live[data-state=live]", "Live").await;
    let mut last = String::new();
    for number in 0..60 {
        let asked = if number % 9 == 4 { "reject" } else { "no" };
        let members = format!(
            r#","probe":"{asked}","data":{{"Video":{{"id":"{number}","name":"Harbour at dawn"}}}}"#
        );
        let name = ["add_video", "edit_video", "video_encoded"][number % 3];
        server.post(body(name, &members)).event();
        if number % 20 == 7 {
            server.post(sample("sd_encoded").replace(hookbox_tests::SECRET, "guessed"));
        }
        last = server.post(sample("sd_encoded").replace("734392", &format!("9{number}"))).event();
    }
    server.wait_done(&last, "probe");
    browser.see("[data-testid=total-received]", "123").await;
    // The plots have a step more once it is over.
    browser
        .until(
            "return document.querySelector('.plot title')?.textContent.includes('at most')",
            vec![],
        )
        .await;
    for (dark, name) in [(false, "light"), (true, "dark")] {
        browser.dark(dark).await;
        let picture = browser.picture().await;
        assert!(picture.len() <= BYTES_MAX, "{} bytes", picture.len());
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/dashboard-{name}.png"));
        fs::write(&file, picture).expect("writing a picture");
    }
    browser.content().await;
}
