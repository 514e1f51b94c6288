use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A search for values of a patient on the disk.
pub struct Leaks {
    needles: Vec<Vec<u8>>,
}

impl Leaks {
    /// Looks for these values in UTF-8, UTF-16 and base64.
    #[must_use]
    pub fn of(values: &[&str]) -> Self {
        Self {
            needles: values.iter().flat_map(|value| spellings(value)).collect(),
        }
    }

    /// Every file below a folder that holds one of them.
    ///
    /// # Panics
    /// When there is nothing to search.
    #[must_use]
    pub fn below(&self, folder: &Path) -> Vec<PathBuf> {
        let mut files = every_file(folder);
        assert!(files.len() > 2, "nothing to search below {}", folder.display());
        files.retain(|file| {
            let content = std::fs::read(file).unwrap_or_default();
            self.needles
                .iter()
                .any(|needle| content.windows(needle.len()).any(|window| window == needle))
        });
        files
    }

    /// Proves the search below a folder: each spelling, planted, is found.
    ///
    /// # Panics
    /// When one is not.
    pub fn prove(&self, folder: &Path) {
        for (number, needle) in self.needles.iter().enumerate() {
            let file = folder.join(format!("planted-{number}"));
            std::fs::write(&file, [b"before ", &needle[..], b" after"].concat()).unwrap();
            assert_eq!(self.below(folder), vec![file.clone()], "spelling {number}");
            std::fs::remove_file(file).unwrap();
        }
    }
}

/// Every regular file below a folder.
#[must_use]
pub fn every_file(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(every_file(&entry.path())),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    files
}

fn spellings(value: &str) -> Vec<Vec<u8>> {
    let utf8 = value.as_bytes().to_vec();
    let utf16 = |bytes: fn(u16) -> [u8; 2]| value.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let mut all = vec![utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)];
    // In base64 the value may begin at any of three offsets; the characters that its neighbours share are cut off.
    for offset in 0..3 {
        let shifted = [vec![0; offset], utf8.clone()].concat();
        let encoded = STANDARD.encode(shifted);
        let inner = encoded.trim_end_matches('=').as_bytes();
        let first = if offset == 0 { 0 } else { offset + 1 };
        all.push(inner[first..inner.len() - 1].to_vec());
    }
    all.push(utf8);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_inside_of_base64() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            std::fs::write(folder.path().join(name), "nothing").unwrap();
        }
        let leaks = Leaks::of(&["Quadflieg-Ætherström", "Zébulonia"]);
        leaks.prove(folder.path());
        let file = folder.path().join("letter");
        std::fs::write(&file, STANDARD.encode("Patient: Quadflieg-Ætherström, Zébulonia")).unwrap();
        assert_eq!(leaks.below(folder.path()), vec![file]);
    }
}
