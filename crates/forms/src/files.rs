//! Where the files of a pack come from, and reading one of them with care.

use std::collections::BTreeMap;

use include_dir::{Dir, include_dir};

use crate::{Lang, Pack, PackError};

/// The packs this program is built with: every folder of `forms/` that holds a `pack.toml`.
static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../forms");

/// Larger files are refused, in bytes.
const LARGEST_FILE: usize = 4 * 1024 * 1024;

/// Opens the packs this program is built with, in alphabetical order.
///
/// # Errors
/// The first pack that does not hold together.
pub fn embedded() -> Result<Vec<Pack>, PackError> {
    let mut packs = EMBEDDED
        .dirs()
        .map(MemoryFiles::from)
        .filter(|files| files.read("pack.toml").is_some())
        .map(|files| Pack::load(&files))
        .collect::<Result<Vec<_>, _>>()?;
    packs.sort_by(|a, b| a.kind().cmp(b.kind()));
    Ok(packs)
}

/// Where the files of one pack come from. Paths are relative to the pack, with `/`.
pub trait PackFiles {
    /// The content of a file.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
    /// The paths of all files below a folder, sorted; every file for an empty folder name.
    fn list(&self, folder: &str) -> Vec<String>;
}

/// The files of a pack in memory: embedded, unpacked from a download, or made by a test.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(pub BTreeMap<String, Vec<u8>>);

impl From<&Dir<'_>> for MemoryFiles {
    fn from(dir: &Dir<'_>) -> Self {
        fn collect(dir: &Dir<'_>, root: &std::path::Path, files: &mut BTreeMap<String, Vec<u8>>) {
            for file in dir.files() {
                let path = file.path().strip_prefix(root).unwrap_or_else(|_| file.path());
                files.insert(path.to_string_lossy().replace('\\', "/"), file.contents().to_vec());
            }
            for inner in dir.dirs() {
                collect(inner, root, files);
            }
        }
        let mut files = BTreeMap::new();
        collect(dir, dir.path(), &mut files);
        Self(files)
    }
}

impl PackFiles for MemoryFiles {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let below = |path: &&String| folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        self.0.keys().filter(below).cloned().collect()
    }
}

pub(crate) fn text_file(lang: Lang) -> String {
    format!("texts/{}.json", lang.code())
}

/// Reads a text file of a pack.
pub(crate) fn text(files: &dyn PackFiles, path: &str) -> Result<String, PackError> {
    let plain = path.split('/').all(|part| !part.is_empty() && !part.starts_with('.')) && !path.contains(['\\', ':']);
    if !plain {
        return Err(PackError::broken(path, "not a path inside the pack"));
    }
    let content = files.read(path).ok_or_else(|| PackError::Missing { file: path.to_owned() })?;
    if content.len() > LARGEST_FILE {
        return Err(PackError::broken(path, "too large"));
    }
    String::from_utf8(content).map_err(|_| PackError::broken(path, "not UTF-8"))
}
