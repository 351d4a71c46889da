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
/// There is something in the folder already, or it cannot be written.
pub fn write(folder: &Path, name: &PluginName, language: Language) -> anyhow::Result<Project> {
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

/// The text with the plugin's name: as it is, as identifiers in lower case, and
/// as a type's name.
fn filled(text: &str, name: &PluginName) -> String {
    let name = name.as_str();
    // An identifier begins with a letter.
    let begins_with_digit = name.starts_with(|first: char| first.is_ascii_digit());
    let identifier = name.replace('-', "_");
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    let type_name: String = name.split('-').filter_map(word).collect();
    let (identifier, type_name) = match begins_with_digit {
        true => (format!("plugin_{identifier}"), format!("Plugin{type_name}")),
        false => (identifier, type_name),
    };
    text.replace("{{name}}", name)
        .replace("{{crate_name}}", &identifier)
        .replace("{{TypeName}}", &type_name)
        .replace("{{version}}", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_a_template_that_is_filled_and_known_again() {
        use clap::ValueEnum as _;
        for &language in Language::value_variants() {
            if !Templates::iter()
                .any(|path| folders(language).last().is_some_and(|own| path.starts_with(own)))
            {
                continue;
            }
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
}
