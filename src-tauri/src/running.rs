//! One program for each user: the renewal of a login and the journal have one owner, and whoever starts it again is led to it.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a start that is not the first leaves what it was started for. The folder is this user's alone, and the way works whether or
/// not the door for practice software is open.
const WISH: &str = "show";

/// How often it looks whether the first has taken it, which may still be starting.
const ASKED: u32 = 40;
const PAUSE: Duration = Duration::from_millis(150);

/// What a program is started for that has a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The window.
    Window,
    /// The window, and the login in it when nobody is logged in.
    Login,
}

/// What of this user's a program may call its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// It is the only one: session, keyring, journal and door are its own.
    Sole,
    /// Nobody can say whether there is another, because the folder takes no lock (some network homes). All but the keyring is its own.
    Unsure,
    /// Another one has it all.
    Elsewhere,
}

/// Held as long as this program is the one that runs.
pub(crate) struct Turn {
    pub(crate) ownership: Ownership,
    _lock: Option<File>,
}

impl Turn {
    const fn without_lock(ownership: Ownership) -> Self {
        Self { ownership, _lock: None }
    }
}

/// Takes the turn, unless another program of this user has it.
pub(crate) fn take_turn(data: &Path) -> Turn {
    let lock = match make_private(data).and_then(|()| File::create(data.join("running"))) {
        Ok(file) => file,
        Err(_) => return Turn::without_lock(Ownership::Unsure),
    };
    match lock.try_lock() {
        Ok(()) => {
            // What was left for a program that has ended.
            let _ = fs::remove_file(wish(data));
            Turn {
                ownership: Ownership::Sole,
                _lock: Some(lock),
            }
        }
        Err(TryLockError::WouldBlock) => Turn::without_lock(Ownership::Elsewhere),
        Err(TryLockError::Error(_)) => Turn::without_lock(Ownership::Unsure),
    }
}

/// Nobody else has anything to read in this folder.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Leaves what this program was started for to the one that runs. `false` when that one does not take it.
pub(crate) fn hand_over(data: &Path, asked: Wish) -> bool {
    let word = match asked {
        Wish::Window => "open",
        Wish::Login => "login",
    };
    let (file, whole) = (wish(data), data.join(format!("{WISH}.{}", std::process::id())));
    // Wholly there or not at all.
    if fs::write(&whole, word).and_then(|()| fs::rename(&whole, &file)).is_err() {
        return false;
    }
    for _ in 0..ASKED {
        std::thread::sleep(PAUSE);
        if !file.exists() {
            return true;
        }
    }
    // Gone just now: taken in the last moment.
    fs::remove_file(&file).is_err()
}

/// Takes what another start left.
pub(crate) fn handed_over(data: &Path) -> Option<Wish> {
    let file = wish(data);
    let word = fs::read_to_string(&file).ok()?;
    fs::remove_file(&file).ok()?;
    Some(if word == "login" { Wish::Login } else { Wish::Window })
}

fn wish(data: &Path) -> PathBuf {
    data.join(WISH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_has_no_turn_until_the_first_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let first = take_turn(folder.path());
        assert_eq!(first.ownership, Ownership::Sole);
        assert_eq!(take_turn(folder.path()).ownership, Ownership::Elsewhere);
        drop(first);
        assert_eq!(take_turn(folder.path()).ownership, Ownership::Sole);
    }

    #[test]
    fn where_there_is_no_lock_nobody_is_sure() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        assert_eq!(take_turn(&folder.path().join("file/data")).ownership, Ownership::Unsure);
    }

    #[test]
    fn what_the_second_was_started_for_is_handed_over_once() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_owned();
        assert_eq!(handed_over(&data), None);
        for asked in [Wish::Login, Wish::Window] {
            let second = std::thread::spawn({
                let data = data.clone();
                move || hand_over(&data, asked)
            });
            let taken = (0..200).find_map(|_| {
                std::thread::sleep(Duration::from_millis(10));
                handed_over(&data)
            });
            assert_eq!(taken, Some(asked));
            assert!(second.join().unwrap());
        }
        assert_eq!(handed_over(&data), None);
    }

    #[test]
    fn what_nobody_takes_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!hand_over(folder.path(), Wish::Login));
        assert_eq!(handed_over(folder.path()), None, "a later start would find it");
        assert!(!hand_over(&folder.path().join("none"), Wish::Window));

        // Left by a program that was killed meanwhile: not for the next.
        fs::write(folder.path().join(WISH), "login").unwrap();
        let _turn = take_turn(folder.path());
        assert_eq!(handed_over(folder.path()), None);
    }
}
