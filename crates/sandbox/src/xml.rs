//! The little of XML the sandbox needs: a guarded parse, and steps through the tree.

use std::borrow::Cow;

use bergshamra::{
    c14n::{C14nMode, canonicalize_doc},
    xml::nodeset::NodeSet,
};
use quick_xml::{Reader, events::Event};
use uppsala::{Document, NodeId};

/// Nesting a SOAP message of ours never reaches.
const DEEPEST: usize = 64;

/// Parses what came from outside: well-formed, no DOCTYPE, no processing instruction, not absurdly deep.
pub(crate) fn parse(text: &str) -> Result<Document<'_>, &'static str> {
    let mut reader = Reader::from_str(text);
    let mut depth = 0_usize;
    loop {
        match reader.read_event() {
            Ok(Event::DocType(_)) => return Err("DOCTYPE interdit"),
            Ok(Event::PI(_)) => return Err("instruction de traitement interdite"),
            Ok(Event::Start(_)) => depth += 1,
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(_) => return Err("XML mal formé"),
        }
        if depth > DEEPEST {
            return Err("XML trop profond");
        }
    }
    uppsala::parse(text).map_err(|_| "XML mal formé")
}

pub(crate) fn elements(document: &Document<'_>, node: NodeId) -> Vec<NodeId> {
    document
        .children_iter(node)
        .filter(|child| document.element(*child).is_some())
        .collect()
}

/// The only child of this name; two are as bad as none.
pub(crate) fn child(document: &Document<'_>, node: NodeId, namespace: &str, local: &str) -> Option<NodeId> {
    let mut found = elements(document, node)
        .into_iter()
        .filter(|child| is(document, *child, namespace, local));
    found.next().filter(|_| found.next().is_none())
}

pub(crate) fn is(document: &Document<'_>, node: NodeId, namespace: &str, local: &str) -> bool {
    document
        .element(node)
        .is_some_and(|element| element.matches_name_ns(namespace, local))
}

pub(crate) fn attribute<'d>(document: &'d Document<'_>, node: NodeId, local: &str) -> Option<&'d str> {
    let element = document.element(node)?;
    element
        .attributes
        .iter()
        .find(|a| a.name.namespace_uri.is_none() && a.name.local_name == local)
        .map(|a| a.value.as_ref())
}

/// All text of an element, without the white space around it.
pub(crate) fn text(document: &Document<'_>, node: NodeId) -> String {
    document.text_content_deep(node).trim().to_owned()
}

pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    quick_xml::escape::escape(text)
}

/// Exclusive canonical form of one element and what is in it.
pub(crate) fn canonical(document: &Document<'_>, node: NodeId) -> Result<Vec<u8>, bergshamra::Error> {
    let subset = NodeSet::tree_without_comments(node, document);
    canonicalize_doc::<&str>(document, C14nMode::Exclusive, Some(&subset), &[])
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_attacks_parsers_is_refused() {
        assert!(parse("<a><b/></a>").is_ok());
        assert_eq!(parse("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>").err(), Some("DOCTYPE interdit"));
        assert_eq!(parse("<a><?php 1 ?></a>").err(), Some("instruction de traitement interdite"));
        assert_eq!(parse("<a><b></a>").err(), Some("XML mal formé"));
        let deep = format!("{}{}", "<a>".repeat(500), "</a>".repeat(500));
        assert_eq!(parse(&deep).err(), Some("XML trop profond"));
    }
}
