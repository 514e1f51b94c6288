//! An XML Schema of a pack, as uppsala's validator evaluates it; what that does otherwise than `xmllint` is mended in
//! [`Schema::attributes`], [`in_ascii`] and by what [`Schema::read`] refuses.

use std::collections::BTreeSet;

use uppsala::error::ValidationError;
use uppsala::xsd::{XS_NAMESPACE, XSI_NAMESPACE};
use uppsala::{Attribute, Document, NodeId, NodeKind, XsdValidator};

/// Bytes × elements up to which it is worth looking for the place of an error.
const LOOK_UP_TO: usize = 200_000_000;

/// What a schema takes.
pub(crate) struct Schema {
    validator: XsdValidator,
    /// The namespace of its root elements.
    pub target: Option<String>,
    /// Whether inner elements are in [`Self::target`] too, or in none.
    pub qualified: bool,
    elements: BTreeSet<String>,
    attributes: BTreeSet<String>,
}

/// What is wrong: where, by names the schema has, and against which rule. Never a value.
pub(crate) struct Objection {
    pub place: String,
    pub rule: &'static str,
}

impl Schema {
    /// Reads a schema that stands in one file: what it would include could be any file or address.
    ///
    /// # Errors
    /// The reason, for whoever edits the pack.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let parser = uppsala::Parser::new().with_forbid_dtd(true);
        let document = parser.parse(text).map_err(|e| e.to_string())?;
        let root = document.document_element().ok_or("empty")?;
        let schema = document.element(root).ok_or("empty")?;
        if !schema.matches_name_ns(XS_NAMESPACE, "schema") {
            return Err("its root is not an xs:schema".to_owned());
        }
        let (mut elements, mut attributes) = (BTreeSet::new(), BTreeSet::new());
        for node in document.descendants(root) {
            let Some(element) = document.element(node) else { continue };
            if element.name.namespace_uri.as_deref() != Some(XS_NAMESPACE) {
                continue;
            }
            let name = element.get_attribute("name").map(str::to_owned);
            match element.name.local_name.as_ref() {
                "include" | "import" | "redefine" | "override" => {
                    return Err("a schema stands in one file, without include or import".to_owned());
                }
                "element" => elements.extend(name),
                "attribute" => attributes.extend(name),
                "pattern" | "enumeration" if !element.get_attribute("value").is_some_and(is_plain) => {
                    return Err("patterns and enumerations are of ASCII, without \\p, \\w, \\i and \\c".to_owned());
                }
                _ => {}
            }
        }
        let mut outer = document.children_iter(root).filter_map(|child| document.element(child));
        if !outer.any(|element| element.matches_name_ns(XS_NAMESPACE, "element")) {
            return Err("it declares no element".to_owned());
        }
        Ok(Self {
            validator: XsdValidator::from_schema(&document).map_err(|e| e.to_string())?,
            target: schema.get_attribute("targetNamespace").map(str::to_owned),
            qualified: schema.get_attribute("elementFormDefault") == Some("qualified"),
            elements,
            attributes,
        })
    }

    /// Whether it has an element of this name anywhere.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.elements.contains(name)
    }

    /// Refuses what does not follow the schema. The text was looked at before: no DTD, not too deep, not too many elements.
    pub(crate) fn check(&self, text: &str) -> Result<(), Objection> {
        let malformed = || Objection::anywhere("not well-formed XML");
        let document = uppsala::parse(text).map_err(|_| malformed())?;
        let root = document.document_element().ok_or_else(malformed)?;
        let elements = self.attributes(&document, root)?;
        // A copy has no places in a source, so errors cost nothing, however many there are.
        let mut alone = Document::new();
        let copy = alone.import_subtree(&document, root).ok_or_else(malformed)?;
        alone.append_child(alone.root(), copy);
        if self.validator.validate(&in_ascii(alone)).is_empty() {
            return Ok(());
        }
        if text.len().saturating_mul(elements) > LOOK_UP_TO {
            return Err(Objection {
                place: self.place(&document, root),
                rule: "against the schema",
            });
        }
        let placed = in_ascii(document);
        Err(match self.validator.validate(&placed).first() {
            Some(error) => self.blame(&placed, text, root, error),
            None => Objection::anywhere("against the schema"),
        })
    }

    /// The validator does not look at attributes of elements with text, and takes an `xsi:type` of any built-in type for good. So an
    /// attribute needs a declaration of its name; a `schemaLocation` may hang on, nobody follows it. Other people's elements are left
    /// alone. Counts the elements.
    fn attributes(&self, document: &Document<'_>, root: NodeId) -> Result<usize, Objection> {
        let mut count = 0;
        let mut waiting = vec![root];
        while let Some(node) = waiting.pop() {
            let Some(element) = document.element(node) else { continue };
            count += 1;
            let namespace = element.name.namespace_uri.as_deref();
            let is_ours = namespace.is_none() || namespace == self.target.as_deref();
            if is_ours && element.attributes.iter().any(|attribute| self.is_forbidden(attribute)) {
                return Err(Objection {
                    place: self.place(document, node),
                    rule: "an attribute the schema does not have",
                });
            }
            if is_ours {
                waiting.extend(document.children_iter(node));
            }
        }
        Ok(count)
    }

    fn is_forbidden(&self, attribute: &Attribute<'_>) -> bool {
        let name = &attribute.name;
        let declares = name.local_name == "xmlns" || name.prefix.as_deref() == Some("xmlns");
        let locates = name.namespace_uri.as_deref() == Some(XSI_NAMESPACE) && name.local_name.ends_with("chemaLocation");
        let declared = name.prefix.is_none() && self.attributes.contains(name.local_name.as_ref());
        !declares && !locates && !declared
    }

    /// The element an error is about.
    fn blame(&self, document: &Document<'_>, text: &str, root: NodeId, error: &ValidationError) -> Objection {
        let position = error.line.zip(error.column).and_then(|(line, column)| position(text, line, column));
        let node = std::iter::once(root)
            .chain(document.descendants(root))
            .filter(|node| document.element(*node).is_some())
            .find(|node| document.node_range(*node).map(|range| range.start) == position)
            .unwrap_or(root);
        let mut place = self.place(document, node);
        if error.message.starts_with("Expected at least")
            && let Some(name) = error.message.split('\'').nth(1).filter(|name| self.has(name))
        {
            place = if node == root { name.to_owned() } else { format!("{place}/{name}") };
        }
        Objection {
            place,
            rule: explain(&error.message),
        }
    }

    /// The path of an element below the root, `prestation[2]/acte`, or the root's name. A name the schema does not have is `*`: whoever
    /// wrote it may have put anything there.
    fn place(&self, document: &Document<'_>, node: NodeId) -> String {
        let name = |node: NodeId| {
            let name = document.element(node)?.name.local_name.as_ref();
            Some(if self.has(name) { name } else { "*" })
        };
        let mut steps = Vec::new();
        let mut at = Some(node);
        while let Some((node, name_here)) = at.and_then(|node| Some((node, name(node)?))) {
            at = document.parent(node);
            let siblings = at.map(|parent| document.children(parent)).unwrap_or_default();
            let same: Vec<NodeId> = siblings.into_iter().filter(|other| name(*other) == Some(name_here)).collect();
            steps.push(match same.iter().position(|other| *other == node) {
                Some(index) if same.len() > 1 => format!("{name_here}[{}]", index + 1),
                _ => name_here.to_owned(),
            });
        }
        steps.reverse();
        match steps.as_slice() {
            [root] => root.clone(),
            [_, below @ ..] => below.join("/"),
            [] => "*".to_owned(),
        }
    }
}

impl Objection {
    fn anywhere(rule: &'static str) -> Self {
        Self {
            place: "*".to_owned(),
            rule,
        }
    }
}

/// Whether a facet's value does not tell characters outside ASCII apart, which [`in_ascii`] makes all the same.
fn is_plain(value: &str) -> bool {
    let classes = ["\\p", "\\P", "\\w", "\\W", "\\i", "\\I", "\\c", "\\C"];
    value.is_ascii() && !classes.iter().any(|class| value.contains(class))
}

/// The validator counts lengths in bytes and takes every white space of Unicode for white space. So each character outside ASCII gives way
/// to one that is neither white space nor part of any pattern.
fn in_ascii(mut document: Document<'_>) -> Document<'_> {
    for node in document.descendants(document.root()) {
        if let Some(NodeKind::Text(text) | NodeKind::CData(text)) = document.node_kind_mut(node)
            && !text.is_ascii()
        {
            *text = text.chars().map(|c| if c.is_ascii() { c } else { '~' }).collect::<String>().into();
        }
    }
    document
}

/// Byte position of a line and column as the validator counts them, from 1.
fn position(text: &str, line: usize, column: usize) -> Option<usize> {
    let start = match line.checked_sub(2) {
        None => 0,
        Some(newline) => text.match_indices('\n').nth(newline)?.0 + 1,
    };
    Some(start + column.checked_sub(1)?)
}

/// The validator's sentence without the value it quotes.
fn explain(message: &str) -> &'static str {
    if message.starts_with("Expected at least") {
        "missing or in the wrong place"
    } else if message.starts_with("Unexpected element") || message.starts_with("No element declaration") {
        "an element the schema does not have here"
    } else if message.contains("choice") {
        "one of several elements must stand here"
    } else {
        "a value the schema does not take"
    }
}
