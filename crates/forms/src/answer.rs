use econnector_base::{Explain, Fault};
use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::{Namespace, ResolveResult};
use serde::Serialize;

use crate::Severity;
use crate::definition::AnswerSource;

/// Larger answers are refused unread, in bytes.
const LARGEST: usize = 1024 * 1024;
/// Elements nested deeper are refused.
const DEEPEST: usize = 16;
/// Answers with more elements are refused.
const MOST_ELEMENTS: usize = 5_000;
/// Longest text kept of one element, in characters.
const LONGEST_TEXT: usize = 500;

/// What the authority answered to a deposit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The authority's own identifier of the document; absent when it refused before giving one.
    pub reference: Option<String>,
    /// The identifier of ours that it answers, to be compared with what was sent.
    pub document: Option<String>,
    /// What it found.
    pub anomalies: Vec<Anomaly>,
}

/// One remark of the authority, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Anomaly {
    /// An error means that the document was refused.
    pub severity: Severity,
    /// The authority's code.
    pub code: String,
    /// The authority's words; empty when it gave none.
    pub message: String,
}

/// Why an answer cannot be used. Holds nothing of the answer but element names of the pack.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// This form has no wire message, so no answer either.
    #[error("this form is not deposited")]
    NoWire,
    /// Too large, too deep or too many elements.
    #[error("the answer is larger than any real one")]
    TooLarge,
    /// Not well-formed.
    #[error("the answer is not well-formed XML")]
    NotXml,
    /// A document type declaration, an external or unknown entity, or a processing instruction.
    #[error("the answer holds a declaration that is not allowed")]
    Forbidden,
    /// Another root element or namespace.
    #[error("the answer is not a {expected}")]
    OtherRoot {
        /// The root the pack expects.
        expected: String,
    },
    /// A known element in a wrong namespace, twice, or with a value outside its type.
    #[error("the answer's element {element} cannot be used")]
    Unexpected {
        /// The element, as the pack names it.
        element: String,
    },
    /// Neither a reference nor an error.
    #[error("the answer has no {element}")]
    Missing {
        /// The element, as the pack names it.
        element: String,
    },
}

impl Answer {
    /// Whether the authority refused the document.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.anomalies.iter().any(|a| a.severity == Severity::Error)
    }
}

impl Explain for AnswerError {
    fn code(&self) -> &'static str {
        "deposit-answer-unreadable"
    }

    fn fault(&self) -> Fault {
        match self {
            Self::NoWire => Fault::Us,
            _ => Fault::Authority,
        }
    }
}

/// Reads an answer by the names the pack gives.
pub(crate) fn read(xml: &str, names: &AnswerSource) -> Result<Answer, AnswerError> {
    let root = parse(xml, &names.namespace)?;
    if root.name != names.root || !root.in_namespace {
        return Err(AnswerError::OtherRoot {
            expected: names.root.clone(),
        });
    }
    let reference = root.only(&names.reference)?.map(|e| identifier(e, &names.reference)).transpose()?;
    let document = root.only(&names.document)?.map(|e| identifier(e, &names.document)).transpose()?;
    let mut anomalies = Vec::new();
    for element in root.all(&names.anomaly)? {
        let severity = element.required(&names.severity)?;
        anomalies.push(Anomaly {
            severity: match severity.text.trim() {
                s if names.errors.iter().any(|e| e == s) => Severity::Error,
                s if names.warnings.iter().any(|w| w == s) => Severity::Warning,
                _ => return Err(unexpected(&names.severity)),
            },
            code: element.required(&names.code)?.words(),
            message: element.only(&names.message)?.map(Element::words).unwrap_or_default(),
        });
    }
    let answer = Answer {
        reference,
        document,
        anomalies,
    };
    if answer.reference.is_none() && !answer.is_refused() {
        return Err(AnswerError::Missing {
            element: names.reference.clone(),
        });
    }
    Ok(answer)
}

#[derive(Default)]
struct Element {
    name: String,
    in_namespace: bool,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn all(&self, name: &str) -> Result<Vec<&Self>, AnswerError> {
        let found: Vec<&Self> = self.children.iter().filter(|c| c.name == name).collect();
        if found.iter().all(|c| c.in_namespace) {
            Ok(found)
        } else {
            Err(unexpected(name))
        }
    }

    fn only(&self, name: &str) -> Result<Option<&Self>, AnswerError> {
        match self.all(name)?.as_slice() {
            [] => Ok(None),
            [one] if one.children.is_empty() => Ok(Some(one)),
            _ => Err(unexpected(name)),
        }
    }

    fn required(&self, name: &str) -> Result<&Self, AnswerError> {
        self.only(name)?.ok_or_else(|| AnswerError::Missing { element: name.to_owned() })
    }

    fn words(&self) -> String {
        let printable = self.text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
        printable.take(LONGEST_TEXT).collect()
    }
}

fn identifier(element: &Element, name: &str) -> Result<String, AnswerError> {
    let text = element.text.trim();
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if fits { Ok(text.to_owned()) } else { Err(unexpected(name)) }
}

fn unexpected(element: &str) -> AnswerError {
    AnswerError::Unexpected {
        element: element.to_owned(),
    }
}

fn parse(xml: &str, namespace: &str) -> Result<Element, AnswerError> {
    if xml.len() > LARGEST {
        return Err(AnswerError::TooLarge);
    }
    let mut reader = NsReader::from_str(xml);
    reader.config_mut().expand_empty_elements = true;
    reader.config_mut().enable_all_checks(true);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut elements = 0_usize;
    loop {
        let (resolved, event) = reader.read_resolved_event().map_err(|_| AnswerError::NotXml)?;
        match event {
            Event::Start(start) => {
                elements += 1;
                if open.len() >= DEEPEST || elements > MOST_ELEMENTS {
                    return Err(AnswerError::TooLarge);
                }
                if root.is_some() || matches!(resolved, ResolveResult::Unknown(_)) {
                    return Err(AnswerError::NotXml);
                }
                if start.attributes().any(|a| a.is_err()) {
                    return Err(AnswerError::NotXml);
                }
                open.push(Element {
                    name: start.local_name().as_ref().to_owned(),
                    in_namespace: matches!(resolved, ResolveResult::Bound(Namespace(n)) if n == namespace),
                    ..Element::default()
                });
            }
            Event::End(_) => {
                let closed = open.pop().ok_or(AnswerError::NotXml)?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(closed),
                    None => root = Some(closed),
                }
            }
            Event::Text(text) => append(&mut open, &text.xml10_content())?,
            Event::CData(text) => append(&mut open, &text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let c = match reference.resolve_char_ref() {
                    Ok(Some(c)) => c,
                    Ok(None) => match reference.into_inner().as_ref() {
                        "lt" => '<',
                        "gt" => '>',
                        "amp" => '&',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => return Err(AnswerError::Forbidden),
                    },
                    Err(_) => return Err(AnswerError::NotXml),
                };
                append(&mut open, c.encode_utf8(&mut [0; 4]))?;
            }
            Event::DocType(_) | Event::PI(_) => return Err(AnswerError::Forbidden),
            Event::Comment(_) | Event::Decl(_) => {}
            Event::Eof => break,
            Event::Empty(_) => return Err(AnswerError::NotXml),
        }
    }
    match root {
        Some(root) if open.is_empty() => Ok(root),
        _ => Err(AnswerError::NotXml),
    }
}

fn append(open: &mut [Element], text: &str) -> Result<(), AnswerError> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(AnswerError::NotXml),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Anomaly, Answer, AnswerError, read};
    use crate::Severity;
    use crate::definition::AnswerSource;

    fn names() -> AnswerSource {
        let text = |t: &str| t.to_owned();
        AnswerSource {
            namespace: text("urn:x"),
            root: text("reply"),
            reference: text("ref"),
            document: text("doc"),
            anomaly: text("remark"),
            severity: text("kind"),
            code: text("code"),
            message: text("words"),
            errors: vec![text("E")],
            warnings: vec![text("W")],
        }
    }

    fn refused(xml: &str) -> AnswerError {
        read(xml, &names()).unwrap_err()
    }

    #[test]
    fn reference_and_remarks_are_read() {
        let xml = "<?xml version='1.0'?><!-- hello --><a:reply xmlns:a='urn:x'><a:doc>D-1</a:doc><a:ref> R-2 </a:ref>\
                   <a:remark><a:kind>W</a:kind><a:code>17</a:code><a:words>d&#233;j&#xE0; &lt;vu&gt;<![CDATA[ & lu]]></a:words></a:remark>\
                   <a:later/></a:reply>";
        let expected = Answer {
            reference: Some("R-2".to_owned()),
            document: Some("D-1".to_owned()),
            anomalies: vec![Anomaly {
                severity: Severity::Warning,
                code: "17".to_owned(),
                message: "déjà <vu> & lu".to_owned(),
            }],
        };
        assert_eq!(read(xml, &names()), Ok(expected));
    }

    #[test]
    fn a_refusal_needs_no_reference() {
        let xml = "<reply xmlns='urn:x'><remark><kind>E</kind><code>9</code></remark></reply>";
        let answer = read(xml, &names()).unwrap();
        assert!(answer.is_refused());
        assert_eq!(answer.reference, None);
        assert_eq!(
            refused("<reply xmlns='urn:x'/>"),
            AnswerError::Missing { element: "ref".to_owned() }
        );
    }

    #[test]
    fn hostile_answers_are_refused() {
        let bomb = "<!DOCTYPE reply [<!ENTITY a 'aaaaaaaa'>]><reply xmlns='urn:x'><ref>&a;</ref></reply>";
        assert_eq!(refused(bomb), AnswerError::Forbidden);
        assert_eq!(refused("<reply xmlns='urn:x'><ref>&xxe;</ref></reply>"), AnswerError::Forbidden);
        assert_eq!(
            refused("<reply xmlns='urn:x'><?php die ?><ref>1</ref></reply>"),
            AnswerError::Forbidden
        );
        assert_eq!(
            refused("<reply xmlns='urn:y'><ref>1</ref></reply>"),
            AnswerError::OtherRoot {
                expected: "reply".to_owned()
            }
        );
        assert_eq!(
            refused("<reply><ref>1</ref></reply>"),
            AnswerError::OtherRoot {
                expected: "reply".to_owned()
            }
        );
        let unexpected = |element: &str| AnswerError::Unexpected {
            element: element.to_owned(),
        };
        assert_eq!(refused("<a:reply xmlns:a='urn:x'><ref>1</ref></a:reply>"), unexpected("ref"));
        assert_eq!(refused("<reply xmlns='urn:x'><ref>1</ref><ref>2</ref></reply>"), unexpected("ref"));
        assert_eq!(refused("<reply xmlns='urn:x'><ref>1<b/></ref></reply>"), unexpected("ref"));
        assert_eq!(refused("<reply xmlns='urn:x'><ref>a b</ref></reply>"), unexpected("ref"));
        let odd = "<reply xmlns='urn:x'><ref>1</ref><remark><kind>Z</kind><code>9</code></remark></reply>";
        assert_eq!(refused(odd), unexpected("kind"));
        for broken in [
            "",
            " ",
            "{}",
            "<reply xmlns='urn:x'>",
            "<reply xmlns='urn:x'></b>",
            "<reply xmlns='urn:x'/><reply/>",
            "x<reply xmlns='urn:x'/>",
        ] {
            assert_eq!(refused(broken), AnswerError::NotXml, "{broken}");
        }
        let deep = format!("{}{}", "<reply xmlns='urn:x'>".repeat(40), "</reply>".repeat(40));
        assert_eq!(refused(&deep), AnswerError::TooLarge);
        let long = format!("<reply xmlns='urn:x'><ref>{}</ref></reply>", "1".repeat(2_000_000));
        assert_eq!(refused(&long), AnswerError::TooLarge);
        let many = format!("<reply xmlns='urn:x'>{}</reply>", "<x/>".repeat(6_000));
        assert_eq!(refused(&many), AnswerError::TooLarge);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_answered(text in "[<>&;/a-z='\" !\\[\\]-]{0,60}") {
            let _ = read(&text, &names());
            let _ = read(&format!("<reply xmlns='urn:x'>{text}</reply>"), &names());
        }
    }
}
