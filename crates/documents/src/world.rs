use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

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
    pages: Arc<Pages>,
    data: (FileId, Bytes),
}

/// The pages of the packs in use, read once. They are the packs' own and hold nothing of a document.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<Vec<Arc<Pages>>>);

/// A pack's page templates, parsed, and what else they show.
pub(crate) struct Pages {
    written: BTreeMap<String, Vec<u8>>,
    sources: HashMap<FileId, Source>,
    files: HashMap<FileId, Bytes>,
}

/// More packs than an installation has.
const PACKS: usize = 32;

impl Shelf {
    /// The pack's pages; `None` when a path of the pack is none, or a template is no text.
    pub(crate) fn pages(&self, written: &BTreeMap<String, Vec<u8>>) -> Option<Arc<Pages>> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shelf.iter().find(|pages| pages.written == *written) {
            return Some(Arc::clone(known));
        }
        let pages = Arc::new(Pages::read(written)?);
        if shelf.len() >= PACKS {
            shelf.remove(0);
        }
        shelf.push(Arc::clone(&pages));
        Some(pages)
    }
}

impl Pages {
    fn read(written: &BTreeMap<String, Vec<u8>>) -> Option<Self> {
        let (mut sources, mut files) = (HashMap::new(), HashMap::new());
        for (path, content) in written {
            let id = file_id(path)?;
            if path.ends_with(".typ") {
                sources.insert(id, Source::new(id, String::from_utf8(content.clone()).ok()?));
            } else {
                files.insert(id, Bytes::new(content.clone()));
            }
        }
        Some(Self {
            written: written.clone(),
            sources,
            files,
        })
    }
}

impl<'a> PageWorld<'a> {
    /// `None` when a path of the pack is none.
    pub(crate) fn new(
        library: &'a LazyHash<Library>,
        book: &'a LazyHash<FontBook>,
        fonts: &'a [Font],
        pages: Arc<Pages>,
        main: &str,
        data: Vec<u8>,
    ) -> Option<Self> {
        Some(Self {
            library,
            book,
            fonts,
            today: None,
            main: file_id(main)?,
            pages,
            data: (file_id(DATA)?, Bytes::new(data)),
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
        self.pages.sources.get(&id).cloned().ok_or_else(|| not_found(id))
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        let (data, values) = &self.data;
        if id == *data {
            return Ok(values.clone());
        }
        let source = || self.pages.sources.get(&id).map(|s| Bytes::from_string(s.text().to_owned()));
        self.pages.files.get(&id).cloned().or_else(source).ok_or_else(|| not_found(id))
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
