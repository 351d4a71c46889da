//! A plugin's project: a folder, a name, a language.

use std::fs;
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
    /// name by its manifest, or else by the folder's name.
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
        let name = name(&folder, language)?;
        let name = name.to_ascii_lowercase().replace('_', "-");
        let name = name.parse().with_context(|| {
            format!("{shown}: the project's name {name:?} cannot be that of a plugin")
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

/// By the manifest, where the language has one that names it.
fn name(folder: &Path, language: Language) -> anyhow::Result<String> {
    let read = |name: &str| {
        let file = folder.join(name);
        fs::read_to_string(&file).with_context(|| file.display().to_string())
    };
    let of_toml = |name: &str, table: &str| {
        let manifest: toml::Table = read(name)?
            .parse()
            .with_context(|| format!("{}: no TOML", folder.join(name).display()))?;
        let name = manifest.get(table).and_then(|table| table.get("name")?.as_str());
        anyhow::Ok(name.map(str::to_owned))
    };
    let named = match language {
        Language::Rust => of_toml("Cargo.toml", "package")?,
        Language::Python => of_toml("pyproject.toml", "project")?,
        Language::Js | Language::Ts => {
            let manifest: serde_json::Value = serde_json::from_str(&read("package.json")?)
                .with_context(|| format!("{}: no JSON", folder.join("package.json").display()))?;
            let name = manifest.get("name").and_then(serde_json::Value::as_str);
            // Of `@scope/name` the second.
            name.and_then(|name| name.rsplit('/').next()).map(str::to_owned)
        }
        Language::Go => {
            let manifest = read("go.mod")?;
            let module = manifest.lines().find_map(|line| line.trim().strip_prefix("module "));
            module.and_then(|module| module.trim().rsplit('/').next()).map(str::to_owned)
        }
        Language::C => None,
    };
    let of_folder = || folder.file_name().map(|name| name.to_string_lossy().into_owned());
    named.or_else(of_folder).with_context(|| format!("{}: it has no name", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_known_by_the_files_and_the_name_by_the_manifest() {
        type Case = (&'static [(&'static str, &'static str)], Language, &'static str);
        let cases: [Case; 7] = [
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
}
