//! The browser that the dashboard's tests need: Chromium and its driver, of one
//! version. Where they are missing, Debian's packages are installed.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::guests::apt;

/// Fonts are no dependency of the browser, and without any there is no text.
const PACKAGES: [&str; 3] = ["chromium", "chromium-driver", "fonts-dejavu-core"];

const DRIVER: &str = "chromedriver";

/// Any of these; the driver finds it by itself.
const BROWSERS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const WHAT_TO_DO: &str = "the dashboard's tests need Chromium and chromedriver of the same version on PATH: \
     install them (on Debian and Ubuntu, as root: apt-get install chromium chromium-driver)";

/// Makes sure that both are there.
pub(crate) fn install() -> Result<()> {
    if is_there() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() || !on_path("apt-get") {
        bail!(WHAT_TO_DO);
    }
    println!("Installing Debian's {}.", PACKAGES.join(", "));
    apt(&["update"]).context(WHAT_TO_DO)?;
    let install = ["install", "-y", "--no-install-recommends"];
    apt(&[install.as_slice(), PACKAGES.as_slice()].concat()).context(WHAT_TO_DO)?;
    if !is_there() {
        bail!(WHAT_TO_DO);
    }
    Ok(())
}

fn is_there() -> bool {
    on_path(DRIVER) && BROWSERS.iter().any(|browser| on_path(browser))
}

fn on_path(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| Path::new(&folder).join(program).is_file())
}
