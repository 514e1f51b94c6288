use std::borrow::Cow;

use econnector_base::{Explain, Fault};
use econnector_forms::PackError;

/// Why a page could not be made. Holds no value that was typed, but for a single character that cannot be printed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The pack refused: unknown volet, values of another pack.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A character that the fonts of the form do not have: printing a name without it would falsify it.
    #[error("the character U+{:04X} in {field} cannot be printed", u32::from(*.character))]
    MissingGlyph {
        /// The field it stands in.
        field: String,
        /// The character.
        character: char,
    },
    /// The page template does not work.
    #[error("{file}, line {line}: the page cannot be set. {reason}")]
    Template {
        /// The template, a path inside the pack.
        file: String,
        /// Counted from 1; 0 when unknown.
        line: usize,
        /// The engine's words; empty unless the values are the pack's own examples, for the engine may quote a value.
        reason: String,
    },
    /// The page does not meet PDF/A-2a and PDF/UA-1.
    #[error("the page is no valid PDF/A. {reason}")]
    Standard {
        /// The engine's words; empty unless the values are the pack's own examples.
        reason: String,
    },
    /// The content does not fit into a DataMatrix.
    #[error("the DataMatrix cannot be made")]
    DataMatrix,
    /// A finished PDF cannot be drawn.
    #[error("the PDF cannot be drawn: {0}")]
    Unreadable(Cow<'static, str>),
    /// The document has fewer pages.
    #[error("no page {page}: the document has {pages}")]
    NoSuchPage {
        /// The page asked for, counted from 1.
        page: usize,
        /// How many there are.
        pages: usize,
    },
}

impl Explain for DocumentError {
    fn code(&self) -> &'static str {
        match self {
            Self::Pack(error) => error.code(),
            Self::MissingGlyph { .. } => "document-character-unprintable",
            Self::NoSuchPage { .. } => "document-page-unknown",
            Self::Unreadable(_) => "pdf-unusable",
            Self::Template { .. } | Self::Standard { .. } | Self::DataMatrix => "document-template-broken",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Pack(error) => error.fault(),
            Self::MissingGlyph { .. } | Self::NoSuchPage { .. } | Self::Unreadable(_) => Fault::You,
            _ => Fault::Us,
        }
    }
}
