//! XML, read with suspicion and written by hand.
//!
//! One parser (uppsala) serves verification and reading alike, so that nothing can look different to the two. Before it runs,
//! a streaming pass (quick-xml) refuses what could make it work too hard.

use bergshamra::{
    c14n::{C14nMode, canonicalize_doc},
    xml::NodeSet,
};
use quick_xml::events::Event;
use uppsala::{Document, NodeId, NodeKind, Parser};
use zeroize::Zeroizing;

/// An answer holds identifiers, anomalies, prices; a stored one of 4 MiB would already be a hundred times the largest seen.
const MAX_BYTES: usize = 4 << 20;
const MAX_DEPTH: u32 = 64;
const MAX_ELEMENTS: usize = 100_000;
const MAX_ATTRIBUTES: usize = 64;

/// Parses after the limits were checked.
pub(crate) fn parse(xml: &str) -> Result<Document<'_>, &'static str> {
    within_limits(xml)?;
    parse_own(xml)
}

/// Parses what we wrote ourselves, or what a form pack wrote: large documents are ours to make.
pub(crate) fn parse_own(xml: &str) -> Result<Document<'_>, &'static str> {
    Parser::new()
        .with_forbid_dtd(true)
        .with_max_depth(MAX_DEPTH)
        .parse(xml)
        .map_err(|_| "it is not well-formed XML")
}

/// The one element of a document, to be placed inside another: no declaration, no comments, its own namespaces declared.
pub(crate) fn standalone(xml: &str) -> Result<Zeroizing<String>, &'static str> {
    let doc = parse_own(xml)?;
    let root = doc.document_element().ok_or("it has no element")?;
    let subtree = NodeSet::tree_without_comments(root, &doc);
    let bytes = canonicalize_doc::<&str>(&doc, C14nMode::Inclusive, Some(&subtree), &[]).map_err(|_| "it has no canonical form")?;
    String::from_utf8(bytes).map(Zeroizing::new).map_err(|_| "it is not UTF-8")
}

fn within_limits(xml: &str) -> Result<(), &'static str> {
    if xml.len() > MAX_BYTES {
        return Err("it is too large");
    }
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut elements = 0_usize;
    let mut depth = 0_u32;
    loop {
        let (tag, opens) = match reader.read_event() {
            Ok(Event::Start(tag)) => (tag, true),
            Ok(Event::Empty(tag)) => (tag, false),
            Ok(Event::End(_)) => {
                depth = depth.saturating_sub(1);
                continue;
            }
            Ok(Event::DocType(_)) => return Err("it has a document type declaration"),
            Ok(Event::Eof) => return Ok(()),
            Ok(_) => continue,
            Err(_) => return Err("it is not well-formed XML"),
        };
        elements += 1;
        depth += u32::from(opens);
        if elements > MAX_ELEMENTS || depth > MAX_DEPTH {
            return Err("it has too many elements, or too deep ones");
        }
        if tag.attributes().with_checks(false).take(MAX_ATTRIBUTES + 1).count() > MAX_ATTRIBUTES {
            return Err("an element has too many attributes");
        }
    }
}

/// Whether `node` is the element `name` of namespace `namespace`.
pub(crate) fn is(doc: &Document<'_>, node: NodeId, namespace: &str, name: &str) -> bool {
    doc.element(node).is_some_and(|element| element.matches_name_ns(namespace, name))
}

/// The element children of `node`, in order.
pub(crate) fn elements(doc: &Document<'_>, node: NodeId) -> Vec<NodeId> {
    doc.children_iter(node).filter(|child| doc.element(*child).is_some()).collect()
}

/// The only child element of that name; none when there are several.
pub(crate) fn only_child(doc: &Document<'_>, node: NodeId, namespace: &str, name: &str) -> Option<NodeId> {
    let mut found = doc.children_iter(node).filter(|child| is(doc, *child, namespace, name));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// Follows a path of only children within one namespace.
pub(crate) fn descend(doc: &Document<'_>, from: NodeId, namespace: &str, path: &[&str]) -> Option<NodeId> {
    path.iter().try_fold(from, |node, name| only_child(doc, node, namespace, name))
}

/// All text below `node`, comments left out, trimmed.
pub(crate) fn text(doc: &Document<'_>, node: NodeId) -> String {
    doc.text_content_deep(node).trim().to_owned()
}

/// The Correlation-ID that mySecu writes into a comment before the envelope.
pub(crate) fn correlation_id(doc: &Document<'_>) -> Option<String> {
    doc.children_iter(doc.root())
        .take_while(|node| doc.element(*node).is_none())
        .find_map(|node| match doc.node_kind(node) {
            Some(NodeKind::Comment(words)) => {
                let id = words.split_once("Correlation-ID:")?.1.split_whitespace().next()?;
                let fits = id.len() <= 100 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
                fits.then(|| id.to_owned())
            }
            _ => None,
        })
}

/// Exclusive C14N of the subtree at `node`, without comments.
pub(crate) fn canonical(doc: &Document<'_>, node: NodeId, prefixes: &[&str]) -> Result<Vec<u8>, &'static str> {
    let subtree = NodeSet::tree_without_comments(node, doc);
    canonicalize_doc(doc, C14nMode::Exclusive, Some(&subtree), prefixes).map_err(|_| "it has no canonical form")
}

/// Escapes for text and for attribute values in double quotes.
pub(crate) fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn hostile_documents_are_refused_quickly() {
        let bomb = "<!DOCTYPE a [<!ENTITY x 'aaaaaaaaaa'><!ENTITY y '&x;&x;&x;&x;'>]><a>&y;</a>".to_owned();
        let deep = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
        let bottomless = "<a>".repeat(500_000);
        let many = format!("<a>{}</a>", "<b/>".repeat(100_001));
        let wide = format!("<a {}/>", (0..200_000).map(|n| format!("a{n}=\"\" ")).collect::<String>());
        let spaces = format!("<a {}/>", (0..65).map(|n| format!("xmlns:a{n}=\"u\" ")).collect::<String>());
        let huge = format!("<a>{}</a>", "x".repeat(MAX_BYTES));
        for hostile in [bomb, deep, bottomless, many, wide, spaces, huge] {
            let start = Instant::now();
            assert!(parse(&hostile).is_err());
            assert!(start.elapsed() < Duration::from_secs(5));
        }
        assert!(parse(&format!("{}{}", "<a>".repeat(64), "</a>".repeat(64))).is_ok());
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for broken in [
            "",
            "hello",
            "<a>",
            "<a/><b/>",
            "<a></b>",
            "<p:a/>",
            "<a>&nbsp;</a>",
            "<a b='1' b='2'/>",
            "<a>\u{0}</a>",
        ] {
            assert!(parse(broken).is_err(), "{broken}");
        }
        assert!(parse("<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>").is_err());
    }

    #[test]
    fn only_a_comment_before_the_root_names_the_correlation() {
        let id = |xml| correlation_id(&parse(xml).unwrap());
        assert_eq!(id("<!-- Correlation-ID: Id-0a1b-2 --><a/>").as_deref(), Some("Id-0a1b-2"));
        assert_eq!(
            id("<?xml version='1.0'?>\n<!--Correlation-ID: Id-1--><!-- other --><a/>").as_deref(),
            Some("Id-1")
        );
        assert_eq!(id("<a/><!-- Correlation-ID: Id-1 -->"), None);
        assert_eq!(id("<a><!-- Correlation-ID: Id-1 --></a>"), None);
        assert_eq!(id("<!-- Correlation-ID: Id-<1> --><a/>"), None);
        assert_eq!(id("<!-- Correlation-ID: --><a/>"), None);
    }
}
