//! Whether the plugins directory can be read, as readiness asks.
//!
//! A directory that hangs, as one of a network can, takes a thread for each look
//! at it. So there is one look at a time; whoever comes meanwhile waits for it and
//! gets its answer. No thread but one is ever held up, however often is asked.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io};

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// A directory that is not listed within this time hangs.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// How it is read.
type Read = fn(&Path) -> io::Result<()>;

/// When somebody looked last, and what was wrong, if anything was.
type Last = Option<(Instant, Option<String>)>;

/// See the module's text.
pub(super) struct Directory<R = Read> {
    path: PathBuf,
    read: R,
    patience: Duration,
    /// One permit: that of the look that is under way.
    looking: Arc<Semaphore>,
    last: Arc<Mutex<Last>>,
}

impl Directory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self::with(path, |path| fs::read_dir(path).map(drop), LOOK_MAX)
    }
}

impl<R: Fn(&Path) -> io::Result<()> + Clone + Send + 'static> Directory<R> {
    fn with(path: PathBuf, read: R, patience: Duration) -> Self {
        let looking = Arc::new(Semaphore::new(1));
        Self { path, read, patience, looking, last: Arc::default() }
    }

    /// What is wrong with it, if anything is.
    pub(super) async fn look(&self) -> Option<String> {
        match timeout(self.patience, self.answer()).await {
            Ok(Some(wrong)) => wrong,
            _ => Some(format!("{} does not answer", self.path.display())),
        }
    }

    /// None: there is no answer.
    async fn answer(&self) -> Option<Option<String>> {
        let asked_at = Instant::now();
        let permit = Arc::clone(&self.looking).acquire_owned().await.ok()?;
        if let Some((at, wrong)) = &*self.last.lock().unwrap_or_else(PoisonError::into_inner)
            && *at >= asked_at
        {
            return Some(wrong.clone());
        }
        let (path, read, last) = (self.path.clone(), self.read.clone(), Arc::clone(&self.last));
        let looking = spawn_blocking(move || {
            // Until it is over, also where nobody waits for it any more.
            let _permit = permit;
            let wrong = read(&path).err().map(|error| format!("{}: {error}", path.display()));
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some((Instant::now(), wrong.clone()));
            wrong
        });
        looking.await.ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_directory_that_hangs_is_looked_at_once_however_often_is_asked() {
        let (begin, mut begun) = tokio::sync::mpsc::unbounded_channel();
        let (answer, answers) = mpsc::channel::<()>();
        let answers = Arc::new(Mutex::new(answers));
        let read = move |_: &Path| {
            begin.send(()).expect("the test");
            let _answer = answers.lock().expect("a lock").recv();
            Ok(())
        };
        let short = Duration::from_millis(20);
        let mut directory = Directory::with("plugins".into(), read, short);
        for _ in 0..5 {
            assert_eq!(directory.look().await.as_deref(), Some("plugins does not answer"));
        }
        begun.recv().await.expect("a look");
        assert!(begun.try_recv().is_err(), "one look only");
        answer.send(()).expect("a look");
        // Later looks do not wait.
        drop(answer);
        directory.patience = Duration::from_secs(30);
        assert_eq!(directory.look().await, None);
    }

    #[tokio::test]
    async fn what_is_wrong_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Directory::new(folder.path().to_owned()).look().await, None);
        let wrong = Directory::new(folder.path().join("none")).look().await.expect("an error");
        assert!(wrong.contains("No such file"), "{wrong}");
    }
}
