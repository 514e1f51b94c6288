use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use typst::diag::{FileError, FileResult};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, World};

/// Where a page template finds its values.
const DATA: &str = "data.json";

/// All a page template can reach: the standard library, our fonts, the pack's pages and its values. No file system, no network.
pub(crate) struct PageWorld<'a> {
    pub library: &'a LazyHash<Library>,
    pub book: &'a LazyHash<FontBook>,
    pub fonts: &'a [Font],
    pub today: Option<Datetime>,
    main: FileId,
    sources: HashMap<FileId, Source>,
    files: HashMap<FileId, Bytes>,
}

impl<'a> PageWorld<'a> {
    /// `None` when a path of the pack is none.
    pub(crate) fn new(
        library: &'a LazyHash<Library>,
        book: &'a LazyHash<FontBook>,
        fonts: &'a [Font],
        pages: &BTreeMap<String, Vec<u8>>,
        main: &str,
        data: Vec<u8>,
    ) -> Option<Self> {
        let mut sources = HashMap::new();
        let mut files = HashMap::new();
        for (path, content) in pages {
            let id = file_id(path)?;
            if path.ends_with(".typ") {
                sources.insert(id, Source::new(id, String::from_utf8(content.clone()).ok()?));
            } else {
                files.insert(id, Bytes::new(content.clone()));
            }
        }
        files.insert(file_id(DATA)?, Bytes::new(data));
        Some(Self {
            library,
            book,
            fonts,
            today: None,
            main: file_id(main)?,
            sources,
            files,
        })
    }
}

impl World for PageWorld<'_> {
    fn library(&self) -> &LazyHash<Library> {
        self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        self.book
    }

    fn main(&self) -> FileId {
        self.main
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        self.sources.get(&id).cloned().ok_or_else(|| not_found(id))
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        let source = || self.sources.get(&id).map(|s| Bytes::from_string(s.text().to_owned()));
        self.files.get(&id).cloned().or_else(source).ok_or_else(|| not_found(id))
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.fonts.get(index).cloned()
    }

    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        self.today
    }
}

fn file_id(path: &str) -> Option<FileId> {
    Some(RootedPath::new(VirtualRoot::Project, VirtualPath::new(path).ok()?).intern())
}

fn not_found(id: FileId) -> FileError {
    FileError::NotFound(PathBuf::from(id.get().vpath().get_without_slash()))
}
