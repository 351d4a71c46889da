//! One look at the plugins directory: which plugins there are, and by what
//! their files can be told apart without reading them.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hookbox_core::ids::PluginName;

use super::verdict::Refused;

/// What changes when a file does. Equal stamps mean equal content only where
/// [`Stamp::untrusted_for`] was over before it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified_ns: i128,
    changed_ns: i128,
}

/// A change within this time of another one may leave the same time stamps:
/// file systems store them in steps of up to two seconds (FAT), most in steps
/// of a few milliseconds.
const STAMP_STEP: Duration = Duration::from_secs(2);

impl Stamp {
    fn of(about: &Metadata) -> Self {
        let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Self {
            device: about.dev(),
            inode: about.ino(),
            bytes: about.len(),
            modified_ns: ns(about.mtime(), about.mtime_nsec()),
            changed_ns: ns(about.ctime(), about.ctime_nsec()),
        }
    }

    /// How long until any change from then on would change the stamp; none
    /// where that is so already.
    pub fn untrusted_for(&self) -> Option<Duration> {
        STAMP_STEP.checked_sub(self.age().unwrap_or_default()).filter(|left| !left.is_zero())
    }

    /// For how long nothing about the file has changed; none where its time
    /// stamps lie in the future.
    pub fn age(&self) -> Option<Duration> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos();
        let changed = self.changed_ns.max(self.modified_ns);
        let age = i128::try_from(now).ok()? - changed;
        u64::try_from(age).ok().map(Duration::from_nanos)
    }
}

/// What one look found.
#[derive(Debug, Default)]
pub struct Listing {
    /// Plugins by name: where their file really is, or why it is refused.
    pub plugins: BTreeMap<PluginName, Result<(PathBuf, Stamp), Refused>>,
    /// Names that are no plugin's, dotfiles left out.
    pub ignored: Vec<String>,
}

/// Looks at a directory.
///
/// # Errors
/// Where it cannot be read. Then nothing is known of any plugin.
pub fn look(directory: &Path, bytes_max: u64) -> io::Result<Listing> {
    let root = directory.canonicalize()?;
    let mut listing = Listing::default();
    for entry in fs::read_dir(&root)? {
        let entry = entry?;
        let file_name = entry.file_name();
        let shown = file_name.to_string_lossy();
        if shown.starts_with('.') {
            continue;
        }
        let name =
            file_name.to_str().and_then(|n| n.strip_suffix(".wasm")).map(str::parse::<PluginName>);
        let Some(Ok(name)) = name else {
            listing.ignored.push(shown.into_owned());
            continue;
        };
        match find(&root, &entry.path(), bytes_max) {
            // Gone since, or a link whose target is gone: as if not listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let refused = Refused::new("unreadable", format!("cannot be read: {error}"));
                listing.plugins.insert(name, Err(refused));
            }
            Ok(found) => {
                listing.plugins.insert(name, found);
            }
        }
    }
    listing.ignored.sort();
    Ok(listing)
}

fn find(root: &Path, path: &Path, bytes_max: u64) -> io::Result<Result<(PathBuf, Stamp), Refused>> {
    let real = path.canonicalize()?;
    if !real.starts_with(root) {
        return Ok(Err(Refused::new(
            "outside",
            "it is a link to a file outside of the plugins directory; links may only lead to files inside",
        )));
    }
    let about = fs::metadata(&real)?;
    if !about.is_file() {
        return Ok(Err(Refused::new("not-a-file", "it is not a regular file")));
    }
    if about.len() > bytes_max {
        return Ok(Err(Refused::too_large(about.len(), bytes_max)));
    }
    Ok(Ok((real, Stamp::of(&about))))
}

/// Reads a file whole, if it is and stays the one with that stamp.
///
/// # Errors
/// Where it cannot be read.
pub fn read(path: &Path, stamp: Stamp) -> io::Result<Option<Vec<u8>>> {
    let mut file = File::open(path)?;
    if Stamp::of(&file.metadata()?) != stamp {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(stamp.bytes).unwrap_or_default());
    // One byte more than there should be, to see a file that grows.
    (&mut file).take(stamp.bytes + 1).read_to_end(&mut bytes)?;
    let same = Stamp::of(&file.metadata()?) == stamp
        && Stamp::of(&fs::metadata(path)?) == stamp
        && bytes.len() as u64 == stamp.bytes;
    Ok(same.then_some(bytes))
}
