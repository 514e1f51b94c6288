//! Small documents to be signed.

use std::sync::Arc;

use econnector_base::Secret;
use econnector_signature::{Bearer, Expected, FieldOptions, SignatureError, SignedPdf, sign_pdf};
use lopdf::{Document, Object, SaveOptions, Stream, dictionary};

use crate::authority::{Authority, EHEALTH_ID, now};

#[derive(Clone, Copy, Debug)]
pub enum Style {
    /// PDF 1.4: a table of objects in plain text.
    Classic,
    /// PDF 1.5: the table in a stream, objects in compressed streams.
    Streams,
}

/// One page, with a form of one text field and an annotation, as practice software may print it.
pub fn document() -> Document {
    let mut document = Document::with_version("1.7");
    let pages = document.new_object_id();
    let font = document.add_object(dictionary! { "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica" });
    let text = b"BT /F1 24 Tf 72 700 Td (Certificat fictif) Tj ET".to_vec();
    let content = document.add_object(Stream::new(dictionary! {}, text));
    let page = document.new_object_id();
    let field = document.add_object(dictionary! {
        "Type" => "Annot", "Subtype" => "Widget", "FT" => "Tx", "T" => Object::string_literal("Remarque"), "F" => 4,
        "Rect" => vec![72.into(), 600.into(), 200.into(), 620.into()], "P" => page,
    });
    let annotations = document.add_object(Object::Array(vec![field.into()]));
    document.objects.insert(
        page,
        Object::Dictionary(dictionary! {
            "Type" => "Page", "Parent" => pages, "Contents" => content, "Annots" => annotations,
            "MediaBox" => vec![0.into(), 0.into(), 595.into(), 842.into()],
            "Resources" => dictionary! { "Font" => dictionary! { "F1" => font } },
        }),
    );
    document.objects.insert(
        pages,
        Object::Dictionary(dictionary! {
            "Type" => "Pages", "Kids" => vec![page.into()], "Count" => 1,
        }),
    );
    let form = document.add_object(dictionary! { "Fields" => vec![field.into()] });
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => pages, "AcroForm" => form });
    document.trailer.set("Root", catalog);
    let info = document.add_object(dictionary! { "Title" => Object::string_literal("Certificat fictif") });
    document.trailer.set("Info", info);
    document
}

pub fn pdf(style: Style) -> Vec<u8> {
    saved(document(), style)
}

pub fn saved(mut document: Document, style: Style) -> Vec<u8> {
    let streams = matches!(style, Style::Streams);
    let options = SaveOptions::builder().use_xref_streams(streams).use_object_streams(streams).build();
    if !streams {
        document.reference_table.cross_reference_type = lopdf::xref::XrefType::CrossReferenceTable;
    }
    let mut bytes = Vec::new();
    document.save_with_options(&mut bytes, options).unwrap();
    bytes
}

/// In nobody's name: these services do not look.
pub fn bearer() -> Bearer {
    Bearer {
        token: Arc::new(Secret::new("token")),
        subject: None,
    }
}

pub async fn sign(pdf: &[u8], authority: &Authority) -> Result<SignedPdf, SignatureError> {
    sign_for(pdf, authority, EHEALTH_ID).await
}

pub async fn sign_for(pdf: &[u8], authority: &Authority, ehealth_id: &str) -> Result<SignedPdf, SignatureError> {
    let field = FieldOptions {
        reason: Some("Certificat d'incapacité de travail".into()),
        location: Some("Luxembourg".into()),
        ..FieldOptions::default()
    };
    let expected = Expected { ehealth_id };
    sign_pdf(pdf, authority, &bearer(), &expected, &authority.trust(), now(), &field).await
}

pub fn gap(pdf: &[u8]) -> std::ops::Range<usize> {
    let at = pdf.windows(12).rposition(|window| window == b"/Contents<30").unwrap();
    let start = at + "/Contents".len();
    start..start + pdf[start..].iter().position(|byte| *byte == b'>').unwrap() + 1
}
