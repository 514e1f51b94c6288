//! The eCIT deposit: its structure (the same as xsd/ecit.xsd), and what a clerk's program would object to.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use time::{Date, Duration, format_description::BorrowedFormatItem, macros::format_description};
use uppsala::{Document, NodeId};
use uuid::Uuid;

use super::{Fault, exchange::Anomaly, ns};
use crate::xml::{elements, is};

const ISO_DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const CAUSES: [&str; 5] = [
    "MALADIE",
    "ACCIDENT_TRAVAIL",
    "ACCIDENT_TRAJET",
    "ACCIDENT_AUTRE",
    "MALADIE_PROFESSIONNELLE",
];

/// A certificate whose structure is right.
pub(super) struct Certificate {
    pub(super) uuid: String,
    pub(super) provider_code: String,
    pub(super) ehealth_id: String,
    matricule: String,
    first_day: Date,
    last_day: Date,
    finding: Date,
    /// base64, without white space.
    pub(super) pdf: String,
}

pub(super) fn read(document: &Document<'_>, root: NodeId) -> Result<Certificate, Fault> {
    if !is(document, root, ns::CNS, "certificatIncapaciteTravail") {
        return Err(invalid("certificatIncapaciteTravail", "élément inattendu"));
    }
    let mut root = Sequence::new(document, root, "certificatIncapaciteTravail");

    let mut head = root.sequence("entete")?;
    let uuid = head.text("UUID", |t| t.len() == 36 && Uuid::try_parse(t).is_ok())?;
    head.date("dateEtablissement")?;
    let mut physician = head.sequence("medecin")?;
    let provider_code = physician.text("codePrestataire", |t| digits(t, 8))?;
    physician.text("nom", |t| length(t, 1, 150))?;
    let ehealth_id = physician.text("identifiantESante", |t| digits(t, 10))?;
    physician.end()?;
    head.end()?;

    let mut patient = root.sequence("patient")?;
    let matricule = patient.text("matricule", |t| digits(t, 13) && !t.starts_with('0'))?;
    patient.optional("nom", |t| length(t, 1, 150))?;
    patient.optional("prenom", |t| length(t, 1, 100))?;
    patient.end()?;

    let mut incapacity = root.sequence("incapacite")?;
    incapacity.text("type", |t| CAUSES.contains(&t))?;
    let first_day = incapacity.date("dateDebut")?;
    let last_day = incapacity.date("dateFin")?;
    let finding = incapacity.date("dateConstatation")?;
    incapacity.text("codeDiagnostic", |t| length(t, 1, 10))?;
    incapacity.text("prolongation", boolean)?;
    incapacity.text("sorties", boolean)?;
    if let Some(mut accident) = incapacity.optional_sequence("accident")? {
        accident.optional("numeroAccident", |t| t.strip_prefix(['U', 'L']).is_some_and(|rest| digits(rest, 9)))?;
        accident.optional("dateAccident", |t| Date::parse(t, ISO_DATE).is_ok())?;
        accident.end()?;
    }
    incapacity.end()?;

    let encoded: String = root.text("document", |_| true)?.split_ascii_whitespace().collect();
    root.end()?;
    let pdf = BASE64.decode(&encoded).map_err(|_| invalid("document", "n'est pas en base64"))?;
    if !is_signed_pdf(&pdf) {
        return Err(invalid("document", "n'est pas un PDF signé"));
    }
    Ok(Certificate {
        uuid,
        provider_code,
        ehealth_id,
        matricule,
        first_day,
        last_day,
        finding,
        pdf: encoded,
    })
}

/// What is wrong with a certificate that could be read.
pub(super) fn review(certificate: &Certificate) -> Vec<Anomaly> {
    let mut anomalies = Vec::new();
    let mut note = |refuses, code, reason: &str| {
        anomalies.push(Anomaly {
            refuses,
            code,
            reason: reason.to_owned(),
        })
    };
    if !has_valid_check_digits(&certificate.matricule) {
        note(true, "MATRICULE", "Matricule inconnu");
    }
    if certificate.last_day < certificate.first_day {
        note(true, "PERIODE", "La fin de l'incapacité précède son début");
    }
    if certificate.finding > certificate.first_day + Duration::days(2) {
        note(false, "CONSTATATION_TARDIVE", "Constatation après le 3e jour d'incapacité");
    }
    anomalies
}

/// The children of an element, which come in order and without a namespace, as in the schema of the MH.
struct Sequence<'d, 'a> {
    document: &'d Document<'a>,
    children: std::iter::Peekable<std::vec::IntoIter<NodeId>>,
    name: &'static str,
}

impl<'d, 'a> Sequence<'d, 'a> {
    fn new(document: &'d Document<'a>, node: NodeId, name: &'static str) -> Self {
        Self {
            document,
            children: elements(document, node).into_iter().peekable(),
            name,
        }
    }

    fn next(&mut self, name: &str) -> Option<NodeId> {
        let document = self.document;
        self.children
            .next_if(|node| document.element(*node).is_some_and(|element| element.name.matches(None, name)))
    }

    fn text(&mut self, name: &'static str, is_right: impl Fn(&str) -> bool) -> Result<String, Fault> {
        self.optional(name, is_right)?.ok_or_else(|| invalid(name, "absent ou mal placé"))
    }

    fn optional(&mut self, name: &'static str, is_right: impl Fn(&str) -> bool) -> Result<Option<String>, Fault> {
        let Some(node) = self.next(name) else { return Ok(None) };
        let text = self.document.text_content_deep(node);
        if !elements(self.document, node).is_empty() || !is_right(&text) {
            return Err(invalid(name, "valeur invalide"));
        }
        Ok(Some(text))
    }

    fn date(&mut self, name: &'static str) -> Result<Date, Fault> {
        let text = self.text(name, |_| true)?;
        Date::parse(&text, ISO_DATE).map_err(|_| invalid(name, "date invalide"))
    }

    fn sequence(&mut self, name: &'static str) -> Result<Self, Fault> {
        self.optional_sequence(name)?.ok_or_else(|| invalid(name, "absent ou mal placé"))
    }

    fn optional_sequence(&mut self, name: &'static str) -> Result<Option<Self>, Fault> {
        Ok(self.next(name).map(|node| Self::new(self.document, node, name)))
    }

    fn end(mut self) -> Result<(), Fault> {
        if self.children.next().is_some() {
            Err(invalid(self.name, "contient un élément inattendu"))
        } else {
            Ok(())
        }
    }
}

fn invalid(element: &str, why: &str) -> Fault {
    Fault::client("DOCUMENT_INVALIDE", format!("{element} : {why}"))
}

fn digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|b| b.is_ascii_digit())
}

fn length(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.chars().count())
}

fn boolean(text: &str) -> bool {
    matches!(text, "true" | "false" | "1" | "0")
}

/// A PDF whose last signature reaches to its end.
fn is_signed_pdf(pdf: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pdf);
    let Some((_, range)) = text.rsplit_once("/ByteRange") else {
        return false;
    };
    let Some(range) = range.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return false;
    };
    let numbers: Vec<usize> = range.0.split_ascii_whitespace().filter_map(|n| n.parse().ok()).collect();
    pdf.starts_with(b"%PDF-") && matches!(numbers.as_slice(), [0, first, second, length] if first < second && second + length == pdf.len())
}

/// C1 by Luhn, C2 by Verhoeff, both over the first eleven digits (luxembourg.md §1). Written apart from the client's check on purpose.
fn has_valid_check_digits(matricule: &str) -> bool {
    let digits: Vec<usize> = matricule.bytes().map(|b| usize::from(b.wrapping_sub(b'0'))).collect();
    let [base @ .., luhn, verhoeff] = digits.as_slice() else {
        return false;
    };
    luhn_of(base) == *luhn && verhoeff_of(base) == *verhoeff
}

fn luhn_of(digits: &[usize]) -> usize {
    let doubled = |d: usize| if d * 2 > 9 { d * 2 - 9 } else { d * 2 };
    let sum: usize = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| if i % 2 == 0 { doubled(*d) } else { *d })
        .sum();
    (10 - sum % 10) % 10
}

/// The dihedral group D5 in closed form: 0–4 are rotations, 5–9 reflections.
fn verhoeff_of(digits: &[usize]) -> usize {
    const PERMUTATION: [usize; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let product = |a: usize, b: usize| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b) % 5,
        (false, true) => 5 + (a + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let permuted = |digit: usize, times: usize| (0..times % 8).fold(digit, |d, _| PERMUTATION.get(d).copied().unwrap_or(d));
    let check = digits
        .iter()
        .rev()
        .enumerate()
        .fold(0, |check, (i, d)| product(check, permuted(*d, i + 1)));
    if check < 5 { (5 - check) % 5 } else { check }
}

#[cfg(test)]
mod tests {
    use super::{has_valid_check_digits, is_signed_pdf, read};

    #[test]
    fn check_digits_of_the_published_examples() {
        let valid = [
            "1893120105732",
            "1987110803276",
            "1988123048083",
            "1980010145728",
            "1970050299902",
            "4005021384333",
            "3934052492435",
            "1985061501293",
            "2024022912336",
            "1980000000109",
        ];
        for matricule in valid {
            assert!(has_valid_check_digits(matricule), "{matricule}");
        }
        for matricule in ["1893120105733", "1893120105702", "1980010145718", "1980010145723", "3934052492438"] {
            assert!(!has_valid_check_digits(matricule), "{matricule}");
        }
    }

    #[test]
    fn a_pdf_counts_as_signed_when_the_signature_reaches_its_end() {
        let pdf = b"%PDF-1.7 /ByteRange [0 10 20 23]xxxxxxxxxxx".to_vec();
        assert_eq!(pdf.len(), 43);
        assert!(is_signed_pdf(&pdf));
        assert!(!is_signed_pdf(&[pdf.as_slice(), b"more"].concat()));
        assert!(!is_signed_pdf(b"%PDF-1.7 nothing"));
        assert!(!is_signed_pdf(b"/ByteRange [0 1 2 21]xxxx"));
    }

    const EXAMPLE: &str = include_str!("../../tests/data/ecit.xml");

    fn objection(xml: &str) -> Option<String> {
        let document = crate::xml::parse(xml).unwrap();
        read(&document, document.document_element().unwrap())
            .err()
            .map(|fault| fault.message)
    }

    #[test]
    fn structure_is_checked_as_by_the_schema() {
        assert_eq!(objection(EXAMPLE), None);
        let changes = [
            ("cns:certificat", "cns:autre", "certificatIncapaciteTravail"),
            ("<UUID>0f0f3b3c-", "<UUID>0f0f3b3c", "UUID"),
            ("<codePrestataire>90000101", "<codePrestataire>9000010", "codePrestataire"),
            ("<nom>Dr Anne Weber</nom>", "", "nom"),
            ("<matricule>1", "<matricule>0", "matricule"),
            ("<type>MALADIE</type>", "<type>GRIPPE</type>", "type"),
            (
                "<dateDebut>2026-11-02</dateDebut>",
                "<dateDebut>2026-02-30</dateDebut>",
                "dateDebut",
            ),
            (
                "<prolongation>false</prolongation><sorties>true</sorties>",
                "<sorties>true</sorties><prolongation>false</prolongation>",
                "prolongation",
            ),
            ("<codeDiagnostic>12", "<codeDiagnostic>12345678901", "codeDiagnostic"),
            ("<numeroAccident>U123456789", "<numeroAccident>X123456789", "numeroAccident"),
            ("</patient>", "<age>3</age></patient>", "patient"),
            ("<document>", "<document>!", "document"),
            ("</document>", "</document><document>x</document>", "certificatIncapaciteTravail"),
        ];
        for (from, to, blamed) in changes {
            assert!(EXAMPLE.contains(from), "{from}");
            let message = objection(&EXAMPLE.replace(from, to)).unwrap_or_default();
            assert!(message.starts_with(blamed), "{to}: {message}");
        }
    }
}
