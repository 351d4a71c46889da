//! `cargo xtask wit-oci`: the plugin interface as artefacts of an OCI registry,
//! tried with the tools that maintainers and authors use.
//!
//! A registry runs on loopback; `wkg` publishes our packages to it, gets them
//! back, and fetches them for a project of an author. Nothing goes to another
//! registry: that of `wasi:*` is said to be this one, which has none of them, so
//! what is not packed along is an error.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::guests::apt;
use crate::{cargo, output, root, run, target};

const WKG_VERSION: &str = "0.16.1";

/// Debian's name of the registry, as package and as program: the reference
/// implementation of the OCI distribution specification.
const REGISTRY: &str = "docker-registry";

/// Where the packages are in the registry, before namespace and name.
const PREFIX: &str = "plugins/";

/// An author's world.
const AUTHOR: &str = "\
package author:first-plugin@0.1.0;

world first-plugin {
    include hookbox:targetvideo/plugin@0.1.0;
}
";

/// Folders of `wit` and the packages in them; what others need comes first.
const PACKAGES: [(&str, &str); 2] =
    [("plugin-0.1.0", "hookbox:plugin@0.1.0"), ("targetvideo-0.1.0", "hookbox:targetvideo@0.1.0")];

/// Publishes, gets back, compares.
pub(crate) fn oci() -> Result<()> {
    let wkg = wkg()?;
    let program = registry()?;
    let work = tempfile::tempdir()?;
    let registry = Registry::start(&program, work.path())?;
    println!("A registry listens on {}", registry.address);
    let work = Work { wkg, folder: work.path().to_owned(), registry };
    work.write_config()?;
    // A copy: wkg writes a lock file where it builds.
    run(Command::new("cp").arg("-a").arg(root().join("wit")).arg(&work.folder))?;
    for (folder, package) in PACKAGES {
        work.publish(folder, package)?;
        let bytes = work.get(folder, package)?;
        println!("{package} came back as it was sent: {bytes} bytes");
    }
    work.fetch()?;
    println!(
        "An author's project fetched its texts, with all that they use; packed again, they are \
         the package that was sent"
    );
    Ok(())
}

struct Work {
    wkg: PathBuf,
    folder: PathBuf,
    registry: Registry,
}

impl Work {
    fn at(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// wkg with the configuration of this registry. Its cache would have what
    /// was published, so each step has one of its own.
    fn wkg(&self, folder: &str, cache: &str, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.wkg);
        command
            .args(arguments)
            .current_dir(self.at(folder))
            .env("WKG_CONFIG_FILE", self.at("config.toml"))
            .env("WKG_CACHE_DIR", self.at(cache));
        output(&mut command).map(|_| ())
    }

    /// As in `wit/README.md`, and in clear text.
    fn write_config(&self) -> Result<()> {
        let address = &self.registry.address;
        let mapping = |prefix: &str| {
            format!(
                "{{ registry = \"{address}\", metadata = {{ preferredProtocol = \"oci\", \
                 oci = {{ registry = \"{address}\", namespacePrefix = \"{prefix}\" }} }} }}"
            )
        };
        let (ours, none) = (mapping(PREFIX), mapping("none/"));
        let text = format!(
            "[namespace_registries]\nhookbox = {ours}\nwasi = {none}\n\n\
             [registry.\"{address}\"]\ntype = \"oci\"\n\n\
             [registry.\"{address}\".oci]\nprotocol = \"http\"\n"
        );
        fs::write(self.at("config.toml"), text)?;
        Ok(())
    }

    fn publish(&self, folder: &str, package: &str) -> Result<()> {
        let sent = format!("../../{folder}-sent.wasm");
        let folder = format!("wit/{folder}");
        self.wkg(&folder, "cache-sent", &["build", "--wit-dir", ".", "--output", &sent])?;
        self.wkg(&folder, "cache-sent", &["publish", "--package", package, &sent])
    }

    /// Gets it back, compares it, and says how large it is.
    fn get(&self, folder: &str, package: &str) -> Result<usize> {
        let got = format!("./{folder}-got.wasm");
        self.wkg(".", "cache-got", &["get", package, "--format", "wasm", "--output", &got])?;
        self.same(&format!("{folder}-sent.wasm"), &got)
    }

    fn same(&self, sent: &str, got: &str) -> Result<usize> {
        let read = |file: &str| fs::read(self.at(file)).with_context(|| file.to_owned());
        let (sent_bytes, got_bytes) = (read(sent)?, read(got)?);
        ensure!(sent_bytes == got_bytes, "{got} is not {sent}");
        Ok(sent_bytes.len())
    }

    /// As an author does it; then packs what came as we did, and compares.
    fn fetch(&self) -> Result<()> {
        fs::create_dir_all(self.at("author/wit"))?;
        fs::write(self.at("author/wit/world.wit"), AUTHOR)?;
        self.wkg("author", "cache-author", &["fetch", "wit"])?;
        self.wkg("author", "cache-author", &["build", "--output", "first-plugin.wasm"])?;
        let deps = self.at("author/wit/deps");
        fs::create_dir_all(self.at("again"))?;
        let (folder, package) = PACKAGES[1];
        let ours = fs::read_to_string(self.at(&format!("wit/{folder}/wkg.toml")))?;
        let (about, _) = ours.split_once("[overrides]").context("wkg.toml has no [overrides]")?;
        let mut manifest = format!("{about}[overrides]\n");
        for entry in fs::read_dir(&deps)? {
            // `wasi-http-0.2.12`
            let name = entry?.file_name().to_string_lossy().into_owned();
            let parts = name.split_once('-').and_then(|(space, rest)| {
                let (name, _version) = rest.split_once('-')?;
                Some(format!("{space}:{name}"))
            });
            let fetched = parts.with_context(|| format!("{name} is no package's folder"))?;
            if !package.starts_with(&fetched) {
                let path = deps.join(&name);
                manifest.push_str(&format!("{fetched:?} = {{ path = {path:?} }}\n"));
            }
        }
        fs::write(self.at("again/wkg.toml"), manifest)?;
        let texts = deps.join("hookbox-targetvideo-0.1.0");
        let texts = texts.to_str().context("a path that is not UTF-8")?;
        self.wkg("again", "cache-again", &["build", "--wit-dir", texts, "--output", "it.wasm"])?;
        self.same(&format!("{folder}-sent.wasm"), "again/it.wasm").map(|_| ())
    }
}

/// A registry on loopback, with its store in the folder of this run. Ended when
/// dropped.
struct Registry {
    child: Child,
    address: String,
}

impl Registry {
    fn start(program: &Path, folder: &Path) -> Result<Self> {
        let file = folder.join("registry.yml");
        let text = format!(
            "version: 0.1\nlog: {{ level: info, accesslog: {{ disabled: true }} }}\n\
             storage: {{ filesystem: {{ rootdirectory: {:?} }} }}\n\
             http: {{ addr: \"127.0.0.1:0\", secret: \"of this run\" }}\n",
            folder.join("store")
        );
        fs::write(&file, text)?;
        let mut child = Command::new(program)
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut log = BufReader::new(child.stderr.take().context("a pipe")?);
        let mut registry = Self { child, address: String::new() };
        let mut said = String::new();
        while log.read_line(&mut said)? > 0 {
            let line = said.lines().last().unwrap_or_default();
            if let Some((_, address)) = line.split_once("listening on ") {
                let end = address.find(['"', ' ', ',']).unwrap_or(address.len());
                registry.address = address.split_at(end).0.to_owned();
                // Else it would wait for room in the pipe.
                std::thread::spawn(move || io::copy(&mut log, &mut io::sink()));
                return Ok(registry);
            }
        }
        bail!("{} ended before it listened:\n{said}", program.display())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// `wkg`, installed below the target folder where it is missing.
fn wkg() -> Result<PathBuf> {
    let folder = target().join("tools");
    let program = folder.join("bin/wkg");
    let is_it = |program: &Path| {
        let version = output(Command::new(program).arg("--version"));
        version.is_ok_and(|version| version.ends_with(WKG_VERSION))
    };
    if !is_it(&program) {
        println!("Installing wkg {WKG_VERSION} in {}: a few minutes", folder.display());
        run(cargo()
            .args(["install", "--locked", "--quiet", "--debug", "--force"])
            .args(["--version", WKG_VERSION, "--root"])
            .arg(&folder)
            .arg("wkg"))?;
    }
    Ok(program)
}

/// The registry's program: that on `PATH`, else Debian's, unpacked below the
/// target folder. Not installed: that would make a service of it.
fn registry() -> Result<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&folders).map(|folder| folder.join(REGISTRY));
    if let Some(program) = on_path.into_iter().find(|program| program.is_file()) {
        return Ok(program);
    }
    let folder = target().join("tools").join(REGISTRY);
    let program = folder.join("usr/bin").join(REGISTRY);
    if program.is_file() {
        return Ok(program);
    }
    println!("Unpacking Debian's {REGISTRY} in {}", folder.display());
    unpack(&folder).with_context(|| {
        format!("a registry is needed: put {REGISTRY} on PATH, or run this on Debian")
    })?;
    ensure!(program.is_file(), "Debian's {REGISTRY} has no {}", program.display());
    Ok(program)
}

fn unpack(folder: &Path) -> Result<()> {
    let work = tempfile::tempdir()?;
    let download = || {
        let mut apt = Command::new("apt-get");
        apt.args(["-o", "APT::Sandbox::User=root", "download", REGISTRY]);
        output(apt.current_dir(work.path()))
    };
    if download().is_err() {
        // Without lists, or with old ones. Needs root.
        apt(&["update"])?;
        download()?;
    }
    let files = fs::read_dir(work.path())?.flatten().map(|entry| entry.path());
    let package = files.into_iter().find(|file| file.extension().is_some_and(|end| end == "deb"));
    let package = package.context("apt-get download gave no package")?;
    output(Command::new("dpkg").arg("-x").arg(package).arg(folder)).map(|_| ())
}
