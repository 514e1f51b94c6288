//! A deposit that other software wrote: read within limits, held against the pack's schema, and sent as it came but for the signed PDF.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use econnector_base::{Explain, Fault};
use quick_xml::NsReader;
use quick_xml::events::{BytesDecl, BytesStart, Event};
use quick_xml::name::{Namespace, PrefixDeclaration, QName, ResolveResult};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::PackError;
use crate::pack::{Pack, PackId};
use crate::schema::{Objection, Schema};
use crate::source::ForeignSource;
use crate::wire::{Exchange, WireMessage};

/// Largest message without the PDF in it, in bytes; one of a hundred lines has 80 KB.
const LARGEST: usize = 1024 * 1024;
/// Elements nested deeper are refused.
const DEEPEST: usize = 64;
/// More elements, comments and instructions together than any message has.
const MOST_NODES: usize = 20_000;
/// More attributes, namespaces included, than any element has.
const MOST_ATTRIBUTES: usize = 32;
/// Stands for the PDF until it is signed: three zero bytes.
const NO_PDF: &str = "AAAA";
/// The white space of XML.
const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];
/// The place of what concerns no element, or one the schema has no name for.
const ANYWHERE: &str = "*";

/// Why a finished XML is not taken. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForeignError {
    /// The pack has no `[wire.foreign]`.
    #[error("this form takes no finished XML")]
    NotTaken,
    /// Hostile, or not what the pack's schema takes.
    #[error("{place}: {rule}")]
    Invalid {
        /// Path of the element below the root, `prestation[2]/acte/codeActe`; `*` where the schema has no name for it.
        place: String,
        /// What it breaks, in English.
        rule: String,
    },
}

impl Explain for ForeignError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotTaken => "form-no-foreign",
            Self::Invalid { .. } => "foreign-xml-invalid",
        }
    }

    fn fault(&self) -> Fault {
        Fault::You
    }
}

impl From<Objection> for ForeignError {
    fn from(objection: Objection) -> Self {
        invalid(&objection.place, objection.rule)
    }
}

/// A finished XML that follows the schema. No `Debug`: it names a patient. Wiped when dropped.
pub struct ForeignMessage {
    by: PackId,
    id: Uuid,
    provider_codes: Vec<String>,
    ehealth_id: Option<String>,
    lines: usize,
    /// Field or total, and what the message says of it.
    shown: Vec<(String, Zeroizing<String>)>,
    /// Up to where the PDF goes.
    before: Zeroizing<String>,
    after: Zeroizing<String>,
}

impl ForeignMessage {
    /// The document's identifier in it.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// The provider codes that may be the physician's, in the order the pack looks for them, each once; at least one.
    #[must_use]
    pub fn provider_codes(&self) -> &[String] {
        &self.provider_codes
    }

    /// The physician's eHealthID, where the message names it.
    #[must_use]
    pub fn ehealth_id(&self) -> Option<&str> {
        self.ehealth_id.as_deref()
    }

    /// How many rows it has.
    #[must_use]
    pub const fn lines(&self) -> usize {
        self.lines
    }

    /// What a physician should see of it before she allows it, as far as it says so: a field or total of the form, and its value.
    pub fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.shown.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Pack {
    /// Whether a finished XML can be deposited instead of values.
    #[must_use]
    pub fn takes_foreign(&self) -> bool {
        self.foreign.is_some()
    }

    /// Takes a finished XML, with or without a PDF in it.
    ///
    /// # Errors
    /// [`ForeignError::NotTaken`] when the form has no schema for it; [`ForeignError::Invalid`] with the first thing that is wrong.
    pub fn read_foreign(&self, xml: &str) -> Result<ForeignMessage, ForeignError> {
        let foreign = self.foreign.as_ref().ok_or(ForeignError::NotTaken)?;
        let mut pass = Pass::over(xml.strip_prefix('\u{feff}').unwrap_or(xml), foreign)?;
        let (before, after) = pass.split()?;
        foreign.schema.check(&joined(&before, NO_PDF, &after))?;

        let id = pass.only(&foreign.id)?.ok_or_else(|| at(&foreign.id, "missing"))?;
        let hyphenated = Some(id.as_str())
            .filter(|id| id.len() == 36)
            .and_then(|id| Uuid::try_parse(id).ok());
        let id = hyphenated.ok_or_else(|| at(&foreign.id, "not a UUID"))?;
        let mut provider_codes: Vec<String> = Vec::new();
        for code in foreign.provider_codes.iter().flat_map(|path| pass.all(path)) {
            if !provider_codes.contains(&code) {
                provider_codes.push(code);
            }
        }
        if let ([], Some(path)) = (provider_codes.as_slice(), foreign.provider_codes.first()) {
            return Err(at(path, "missing"));
        }
        let ehealth_id = foreign.ehealth_id.as_ref().map(|path| pass.only(path)).transpose()?.flatten();
        let mut shown = Vec::new();
        for (name, path) in &foreign.shows {
            if let Some(value) = pass.only(path)? {
                shown.push((name.clone(), Zeroizing::new(value)));
            }
        }
        Ok(ForeignMessage {
            shown,
            by: self.id(),
            id,
            provider_codes,
            ehealth_id,
            lines: foreign.lines.as_ref().map_or(0, |path| pass.all(path).len()),
            before,
            after,
        })
    }

    /// The message for the authority: what was read with the signed PDF in its place, without XML declaration and instructions.
    ///
    /// # Errors
    /// [`PackError::ForeignValues`] for the message of another form; [`PackError::Wire`] when the schema does not take the result.
    pub fn foreign_wire(&self, message: &ForeignMessage, signed_pdf: &[u8]) -> Result<WireMessage, PackError> {
        self.own(&message.by)?;
        let missing = || PackError::Missing {
            file: "[wire.foreign]".to_owned(),
        };
        let foreign = self.foreign.as_ref().ok_or_else(missing)?;
        let deposit = self.messages.get(&Exchange::Deposit).ok_or_else(missing)?;
        let pdf = Zeroizing::new(STANDARD.encode(signed_pdf));
        let mut xml = joined(&message.before, &pdf, &message.after);
        foreign.schema.check(&xml).map_err(|objection| PackError::Wire {
            file: foreign.file.clone(),
            reason: format!("{}: {}", objection.place, objection.rule),
        })?;
        Ok(WireMessage {
            model_uid: deposit.source.model_uid.clone(),
            xml: std::mem::take(&mut *xml),
        })
    }
}

/// Local names from below the root.
type Path = Vec<String>;

/// `[wire.foreign]`, compiled.
pub(crate) struct Foreign {
    schema: Schema,
    file: String,
    id: Path,
    provider_codes: Vec<Path>,
    ehealth_id: Option<Path>,
    lines: Option<Path>,
    shows: Vec<(String, Path)>,
    /// The element the PDF goes into, and what stands in it.
    parent: Path,
    document: Path,
}

impl Foreign {
    /// Compiles the table with its schema; the error is that of `pack.toml`.
    pub(crate) fn compile(source: ForeignSource, schema: Schema) -> Result<Self, String> {
        let path = |path: &String| -> Result<Path, String> {
            let steps: Path = path.split('/').map(str::to_owned).collect();
            match steps.iter().find(|step| !schema.has(step)) {
                Some(step) => Err(format!("[wire.foreign]: {} has no element \"{step}\"", source.schema)),
                None => Ok(steps),
            }
        };
        let document = path(&source.document)?;
        let compiled = Self {
            id: path(&source.id)?,
            provider_codes: source.provider_code.iter().map(path).collect::<Result<_, _>>()?,
            ehealth_id: source.ehealth_id.as_ref().map(path).transpose()?,
            lines: source.lines.as_ref().map(path).transpose()?,
            shows: source
                .shows
                .iter()
                .map(|(name, at)| Ok((name.clone(), path(at)?)))
                .collect::<Result<_, String>>()?,
            parent: document.split_last().map(|(_, parent)| parent.to_vec()).unwrap_or_default(),
            document,
            file: source.schema.clone(),
            schema,
        };
        if compiled.provider_codes.is_empty() {
            return Err("[wire.foreign]: no place for the provider code".to_owned());
        }
        Ok(compiled)
    }
}

/// Where the PDF goes: what gives way to it, and what is written around it.
#[derive(Default)]
struct Hole {
    range: Range<usize>,
    opening: String,
    closing: String,
}

/// One pass over the text: refuses what could make a parser work too hard, and finds the places.
struct Pass<'a> {
    foreign: &'a Foreign,
    text: &'a str,
    /// Local names of the elements that are open, the root's first.
    open: Vec<String>,
    nodes: usize,
    root: Option<Range<usize>>,
    /// Instructions, which are not passed on.
    cuts: Vec<Range<usize>>,
    /// The last element that stands where the PDF may.
    beside: Option<Range<usize>>,
    hole: Option<Hole>,
    /// Whether the PDF that came along is passing by.
    in_document: bool,
    /// The wanted elements with their text, in their order.
    found: Vec<(&'a Path, Zeroizing<String>)>,
}

impl<'a> Pass<'a> {
    fn over(text: &'a str, foreign: &'a Foreign) -> Result<Self, ForeignError> {
        let mut pass = Self {
            foreign,
            text,
            open: Vec::new(),
            nodes: 0,
            root: None,
            cuts: Vec::new(),
            beside: None,
            hole: None,
            in_document: false,
            found: Vec::new(),
        };
        let mut reader = NsReader::from_str(text);
        reader.config_mut().enable_all_checks(true);
        loop {
            let from = position(&reader);
            let event = reader.read_event().map_err(|_| malformed())?;
            let range = from..position(&reader);
            match event {
                Event::Start(tag) => pass.start(&reader, &tag, range)?,
                Event::Empty(tag) => pass.empty(&reader, &tag, range)?,
                Event::End(_) => pass.end(&reader, range)?,
                Event::Text(text) => pass.text(&text.xml10_content())?,
                Event::CData(text) if !pass.open.is_empty() => pass.text(&text.xml10_content())?,
                Event::GeneralRef(reference) if !pass.open.is_empty() => {
                    let c = match reference.resolve_char_ref().map_err(|_| malformed())? {
                        Some(c) => c,
                        None => match reference.into_inner().as_ref() {
                            "lt" => '<',
                            "gt" => '>',
                            "amp" => '&',
                            "quot" => '"',
                            "apos" => '\'',
                            _ => return Err(invalid(ANYWHERE, "an entity other than the five of XML")),
                        },
                    };
                    pass.text(c.encode_utf8(&mut [0; 4]))?;
                }
                Event::PI(_) => {
                    pass.count()?;
                    if !pass.in_document {
                        pass.cuts.push(range);
                    }
                }
                Event::Comment(_) => pass.count()?,
                Event::Decl(declaration) => check_declaration(&declaration, range.start)?,
                Event::DocType(_) => return Err(invalid(ANYWHERE, "a document type declaration")),
                Event::CData(_) | Event::GeneralRef(_) => return Err(malformed()),
                Event::Eof => return Ok(pass),
            }
        }
    }

    fn start(&mut self, reader: &NsReader<&[u8]>, tag: &BytesStart<'_>, range: Range<usize>) -> Result<(), ForeignError> {
        self.open(reader, tag, range.start)?;
        if self.is_at(&self.foreign.document) {
            self.in_document = true;
            self.dig(Hole {
                range: range.end..range.end,
                ..Hole::default()
            })?;
        }
        Ok(())
    }

    fn empty(&mut self, reader: &NsReader<&[u8]>, tag: &BytesStart<'_>, range: Range<usize>) -> Result<(), ForeignError> {
        self.open(reader, tag, range.start)?;
        if self.is_at(&self.foreign.document) {
            self.dig(Hole {
                range: range.end.saturating_sub(2)..range.end,
                opening: ">".to_owned(),
                closing: format!("</{}>", tag.name().into_inner()),
            })?;
        }
        self.close(range.end);
        Ok(())
    }

    fn end(&mut self, reader: &NsReader<&[u8]>, range: Range<usize>) -> Result<(), ForeignError> {
        if self.is_at(&self.foreign.document) {
            self.in_document = false;
            if let Some(hole) = &mut self.hole {
                hole.range.end = range.start;
            }
        } else if self.is_at(&self.foreign.parent) && self.hole.is_none() {
            self.make_room(reader)?;
        }
        self.close(range.end);
        Ok(())
    }

    fn open(&mut self, reader: &NsReader<&[u8]>, tag: &BytesStart<'_>, from: usize) -> Result<(), ForeignError> {
        self.count()?;
        if self.in_document {
            return Err(at(&self.foreign.document, "an element where the PDF goes"));
        }
        if self.open.len() >= DEEPEST {
            return Err(invalid(ANYWHERE, "elements nested deeper than 64"));
        }
        // Without checks, which look at every pair of them.
        if tag.attributes().with_checks(false).take(MOST_ATTRIBUTES + 1).count() > MOST_ATTRIBUTES {
            return Err(invalid(ANYWHERE, "more than 32 attributes"));
        }
        if matches!(reader.resolver().resolve_element(tag.name()).0, ResolveResult::Unknown(_)) {
            return Err(malformed());
        }
        if self.open.is_empty() && self.root.replace(from..from).is_some() {
            return Err(invalid(ANYWHERE, "more than one root"));
        }
        if self.is_at(&self.foreign.parent) {
            self.beside = Some(from..from);
        }
        self.open.push(tag.local_name().into_inner().to_owned());
        let foreign = self.foreign;
        let wanted = std::iter::once(&foreign.id)
            .chain(&foreign.provider_codes)
            .chain(&foreign.ehealth_id)
            .chain(&foreign.lines)
            .chain(foreign.shows.iter().map(|(_, path)| path));
        // Once, even when several are wanted at the same place.
        if let Some(path) = wanted.into_iter().find(|path| self.is_at(path)) {
            self.found.push((path, Zeroizing::default()));
        }
        Ok(())
    }

    fn close(&mut self, to: usize) {
        self.open.pop();
        let ended = if self.open.is_empty() {
            &mut self.root
        } else if self.is_at(&self.foreign.parent) {
            &mut self.beside
        } else {
            return;
        };
        if let Some(range) = ended {
            range.end = to;
        }
    }

    fn text(&mut self, text: &str) -> Result<(), ForeignError> {
        let Some(here) = self.open.get(1..) else {
            return if text.trim_matches(WHITE).is_empty() {
                Ok(())
            } else {
                Err(malformed())
            };
        };
        if let Some((_, value)) = self.found.iter_mut().rev().find(|(path, _)| path.as_slice() == here) {
            value.push_str(text);
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), ForeignError> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(invalid(ANYWHERE, "too many elements"));
        }
        Ok(())
    }

    fn dig(&mut self, hole: Hole) -> Result<(), ForeignError> {
        if self.hole.replace(hole).is_some() {
            return Err(at(&self.foreign.document, "more than once"));
        }
        Ok(())
    }

    /// The place for a PDF that did not come along: behind the last element beside it, in the same indentation.
    fn make_room(&mut self, reader: &NsReader<&[u8]>) -> Result<(), ForeignError> {
        let path = &self.foreign.document;
        let beside = self
            .beside
            .clone()
            .ok_or_else(|| at(path, "missing, and so is everything beside it"))?;
        let before = self.text.get(..beside.start).unwrap_or_default();
        let indentation = before.get(before.trim_end_matches(WHITE).len()..).unwrap_or_default();
        let (name, declaration) = self.spelled(reader, path.last().map(String::as_str).unwrap_or_default());
        self.hole = Some(Hole {
            range: beside.end..beside.end,
            opening: format!("{indentation}<{name}{declaration}>"),
            closing: format!("</{name}>"),
        });
        Ok(())
    }

    /// The name of an inner element at this place of the document, and the declaration it needs there.
    fn spelled(&self, reader: &NsReader<&[u8]>, name: &str) -> (String, String) {
        let schema = &self.foreign.schema;
        let wanted = schema.target.as_deref().filter(|_| schema.qualified);
        let default = match reader.resolver().resolve_element(QName("x")).0 {
            ResolveResult::Bound(Namespace(namespace)) if !namespace.is_empty() => Some(namespace),
            _ => None,
        };
        if default == wanted {
            return (name.to_owned(), String::new());
        }
        let Some(wanted) = wanted else {
            return (name.to_owned(), " xmlns=\"\"".to_owned());
        };
        let prefix = reader
            .resolver()
            .bindings()
            .find_map(|(prefix, Namespace(namespace))| match prefix {
                PrefixDeclaration::Named(prefix) if namespace == wanted => Some(prefix),
                _ => None,
            });
        match prefix {
            Some(prefix) => (format!("{prefix}:{name}"), String::new()),
            None => (name.to_owned(), format!(" xmlns=\"{}\"", quick_xml::escape::escape(wanted))),
        }
    }

    /// The root element up to the PDF and from there on.
    fn split(&mut self) -> Result<(Zeroizing<String>, Zeroizing<String>), ForeignError> {
        let root = self.root.clone().filter(|_| self.open.is_empty()).ok_or_else(malformed)?;
        let hole = self.hole.take();
        let hole = hole.ok_or_else(|| at(&self.foreign.document, "missing, and so is what it stands in"))?;
        if self.text.len().saturating_sub(hole.range.len()) > LARGEST {
            return Err(invalid(ANYWHERE, "more than 1 MiB without the PDF"));
        }
        let before = joined(&self.without_cuts(root.start..hole.range.start), &hole.opening, "");
        let after = joined(&hole.closing, &self.without_cuts(hole.range.end..root.end), "");
        Ok((before, after))
    }

    fn without_cuts(&self, range: Range<usize>) -> Zeroizing<String> {
        let mut kept = Zeroizing::new(String::with_capacity(range.len()));
        let mut from = range.start;
        for cut in self.cuts.iter().filter(|cut| range.start <= cut.start && cut.end <= range.end) {
            kept.push_str(self.text.get(from..cut.start).unwrap_or_default());
            from = cut.end;
        }
        kept.push_str(self.text.get(from..range.end).unwrap_or_default());
        kept
    }

    /// The trimmed text of every element at a path.
    fn all(&self, path: &Path) -> Vec<String> {
        let found = self.found.iter().filter(|(at, _)| *at == path);
        found.map(|(_, text)| text.trim_matches(WHITE).to_owned()).collect()
    }

    /// The same of the only one there may be.
    fn only(&self, path: &Path) -> Result<Option<String>, ForeignError> {
        let mut all = self.all(path);
        match (all.pop(), all.pop()) {
            (_, Some(_)) => Err(at(path, "more than once")),
            (one, None) => Ok(one),
        }
    }

    /// Whether the element that is open is the one at a path.
    fn is_at(&self, path: &[String]) -> bool {
        self.open.get(1..) == Some(path)
    }
}

fn position(reader: &NsReader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn check_declaration(declaration: &BytesDecl<'_>, start: usize) -> Result<(), ForeignError> {
    if start != 0 || !declaration.version().is_ok_and(|version| version == "1.0") {
        return Err(malformed());
    }
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("UTF-8") => Ok(()),
        Some(_) => Err(invalid(ANYWHERE, "an encoding other than UTF-8")),
    }
}

fn joined(before: &str, between: &str, after: &str) -> Zeroizing<String> {
    let mut whole = Zeroizing::new(String::with_capacity(before.len() + between.len() + after.len()));
    for part in [before, between, after] {
        whole.push_str(part);
    }
    whole
}

fn malformed() -> ForeignError {
    invalid(ANYWHERE, "not well-formed XML")
}

fn at(path: &Path, rule: &str) -> ForeignError {
    invalid(&path.join("/"), rule)
}

fn invalid(place: &str, rule: &str) -> ForeignError {
    ForeignError::Invalid {
        place: place.to_owned(),
        rule: rule.to_owned(),
    }
}
