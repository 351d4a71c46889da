//! JavaScript and TypeScript: the project's own script `build` makes the
//! component. Packages come by npm, once.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{on_path, run, say};
use crate::author::project::Project;

/// What the build tools need. Older ones lack `node:module`'s source maps, or
/// conditions for tests.
const NODE_MAJOR_MIN: u32 = 20;

pub(super) fn build(project: &Project) -> anyhow::Result<PathBuf> {
    let title = project.language.title();
    for program in ["node", "npm"] {
        if on_path(program).is_none() {
            bail!(
                "{program} is not there: plugins in {title} are built by Node.js \
                 {NODE_MAJOR_MIN} or later (https://nodejs.org) and its npm"
            );
        }
    }
    check_version()?;
    check_script(project)?;
    if !project.folder.join("node_modules").is_dir() {
        say("There is no node_modules yet: npm install");
        run(npm(project).args(["install", "--no-audit", "--no-fund", "--loglevel=error"]))
            .context("the packages of package.json cannot be installed")?;
    }
    let file = project.work()?.join("plugin.wasm");
    // What an earlier build made must not pass for what this one makes.
    match fs::remove_file(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context(file.display().to_string());
        }
        _ => {}
    }
    run(npm(project).args(["run", "--silent", "build", "--"]).arg(&file))?;
    if !file.is_file() {
        bail!(
            "the script `build` of package.json has not written {}, the path that it was given",
            file.display()
        );
    }
    Ok(file)
}

fn npm(project: &Project) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(&project.folder);
    npm
}

fn check_version() -> anyhow::Result<()> {
    let answer = Command::new("node").arg("--version").output().context("cannot start node")?;
    let version = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    match major(&version) {
        Some(major) if major < NODE_MAJOR_MIN => {
            bail!("node is {version}; plugins are built by {NODE_MAJOR_MIN} or later")
        }
        _ => Ok(()),
    }
}

/// Of `v20.1.2` the 20.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn check_script(project: &Project) -> anyhow::Result<()> {
    let file = project.folder.join("package.json");
    let shown = || file.display().to_string();
    let manifest: Value =
        serde_json::from_slice(&fs::read(&file).with_context(shown)?).with_context(shown)?;
    if manifest.pointer("/scripts/build").and_then(Value::as_str).is_none() {
        bail!(
            "{}: it needs a script `build` that writes a component to the path it is given; \
             `hookbox new NAME --lang js` has one",
            shown()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::author::project::Language;

    fn project(folder: &std::path::Path, manifest: &str) -> Project {
        fs::write(folder.join("package.json"), manifest).expect("written");
        let name = "first".parse().expect("a name");
        Project { folder: folder.to_owned(), name, language: Language::Js }
    }

    #[test]
    fn a_package_without_a_build_script_is_told_what_it_needs() {
        let folder = tempfile::tempdir().expect("a folder");
        let plain = project(folder.path(), r#"{"name":"first","scripts":{"test":"node"}}"#);
        let error = check_script(&plain).expect_err("no script").to_string();
        assert!(error.contains("a script `build`"), "{error}");
        let good = project(folder.path(), r#"{"scripts":{"build":"node build.mjs"}}"#);
        assert!(check_script(&good).is_ok());
    }

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("20"), None);
    }
}
