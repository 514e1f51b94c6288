use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use econnector_base::{Explain, Fault};

use crate::{Practitioner, Profile};

/// Far above any real profile, in bytes.
const LARGEST: u64 = 256 * 1024;

/// Where profiles are kept, by eHealthID.
pub struct Profiles {
    place: Place,
    /// Held by whoever writes, so that nobody puts back what he read before another wrote.
    writing: Mutex<()>,
}

enum Place {
    Folder(PathBuf),
    Memory(Mutex<HashMap<String, Profile>>),
}

/// Why a profile could not be read or kept.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The file cannot be read or written.
    #[error("profile: {0}")]
    Storage(#[from] std::io::Error),
    /// The file is not what this program wrote. It is left as it is.
    #[error("profile: the file cannot be understood")]
    Unreadable,
    /// What names the physician is no eHealthID.
    #[error("profile: no eHealthID")]
    NoPhysician,
}

impl Explain for ProfileError {
    fn code(&self) -> &'static str {
        match self {
            Self::Storage(_) | Self::NoPhysician => "profile-unusable",
            Self::Unreadable => "profile-unreadable",
        }
    }

    fn fault(&self) -> Fault {
        Fault::Us
    }
}

impl Profiles {
    /// One file for each physician in a folder of this user's own.
    #[must_use]
    pub fn in_folder(folder: PathBuf) -> Self {
        Self::at(Place::Folder(folder))
    }

    /// Gone with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::at(Place::Memory(Mutex::default()))
    }

    const fn at(place: Place) -> Self {
        Self {
            place,
            writing: Mutex::new(()),
        }
    }

    /// The profile of a physician, if one was kept. Waits for the disk.
    ///
    /// # Errors
    /// [`ProfileError`]: the file cannot be read or understood.
    pub fn find(&self, ehealth_id: &str) -> Result<Option<Profile>, ProfileError> {
        match &self.place {
            Place::Memory(profiles) => Ok(profiles.lock().unwrap_or_else(PoisonError::into_inner).get(ehealth_id).cloned()),
            Place::Folder(folder) => read(&file_of(folder, ehealth_id)?),
        }
    }

    /// The profile kept here, when there is exactly one: on her own computer a physician is known before she logs in. Waits for the disk.
    ///
    /// # Errors
    /// [`ProfileError`]: the folder or the file cannot be read or understood.
    pub fn only(&self) -> Result<Option<Profile>, ProfileError> {
        match &self.place {
            Place::Memory(profiles) => {
                let profiles = profiles.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(profiles.values().next().filter(|_| profiles.len() == 1).cloned())
            }
            Place::Folder(folder) => match only_file(folder)? {
                Some(file) => read(&file),
                None => Ok(None),
            },
        }
    }

    /// Keeps the profile of a physician in place of an earlier one: wholly, or not at all. Waits for the disk.
    ///
    /// # Errors
    /// [`ProfileError::Storage`]: the disk is full or read-only.
    pub fn keep(&self, ehealth_id: &str, profile: &Profile) -> Result<(), ProfileError> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(ehealth_id, profile)
    }

    /// The profile of a physician, blank when none was kept, with what the login says of her noted. What cannot be noted is noted at
    /// the next login: a disk that is full takes nobody's profile away. Waits for the disk.
    ///
    /// # Errors
    /// [`ProfileError`]: the file cannot be read or understood.
    pub fn known(&self, physician: Practitioner) -> Result<Profile, ProfileError> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = self.find(&physician.ehealth_id)?.unwrap_or_default();
        if stored.physician.as_ref() == Some(&physician) {
            return Ok(stored);
        }
        let ehealth_id = physician.ehealth_id.clone();
        let profile = Profile {
            physician: Some(physician),
            ..stored
        };
        if let Err(error) = self.put(&ehealth_id, &profile) {
            tracing::warn!(%error, "the profile could not be written");
        }
        Ok(profile)
    }

    fn put(&self, ehealth_id: &str, profile: &Profile) -> Result<(), ProfileError> {
        match &self.place {
            Place::Memory(profiles) => {
                profiles
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(ehealth_id.to_owned(), profile.clone());
                Ok(())
            }
            Place::Folder(folder) => write(folder, &file_of(folder, ehealth_id)?, profile),
        }
    }
}

/// The eHealthID becomes a file name, so it must be one.
fn file_of(folder: &Path, ehealth_id: &str) -> Result<PathBuf, ProfileError> {
    let plain = (1..=20).contains(&ehealth_id.len()) && ehealth_id.bytes().all(|b| b.is_ascii_digit());
    if plain {
        Ok(folder.join(format!("{ehealth_id}.json")))
    } else {
        Err(ProfileError::NoPhysician)
    }
}

fn only_file(folder: &Path) -> Result<Option<PathBuf>, ProfileError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    let only = files.pop();
    Ok(only.filter(|_| files.is_empty()))
}

fn read(file: &Path) -> Result<Option<Profile>, ProfileError> {
    let size = match std::fs::metadata(file) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if size > LARGEST {
        return Err(ProfileError::Unreadable);
    }
    let profile: Profile = serde_json::from_slice(&std::fs::read(file)?).map_err(|_| ProfileError::Unreadable)?;
    Ok(Some(profile))
}

fn write(folder: &Path, file: &Path, profile: &Profile) -> Result<(), ProfileError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)?;
    let text = serde_json::to_vec_pretty(profile).map_err(std::io::Error::from)?;
    // A file of its own beside the old one, readable by its owner alone, that takes the old one's name when it is complete.
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    fresh.write_all(&text)?;
    fresh.as_file().sync_all()?;
    fresh.persist(file).map_err(|failed| failed.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(last_name: &str) -> Profile {
        Profile {
            last_name: last_name.into(),
            ..Profile::default()
        }
    }

    #[test]
    fn each_physician_finds_her_own_profile_again() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("profiles");
        for profiles in [Profiles::in_memory(), Profiles::in_folder(place.clone())] {
            assert_eq!(profiles.find("1900000001").unwrap(), None);
            assert_eq!(profiles.only().unwrap(), None);
            profiles.keep("1900000001", &named("Weber")).unwrap();
            assert_eq!(profiles.only().unwrap(), Some(named("Weber")));
            profiles.keep("1900000002", &named("Muller")).unwrap();
            profiles.keep("1900000001", &named("Weber-Klein")).unwrap();
            assert_eq!(profiles.find("1900000001").unwrap(), Some(named("Weber-Klein")));
            assert_eq!(profiles.find("1900000002").unwrap(), Some(named("Muller")));
            assert_eq!(profiles.only().unwrap(), None, "which of the two it is, nobody said");
        }
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), 2, "nothing is left beside the profiles");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&place), 0o700);
            assert_eq!(mode(&place.join("1900000001.json")), 0o600);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_disk_that_cannot_be_written_takes_no_profile_away() {
        let folder = tempfile::tempdir().unwrap();
        let weber = Practitioner {
            ehealth_id: "1900000001".into(),
            name: "Dr Anne Weber".into(),
            provider_codes: vec!["90000101".into()],
        };
        let place = folder.path().join("profiles");
        // A name that leads nowhere: there is nothing to read, and nothing can be made there.
        std::os::unix::fs::symlink(folder.path().join("unplugged").join("profiles"), &place).unwrap();
        let profiles = Profiles::in_folder(place.clone());
        assert!(profiles.keep("1900000001", &named("Weber")).is_err());
        assert_eq!(profiles.known(weber.clone()).unwrap().physician.as_ref(), Some(&weber));

        std::fs::remove_file(&place).unwrap();
        profiles.keep("1900000001", &named("Weber")).unwrap();
        let told = profiles.known(weber.clone()).unwrap();
        assert_eq!((told.last_name.as_str(), told.physician.as_ref()), ("Weber", Some(&weber)));
        assert_eq!(profiles.find("1900000001").unwrap(), Some(told));
    }

    #[test]
    fn what_is_typed_while_a_login_is_noted_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let profiles = Profiles::in_folder(folder.path().to_owned());
        std::thread::scope(|scope| {
            for turn in 0..50 {
                let practitioner = Practitioner {
                    ehealth_id: "1900000001".into(),
                    name: turn.to_string(),
                    ..Practitioner::default()
                };
                let noting = scope.spawn(|| profiles.known(practitioner).unwrap());
                profiles.keep("1900000001", &named(&format!("Weber {turn}"))).unwrap();
                noting.join().unwrap();
                let kept = profiles.find("1900000001").unwrap().unwrap();
                assert_eq!(kept.last_name, format!("Weber {turn}"));
            }
        });
    }

    #[test]
    fn a_file_of_another_hand_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let profiles = Profiles::in_folder(folder.path().to_owned());
        let file = folder.path().join("1900000001.json");
        for content in [
            "{\"last_name\": 5}".to_owned(),
            "{\"matricule\": \"x\"}".to_owned(),
            " ".repeat(300_000),
        ] {
            std::fs::write(&file, &content).unwrap();
            assert!(matches!(profiles.find("1900000001"), Err(ProfileError::Unreadable)));
            assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_no_physician() {
        let folder = tempfile::tempdir().unwrap();
        let profiles = Profiles::in_folder(folder.path().join("profiles"));
        for name in ["", "../1900000001", "1900000001/x", "aux"] {
            assert!(matches!(profiles.keep(name, &Profile::default()), Err(ProfileError::NoPhysician)));
            assert!(matches!(profiles.find(name), Err(ProfileError::NoPhysician)));
        }
    }
}
