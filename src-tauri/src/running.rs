//! One program for each user: the renewal of a login and the journal have one owner.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

/// How often a start that is not the first asks the first for its window, before it opens one of its own.
const ASKED: u32 = 20;

/// Held as long as this program is the one that runs.
pub(crate) struct Turn {
    _lock: Option<File>,
}

/// Takes the turn; `None` when another program of this user has it. Where a lock cannot be had at all, nobody is kept out.
pub(crate) fn take_turn(data: &Path) -> Option<Turn> {
    let lock = match make_private(data).and_then(|()| File::create(data.join("running"))) {
        Ok(file) => file,
        Err(_) => return Some(Turn { _lock: None }),
    };
    match lock.try_lock() {
        Ok(()) => Some(Turn { _lock: Some(lock) }),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Error(_)) => Some(Turn { _lock: None }),
    }
}

/// Nobody else has anything to read in this folder.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Asks the program that runs for its window, which may still be starting. `false` when it does not answer.
pub(crate) async fn show_other(data: &Path) -> bool {
    for _ in 0..ASKED {
        if econnector_loopback::show_running(data).await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::take_turn;

    #[test]
    fn the_second_has_no_turn_until_the_first_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let first = take_turn(folder.path());
        assert!(first.is_some());
        assert!(take_turn(folder.path()).is_none());
        drop(first);
        assert!(take_turn(folder.path()).is_some());
    }
}
