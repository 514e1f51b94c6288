//! Pages of a finished PDF as SVG: what is shown is what was, or will be, signed, whoever made it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use hayro_svg::hayro_interpret::InterpreterSettings;
use hayro_svg::hayro_syntax::{LoadPdfError, Pdf};
use hayro_svg::{RenderCache, SvgRenderSettings, convert};

use crate::DocumentError;

/// Larger files are not opened, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;
/// A page may be this long or wide, in points: four times the longer side of A0.
const LONGEST_SIDE: f32 = 14_400.0;
/// A page that grows beyond this is not handed out, in bytes of SVG.
const LARGEST_SVG: usize = 32 * 1024 * 1024;
/// A page takes some milliseconds; of one that takes longer than this nobody waits for the end.
const LONGEST: Duration = Duration::from_secs(10);
/// How many pages are drawn at a time.
const MOST_AT_ONCE: usize = 8;
/// Streams may be nested: the stack of the threads that answer others is too small for the worst of strangers' files.
const STACK: usize = 16 * 1024 * 1024;

/// One page of a PDF as SVG for the screen, and the number of pages; texts are outlines. Pages count from 1.
///
/// # Errors
/// [`DocumentError::NoSuchPage`]; [`DocumentError::Unreadable`] for what is no PDF, is encrypted, or has a page that cannot be drawn.
pub fn pages_of_pdf(pdf: &[u8], page: usize) -> Result<(String, usize), DocumentError> {
    if pdf.len() > LARGEST {
        return Err(DocumentError::Unreadable("it is too large"));
    }
    let at_work = AtWork::begin().ok_or(DocumentError::Unreadable("too many others are being drawn"))?;
    let data = Arc::new(pdf.to_vec());
    let (tell, told) = mpsc::channel();
    // A thread of its own confines what breaks on a damaged file, and what takes for ever on a hostile one.
    let drawn = thread::Builder::new().stack_size(STACK).spawn(move || {
        let _at_work = at_work;
        // Nobody may be waiting any more.
        let _ = tell.send(draw(data, page));
    });
    drawn.map_err(|_| DocumentError::Unreadable("no thread for it"))?;
    told.recv_timeout(LONGEST).unwrap_or_else(|error| {
        Err(DocumentError::Unreadable(match error {
            RecvTimeoutError::Timeout => "a page is too complicated",
            RecvTimeoutError::Disconnected => "it is damaged",
        }))
    })
}

/// One of the pages being drawn: those that never end must not take all cores.
struct AtWork;

static AT_WORK: AtomicUsize = AtomicUsize::new(0);

impl AtWork {
    fn begin() -> Option<Self> {
        let one_more = |count: usize| (count < MOST_AT_ONCE).then_some(count + 1);
        AT_WORK.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).ok()?;
        Some(Self)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        AT_WORK.fetch_sub(1, Ordering::SeqCst);
    }
}

fn draw(data: Arc<Vec<u8>>, page: usize) -> Result<(String, usize), DocumentError> {
    let pdf = Pdf::new(data).map_err(|error| {
        DocumentError::Unreadable(match error {
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
        return Err(DocumentError::Unreadable("a page has no usable size"));
    }
    let svg = convert(
        found,
        &RenderCache::new(),
        &InterpreterSettings::default(),
        &SvgRenderSettings::default(),
    );
    if svg.len() > LARGEST_SVG {
        return Err(DocumentError::Unreadable("a page is too complicated"));
    }
    let (_, drawing) = svg.split_once('>').ok_or(DocumentError::Unreadable("a page cannot be drawn"))?;
    Ok((format!("{}{drawing}", head(width, height)), count))
}

/// As large as on paper, on white paper: without a style, which a strict page would not let in.
fn head(width: f32, height: f32) -> String {
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}pt\" height=\"{height}pt\" xmlns=\"http://www.w3.org/2000/svg\" \
         xmlns:xlink=\"http://www.w3.org/1999/xlink\"><path fill=\"#fff\" d=\"M0 0h{width}v{height}h-{width}z\"/>"
    )
}
