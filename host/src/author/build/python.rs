//! Python: componentize-py makes the component of the module `app`.
//!
//! Folders that several plugins share can be named in `pyproject.toml`, since
//! the tool does not follow links out of a folder:
//!
//! ```toml
//! [tool.hookbox]
//! python-path = ["../shared"]
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::{on_path, run, say};
use crate::author::project::Project;
use crate::author::vendor;

/// The tool, by its program's and its package's name.
const TOOL: &str = "componentize-py";

/// The module that has the exports.
const MODULE: &str = "app";

/// Names the tool, and the libraries of the plugin.
const REQUIREMENTS: &str = "requirements.txt";

pub(super) fn build(project: &Project) -> anyhow::Result<PathBuf> {
    let sources = sources(&project.folder)?;
    let (tool, venv) = tool(project)?;
    let work = project.work()?;
    let file = work.join("plugin.wasm");
    let mut wit = project.folder.join("wit");
    if !wit.is_dir() {
        vendor::write_wit(&work.join("wit"))?;
        wit = work.join("wit");
    }
    let mut componentize = Command::new(tool);
    componentize
        .arg("--quiet")
        .arg("--wit-path")
        .arg(wit)
        .args(["--world", "plugin", "componentize", MODULE, "--python-path"])
        .arg(sources)
        .args(shared(&project.folder)?.iter().flat_map(|folder| ["--python-path", folder]))
        .arg("--output")
        .arg(&file)
        .current_dir(&project.folder);
    match venv {
        // Its libraries come along.
        Some(venv) => componentize.env("VIRTUAL_ENV", venv),
        None => componentize.env_remove("VIRTUAL_ENV"),
    };
    run(&mut componentize)?;
    Ok(file)
}

/// The folder of the module.
fn sources(folder: &Path) -> anyhow::Result<PathBuf> {
    let places = [folder.join("src"), folder.to_owned()];
    let mut found = places.into_iter().filter(|place| place.join("app.py").is_file());
    found.next().with_context(|| {
        format!("{}: there is no src/app.py and no app.py, which has the exports", folder.display())
    })
}

/// Further folders of modules, relative to the project's.
fn shared(folder: &Path) -> anyhow::Result<Vec<String>> {
    let file = folder.join("pyproject.toml");
    let shown = || file.display().to_string();
    let manifest: toml::Table =
        fs::read_to_string(&file).with_context(shown)?.parse().with_context(shown)?;
    let key = ["tool", "hookbox", "python-path"];
    let manifest = toml::Value::Table(manifest);
    let Some(named) = key.iter().try_fold(&manifest, |table, key| table.get(key)) else {
        return Ok(Vec::new());
    };
    let text = |item: &toml::Value| item.as_str().map(str::to_owned);
    let folders = named.as_array().and_then(|items| items.iter().map(text).collect());
    folders.with_context(|| format!("{}: tool.hookbox.python-path is no list of texts", shown()))
}

/// The tool, and the virtual environment that it is of: the project's own, else
/// what is on `PATH`, else one is made.
fn tool(project: &Project) -> anyhow::Result<(PathBuf, Option<PathBuf>)> {
    let venv = project.folder.join(".venv");
    let own = venv.join("bin").join(TOOL);
    if own.is_file() {
        return Ok((own, Some(venv)));
    }
    let requirements = project.folder.join(REQUIREMENTS);
    if let Some(tool) = on_path(TOOL)
        && !has_libraries(&requirements)
    {
        return Ok((tool, None));
    }
    let Some(python) = on_path("python3") else {
        bail!(
            "python3 is not there: plugins in Python are built by {TOOL}, which needs Python 3.11 \
             or later (https://www.python.org)"
        );
    };
    if !requirements.is_file() {
        bail!(
            "{TOOL} is not there: `pip install {TOOL}`, or name it in {REQUIREMENTS}, and \
             `hookbox build` installs it into .venv"
        );
    }
    say(&format!("There is no {TOOL} yet: python3 -m venv .venv, pip install -r {REQUIREMENTS}"));
    run(Command::new(python).args(["-m", "venv"]).arg(&venv))
        .context("no virtual environment can be made (Debian has it as python3-venv)")?;
    run(Command::new(venv.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(&requirements))
    .with_context(|| format!("what {REQUIREMENTS} names cannot be installed"))?;
    if !own.is_file() {
        bail!("{REQUIREMENTS} does not name {TOOL}, by which plugins in Python are built");
    }
    Ok((own, Some(venv)))
}

/// Whether it names more than the tool: libraries of the plugin, which are not
/// beside a tool that is on `PATH`.
fn has_libraries(requirements: &Path) -> bool {
    let Ok(text) = fs::read_to_string(requirements) else { return false };
    let named = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    named.filter(|line| !line.is_empty()).any(|line| !line.starts_with(TOOL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_of_the_plugin_are_told_from_the_tool() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(REQUIREMENTS);
        assert!(!has_libraries(&file));
        fs::write(&file, "# tools\n\ncomponentize-py==0.25.1  # builds\n").expect("written");
        assert!(!has_libraries(&file));
        fs::write(&file, "componentize-py==0.25.1\nhumanize\n").expect("written");
        assert!(has_libraries(&file));
    }

    #[test]
    fn folders_that_plugins_share_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pyproject.toml");
        let read = |text: &str| {
            fs::write(&file, text).expect("written");
            shared(folder.path()).map_err(|error| error.to_string())
        };
        assert_eq!(read("[project]\nname = \"five\"\n"), Ok(vec![]));
        let one = read("[tool.hookbox]\npython-path = [\"../shared\"]\n");
        assert_eq!(one, Ok(vec!["../shared".to_owned()]));
        let wrong = read("[tool.hookbox]\npython-path = \"../shared\"\n").expect_err("no list");
        assert!(wrong.contains("no list of texts"), "{wrong}");
    }

    #[test]
    fn a_project_without_the_module_is_told_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = sources(folder.path()).expect_err("no module").to_string();
        assert!(error.contains("src/app.py"), "{error}");
        fs::create_dir(folder.path().join("src")).expect("made");
        fs::write(folder.path().join("src/app.py"), "").expect("written");
        assert_eq!(sources(folder.path()).expect("found"), folder.path().join("src"));
    }
}
