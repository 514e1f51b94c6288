//! Reads XML of strangers into a small tree, within limits; what no real answer holds is refused.

use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::{Namespace, ResolveResult};

use crate::AnswerError;

/// Larger answers are refused unread, in bytes.
const LARGEST: usize = 1024 * 1024;
/// Elements nested deeper are refused.
const DEEPEST: usize = 16;
/// Answers with more elements are refused.
const MOST_ELEMENTS: usize = 5_000;
/// Longest text kept of one element, in characters.
const LONGEST_TEXT: usize = 500;

/// One element.
#[derive(Default)]
pub(crate) struct Element {
    pub name: String,
    pub in_namespace: bool,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// The children of this name.
    pub(crate) fn all(&self, name: &str) -> Result<Vec<&Self>, AnswerError> {
        let found: Vec<&Self> = self.children.iter().filter(|c| c.name == name).collect();
        if found.iter().all(|c| c.in_namespace) {
            Ok(found)
        } else {
            Err(unexpected(name))
        }
    }

    /// The one child of this name, a leaf.
    pub(crate) fn only(&self, name: &str) -> Result<Option<&Self>, AnswerError> {
        match self.all(name)?.as_slice() {
            [] => Ok(None),
            [one] if one.children.is_empty() => Ok(Some(one)),
            _ => Err(unexpected(name)),
        }
    }

    /// The same, which must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&Self, AnswerError> {
        self.only(name)?.ok_or_else(|| AnswerError::Missing { element: name.to_owned() })
    }

    /// The text, trimmed.
    pub(crate) fn text(&self) -> &str {
        self.text.trim()
    }

    /// The text for people: of one line, cut to a length.
    pub(crate) fn words(&self) -> String {
        let printable = self.text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
        printable.take(LONGEST_TEXT).collect()
    }
}

pub(crate) fn unexpected(element: &str) -> AnswerError {
    AnswerError::Unexpected {
        element: element.to_owned(),
    }
}

/// Reads a whole document.
pub(crate) fn parse(xml: &str, namespace: &str) -> Result<Element, AnswerError> {
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
