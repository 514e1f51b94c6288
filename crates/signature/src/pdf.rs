//! The PDF side of a signature (ISO 32000-1, 12.8; EN 319 142-1): an incremental update that leaves every byte of the document
//! as it was, and the way back from a file to what its signature covers.

mod unfolded;

use std::{
    collections::{BTreeMap, HashSet},
    ops::Range,
};

use lopdf::{
    Dictionary, Document, LoadOptions, Object, ObjectId, StringFormat, Writer, dictionary,
    xref::{XrefEntry, XrefType},
};
use ring::digest;
use time::{OffsetDateTime, UtcOffset, macros::format_description};
use zeroize::Zeroizing;

use crate::{PdfProblem, SignatureError};

/// What the signature field says of itself. It stays invisible: the visible block is part of the page, drawn before signing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldOptions {
    /// The field's name; a number is added where the document has a field of that name.
    pub name: String,
    /// What a screen reader says of the field.
    pub tooltip: String,
    /// Why the document is signed.
    pub reason: Option<String>,
    /// Where it is signed.
    pub location: Option<String>,
}

impl Default for FieldOptions {
    fn default() -> Self {
        Self {
            name: "Signature".to_owned(),
            tooltip: "Signature électronique du médecin".to_owned(),
            reason: None,
            location: None,
        }
    }
}

/// The largest PDF that is signed or verified: a certificate has 50 KB, a long fee note with scans a few MB.
pub(crate) const MAX_PDF: usize = 64 * 1024 * 1024;

/// What one stream of objects may hold once decompressed, in bytes: an object takes more than a hundred bytes of memory for one of its text.
const MAX_STREAM_OF_OBJECTS: usize = 1024 * 1024;

/// Whether a PDF made elsewhere can be signed as it is, and shown before it is; returns its number of pages. `largest` is in bytes.
///
/// # Errors
/// [`SignatureError::Pdf`], saying why not.
pub fn check_pdf(pdf: &[u8], largest: usize) -> Result<usize, SignatureError> {
    if pdf.len() > largest {
        return Err(PdfProblem::TooLarge.into());
    }
    let document = load(pdf)?;
    signable(&document)?;
    unfolded::check(&document)?;
    Ok(document.page_iter().count())
}

/// A document with an empty place for its signature.
pub(crate) struct Prepared {
    bytes: Zeroizing<Vec<u8>>,
    /// The place, angle brackets included.
    gap: Range<usize>,
}

impl Prepared {
    /// Appends the signature field; `room` is the number of bytes kept for the CMS.
    pub(crate) fn new(pdf: &[u8], field: &FieldOptions, signer_name: &str, at: OffsetDateTime, room: usize) -> Result<Self, PdfProblem> {
        let document = load(pdf)?;
        let Signable {
            root,
            catalog,
            page_id,
            page,
            first,
        } = signable(&document)?;
        let (signature_id, widget_id, appearance_id) = ((first, 0), (first + 1, 0), (first + 2, 0));
        let mut update = Update::after(pdf, 2 * room);

        let (signature, gap) = signature_dictionary(field, signer_name, at, room);
        let body = update.put(signature_id, &signature);
        let gap = body + gap.start..body + gap.end;

        let name = free_name(&document, catalog, &field.name);
        update.put_object(widget_id, &widget(field, &name, page_id, signature_id, appearance_id));
        update.put(appearance_id, APPEARANCE);
        update.put_object(page_id, &Object::Dictionary(page_with(&document, page, widget_id)));
        update.put_object(root, &Object::Dictionary(catalog_with(&document, catalog, widget_id)?));
        let mut bytes = update.finish(&document, appearance_id.0 + 1);

        let ranges = [0, gap.start, gap.end, bytes.len() - gap.end];
        let text = format!("{} {} {} {}]", ranges[0], ranges[1], ranges[2], ranges[3]);
        let from = gap.start - CONTENTS.len() - BYTE_RANGE_ROOM;
        for (place, byte) in bytes.iter_mut().skip(from).take(BYTE_RANGE_ROOM).zip(text.bytes()) {
            *place = byte;
        }
        Ok(Self { bytes, gap })
    }

    /// SHA-256 over everything but the place for the signature.
    pub(crate) fn digest(&self) -> digest::Digest {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(self.bytes.get(..self.gap.start).unwrap_or_default());
        context.update(self.bytes.get(self.gap.end..).unwrap_or_default());
        context.finish()
    }

    /// Puts the signature in its place.
    pub(crate) fn fill(mut self, cms: &[u8]) -> Result<Zeroizing<Vec<u8>>, SignatureError> {
        let place = self.bytes.get_mut(self.gap.start + 1..self.gap.end - 1).unwrap_or_default();
        if cms.len() * 2 > place.len() {
            return Err(SignatureError::TooLarge);
        }
        for (pair, byte) in place.chunks_exact_mut(2).zip(cms) {
            pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 0xF)]);
        }
        Ok(self.bytes)
    }
}

/// A signature found in a file, and what it covers.
pub(crate) struct Found<'a> {
    /// The CMS, without the zeros after it.
    pub(crate) cms: Vec<u8>,
    before: &'a [u8],
    after: &'a [u8],
    /// Whether nothing was appended after the signature.
    pub(crate) covers_whole_document: bool,
}

impl<'a> Found<'a> {
    /// The signature that reaches furthest into the file; `None` when there is none. Document timestamps are not signatures.
    ///
    /// The place that the signature leaves out must be exactly its own value: anything else could hide content.
    pub(crate) fn in_pdf(pdf: &'a [u8]) -> Result<Option<Self>, PdfProblem> {
        let document = load(pdf)?;
        let mut furthest: Option<(usize, Self)> = None;
        for value in signature_values(&document) {
            let id = value.as_reference().map_err(|_| PdfProblem::SignatureLayout)?;
            let dictionary = document.get_dictionary(id).map_err(|_| PdfProblem::SignatureLayout)?;
            match dictionary.get(b"SubFilter").and_then(Object::as_name) {
                Ok(b"ETSI.CAdES.detached" | b"adbe.pkcs7.detached") => {}
                Ok(b"ETSI.RFC3161") => continue,
                _ => return Err(PdfProblem::SignatureLayout),
            }
            let (end, found) = Self::read(pdf, &document, id, dictionary).ok_or(PdfProblem::SignatureLayout)?;
            if furthest.as_ref().is_none_or(|(known, _)| end > *known) {
                furthest = Some((end, found));
            }
        }
        Ok(furthest.map(|(_, found)| found))
    }

    /// The two stretches of the file that are signed.
    pub(crate) const fn covered(&self) -> [&'a [u8]; 2] {
        [self.before, self.after]
    }

    fn read(pdf: &'a [u8], document: &Document, id: ObjectId, dictionary: &Dictionary) -> Option<(usize, Self)> {
        let range = dictionary.get(b"ByteRange").and_then(Object::as_array).ok()?;
        let range = range
            .iter()
            .map(|number| usize::try_from(number.as_i64().ok()?).ok())
            .collect::<Option<Vec<_>>>()?;
        let [0, gap_start, gap_end, rest] = range[..] else { return None };
        let end = gap_end.checked_add(rest)?;
        let (before, after) = (pdf.get(..gap_start)?, pdf.get(gap_end..end)?);
        let hex = pdf.get(gap_start..gap_end)?.strip_prefix(b"<")?.strip_suffix(b">")?;
        let contents = unhex(hex)?;
        if dictionary.get(b"Contents").and_then(Object::as_str).ok()? != contents {
            return None;
        }

        // The gap must lie in this very object, which names its range and its value once: a second name could show another reader
        // other ranges than those checked here.
        let XrefEntry::Normal { offset, .. } = document.reference_table.get(id.0)? else {
            return None;
        };
        let head = pdf.get(usize::try_from(*offset).ok()?..gap_start)?;
        let tail = after.get(..find(after, b"endobj")?)?;
        if find(head, b"endobj").is_some() {
            return None;
        }
        let named = |name: &[u8]| count_names(head, name) + count_names(tail, name);
        if named(b"ByteRange") != 1 || named(b"Contents") != 1 {
            return None;
        }

        let length = der_length(&contents)?;
        let (cms, padding) = contents.split_at_checked(length)?;
        if padding.iter().any(|byte| *byte != 0) {
            return None;
        }
        Some((
            end,
            Self {
                cms: cms.to_vec(),
                before,
                after,
                covers_whole_document: end == pdf.len(),
            },
        ))
    }
}

/// What a signature is attached to.
struct Signable<'a> {
    root: ObjectId,
    catalog: &'a Dictionary,
    page_id: ObjectId,
    page: &'a Dictionary,
    /// The first free object number.
    first: u32,
}

fn signable(document: &Document) -> Result<Signable<'_>, PdfProblem> {
    if document.xref_recovery.is_some() || document.xref_start == 0 {
        return Err(PdfProblem::Damaged);
    }
    let root = document
        .trailer
        .get(b"Root")
        .and_then(Object::as_reference)
        .map_err(|_| PdfProblem::Damaged)?;
    let catalog = document.get_dictionary(root).map_err(|_| PdfProblem::Damaged)?;
    let page_id = document.page_iter().next().ok_or(PdfProblem::NoPage)?;
    let page = document.get_dictionary(page_id).map_err(|_| PdfProblem::NoPage)?;
    if catalog.has(b"Perms") || !signature_values(document).is_empty() {
        return Err(PdfProblem::AlreadySigned);
    }
    let form = catalog
        .get(b"AcroForm")
        .ok()
        .and_then(|form| resolved(document, form)?.as_dict().ok());
    if form.is_some_and(|form| form.has(b"XFA")) {
        return Err(PdfProblem::Xfa);
    }
    // 8 388 607 objects is the limit of PDF/A; a file that claims more is not one of ours.
    let first = document
        .max_id
        .checked_add(1)
        .filter(|id| *id < 8_000_000)
        .ok_or(PdfProblem::Damaged)?;
    Ok(Signable {
        root,
        catalog,
        page_id,
        page,
        first,
    })
}

const BYTE_RANGE_ROOM: usize = 48;
const CONTENTS: &str = "/Contents";
const APPEARANCE: &[u8] = b"<</Type/XObject/Subtype/Form/BBox[0 0 0 0]/Length 0>>\nstream\n\nendstream";

fn load(pdf: &[u8]) -> Result<Document, PdfProblem> {
    if pdf.len() > MAX_PDF {
        return Err(PdfProblem::TooLarge);
    }
    // Bytes before the header would shift every offset.
    if !pdf.starts_with(b"%PDF-") {
        return Err(PdfProblem::Damaged);
    }
    let options = LoadOptions {
        max_decompressed_size: Some(MAX_STREAM_OF_OBJECTS),
        ..LoadOptions::default()
    };
    let document = Document::load_mem_with_options(pdf, options).map_err(|_| PdfProblem::Damaged)?;
    // One without a password to open it has been decrypted by now, and would not fit its own bytes any more.
    if document.trailer.has(b"Encrypt") || document.was_encrypted() {
        return Err(PdfProblem::Encrypted);
    }
    document.catalog().map_err(|_| PdfProblem::Damaged)?;
    Ok(document)
}

/// The values of all signature fields of the form, those in groups included. Circles and endless depths end the search, not the program.
fn signature_values(document: &Document) -> Vec<&Object> {
    let form = document
        .catalog()
        .ok()
        .and_then(|catalog| resolved(document, catalog.get(b"AcroForm").ok()?)?.as_dict().ok());
    let fields = form.and_then(|form| resolved(document, form.get(b"Fields").ok()?)?.as_array().ok());
    let mut waiting: Vec<(&Object, bool)> = fields.into_iter().flatten().map(|field| (field, false)).collect();
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    while let Some((object, inherited)) = waiting.pop() {
        if object.as_reference().is_ok_and(|id| !seen.insert(id)) || found.len() > 100 {
            continue;
        }
        let Some(field) = resolved(document, object).and_then(|object| object.as_dict().ok()) else {
            continue;
        };
        let is_signature = field.get(b"FT").and_then(Object::as_name).map_or(inherited, |kind| kind == b"Sig");
        if is_signature {
            found.extend(field.get(b"V").ok());
        }
        let kids = field.get(b"Kids").ok().and_then(|kids| resolved(document, kids)?.as_array().ok());
        waiting.extend(kids.into_iter().flatten().map(|kid| (kid, is_signature)));
    }
    found
}

fn resolved<'a>(document: &'a Document, object: &'a Object) -> Option<&'a Object> {
    document.dereference(object).ok().map(|(_, object)| object)
}

fn signature_dictionary(field: &FieldOptions, signer_name: &str, at: OffsetDateTime, room: usize) -> (Vec<u8>, Range<usize>) {
    let format = format_description!("D:[year][month][day][hour][minute][second]Z");
    let claimed = at.to_offset(UtcOffset::UTC).format(format).unwrap_or_default();
    let mut facts = dictionary! {
        "Type" => "Sig",
        "Filter" => "Adobe.PPKLite",
        "SubFilter" => "ETSI.CAdES.detached",
        "Name" => text(signer_name),
        "M" => Object::string_literal(claimed),
    };
    for (key, value) in [("Reason", &field.reason), ("Location", &field.location)] {
        if let Some(value) = value {
            facts.set(key, text(value));
        }
    }
    let mut bytes = serialized(&Object::Dictionary(facts));
    // Reopen the dictionary: these two entries have places of their own.
    bytes.truncate(bytes.len() - 2);
    bytes.extend_from_slice(b"/ByteRange[");
    bytes.resize(bytes.len() + BYTE_RANGE_ROOM, b' ');
    bytes.extend_from_slice(CONTENTS.as_bytes());
    let start = bytes.len();
    bytes.push(b'<');
    bytes.resize(bytes.len() + 2 * room, b'0');
    bytes.push(b'>');
    let end = bytes.len();
    bytes.extend_from_slice(b">>");
    (bytes, start..end)
}

/// Zero-sized, so that accessibility rules leave it alone (PDF/UA-1, 7.18.4), and still with a name to be spoken.
fn widget(field: &FieldOptions, name: &str, page: ObjectId, signature: ObjectId, appearance: ObjectId) -> Object {
    Object::Dictionary(dictionary! {
        "Type" => "Annot",
        "Subtype" => "Widget",
        "FT" => "Sig",
        "T" => text(name),
        "TU" => text(&field.tooltip),
        "V" => signature,
        // Print and Locked.
        "F" => 132,
        "Rect" => vec![0.into(), 0.into(), 0.into(), 0.into()],
        "P" => page,
        "AP" => dictionary! { "N" => appearance },
    })
}

/// The name, with a number where the document's own form has a field of that name.
fn free_name(document: &Document, catalog: &Dictionary, wanted: &str) -> String {
    let form = catalog
        .get(b"AcroForm")
        .ok()
        .and_then(|form| resolved(document, form)?.as_dict().ok());
    let fields = form.and_then(|form| resolved(document, form.get(b"Fields").ok()?)?.as_array().ok());
    let taken: HashSet<&[u8]> = fields
        .into_iter()
        .flatten()
        .filter_map(|field| resolved(document, field)?.as_dict().ok()?.get(b"T").ok()?.as_str().ok())
        .collect();
    let candidates = (2_u32..).map(|number| format!("{wanted}-{number}"));
    let free = |name: &String| match text(name) {
        Object::String(written, _) => !taken.contains(written.as_slice()),
        _ => false,
    };
    std::iter::once(wanted.to_owned())
        .chain(candidates)
        .find(free)
        .unwrap_or_else(|| wanted.to_owned())
}

fn page_with(document: &Document, page: &Dictionary, widget: ObjectId) -> Dictionary {
    let mut page = page.clone();
    let annotations = page
        .get(b"Annots")
        .ok()
        .and_then(|annotations| resolved(document, annotations)?.as_array().ok());
    let mut annotations = annotations.cloned().unwrap_or_default();
    annotations.push(widget.into());
    page.set("Annots", annotations);
    // PDF/UA-1, 7.18.3: a page with an annotation says in which order to walk through them.
    page.set("Tabs", "S");
    page
}

fn catalog_with(document: &Document, catalog: &Dictionary, widget: ObjectId) -> Result<Dictionary, PdfProblem> {
    let mut catalog = catalog.clone();
    let form = catalog
        .get(b"AcroForm")
        .ok()
        .and_then(|form| resolved(document, form)?.as_dict().ok());
    let mut form = form.cloned().unwrap_or_default();
    if form.has(b"XFA") {
        return Err(PdfProblem::Xfa);
    }
    let fields = form
        .get(b"Fields")
        .ok()
        .and_then(|fields| resolved(document, fields)?.as_array().ok());
    let mut fields = fields.cloned().unwrap_or_default();
    fields.push(widget.into());
    form.set("Fields", fields);
    // SignaturesExist and AppendOnly.
    form.set("SigFlags", 3);
    catalog.set("AcroForm", form);
    Ok(catalog)
}

/// New versions of objects, written behind the document in the way the document itself lists its objects.
struct Update {
    bytes: Zeroizing<Vec<u8>>,
    places: BTreeMap<u32, (usize, u16)>,
    id: digest::Digest,
}

impl Update {
    /// `room` is about how much will be written.
    fn after(pdf: &[u8], room: usize) -> Self {
        // A buffer that grows leaves copies behind, which nobody wipes.
        let mut bytes = Zeroizing::new(Vec::with_capacity(pdf.len() + room + 16 * 1024));
        bytes.extend_from_slice(pdf);
        if bytes.last() != Some(&b'\n') {
            bytes.push(b'\n');
        }
        Self {
            bytes,
            places: BTreeMap::new(),
            id: digest::digest(&digest::SHA256, pdf),
        }
    }

    fn put_object(&mut self, id: ObjectId, object: &Object) {
        self.put(id, &serialized(object));
    }

    /// Returns where the body begins.
    fn put(&mut self, id: ObjectId, body: &[u8]) -> usize {
        self.places.insert(id.0, (self.bytes.len(), id.1));
        self.bytes.extend_from_slice(format!("{} {} obj\n", id.0, id.1).as_bytes());
        let start = self.bytes.len();
        self.bytes.extend_from_slice(body);
        self.bytes.extend_from_slice(b"\nendobj\n");
        start
    }

    fn finish(mut self, document: &Document, next_id: u32) -> Zeroizing<Vec<u8>> {
        let start = self.bytes.len();
        let mut trailer = dictionary! { "Prev" => i64::try_from(document.xref_start).unwrap_or_default() };
        for key in ["Root", "Info"] {
            if let Ok(value) = document.trailer.get(key.as_bytes()) {
                trailer.set(key, value.clone());
            }
        }
        let fresh = Object::String(self.id.as_ref().iter().take(16).copied().collect(), StringFormat::Hexadecimal);
        let first = document
            .trailer
            .get(b"ID")
            .and_then(Object::as_array)
            .ok()
            .and_then(|id| id.first())
            .cloned();
        trailer.set("ID", vec![first.unwrap_or_else(|| fresh.clone()), fresh]);

        match document.reference_table.cross_reference_type {
            XrefType::CrossReferenceTable => {
                trailer.set("Size", i64::from(next_id));
                self.bytes.extend_from_slice(b"xref\n");
                for section in self.sections() {
                    self.bytes
                        .extend_from_slice(format!("{} {}\n", section.start, section.len()).as_bytes());
                    for id in section {
                        let (offset, generation) = self.places.get(&id).copied().unwrap_or_default();
                        self.bytes
                            .extend_from_slice(format!("{offset:010} {generation:05} n \n").as_bytes());
                    }
                }
                self.bytes.extend_from_slice(b"trailer\n");
                self.bytes.extend_from_slice(&serialized(&Object::Dictionary(trailer)));
                self.bytes.push(b'\n');
            }
            XrefType::CrossReferenceStream => {
                self.places.insert(next_id, (start, 0));
                let mut index = Vec::new();
                let mut entries = Vec::new();
                for section in self.sections() {
                    index.push(i64::from(section.start).into());
                    index.push(i64::try_from(section.len()).unwrap_or_default().into());
                    for id in section {
                        let (offset, generation) = self.places.get(&id).copied().unwrap_or_default();
                        entries.push(1);
                        entries.extend_from_slice(&u32::try_from(offset).unwrap_or_default().to_be_bytes());
                        entries.extend_from_slice(&generation.to_be_bytes());
                    }
                }
                trailer.set("Type", "XRef");
                trailer.set("Size", i64::from(next_id) + 1);
                trailer.set("W", vec![1.into(), 4.into(), 2.into()]);
                trailer.set("Index", index);
                trailer.set("Length", i64::try_from(entries.len()).unwrap_or_default());
                let mut body = serialized(&Object::Dictionary(trailer));
                body.extend_from_slice(b"\nstream\n");
                body.extend_from_slice(&entries);
                body.extend_from_slice(b"\nendstream");
                self.put((next_id, 0), &body);
            }
        }
        self.bytes.extend_from_slice(format!("startxref\n{start}\n%%EOF\n").as_bytes());
        self.bytes
    }

    /// Runs of object numbers without holes.
    fn sections(&self) -> Vec<Range<u32>> {
        let mut sections: Vec<Range<u32>> = Vec::new();
        for id in self.places.keys().copied() {
            match sections.last_mut() {
                Some(section) if section.end == id => section.end = id + 1,
                _ => sections.push(id..id + 1),
            }
        }
        sections
    }
}

fn serialized(object: &Object) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing into memory cannot fail.
    let _ = Writer::write_object(&mut bytes, object);
    bytes
}

/// A text string: as it is in ASCII, else UTF-16 with its mark (ISO 32000-1, 7.9.2.2).
fn text(value: &str) -> Object {
    if value.is_ascii() {
        return Object::string_literal(value);
    }
    let units = std::iter::once(0xFEFF).chain(value.encode_utf16());
    Object::String(units.flat_map(u16::to_be_bytes).collect(), StringFormat::Hexadecimal)
}

const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 }
}

fn unhex(hex: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !hex.len().is_multiple_of(2) {
        return None;
    }
    hex.chunks_exact(2)
        .map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.last()?)?))
        .collect()
}

/// How long the DER value at the start of `bytes` is, header included.
fn der_length(bytes: &[u8]) -> Option<usize> {
    use der::{Decode as _, Encode as _, Header, Reader as _, SliceReader};
    let mut reader = SliceReader::new(bytes).ok()?;
    let header = Header::decode(&mut reader).ok()?;
    let whole = (header.encoded_len().ok()? + header.length).ok()?;
    // The reader has consumed what the header takes in the file.
    let written = usize::try_from(reader.position()).ok()?;
    let length = usize::try_from(header.length).ok()?;
    (usize::try_from(whole).ok()? == written + length).then_some(written + length)
}

/// How often a dictionary key is written in `bytes`, however its characters are spelled (`/Byte#52ange`).
fn count_names(bytes: &[u8], name: &[u8]) -> usize {
    bytes
        .split(|byte| *byte == b'/')
        .skip(1)
        .filter(|rest| spelled(rest) == name)
        .count()
}

fn spelled(rest: &[u8]) -> Vec<u8> {
    let end = rest
        .iter()
        .position(|byte| b" \t\r\n\x0C\0()<>[]{}/%".contains(byte))
        .unwrap_or(rest.len());
    let (mut name, mut left) = (Vec::new(), rest.get(..end).unwrap_or_default());
    while let [first, others @ ..] = left {
        match (first, others.get(..2).and_then(unhex)) {
            (b'#', Some(byte)) => {
                name.extend(byte);
                left = others.get(2..).unwrap_or_default();
            }
            _ => {
                name.push(*first);
                left = others;
            }
        }
    }
    name
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_counted_however_it_is_spelled() {
        assert_eq!(count_names(b"<</ByteRange[0 1]/Byte#52ange [2]/ByteRanges/Byte", b"ByteRange"), 2);
    }

    #[test]
    fn hexadecimal_goes_both_ways() {
        let bytes: Vec<u8> = (0..=255).collect();
        let hex: Vec<u8> = bytes.iter().flat_map(|byte| [hex_digit(byte >> 4), hex_digit(byte & 15)]).collect();
        assert_eq!(unhex(&hex), Some(bytes));
        assert_eq!(unhex(b"0"), None);
        assert_eq!(unhex(b"0g"), None);
        assert_eq!(unhex(b"+1"), None);
    }

    #[test]
    fn accents_are_written_as_utf_16() {
        assert_eq!(text("Lux"), Object::string_literal("Lux"));
        assert_eq!(serialized(&text("É")), b"<FEFF00C9>");
    }

    #[test]
    fn der_ends_where_its_header_says() {
        assert_eq!(der_length(&[0x30, 1, 0, 0, 0]), Some(3));
        assert_eq!(der_length(&[0x30, 0x82, 1, 0]), Some(260));
        assert_eq!(der_length(&[0x30, 0x80, 0, 0]), None, "BER");
        assert_eq!(der_length(&[]), None);
    }
}
