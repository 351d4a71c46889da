//! Building plugins: Rust crates as components for `wasm32-wasip2`.
//!
//! That needs the target's standard library. Where the toolchain does not have
//! it, rustup is asked for it; where rustup cannot get it (a closed network),
//! Debian's packages give a compiler with the library's sources, and it is
//! built from those.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::{cargo, output, root, run, target};

const TARGET: &str = "wasm32-wasip2";

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

/// Builds all plugins of this repository, and says in which folder they are.
pub(crate) fn build() -> Result<PathBuf> {
    let toolchain = Toolchain::find()?;
    let components = target().join("guests/components");
    fs::create_dir_all(&components)?;
    for (package, features, name) in BUILDS {
        let folder = toolchain
            .build(package, features)
            .with_context(|| format!("building the plugin {package}"))?;
        let made = folder.join(format!("{}.wasm", package.replace('-', "_")));
        copy_if_changed(&made, &components.join(format!("{name}.wasm")))?;
    }
    Ok(components)
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
    Toolchain::find()?.environment()
}

/// What can build for the target.
enum Toolchain {
    /// This toolchain as it is.
    Own,
    /// Debian's compiler and library sources, this toolchain's cargo and linkers.
    Debian { rustc: PathBuf, libraries: PathBuf, linkers: PathBuf },
}

impl Toolchain {
    fn find() -> Result<Self> {
        if has_target() {
            return Ok(Self::Own);
        }
        println!("The target {TARGET} is missing; asking rustup for it.");
        let added = Command::new("rustup")
            .args(["target", "add", TARGET])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if added && has_target() {
            return Ok(Self::Own);
        }
        println!("rustup could not get it; trying Debian's packages.");
        Self::debian().with_context(|| {
            format!(
                "plugins need the Rust target {TARGET}: run `rustup target add {TARGET}` where \
                 the network allows it; without rustup's network, this works on Debian 12 or \
                 later as root, from the packages rustc-web, rust-web-src and wasi-libc"
            )
        })
    }

    fn debian() -> Result<Self> {
        let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
        let host = output(Command::new("rustc").args(["--print", "host-tuple"]))?;
        let linkers = Path::new(&sysroot).join("lib/rustlib").join(host).join("bin");
        if !linkers.join("wasm-component-ld").exists() {
            bail!("{} has no wasm-component-ld, the linker for components", linkers.display());
        }
        Ok(Self::Debian { rustc: debian_rustc()?, libraries: wasi_libc()?, linkers })
    }

    /// Builds one package, and says in which folder the result is.
    fn build(&self, package: &str, features: &str) -> Result<PathBuf> {
        // Apart from the host's: the standard library is compiled into it.
        let folder = target().join("guests");
        let mut command = cargo();
        command
            .args(["build", "--quiet", "--profile", "guest", "--target", TARGET])
            .args(["--package", package, "--features", features])
            .arg("--target-dir")
            .arg(&folder);
        if let Self::Debian { .. } = self {
            command.envs(self.environment()?).env_remove("RUSTUP_TOOLCHAIN");
        }
        run(&mut command)?;
        Ok(folder.join(TARGET).join("guest"))
    }

    /// What cargo needs to be told so that it builds for the target.
    fn environment(&self) -> Result<BTreeMap<&'static str, String>> {
        let Self::Debian { rustc, libraries, linkers } = self else {
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
            ("CARGO_TARGET_WASM32_WASIP2_LINKER", text(&linkers.join("wasm-component-ld"))?),
        ]))
    }
}

/// Whether the toolchain has the target's standard library.
fn has_target() -> bool {
    let folder =
        output(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]));
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

/// The C library of the target from Debian 13: that of Debian 12 is too old. It
/// depends on nothing, so it is unpacked, not installed.
fn wasi_libc() -> Result<PathBuf> {
    let folder = target().join("guests/wasi-libc");
    let libraries = folder.join("usr/lib").join(TARGET);
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
