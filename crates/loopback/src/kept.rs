//! `link.json`: what the physician decided, for the next start.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{LinkError, private};

pub(crate) const FILE: &str = "link.json";
const LARGEST: u64 = 1024 * 1024;
const VERSION: u32 = 1;

/// The file's content. A field that this version does not know means that another version wrote it: to write it back would lose it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    version: u32,
    pub(crate) software: Vec<KeptSoftware>,
    pub(crate) origins: Vec<KeptOrigin>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptSoftware {
    pub(crate) name: String,
    pub(crate) allowed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub(crate) first_seen: Option<OffsetDateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub(crate) last_seen: Option<OffsetDateTime>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptOrigin {
    pub(crate) origin: String,
    /// The key itself is nowhere.
    pub(crate) key_sha256: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) added_at: OffsetDateTime,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            version: VERSION,
            software: Vec::new(),
            origins: Vec::new(),
        }
    }
}

impl Kept {
    /// What was kept; nothing when nothing was.
    pub(crate) fn read(folder: &Path) -> Result<Self, LinkError> {
        let found = private::read(&place(folder), LARGEST).map_err(|error| unusable(&error))?;
        let Some((metadata, content)) = found else {
            return Ok(Self::default());
        };
        // Whoever else could write it could have allowed himself.
        if private::foreign(&metadata) {
            return Err(unusable("belongs to another user"));
        }
        if private::others_rights(&metadata) & 0o022 != 0 {
            return Err(unusable("other users may write it"));
        }
        let kept: Self = serde_json::from_slice(&content)
            .map_err(|error| unusable(format!("not understood (line {}, column {})", error.line(), error.column())))?;
        let fine = kept.version == VERSION
            && kept.software.iter().all(|software| crate::Software::is_name(&software.name))
            && kept
                .origins
                .iter()
                .all(|origin| private::Digest::read(&origin.key_sha256).is_some());
        if fine {
            Ok(kept)
        } else {
            Err(unusable("not written by this version"))
        }
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), LinkError> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| unusable(&error))?;
        private::write(folder, FILE, &text).map_err(|error| unusable(&error))
    }

    pub(crate) fn software(&self, name: &str) -> Option<&KeptSoftware> {
        self.software.iter().find(|software| software.name == name)
    }
}

pub(crate) fn place(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

fn unusable(reason: impl ToString) -> LinkError {
    LinkError::Unusable {
        file: FILE,
        reason: reason.to_string(),
    }
}
