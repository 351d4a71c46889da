//! Bindings for C and Go, in a project's folder `bindings`: made from the
//! project's own `wit`, and beside them a layer that is pleasant to use.
//!
//! Invariant: what is the same already is not written again, so that compilers
//! know their work for done.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use rust_embed::Embed;
use wit_bindgen_core::wit_parser::{Resolve, WorldId};
use wit_bindgen_core::{Files as Generated, WorldGenerator};

use super::project::{Language, Project};
use super::vendor::Files;

/// The layers, by language.
#[derive(Embed)]
#[folder = "bindings/"]
struct Layers;

/// What generated Go code needs to run, as it comes with the generator: paths and
/// contents.
const GO_RUNTIME: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/go_runtime.rs"));

/// The folder in a project that is written.
pub(super) const FOLDER: &str = "bindings";

/// Where generated Go code looks for what it needs to run, and where it is.
const GO_IMPORTS: (&str, &str) = ("go.bytecodealliance.org/pkg/wit/", "hookbox/wit/");
/// The import path of generated Go packages: within the module `hookbox`, as the
/// layer has it.
const GO_PACKAGES: &str = "hookbox/wit";

/// Writes a project's bindings. Other languages than C and Go need none here.
///
/// # Errors
/// The project's `wit` is missing or wrong, or a file cannot be written.
pub(super) fn write(project: &Project) -> Result<()> {
    let files = match project.language {
        Language::C => c(&project.folder)?,
        Language::Go => go(&project.folder)?,
        _ => return Ok(()),
    };
    let folder = project.folder.join(FOLDER);
    for (path, bytes) in files {
        let file = folder.join(path);
        if fs::read(&file).is_ok_and(|there| there == bytes) {
            continue;
        }
        if let Some(above) = file.parent() {
            fs::create_dir_all(above).with_context(|| above.display().to_string())?;
        }
        fs::write(&file, bytes).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

fn c(project: &Path) -> Result<Files> {
    let mut generator = wit_bindgen_c::Opts::default().build();
    let mut files = generated(project, generator.as_mut())?;
    files.extend(layer("c/"));
    Ok(files)
}

fn go(project: &Path) -> Result<Files> {
    let mut generator = wit_bindgen_go::Opts {
        // gofmt may not be there, and nobody edits this.
        format: wit_bindgen_go::Format::False,
        pkg_name: Some(GO_PACKAGES.to_owned()),
        ..Default::default()
    }
    .build();
    let (there, here) = GO_IMPORTS;
    let mut files = Files::new();
    let runtime = GO_RUNTIME.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()));
    for (path, bytes) in generated(project, generator.as_mut())?.into_iter().chain(runtime) {
        let text = String::from_utf8(bytes).with_context(|| path.clone())?;
        files.insert(format!("wit/{path}"), text.replace(there, here).into_bytes());
    }
    files.extend(layer("go/"));
    Ok(files)
}

fn layer(folder: &str) -> Files {
    let file = |path: std::borrow::Cow<'static, str>| {
        let name = path.strip_prefix(folder)?.to_owned();
        Some((name, Layers::get(&path)?.data.into_owned()))
    };
    Layers::iter().filter_map(file).collect()
}

fn generated(project: &Path, generator: &mut dyn WorldGenerator) -> Result<Files> {
    let (mut resolve, world) = world(project)?;
    let mut files = Generated::default();
    generator.generate(&mut resolve, world, &mut files)?;
    Ok(files.iter().map(|(path, bytes)| (path.to_owned(), bytes.to_vec())).collect())
}

/// The world `plugin` of the project's interface.
fn world(project: &Path) -> Result<(Resolve, WorldId)> {
    let folder = project.join("wit");
    if !folder.is_dir() {
        bail!(
            "{}: there is no plugin interface: a project has it in `wit`, as `hookbox new` \
             writes it",
            project.display()
        );
    }
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(&folder).with_context(|| folder.display().to_string())?;
    let world = resolve
        .select_world(&[package], Some("plugin"))
        .with_context(|| folder.display().to_string())?;
    Ok((resolve, world))
}

#[cfg(test)]
mod tests {
    use super::super::vendor;
    use super::*;

    fn project(folder: &Path, language: Language) -> Project {
        vendor::write_wit(&folder.join("wit")).expect("written");
        Project { folder: folder.to_owned(), name: "first".parse().expect("a name"), language }
    }

    #[test]
    fn bindings_for_c_are_written_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = project(folder.path(), Language::C);
        write(&project).expect("written");
        let header = folder.path().join("bindings/plugin.h");
        for name in ["plugin.h", "plugin.c", "plugin_component_type.o", "hookbox.h", "hookbox.c"] {
            assert!(folder.path().join(FOLDER).join(name).is_file(), "{name}");
        }
        let when = || fs::metadata(&header).and_then(|about| about.modified()).expect("a time");
        let before = when();
        write(&project).expect("written again");
        assert_eq!(when(), before);
        fs::write(&header, "changed").expect("written");
        write(&project).expect("mended");
        assert_ne!(fs::read_to_string(&header).expect("text"), "changed");
    }

    #[test]
    fn bindings_for_go_need_nothing_from_elsewhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = go(&project(folder.path(), Language::Go).folder).expect("files");
        for name in ["go.mod", "hookbox.go", "wit/wit_exports/wit_exports.go", "wit/LICENSE"] {
            assert!(files.contains_key(name), "{name} of {:?}", files.keys());
        }
        for (path, bytes) in files.iter().filter(|(path, _)| path.ends_with(".go")) {
            let text = String::from_utf8_lossy(bytes);
            assert!(!text.contains("\"go.bytecodealliance.org"), "{path}");
        }
    }

    #[test]
    fn a_project_without_an_interface_is_told_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = c(folder.path()).expect_err("no interface").to_string();
        assert!(error.contains("hookbox new"), "{error}");
    }
}
