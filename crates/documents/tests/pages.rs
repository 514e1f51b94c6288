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

use std::time::{Duration, Instant};

use econnector_base::Explain as _;
use econnector_documents::{Content, DocumentError, pages_of_pdf};

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

#[test]
fn a_page_of_anybody_is_drawn_as_outlines() {
    for (producer, pdf, pages) in ELSEWHERE {
        let (svg, count) = pages_of_pdf(pdf, pages).unwrap();
        assert_eq!(count, pages, "{producer}");
        assert!(svg.starts_with("<svg") && svg.contains("viewBox=\"0 0 "), "{producer}");
        // Glyphs of a text, not just a frame.
        assert!(svg.matches("<path").count() > 5, "{producer}: {}", svg.matches("<path").count());
        assert!(!svg.contains("<script") && !svg.contains("href=\"http"), "{producer}");
        for beyond in [0, pages + 1, usize::MAX] {
            assert!(
                matches!(pages_of_pdf(pdf, beyond), Err(DocumentError::NoSuchPage { .. })),
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
    let (svg, pages) = pages_of_pdf(&pdf, 1).unwrap();
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
    let encrypted: &[u8] = include_bytes!("../../signature/tests/suite/elsewhere/encrypted.pdf");
    for odd in [b"".as_slice(), b"%PDF-1.7", b"<svg/>", &[0; 1000]] {
        assert_eq!(pages_of_pdf(odd, 1).unwrap_err().code(), "pdf-unusable");
    }
    assert_eq!(pages_of_pdf(&vec![b' '; 17 * 1024 * 1024], 1).unwrap_err().code(), "pdf-unusable");
    let _ = pages_of_pdf(encrypted, 1);
    let started = Instant::now();
    for (_, pdf, _) in ELSEWHERE {
        for at in (0..pdf.len()).step_by(pdf.len() / 24) {
            let mut changed = pdf.to_vec();
            changed[at] ^= 0x15;
            let _ = pages_of_pdf(&changed, 1);
            let _ = pages_of_pdf(&pdf[..at], 1);
        }
    }
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_form_that_shows_itself_ends() {
    let pdf = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
        3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>endobj\n\
        4 0 obj<</Length 5>>stream\n/X Do\nendstream endobj\n\
        5 0 obj<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 5 0 R>>>>/Length 11>>stream\n/X Do /X Do\nendstream endobj\n\
        trailer<</Root 1 0 R>>\n%%EOF";
    let started = Instant::now();
    let _ = pages_of_pdf(pdf, 1);
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

/// Forty forms, each of which shows the next one twice.
#[test]
fn forms_that_multiply_hold_nobody_up() {
    let mut pdf = String::from(
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
         3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>endobj\n\
         4 0 obj<</Length 5>>stream\n/X Do\nendstream endobj\n",
    );
    for number in 5..45 {
        pdf.push_str(&format!(
            "{number} 0 obj<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X {} 0 R>>>>/Length 11>>stream\n\
             /X Do /X Do\nendstream endobj\n",
            number + 1
        ));
    }
    pdf.push_str("45 0 obj<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Length 8>>stream\n0 0 1 1 re f\nendstream endobj\ntrailer<</Root 1 0 R>>\n%%EOF");
    let started = Instant::now();
    assert!(pages_of_pdf(pdf.as_bytes(), 1).is_err());
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}
