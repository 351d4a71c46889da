//! A plugin's project: a folder, a name, a language.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use hookbox_core::ids::PluginName;

/// What a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// Rust.
    Rust,
    /// JavaScript.
    Js,
    /// TypeScript.
    Ts,
    /// Python.
    Python,
    /// C.
    C,
    /// Go.
    Go,
}

impl Language {
    /// The name by which people know it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Js => "JavaScript",
            Self::Ts => "TypeScript",
            Self::Python => "Python",
            Self::C => "C",
            Self::Go => "Go",
        }
    }
}

/// Where the plugin is written.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its folder, absolute.
    pub folder: PathBuf,
    /// The plugin's name: that of its file below `dist`.
    pub name: PluginName,
    /// What it is written in.
    pub language: Language,
}

impl Project {
    /// The project in a folder. Its language is known by the files in it, its
    /// name by its manifest (in C by the one section `[plugin.NAME]` of
    /// `hookbox.toml`), or else by the folder's name.
    ///
    /// # Errors
    /// The folder is none, its files are of no language that is known, or it has
    /// no name that a plugin can have.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let shown = folder.display();
        let folder = folder.canonicalize().with_context(|| shown.to_string())?;
        let Some(language) = language(&folder) else {
            bail!(
                "{shown}: no plugin's project: there is none of Cargo.toml (Rust), go.mod (Go), \
                 pyproject.toml (Python), package.json (JavaScript, with tsconfig.json \
                 TypeScript) or a .c file; `hookbox new NAME --lang LANGUAGE` writes one"
            );
        };
        let (name, whence) = name(&folder, language)?;
        let name = name.to_ascii_lowercase().replace('_', "-");
        let name = name.parse().with_context(|| {
            let what_to_do = match whence {
                OF_FOLDER => match manifest(language) {
                    SETTINGS => format!("write a section [plugin.NAME] in {SETTINGS} there"),
                    manifest => format!("write a name in {manifest}"),
                },
                manifest => format!("change it in {manifest}"),
            };
            format!(
                "{shown}: the project's name {name:?}, of {whence}, cannot be that of a plugin; \
                 {what_to_do}"
            )
        })?;
        Ok(Self { folder, name, language })
    }

    /// The component that a build makes.
    pub fn component(&self) -> PathBuf {
        self.folder.join("dist").join(format!("{}.wasm", self.name))
    }

    /// A folder for what a build leaves on the way to the component.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn work(&self) -> anyhow::Result<PathBuf> {
        let folder = self.folder.join("build");
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(folder)
    }
}

fn language(folder: &Path) -> Option<Language> {
    let has = |name: &str| folder.join(name).is_file();
    Some(match () {
        () if has("Cargo.toml") => Language::Rust,
        () if has("go.mod") => Language::Go,
        () if has("pyproject.toml") => Language::Python,
        () if has("package.json") && has("tsconfig.json") => Language::Ts,
        () if has("package.json") => Language::Js,
        () if has_c(folder) || has_c(&folder.join("src")) => Language::C,
        () => return None,
    })
}

fn has_c(folder: &Path) -> bool {
    let is_c = |entry: fs::DirEntry| entry.path().extension().is_some_and(|end| end == "c");
    fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(is_c))
}

/// Where the name of a project in C is: the section of its own settings.
const SETTINGS: &str = "hookbox.toml";

/// Where a name comes from that no manifest has.
const OF_FOLDER: &str = "the folder";

/// The file of a project that has its name.
fn manifest(language: Language) -> &'static str {
    match language {
        Language::Rust => "Cargo.toml",
        Language::Python => "pyproject.toml",
        Language::Js | Language::Ts => "package.json",
        Language::Go => "go.mod",
        Language::C => SETTINGS,
    }
}

/// The name and where it comes from: the manifest, where it has one, or else the
/// folder.
fn name(folder: &Path, language: Language) -> anyhow::Result<(String, &'static str)> {
    if let Some(name) = name_of_manifest(folder, language)? {
        return Ok((name, manifest(language)));
    }
    let name =
        folder.file_name().with_context(|| format!("{}: it has no name", folder.display()))?;
    Ok((name.to_string_lossy().into_owned(), OF_FOLDER))
}

fn name_of_manifest(folder: &Path, language: Language) -> anyhow::Result<Option<String>> {
    let file = manifest(language);
    let shown = || folder.join(file).display().to_string();
    let text = match fs::read_to_string(folder.join(file)) {
        // C has no manifest of its own.
        Err(error) if language == Language::C && error.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        text => text.with_context(shown)?,
    };
    let toml = || text.parse::<toml::Table>().with_context(|| format!("{}: no TOML", shown()));
    let of_table = |table: &str| {
        let manifest = toml()?;
        let name = manifest.get(table).and_then(|table| table.get("name")?.as_str());
        anyhow::Ok(name.map(str::to_owned))
    };
    Ok(match language {
        Language::Rust => of_table("package")?,
        Language::Python => of_table("project")?,
        Language::Js | Language::Ts => {
            let manifest: serde_json::Value =
                serde_json::from_str(&text).with_context(|| format!("{}: no JSON", shown()))?;
            let name = manifest.get("name").and_then(serde_json::Value::as_str);
            // Of `@scope/name` the second.
            name.and_then(|name| name.rsplit('/').next()).map(str::to_owned)
        }
        Language::Go => {
            let module = text.lines().find_map(|line| line.trim().strip_prefix("module "));
            module.and_then(|module| module.trim().rsplit('/').next()).map(str::to_owned)
        }
        Language::C => {
            let settings = toml()?;
            let sections = settings.get("plugin").and_then(toml::Value::as_table);
            let mut names = sections.into_iter().flat_map(toml::Table::keys);
            // Of several none says which it is.
            names.next().filter(|_| names.next().is_none()).cloned()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_known_by_the_files_and_the_name_by_the_manifest() {
        type Case = (&'static [(&'static str, &'static str)], Language, &'static str);
        let cases: [Case; 9] = [
            (&[("Cargo.toml", "[package]\nname = \"one_two\"")], Language::Rust, "one-two"),
            (&[("go.mod", "module example.com/me/three\n\ngo 1.24\n")], Language::Go, "three"),
            (&[("pyproject.toml", "[project]\nname = \"Four\"")], Language::Python, "four"),
            (&[("package.json", r#"{"name":"@me/five"}"#)], Language::Js, "five"),
            (
                &[("package.json", r#"{"name":"six"}"#), ("tsconfig.json", "{}")],
                Language::Ts,
                "six",
            ),
            (&[("plugin.c", "")], Language::C, "folder"),
            (&[("src/plugin.c", "")], Language::C, "folder"),
            (
                &[("src/plugin.c", ""), ("hookbox.toml", "[server]\n[plugin.seven]\nhttp = []\n")],
                Language::C,
                "seven",
            ),
            (
                &[("src/plugin.c", ""), ("hookbox.toml", "[plugin.seven]\n[plugin.eight]\n")],
                Language::C,
                "folder",
            ),
        ];
        for (files, language, name) in cases {
            let above = tempfile::tempdir().expect("a folder");
            let folder = above.path().join("folder");
            for (name, text) in files {
                let file = folder.join(name);
                fs::create_dir_all(file.parent().expect("a parent")).expect("made");
                fs::write(file, text).expect("written");
            }
            let project = Project::open(&folder).expect("a project");
            assert_eq!((project.language, project.name.as_str()), (language, name));
        }
    }

    #[test]
    fn a_folder_without_a_project_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Project::open(folder.path()).expect_err("no project").to_string();
        assert!(error.contains("hookbox new"), "{error}");
    }

    #[test]
    fn a_name_that_no_plugin_can_have_is_refused_with_where_it_is_and_what_to_do() {
        let above = tempfile::tempdir().expect("a folder");
        let folder = above.path().join("z c");
        fs::create_dir(&folder).expect("made");
        let refused = |name: &str, text: &str| {
            fs::write(folder.join(name), text).expect("written");
            Project::open(&folder).expect_err("refused").to_string()
        };
        let error = refused("plugin.c", "");
        assert!(error.contains(r#""z c", of the folder"#), "{error}");
        assert!(error.contains("a section [plugin.NAME] in hookbox.toml"), "{error}");
        let error = refused("hookbox.toml", "[plugin.\"z!\"]\n");
        assert!(error.contains(r#""z!", of hookbox.toml"#), "{error}");
        assert!(error.contains("change it in hookbox.toml"), "{error}");
        let error = refused("Cargo.toml", "[workspace]\n");
        assert!(error.contains("write a name in Cargo.toml"), "{error}");
    }
}
