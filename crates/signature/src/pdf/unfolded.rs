//! What a PDF unfolds to. Programs that draw it undo its compression as far as it goes: a small file must not make them hold gigabytes.

use lopdf::{DecompressError, Dictionary, Document, Error, Object, Stream};

use super::resolved;
use crate::PdfProblem;

/// What all streams of a document may hold together once decompressed, in bytes: ten pages scanned in colour at 300 dpi.
const MOST: usize = 256 * 1024 * 1024;
/// What one stream may hold, in bytes: a page scanned in colour at 300 dpi.
const MOST_IN_ONE: usize = 32 * 1024 * 1024;

/// Whether a document stays within bounds when all of it is decompressed.
pub(super) fn check(document: &Document) -> Result<(), PdfProblem> {
    let mut left = MOST;
    for stream in document.objects.values().filter_map(|object| object.as_stream().ok()) {
        left -= size(document, stream, left.min(MOST_IN_ONE)).ok_or(PdfProblem::TooLarge)?;
    }
    Ok(())
}

/// How large the stream is without its compression; `None` when there is more of it than `most` bytes. Formats of images stay as they are,
/// and a damaged stream is empty.
fn size(document: &Document, stream: &Stream, most: usize) -> Option<usize> {
    let named = stream.dict.get(b"Filter").ok().and_then(|filter| resolved(document, filter));
    let names: Vec<&Object> = match named {
        Some(Object::Array(names)) => names.iter().filter_map(|name| resolved(document, name)).collect(),
        name => name.into_iter().collect(),
    };
    let compressions: Vec<Object> = names.into_iter().map_while(compression).collect();
    if compressions.is_empty() {
        return (stream.content.len() <= most).then_some(stream.content.len());
    }
    let mut dictionary = Dictionary::new();
    dictionary.set("Filter", Object::Array(compressions));
    if let Some(parameters) = stream.dict.get(b"DecodeParms").ok().and_then(|found| resolved(document, found)) {
        dictionary.set("DecodeParms", parameters.clone());
    }
    let folded = Stream::new(dictionary, stream.content.clone());
    match folded.decompressed_content_with_limit(most) {
        Err(Error::Decompress(DecompressError::MemoryLimitExceeded { .. } | DecompressError::TooManyFilters { .. })) => None,
        unfolded => Some(unfolded.map_or(0, |plain| plain.len())),
    }
}

/// A compression by its full name; abbreviations are for images inside pages, and some programs take them everywhere.
fn compression(name: &Object) -> Option<Object> {
    let full = match name.as_name().ok()? {
        b"FlateDecode" | b"Fl" => "FlateDecode",
        b"LZWDecode" | b"LZW" => "LZWDecode",
        b"ASCII85Decode" | b"A85" => "ASCII85Decode",
        b"ASCIIHexDecode" | b"AHx" => "ASCIIHexDecode",
        b"RunLengthDecode" | b"RL" => "RunLengthDecode",
        _ => return None,
    };
    Some(full.into())
}
