//! Forms added by whoever runs this installation: every subfolder of one folder is a pack, checked as a whole like those built in.

use std::collections::BTreeMap;
use std::path::Path;

use econnector_connector::LeftOut;
use econnector_documents::Typesetter;
use econnector_forms::{MemoryFiles, Pack, PackError};

/// More are not looked at.
const MOST_PACKS: usize = 32;
/// More files, or more bytes, than any pack has.
const MOST_FILES: usize = 500;
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// Folders nested deeper hold no pack.
const DEEPEST: usize = 4;

/// The packs built in and those of a folder. One that is broken is left out and named: it must not take the others with it.
pub(crate) fn all(folder: Option<&Path>) -> Result<(Vec<Pack>, Vec<LeftOut>), PackError> {
    let mut packs = econnector_forms::embedded()?;
    let mut left_out = Vec::new();
    let Some(folder) = folder else {
        return Ok((packs, left_out));
    };
    let found = match subfolders(folder) {
        Ok(found) => found,
        Err(reason) => {
            left_out.push(LeftOut {
                folder: name(folder),
                reason,
            });
            return Ok((packs, left_out));
        }
    };
    let typesetter = Typesetter::new();
    for (index, found) in found.iter().enumerate() {
        let opened = if index < MOST_PACKS {
            open(found, &packs, &typesetter)
        } else {
            Err(format!("only {MOST_PACKS} packs are opened"))
        };
        match opened {
            Ok(pack) => packs.push(pack),
            Err(reason) => {
                let folder = name(found);
                tracing::warn!(folder, reason, "a form pack is left out");
                left_out.push(LeftOut { folder, reason });
            }
        }
    }
    Ok((packs, left_out))
}

fn open(folder: &Path, known: &[Pack], typesetter: &Typesetter) -> Result<Pack, String> {
    let pack = Pack::load(&MemoryFiles(read(folder)?)).map_err(|error| error.to_string())?;
    if known.iter().any(|other| other.kind() == pack.kind()) {
        return Err(format!("there is a form \"{}\" already", pack.kind()));
    }
    typesetter.check(&pack).map_err(|error| error.to_string())?;
    Ok(pack)
}

fn subfolders(folder: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| format!("cannot be read: {error}"))?;
        if entry.path().is_dir() && !name(&entry.path()).starts_with('.') {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Every file below a folder, by its path inside it.
fn read(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut files = BTreeMap::new();
    let mut bytes = 0;
    let mut waiting = vec![(folder.to_owned(), String::new(), 1)];
    while let Some((folder, prefix, depth)) = waiting.pop() {
        if depth > DEEPEST {
            return Err(format!("{prefix}: folders are nested too deeply"));
        }
        for entry in std::fs::read_dir(&folder).map_err(|error| format!("{prefix}: {error}"))? {
            let entry = entry.map_err(|error| format!("{prefix}: {error}"))?;
            let Ok(own) = entry.file_name().into_string() else {
                return Err(format!("{prefix}: a file name is not UTF-8"));
            };
            // Editors and file managers leave hidden files behind.
            if own.starts_with('.') {
                continue;
            }
            let path = format!("{prefix}{own}");
            let kind = entry.file_type().map_err(|error| format!("{path}: {error}"))?;
            if kind.is_dir() {
                waiting.push((entry.path(), format!("{path}/"), depth + 1));
            } else if kind.is_file() {
                bytes += entry.metadata().map_err(|error| format!("{path}: {error}"))?.len();
                if files.len() >= MOST_FILES || bytes > MOST_BYTES {
                    return Err(format!("{path}: the pack is too large"));
                }
                let content = std::fs::read(entry.path()).map_err(|error| format!("{path}: {error}"))?;
                files.insert(path, content);
            } else {
                return Err(format!("{path}: neither a file nor a folder"));
            }
        }
    }
    Ok(files)
}

fn name(folder: &Path) -> String {
    folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    /// A copy of the built-in form under another kind.
    fn copy(folder: &Path, kind: &str) -> PathBuf {
        let pack = folder.join(kind);
        copy_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../forms/ecit"), &pack);
        let definition = fs::read_to_string(pack.join("pack.toml")).unwrap();
        fs::write(
            pack.join("pack.toml"),
            definition.replacen("kind = \"ecit\"", &format!("kind = \"{kind}\""), 1),
        )
        .unwrap();
        pack
    }

    fn copy_tree(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy_tree(&entry.path(), &target);
            } else {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }

    #[test]
    fn a_folder_adds_forms_and_a_broken_one_is_named_and_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let built_in = all(None).unwrap().0.len();
        let nowhere = all(Some(&folder.path().join("none"))).unwrap();
        assert_eq!((nowhere.0.len(), nowhere.1), (built_in, Vec::new()), "no folder is no fault");

        copy(folder.path(), "leave");
        copy(folder.path(), "ecit");
        let broken = copy(folder.path(), "torn");
        fs::write(broken.join("texts/lb.json"), "{").unwrap();
        let unset = copy(folder.path(), "unset");
        let page = fs::read_dir(unset.join("pages")).unwrap().next().unwrap().unwrap().path();
        fs::write(page, "#panic(\"no page\")").unwrap();
        fs::create_dir(folder.path().join(".hidden")).unwrap();
        fs::write(folder.path().join("notes.txt"), "no pack").unwrap();

        let (packs, left_out) = all(Some(folder.path())).unwrap();
        let kinds: Vec<&str> = packs.iter().map(Pack::kind).collect();
        assert!(kinds.contains(&"leave"), "{kinds:?}");
        assert_eq!(packs.len(), built_in + 1);
        let named: Vec<&str> = left_out.iter().map(|pack| pack.folder.as_str()).collect();
        assert_eq!(named, ["ecit", "torn", "unset"]);
        assert!(left_out.iter().any(|pack| pack.reason.starts_with("texts/lb.json")), "{left_out:?}");
        assert!(
            left_out.iter().any(|pack| pack.reason == "there is a form \"ecit\" already"),
            "{left_out:?}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_pack_holds_files_alone_and_not_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let linked = copy(folder.path(), "linked");
        std::os::unix::fs::symlink("/etc/hostname", linked.join("codes/host.json")).unwrap();
        assert!(read(&linked).unwrap_err().contains("neither a file nor a folder"));
        let many = folder.path().join("many");
        fs::create_dir(&many).unwrap();
        for index in 0..=MOST_FILES {
            fs::write(many.join(index.to_string()), "").unwrap();
        }
        assert!(read(&many).unwrap_err().contains("too large"));
    }
}
