//! The signed PDF that travels inside a document.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use super::{Fault, fields::invalid};

/// The base64 of a `document` element without white space, when a signed PDF is in it.
pub(super) fn signed(content: &str) -> Result<String, Fault> {
    let encoded: String = content.split_ascii_whitespace().collect();
    let pdf = BASE64.decode(&encoded).map_err(|_| invalid("document", "n'est pas en base64"))?;
    if reaches_its_end(&pdf) {
        Ok(encoded)
    } else {
        Err(invalid("document", "n'est pas un PDF signé"))
    }
}

/// A PDF whose last signature reaches to its end.
fn reaches_its_end(pdf: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pdf);
    let Some((_, range)) = text.rsplit_once("/ByteRange") else {
        return false;
    };
    let Some((range, _)) = range.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return false;
    };
    let numbers: Vec<usize> = range.split_ascii_whitespace().filter_map(|n| n.parse().ok()).collect();
    pdf.starts_with(b"%PDF-")
        && matches!(numbers.as_slice(), [0, first, second, length] if first < second && second.checked_add(*length) == Some(pdf.len()))
}

#[cfg(test)]
mod tests {
    use super::reaches_its_end;

    #[test]
    fn a_pdf_counts_as_signed_when_the_signature_reaches_its_end() {
        let pdf = b"%PDF-1.7 /ByteRange [0 10 20 23]xxxxxxxxxxx".to_vec();
        assert_eq!(pdf.len(), 43);
        assert!(reaches_its_end(&pdf));
        assert!(!reaches_its_end(&[pdf.as_slice(), b"more"].concat()));
        assert!(!reaches_its_end(b"%PDF-1.7 nothing"));
        assert!(!reaches_its_end(b"/ByteRange [0 1 2 21]xxxx"));
        assert!(!reaches_its_end(b"%PDF-1.7 /ByteRange [0 1 2 18446744073709551615]"));
    }
}
