use econnector_forms::{CheckContext, Checked, Draft, Environment, Lang, Pack, PageData, SimulatedLine, Simulation, Workflow};
use serde::Serialize;
use serde_json::{Map, Value};
use time::{Date, OffsetDateTime, UtcOffset};
use typst::diag::{SourceDiagnostic, SourceResult, Warned};
use typst::foundations::{Bytes, Datetime, Smart};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World, WorldExt};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, Timestamp};
use typst_svg::SvgOptions;
use uuid::Uuid;

use crate::DocumentError;
use crate::datamatrix::{self, Symbol};
use crate::work::Work;
use crate::world::{PageWorld, Shelf};

/// Liberation Sans: metric-compatible with Arial, covers Latin Extended, Greek and Cyrillic names.
const FONTS: [&[u8]; 4] = [
    include_bytes!("../fonts/LiberationSans-Regular.ttf"),
    include_bytes!("../fonts/LiberationSans-Bold.ttf"),
    include_bytes!("../fonts/LiberationSans-Italic.ttf"),
    include_bytes!("../fonts/LiberationSans-BoldItalic.ttf"),
];

/// The page engine with its fonts. Make one and keep it: shared between threads, it holds nothing of a document.
pub struct Typesetter {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    shelf: Shelf,
}

/// What goes onto the page.
#[derive(Clone, Copy)]
pub enum Content<'a> {
    /// Values without an error: a page to sign, print or hand over.
    Checked(&'a Checked),
    /// The same with the shares the authority computed: the receipt of a simulated form.
    Simulated(&'a Checked, &'a Simulation),
    /// Incomplete values: a preview, marked as a draft.
    Draft(&'a Draft),
}

/// What the page says about itself.
#[derive(Clone, Debug)]
pub struct DocumentFacts {
    /// The document's identifier; all volets name the same.
    pub id: Uuid,
    /// When it is made, for the PDF's metadata.
    pub issued: OffsetDateTime,
    /// The day it is dated, in Luxembourg; printed.
    pub day: Date,
    /// The name in the signer's certificate, when the signed volet is or will be signed.
    pub signed_by: Option<String>,
    /// The authority's reference, once the document is deposited.
    pub reference: Option<String>,
    /// Whether the page must say that it has no value.
    pub training: bool,
    /// Whether the page is to be signed by hand: marked as paper, with boxes for signature and stamp; it then names neither
    /// `signed_by` nor `reference`.
    pub paper: bool,
    /// Whether this is only looked at: marked as a draft whatever was checked, and no `id` is printed, for there is no document yet.
    pub preview: bool,
}

/// A finished document. No `Debug`: it names a patient.
pub struct Document {
    pages: PagedDocument,
    id: String,
    issued: Option<Timestamp>,
    examples: bool,
}

#[derive(Serialize)]
struct PageFile<'a> {
    #[serde(flatten)]
    page: &'a PageData,
    document: DocumentLine<'a>,
    datamatrix: Option<Symbol>,
}

#[derive(Serialize)]
struct DocumentLine<'a> {
    id: String,
    volet: &'a str,
    title: String,
    day: String,
    signed_by: Option<&'a str>,
    reference: Option<&'a str>,
    training: bool,
    draft: bool,
    paper: bool,
}

impl Default for Typesetter {
    fn default() -> Self {
        Self::new()
    }
}

impl Typesetter {
    /// Loads the fonts and builds the engine's library.
    #[must_use]
    pub fn new() -> Self {
        let fonts: Vec<Font> = FONTS.iter().filter_map(|data| Font::new(Bytes::new(*data), 0)).collect();
        Self {
            library: LazyHash::new(Library::default()),
            book: LazyHash::new(FontBook::from_fonts(&fonts)),
            fonts,
            shelf: Shelf::default(),
        }
    }

    /// Sets one volet.
    ///
    /// # Errors
    /// A character that cannot be printed, values of another pack, or a broken template.
    pub fn render(&self, pack: &Pack, volet: &str, content: Content<'_>, facts: &DocumentFacts) -> Result<Document, DocumentError> {
        let _work = Work::begin();
        self.set(pack, volet, content, facts, false)
    }

    /// Sets every volet of every example, so that a pack whose pages do not work never opens.
    ///
    /// # Errors
    /// The first page that fails, in the engine's own words.
    pub fn check(&self, pack: &Pack) -> Result<(), DocumentError> {
        let _work = Work::begin();
        for name in pack.examples() {
            let (Some(values), Some(day)) = (pack.example(name), pack.example_day(name)) else {
                continue;
            };
            let context = CheckContext {
                today: day,
                environment: Environment::Production,
            };
            let outcome = pack.check(values, &context);
            let facts = DocumentFacts {
                id: Uuid::nil(),
                issued: day.midnight().assume_utc(),
                day,
                signed_by: Some("Dr Anne Weber".to_owned()),
                reference: None,
                training: true,
                paper: false,
                preview: false,
            };
            let on_paper = DocumentFacts {
                paper: true,
                ..facts.clone()
            };
            let draft = pack.draft(&Map::new());
            for volet in pack.volets() {
                if let Some(checked) = &outcome.checked {
                    self.set(pack, &volet.name, Content::Checked(checked), &facts, true)?.pdf()?;
                    if pack.allows_paper() {
                        self.set(pack, &volet.name, Content::Checked(checked), &on_paper, true)?.pdf()?;
                    }
                    if pack.workflow() == Workflow::Simulate {
                        let simulation = made_up(checked.rows());
                        self.set(pack, &volet.name, Content::Simulated(checked, &simulation), &facts, true)?
                            .pdf()?;
                    }
                }
                self.set(pack, &volet.name, Content::Draft(&draft), &facts, true)?.pdf()?;
            }
        }
        Ok(())
    }

    fn set(
        &self,
        pack: &Pack,
        volet: &str,
        content: Content<'_>,
        facts: &DocumentFacts,
        examples: bool,
    ) -> Result<Document, DocumentError> {
        let page = match content {
            Content::Checked(checked) => pack.page_data(volet, checked, None)?,
            Content::Simulated(checked, simulation) => pack.page_data(volet, checked, Some(simulation))?,
            Content::Draft(draft) => pack.draft_page_data(volet, draft)?,
        };
        self.all_printable(&page, facts)?;
        let file = PageFile {
            datamatrix: page.datamatrix.as_deref().map(datamatrix::draw).transpose()?,
            page: &page,
            document: DocumentLine {
                id: if facts.preview { "–".to_owned() } else { facts.id.to_string() },
                volet,
                title: pack.volet_title(volet, Lang::Fr),
                day: facts.day.to_string(),
                signed_by: facts.signed_by.as_deref().filter(|_| !facts.paper),
                reference: facts.reference.as_deref().filter(|_| !facts.paper),
                training: facts.training,
                draft: facts.preview || matches!(content, Content::Draft(_)),
                paper: facts.paper,
            },
        };
        let template = pack.volets().iter().find(|v| v.name == volet).map_or("", |v| v.page.as_str());
        let broken = || DocumentError::Template {
            file: template.to_owned(),
            line: 0,
            reason: String::new(),
        };
        let data = serde_json::to_vec(&file).map_err(|_| broken())?;
        let pages = self.shelf.pages(pack.page_files()).ok_or_else(broken)?;
        let mut world = PageWorld::new(&self.library, &self.book, &self.fonts, pages, template, data).ok_or_else(broken)?;
        world.today = Datetime::from_ymd(facts.day.year(), facts.day.month().into(), facts.day.day());
        let Warned { output, warnings } = typst::compile::<PagedDocument>(&world);
        let pages = match (output, warnings.first()) {
            // A warning is a font or layout that is not what the template asked for: not on a page that is signed.
            (Ok(_), Some(warning)) => return Err(template_error(&world, warning, examples)),
            (Ok(pages), None) => pages,
            (Err(errors), _) => {
                return Err(errors.first().map_or_else(broken, |error| template_error(&world, error, examples)));
            }
        };
        Ok(Document {
            pages,
            id: format!("{}:{volet}", facts.id),
            issued: timestamp(facts.issued),
            examples,
        })
    }

    fn all_printable(&self, page: &PageData, facts: &DocumentFacts) -> Result<(), DocumentError> {
        let mut found = self.unprintable(&page.values);
        found.extend(self.unprintable(&page.derived));
        if let Some(name) = &facts.signed_by {
            self.gather("signed_by", &Value::String(name.clone()), &mut found);
        }
        match found.into_iter().next() {
            Some((field, character)) => Err(DocumentError::MissingGlyph { field, character }),
            None => Ok(()),
        }
    }

    /// The texts that no page can show, so that it can be told before anything is sent: their path (`lines.1.label`) and the first
    /// character of each that the fonts do not have.
    #[must_use]
    pub fn unprintable(&self, values: &Map<String, Value>) -> Vec<(String, char)> {
        let mut found = Vec::new();
        for (field, value) in values {
            self.gather(field, value, &mut found);
        }
        found
    }

    fn gather(&self, path: &str, value: &Value, found: &mut Vec<(String, char)>) {
        match value {
            Value::String(text) => {
                let covered = |c: char| self.fonts.iter().all(|font| font.info().coverage.contains(u32::from(c)));
                let missing = text.chars().find(|c| *c != '\n' && !covered(*c));
                found.extend(missing.map(|character| (path.to_owned(), character)));
            }
            Value::Array(rows) => {
                for (row, value) in rows.iter().enumerate() {
                    self.gather(&format!("{path}.{row}"), value, found);
                }
            }
            Value::Object(columns) => {
                for (column, value) in columns {
                    self.gather(&format!("{path}.{column}"), value, found);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

impl Document {
    /// The document as PDF/A-2a and PDF/UA-1.
    ///
    /// # Errors
    /// When the page does not meet them.
    pub fn pdf(&self) -> Result<Vec<u8>, DocumentError> {
        let standards = PdfStandards::new(&[PdfStandard::A_2a, PdfStandard::Ua_1]).map_err(|e| DocumentError::Standard {
            reason: e.message().to_string(),
        })?;
        let options = PdfOptions {
            ident: Smart::Custom(self.id.clone()),
            creator: Smart::Custom(Some("eConnector".to_owned())),
            timestamp: self.issued,
            standards,
            ..PdfOptions::default()
        };
        let _work = Work::begin();
        let pdf: SourceResult<Vec<u8>> = typst_pdf::pdf(&self.pages, &options);
        pdf.map_err(|errors| DocumentError::Standard {
            reason: if self.examples { words(errors.first()) } else { String::new() },
        })
    }

    /// One page as SVG for the screen; texts are outlines.
    ///
    /// # Errors
    /// When there is no such page; pages count from 1.
    pub fn svg(&self, page: usize) -> Result<String, DocumentError> {
        let found = page.checked_sub(1).and_then(|index| self.pages.pages().get(index));
        let found = found.ok_or(DocumentError::NoSuchPage { page, pages: self.pages() })?;
        let _work = Work::begin();
        Ok(typst_svg::svg(found, &SvgOptions::default()))
    }

    /// How many pages there are.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.pages.pages().len()
    }
}

/// Shares for trying a page: no authority computed them.
fn made_up(rows: usize) -> Simulation {
    let line = SimulatedLine {
        accepted: true,
        statutory: 4611,
        personal: 629,
        total: 5240,
    };
    let times = i64::try_from(rows).unwrap_or(i64::MAX);
    Simulation {
        reference: Uuid::nil().to_string(),
        document: None,
        statutory: line.statutory.saturating_mul(times),
        personal: line.personal.saturating_mul(times),
        total: line.total.saturating_mul(times),
        lines: vec![line; rows],
        anomalies: Vec::new(),
    }
}

fn template_error(world: &PageWorld<'_>, diagnostic: &SourceDiagnostic, examples: bool) -> DocumentError {
    let file = diagnostic.span.id().map(|id| id.get().vpath().get_without_slash().to_owned());
    let line = diagnostic.span.id().and_then(|id| {
        let source = world.source(id).ok()?;
        source.lines().byte_to_line(world.range(diagnostic.span)?.start)
    });
    DocumentError::Template {
        file: file.unwrap_or_else(|| "pages".to_owned()),
        line: line.map_or(0, |line| line + 1),
        reason: if examples { words(Some(diagnostic)) } else { String::new() },
    }
}

fn words(diagnostic: Option<&SourceDiagnostic>) -> String {
    diagnostic.map(|d| d.message.to_string()).unwrap_or_default()
}

fn timestamp(at: OffsetDateTime) -> Option<Timestamp> {
    let at = at.to_offset(UtcOffset::UTC);
    let (hour, minute, second) = at.to_hms();
    Datetime::from_ymd_hms(at.year(), at.month().into(), at.day(), hour, minute, second).map(Timestamp::new_utc)
}
