//! Building plugins: Rust crates as components for `wasm32-wasip2`, and one as a
//! core module for `wasm32-wasip1`.
//!
//! That needs the targets' standard libraries. Where the toolchain does not have
//! one, rustup is asked for it; where rustup cannot get it (a closed network),
//! Debian's packages give a compiler with the library's sources, and it is
//! built from those.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::{cargo, output, root, run, target};

/// What rustc calls a target, and cargo's variable for its linker.
struct Target {
    name: &'static str,
    linker_key: &'static str,
    /// Of those that come with the toolchain.
    linker: &'static str,
}

/// It makes components.
const COMPONENTS: Target = Target {
    name: "wasm32-wasip2",
    linker_key: "CARGO_TARGET_WASM32_WASIP2_LINKER",
    linker: "wasm-component-ld",
};

/// It makes core modules that import WASI preview 1.
const MODULES: Target = Target {
    name: "wasm32-wasip1",
    linker_key: "CARGO_TARGET_WASM32_WASIP1_LINKER",
    linker: "rust-lld",
};

/// A build: package, features, name of the file that it makes.
const BUILDS: [(&str, &str, &str); 13] = [
    ("audit-log", "key-value", "audit-log-key-value"),
    ("audit-log", "", "audit-log"),
    ("encoding-watch", "", "encoding-watch"),
    ("catalog", "", "catalog"),
    ("notify-chat", "", "notify-chat"),
    ("relay", "", "relay"),
    ("view-counter", "", "view-counter"),
    ("view-counter", "chaos", "view-counter-chaos"),
    ("probe", "", "probe"),
    ("wanting", "", "wanting"),
    ("outlandish", "", "outlandish"),
    ("hoarder", "", "hoarder"),
    ("caller", "", "caller"),
];

/// A build as a core module, of which the tests make a component.
const MODULE_BUILDS: [(&str, &str, &str); 1] = [("audit-log", "", "audit-log-p1.core")];

/// A build with the lines of its source in it (DWARF), as an author has it who
/// wants to see them when it traps: package, name of the file.
const WITH_LINES: (&str, &str) = ("probe", "probe-lines");

/// Builds all plugins of this repository, and says in which folder they are.
pub(crate) fn build() -> Result<PathBuf> {
    let plugins = target().join("guests/components");
    fs::create_dir_all(&plugins)?;
    for (target, builds) in [(COMPONENTS, BUILDS.as_slice()), (MODULES, MODULE_BUILDS.as_slice())] {
        let toolchain = Toolchain::find(target)?;
        for (package, features, name) in builds {
            let folder = toolchain
                .build(package, features, &[])
                .with_context(|| format!("building the plugin {package}"))?;
            let made = folder.join(format!("{}.wasm", package.replace('-', "_")));
            copy_if_changed(&made, &plugins.join(format!("{name}.wasm")))?;
        }
    }
    let (package, name) = WITH_LINES;
    let lines = ["--config", "profile.guest.debug='line-tables-only'"];
    let made = Toolchain::find(COMPONENTS)?.build(package, "", &lines)?;
    copy_if_changed(&made.join(format!("{package}.wasm")), &plugins.join(format!("{name}.wasm")))?;
    Ok(plugins)
}

fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("{}", from.display()))?;
    if fs::read(to).ok().as_ref() != Some(&bytes) {
        fs::write(to, bytes)?;
    }
    Ok(())
}

/// What cargo needs to be told, as environment variables, so that it builds
/// plugins; nothing where the toolchain has the target.
pub(crate) fn environment() -> Result<BTreeMap<&'static str, String>> {
    Toolchain::find(COMPONENTS)?.environment()
}

/// What can build for a target.
struct Toolchain {
    target: Target,
    /// None: this toolchain as it is.
    debian: Option<Debian>,
}

/// Debian's compiler and library sources, this toolchain's cargo and linkers.
struct Debian {
    rustc: PathBuf,
    libraries: PathBuf,
    linkers: PathBuf,
}

impl Toolchain {
    fn find(target: Target) -> Result<Self> {
        let name = target.name;
        if has_target(name) {
            return Ok(Self { target, debian: None });
        }
        println!("The target {name} is missing; asking rustup for it.");
        let added = Command::new("rustup")
            .args(["target", "add", name])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if added && has_target(name) {
            return Ok(Self { target, debian: None });
        }
        println!("rustup could not get it; trying Debian's packages.");
        let debian = Debian::find(&target).with_context(|| {
            format!(
                "plugins need the Rust target {name}: run `rustup target add {name}` where the \
                 network allows it; without rustup's network, this works on Debian 12 or later as \
                 root, from the packages rustc-web, rust-web-src and wasi-libc"
            )
        })?;
        Ok(Self { target, debian: Some(debian) })
    }

    /// Builds one package, and says in which folder the result is.
    fn build(&self, package: &str, features: &str, more: &[&str]) -> Result<PathBuf> {
        // Apart from the host's: the standard library is compiled into it.
        let folder = target().join("guests");
        let mut command = cargo();
        command
            .args(["build", "--quiet", "--profile", "guest", "--target", self.target.name])
            .args(["--package", package, "--features", features])
            .args(more)
            .arg("--target-dir")
            .arg(&folder);
        if self.debian.is_some() {
            command.envs(self.environment()?).env_remove("RUSTUP_TOOLCHAIN");
        }
        run(&mut command)?;
        Ok(folder.join(self.target.name).join("guest"))
    }

    /// What cargo needs to be told so that it builds for the target.
    fn environment(&self) -> Result<BTreeMap<&'static str, String>> {
        let Some(Debian { rustc, libraries, linkers }) = &self.debian else {
            return Ok(BTreeMap::new());
        };
        let text = |path: &Path| {
            path.to_str().map(str::to_owned).context("the target directory's path is not UTF-8")
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = vec![linkers.clone(), linkers.join("gcc-ld")];
        folders.extend(std::env::split_paths(&path));
        let path = std::env::join_paths(folders)?;
        Ok(BTreeMap::from([
            ("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort".to_owned()),
            ("PATH", text(Path::new(&path))?),
            ("RUSTC", text(rustc)?),
            ("RUSTC_BOOTSTRAP", "1".to_owned()),
            ("RUSTFLAGS", format!("-C link-self-contained=no -L native={}", text(libraries)?)),
            (self.target.linker_key, text(&linkers.join(self.target.linker))?),
        ]))
    }
}

impl Debian {
    fn find(target: &Target) -> Result<Self> {
        let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
        let host = output(Command::new("rustc").args(["--print", "host-tuple"]))?;
        let linkers = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin");
        if !linkers.join(target.linker).exists() {
            bail!("{} has no {}, a linker for WebAssembly", linkers.display(), target.linker);
        }
        Ok(Self { rustc: debian_rustc()?, libraries: wasi_libc(target.name)?, linkers })
    }
}

/// Whether the toolchain has the target's standard library.
fn has_target(name: &str) -> bool {
    let folder = output(Command::new("rustc").args(["--print", "target-libdir", "--target", name]));
    let Ok(entries) = folder.map(fs::read_dir) else { return false };
    let is_std = |name: &str| name.starts_with("libstd-") && name.ends_with(".rlib");
    entries.is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(is_std))
    })
}

/// Debian's own compiler, installed where it is missing.
fn debian_rustc() -> Result<PathBuf> {
    let find = || -> Result<PathBuf> {
        let files = output(Command::new("dpkg").args(["-L", "rustc-web"]))?;
        output(Command::new("dpkg").args(["-L", "rust-web-src"]))?;
        let rustc = files.lines().find(|file| file.ends_with("/bin/rustc"));
        rustc.map(PathBuf::from).context("the package rustc-web has no rustc")
    };
    if let Ok(rustc) = find() {
        return Ok(rustc);
    }
    println!("Installing Debian's rustc-web and rust-web-src.");
    apt(&["update"])?;
    apt(&["install", "-y", "--no-install-recommends", "rustc-web", "rust-web-src"])?;
    find()
}

/// Runs `apt-get`, as root.
pub(crate) fn apt(arguments: &[&str]) -> Result<()> {
    output(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
        .map(|_| ())
}

/// The C library of a target from Debian 13, whose package has those of both:
/// that of Debian 12 is too old. It depends on nothing, so it is unpacked, not
/// installed.
fn wasi_libc(name: &str) -> Result<PathBuf> {
    let folder = target().join("guests/wasi-libc");
    let libraries = folder.join("usr/lib").join(name);
    if libraries.join("libc.a").exists() {
        return Ok(libraries);
    }
    println!("Unpacking wasi-libc of Debian 13.");
    // What an earlier try may have left half done.
    let _not_there = fs::remove_dir_all(&folder);
    let work = tempfile::tempdir()?;
    let at = |name: &str| work.path().join(name);
    fs::create_dir_all(at("lists/partial"))?;
    fs::create_dir_all(at("cache/archives/partial"))?;
    let sources = trixie_sources()?;
    fs::write(at("trixie.sources"), sources)?;
    let apt_with_own_lists = |arguments: &[&str]| {
        let option = |key: &str, value: &Path| format!("-o{key}={}", value.display());
        output(
            Command::new("apt-get")
                .arg(option("Dir::Etc::sourcelist", &at("trixie.sources")))
                .arg(option("Dir::Etc::sourceparts", Path::new("/dev/null")))
                .arg(option("Dir::State::Lists", &at("lists")))
                .arg(option("Dir::Cache", &at("cache")))
                .args(["-o", "APT::Sandbox::User=root"])
                .args(arguments)
                .current_dir(work.path()),
        )
    };
    apt_with_own_lists(&["update"])?;
    apt_with_own_lists(&["download", "wasi-libc"])?;
    let package = fs::read_dir(work.path())?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get download gave no package")?;
    output(Command::new("dpkg").arg("-x").arg(package).arg(&folder))?;
    if !libraries.join("libc.a").exists() {
        bail!("wasi-libc of Debian 13 has no {}", libraries.join("libc.a").display());
    }
    Ok(libraries)
}

/// The machine's own package source, pointed at Debian 13.
fn trixie_sources() -> Result<String> {
    let file = Path::new("/etc/apt/sources.list.d/debian.sources");
    let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    let stanza = text.split("\n\n").find(|stanza| stanza.contains("Suites:"));
    let stanza = stanza.with_context(|| format!("{} has no Suites:", file.display()))?;
    let line = |line: &str| match line.split_once(':') {
        Some(("Suites", _)) => "Suites: trixie\n".to_owned(),
        _ => format!("{line}\n"),
    };
    Ok(stanza.lines().map(line).collect())
}

/// A sample body of the repository.
pub(crate) fn sample(event: &str) -> Result<String> {
    let file = root().join("host/core/samples").join(format!("{event}.json"));
    fs::read_to_string(&file).with_context(|| format!("{}", file.display()))
}
