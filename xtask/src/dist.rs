//! `cargo xtask dist`: what is handed to operators, as one archive.
//!
//! Invariant: the same commit, built at the same place with the same tools, gives
//! the same bytes. So entries are in order of their names, belong to user 0, and
//! have the time of the commit or of `SOURCE_DATE_EPOCH`.

mod licences;
mod sbom;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{cargo, output, root, run, target};

/// Shells that the program has completions for, and how their files are named.
const SHELLS: [(&str, &str); 3] =
    [("bash", "hookbox.bash"), ("fish", "hookbox.fish"), ("zsh", "_hookbox")];

/// Makes the archive. `program`: packs this one in place of a release build.
pub(crate) fn dist(program: Option<PathBuf>) -> Result<()> {
    let system = output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let name = format!("hookbox-{}-{system}", env!("CARGO_PKG_VERSION"));
    let folder = target().join("dist");
    let content = folder.join(&name);
    // What an earlier run has left.
    let _not_there = fs::remove_dir_all(&content);
    fs::create_dir_all(&content)?;
    let time = time()?;

    let program = match program {
        Some(program) => program,
        None => {
            println!("Building the server for release");
            run(cargo().args(["build", "--release", "--locked", "--package", "hookbox"]))?;
            target().join("release/hookbox")
        }
    };
    pack_program(&program, &content, &folder.join(format!("{name}.debug")))?;
    println!("Writing manual pages and completions");
    write_help(&program, &content)?;
    println!("Copying documents, the plugin interface and what deployments start from");
    copy_documents(&content)?;
    println!("Collecting licences of what is linked in");
    fs::write(content.join("THIRD-PARTY-LICENCES.txt"), licences::collect(&system)?)?;
    println!("Listing what is linked in (CycloneDX)");
    fs::write(content.join("sbom.cdx.json"), sbom::write(&system, &time)?)?;
    println!("Packing");
    let archive = folder.join(format!("{name}.tar.gz"));
    pack(&folder, &name, &time, &archive)?;
    let sums = sums(&folder, &name)?;
    fs::write(folder.join("SHA256SUMS"), &sums)?;
    print!("{sums}");
    println!("They are in {}", folder.display());
    Ok(())
}

/// Seconds since the epoch that everything is dated with.
fn time() -> Result<String> {
    if let Ok(time) = std::env::var("SOURCE_DATE_EPOCH") {
        time.parse::<u64>().context("SOURCE_DATE_EPOCH is no number of seconds")?;
        return Ok(time);
    }
    output(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root()))
        .context("no commit to take the time from: set SOURCE_DATE_EPOCH")
}

/// The program goes into the archive with the names of its functions, which a
/// panic's backtrace shows, and without line tables, which are three quarters of
/// its size. These are kept beside the archive, for `gdb` and `addr2line`.
fn pack_program(program: &Path, content: &Path, debug: &Path) -> Result<()> {
    let packed = content.join("hookbox");
    let objcopy = |arguments: &[&str], from: &Path, to: &Path| {
        run(Command::new("objcopy").args(arguments).arg(from).arg(to))
            .context("objcopy, of binutils, is needed")
    };
    objcopy(&["--only-keep-debug", "--compress-debug-sections"], program, debug)?;
    objcopy(&["--strip-debug"], program, &packed)?;
    let mut link = std::ffi::OsString::from("--add-gnu-debuglink=");
    link.push(debug);
    run(Command::new("objcopy").arg(link).arg(&packed))
}

/// The program writes these itself.
fn write_help(program: &Path, content: &Path) -> Result<()> {
    let pages = content.join("man");
    fs::create_dir_all(&pages)?;
    run(Command::new(program).arg("man").arg(&pages))?;
    if fs::read_dir(&pages)?.next().is_none() {
        bail!("{} man wrote no page", program.display());
    }
    let completions = content.join("completions");
    fs::create_dir_all(&completions)?;
    for (shell, file) in SHELLS {
        let text = output(Command::new(program).args(["completions", shell]))?;
        fs::write(completions.join(file), format!("{text}\n"))?;
    }
    Ok(())
}

fn copy_documents(content: &Path) -> Result<()> {
    for name in ["LICENSE", "README.md", "CHANGELOG.md", "docs", "wit"] {
        copy(&root().join(name), &content.join(name))?;
    }
    Ok(())
}

/// Copies a file, or a folder with all that is in it. Links are copied as what
/// they lead to, since an archive may be unpacked where there are none.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let what = || format!("copying {}", from.display());
    if !fs::metadata(from).with_context(what)?.is_dir() {
        fs::copy(from, to).with_context(what)?;
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(what)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn pack(folder: &Path, name: &str, time: &str, archive: &Path) -> Result<()> {
    let packing = Command::new("tar")
        .current_dir(folder)
        .args(["--create", "--format=ustar", "--sort=name", "--numeric-owner"])
        .args(["--owner=0", "--group=0", "--mode=u+rw,go+r,go-w,a+X"])
        .arg(format!("--mtime=@{time}"))
        // Without the name and the time of a file.
        .args(["--use-compress-program", "gzip --best --no-name", "--file"])
        .arg(archive)
        .arg(name)
        // Each may hold options of its own.
        .env_remove("TAR_OPTIONS")
        .env_remove("GZIP")
        .env("LC_ALL", "C")
        .status();
    match packing {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("tar failed: {status}; GNU tar 1.28 or later is needed"),
        Err(error) => bail!("tar cannot be started: {error}"),
    }
}

fn sums(folder: &Path, name: &str) -> Result<String> {
    let files = [format!("{name}.debug"), format!("{name}.tar.gz")];
    let sums = output(Command::new("sha256sum").args(files).current_dir(folder))?;
    Ok(sums + "\n")
}
