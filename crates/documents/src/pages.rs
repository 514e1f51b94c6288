//! Pages of a finished PDF as SVG: what is shown is what was, or will be, signed, whoever made it.

use std::sync::Arc;

use hayro_svg::hayro_interpret::InterpreterSettings;
use hayro_svg::hayro_syntax::{LoadPdfError, Pdf};
use hayro_svg::{RenderCache, SvgRenderSettings, convert};

use crate::DocumentError;

/// Larger files are not opened, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;
/// A page may be this long or wide, in points: four times the longer side of A0.
const LONGEST_SIDE: f32 = 14_400.0;
/// A page that grows beyond this is not handed out, in bytes.
pub const LARGEST_SVG: usize = 32 * 1024 * 1024;

/// One page of a PDF as SVG for the screen, and the number of pages; texts are outlines. Pages count from 1. The same bytes make the same
/// page.
///
/// Neither time nor memory nor stack is limited here, and what draws may panic: a PDF that somebody else made is drawn in
/// `econnector-quarantine`.
///
/// # Errors
/// [`DocumentError::NoSuchPage`]; [`DocumentError::Unreadable`] for what is no PDF, is encrypted, or has a page that cannot be drawn.
pub fn draw<T>(pdf: Arc<T>, page: usize) -> Result<(String, usize), DocumentError>
where
    T: AsRef<[u8]> + Send + Sync + 'static,
{
    if (*pdf).as_ref().len() > LARGEST {
        return Err(unreadable("it is too large"));
    }
    let pdf = Pdf::new(pdf).map_err(|error| {
        unreadable(match error {
            LoadPdfError::Decryption(_) => "it is encrypted",
            LoadPdfError::Invalid => "it is no PDF",
        })
    })?;
    let pages = pdf.pages();
    let count = pages.len();
    let found = page.checked_sub(1).and_then(|index| pages.get(index));
    let found = found.ok_or(DocumentError::NoSuchPage { page, pages: count })?;
    let (width, height) = found.render_dimensions();
    if !(1.0..=LONGEST_SIDE).contains(&width) || !(1.0..=LONGEST_SIDE).contains(&height) {
        return Err(unreadable("a page has no usable size"));
    }
    let svg = convert(
        found,
        &RenderCache::new(),
        &InterpreterSettings::default(),
        &SvgRenderSettings::default(),
    );
    if svg.len() > LARGEST_SVG {
        return Err(unreadable("a page is too complicated"));
    }
    let (_, drawing) = svg.split_once('>').ok_or_else(|| unreadable("a page cannot be drawn"))?;
    Ok((format!("{}{drawing}", head(width, height)), count))
}

fn unreadable(why: &'static str) -> DocumentError {
    DocumentError::Unreadable(why.into())
}

/// As large as on paper, on white paper: without a style, which a strict page would not let in.
fn head(width: f32, height: f32) -> String {
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}pt\" height=\"{height}pt\" xmlns=\"http://www.w3.org/2000/svg\" \
         xmlns:xlink=\"http://www.w3.org/1999/xlink\"><path fill=\"#fff\" d=\"M0 0h{width}v{height}h-{width}z\"/>"
    )
}
