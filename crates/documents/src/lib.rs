//! Checked values to pages: PDF/A-2a with PDF/UA-1 for signing and archiving, SVG for the screen. The layout is the pack's
//! (Typst), the engine sees nothing but the pack's pages, our fonts and one file of values. Same input, same bytes.

mod datamatrix;
mod error;
mod pages;
mod typesetter;
mod work;
mod world;

pub use error::DocumentError;
pub use pages::{LARGEST_SVG, draw};
pub use typesetter::{Content, Document, DocumentFacts, Typesetter};
pub use work::Work;
