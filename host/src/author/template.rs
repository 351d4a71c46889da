//! New projects, from templates within the program.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context as _, bail};
use hookbox_core::ids::PluginName;
use rust_embed::Embed;

use super::bindings;
use super::project::{Language, Project};
use super::vendor::{self, Files};

#[derive(Embed)]
#[folder = "templates/"]
// What a test of the templates themselves leaves there.
#[exclude = "*/__pycache__/*"]
struct Templates;

/// Writes a new project into a folder that is not there yet, or empty.
///
/// # Errors
/// The language can have no such name, there is something in the folder already,
/// or it cannot be written.
pub fn write(folder: &Path, name: &PluginName, language: Language) -> anyhow::Result<Project> {
    check_name(name, language)?;
    let shown = folder.display();
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!("{shown} is there already and not empty; choose another name or folder");
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).context(shown.to_string()),
    }
    for (path, bytes) in files(name, language)? {
        let file = folder.join(path);
        if let Some(above) = file.parent() {
            fs::create_dir_all(above).with_context(|| above.display().to_string())?;
        }
        fs::write(&file, bytes).with_context(|| file.display().to_string())?;
    }
    let project = Project { folder: folder.canonicalize()?, name: name.clone(), language };
    // Editors and tests find them before the first build.
    bindings::write(&project)?;
    Ok(project)
}

/// What is written, by path.
fn files(name: &PluginName, language: Language) -> anyhow::Result<Files> {
    let mut files = match language {
        Language::Rust => vendor::sdk("vendor")?,
        _ => vendor::wit("wit"),
    };
    for &folder in folders(language) {
        for path in Templates::iter().filter(|path| path.starts_with(folder)) {
            let Some(file) = Templates::get(&path) else { continue };
            let place = filled(path.trim_start_matches(folder), name);
            // Under its own name it would count for the repository itself.
            let place = if place == "gitignore" { ".gitignore".to_owned() } else { place };
            let bytes = match std::str::from_utf8(&file.data) {
                Ok(text) => filled(text, name).into_bytes(),
                Err(_) => file.data.into_owned(),
            };
            files.insert(place, bytes);
        }
    }
    Ok(files)
}

/// What is put together; `node` is what JavaScript and TypeScript share.
fn folders(language: Language) -> &'static [&'static str] {
    match language {
        Language::Rust => &["common/", "rust/"],
        Language::Js => &["common/", "node/", "js/"],
        Language::Ts => &["common/", "node/", "ts/"],
        Language::Python => &["common/", "python/"],
        Language::C => &["common/", "c/"],
        Language::Go => &["common/", "go/"],
    }
}

/// The text with the plugin's name: as it is, and as a type's name.
fn filled(text: &str, name: &PluginName) -> String {
    text.replace("{{name}}", name.as_str())
        .replace("{{TypeName}}", &type_name(name))
        .replace("{{version}}", env!("CARGO_PKG_VERSION"))
}

/// `FirstPlugin` for `first` and for `first-plugin`. What the template imports or
/// Rust reserves has no such ending, so no name collides with it.
fn type_name(name: &PluginName) -> String {
    const END: &str = "Plugin";
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    let words: String = name.as_str().split('-').filter_map(word).collect();
    // `Plugin` alone is the SDK's.
    if words.ends_with(END) && words != END { words } else { words + END }
}

/// Says of a name that a plugin can have, but no project in that language, what
/// stands against it.
fn check_name(name: &PluginName, language: Language) -> anyhow::Result<()> {
    let text = name.as_str();
    let why = match language {
        Language::Rust if text.starts_with(|first: char| first.is_ascii_digit()) => {
            "cargo takes no package whose name begins with a digit"
        }
        Language::Rust if RUST_VENDORED.contains(&text) => {
            "a package of that name comes with the project"
        }
        Language::Go if is_device(text) => "Go takes no module whose name is a device on Windows",
        _ => return Ok(()),
    };
    bail!(
        "no plugin in {} can be called {text}: {why}; choose another name, as plugin-{text}",
        language.title()
    )
}

/// Packages in the project's own workspace.
const RUST_VENDORED: [&str; 2] = ["hookbox-sdk", "hookbox-core"];

/// Names of files that Windows keeps for itself.
fn is_device(name: &str) -> bool {
    let numbered = |prefix: &str| {
        let rest = name.strip_prefix(prefix).unwrap_or_default();
        matches!(rest.as_bytes(), [b'1'..=b'9'])
    };
    ["con", "prn", "aux", "nul"].contains(&name) || numbered("com") || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_a_template_that_is_filled_and_known_again() {
        use clap::ValueEnum as _;
        for &language in Language::value_variants() {
            let name: PluginName = "my-first-2".parse().expect("a name");
            let above = tempfile::tempdir().expect("a folder");
            let folder = above.path().join(name.as_str());
            write(&folder, &name, language).expect("written");
            let project = Project::open(&folder).expect("a project");
            assert_eq!((project.language, &project.name), (language, &name));
            for (path, bytes) in files(&name, language).expect("files") {
                // What is vendored may have braces of its own.
                if !path.starts_with("vendor/") {
                    let text = String::from_utf8_lossy(&bytes);
                    assert!(!text.contains("{{name") && !path.contains("{{"), "{path}: {text}");
                }
            }
            let readme = fs::read_to_string(folder.join("README.md")).expect("a README");
            assert!(readme.contains("hookbox build"), "{readme}");
            let again = write(&folder, &name, language).expect_err("not empty").to_string();
            assert!(again.contains("not empty"), "{again}");
        }
    }

    #[test]
    fn no_name_gives_a_type_that_the_template_imports_or_rust_reserves() {
        for (name, expected) in [
            ("first-plugin", "FirstPlugin"),
            ("view-counter", "ViewCounterPlugin"),
            ("plugin", "PluginPlugin"),
            ("event", "EventPlugin"),
            ("self", "SelfPlugin"),
            ("a--b-", "ABPlugin"),
        ] {
            assert_eq!(type_name(&name.parse().expect("a name")), expected);
        }
    }

    #[test]
    fn a_name_that_the_language_cannot_have_is_refused_before_anything_is_written() {
        for (name, language) in [
            ("9lives", Language::Rust),
            ("hookbox-sdk", Language::Rust),
            ("con", Language::Go),
            ("com1", Language::Go),
        ] {
            let name: PluginName = name.parse().expect("a name");
            let above = tempfile::tempdir().expect("a folder");
            let folder = above.path().join("new");
            let error = write(&folder, &name, language).expect_err("refused").to_string();
            assert!(error.contains(&format!("as plugin-{name}")), "{error}");
            assert!(!folder.exists());
        }
        for (name, language) in
            [("9lives", Language::Go), ("console", Language::Go), ("com10", Language::Go)]
        {
            check_name(&name.parse().expect("a name"), language).expect("a name for it");
        }
    }
}
