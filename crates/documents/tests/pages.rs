//! Pages of finished PDFs on the screen.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod support;

use std::sync::Arc;

use econnector_base::Explain as _;
use econnector_documents::{Content, DocumentError, draw};

const ELSEWHERE: [(&str, &[u8], usize); 3] = [
    (
        "reportlab",
        include_bytes!("../../signature/tests/suite/elsewhere/reportlab.pdf"),
        2,
    ),
    ("chromium", include_bytes!("../../signature/tests/suite/elsewhere/chromium.pdf"), 1),
    (
        "object streams",
        include_bytes!("../../signature/tests/suite/elsewhere/object-streams.pdf"),
        1,
    ),
];

fn drawn(pdf: &[u8], page: usize) -> Result<(String, usize), DocumentError> {
    draw(Arc::new(pdf.to_vec()), page)
}

#[test]
fn a_page_of_anybody_is_drawn_as_outlines() {
    for (producer, pdf, pages) in ELSEWHERE {
        let (svg, count) = drawn(pdf, pages).unwrap();
        assert_eq!(count, pages, "{producer}");
        assert!(svg.starts_with("<svg") && svg.contains("viewBox=\"0 0 "), "{producer}");
        // Glyphs of a text, not just a frame.
        assert!(svg.matches("<path").count() > 5, "{producer}: {}", svg.matches("<path").count());
        assert!(!svg.contains("<script") && !svg.contains("href=\"http"), "{producer}");
        for beyond in [0, pages + 1, usize::MAX] {
            assert!(
                matches!(drawn(pdf, beyond), Err(DocumentError::NoSuchPage { .. })),
                "{producer} {beyond}"
            );
        }
    }
}

#[test]
fn a_volet_looks_the_same_whether_it_is_drawn_from_its_layout_or_its_pdf() {
    let pack = support::pack("ecit");
    let checked = support::example(pack, "illness");
    let facts = support::facts(pack.example_day("illness").unwrap());
    let document = support::set(pack, "caisse", Content::Checked(&checked), &facts).unwrap();
    let pdf = document.pdf().unwrap();
    let (svg, pages) = drawn(&pdf, 1).unwrap();
    assert_eq!(pages, document.pages());
    let uses = |svg: &str| svg.matches("<use").count();
    let (from_pdf, from_layout) = (uses(&svg), uses(&document.svg(1).unwrap()));
    assert!(from_layout > 200, "{from_layout}");
    assert!(svg.contains("width=\"595.2756pt\"") && !svg.contains("style="), "{}", &svg[..300]);
    // Spaces have no outline, and one way of writing keeps them.
    assert!(from_pdf * 10 > from_layout * 8, "{from_pdf} of {from_layout} glyphs");
}

#[test]
fn what_is_no_pdf_is_refused_and_breaks_nothing() {
    for odd in [b"".as_slice(), b"%PDF-1.7", b"<svg/>", &[0; 1000]] {
        assert_eq!(drawn(odd, 1).unwrap_err().code(), "pdf-unusable");
    }
    assert_eq!(drawn(&vec![b' '; 17 * 1024 * 1024], 1).unwrap_err().code(), "pdf-unusable");
}

#[test]
fn the_same_bytes_make_the_same_page() {
    for (producer, pdf, _) in ELSEWHERE {
        assert_eq!(drawn(pdf, 1).unwrap(), drawn(pdf, 1).unwrap(), "{producer}");
    }
}
