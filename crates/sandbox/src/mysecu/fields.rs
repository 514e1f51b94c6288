//! Reading a document whose structure the schema has settled: by local name, without looking at namespaces again.

use time::{Date, format_description::BorrowedFormatItem, macros::format_description};
use uppsala::{Document, NodeId};

use super::Fault;
use crate::xml;

const ISO_DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// An element and what is in it.
#[derive(Clone, Copy)]
pub(super) struct Fields<'d, 'a> {
    document: &'d Document<'a>,
    node: NodeId,
}

impl<'d, 'a> Fields<'d, 'a> {
    pub(super) const fn new(document: &'d Document<'a>, node: NodeId) -> Self {
        Self { document, node }
    }

    /// Local name and namespace.
    pub(super) fn name(self) -> (&'d str, &'d str) {
        self.document.element(self.node).map_or(("", ""), |element| {
            (
                element.name.local_name.as_ref(),
                element.name.namespace_uri.as_deref().unwrap_or_default(),
            )
        })
    }

    /// The children of this name, in order.
    pub(super) fn all(self, name: &str) -> Vec<Self> {
        let children = xml::elements(self.document, self.node).into_iter();
        children
            .map(|node| Self::new(self.document, node))
            .filter(|child| child.name().0 == name)
            .collect()
    }

    /// The first element of this name at any depth.
    pub(super) fn anywhere(self, name: &str) -> Option<Self> {
        let within = self.document.descendants(self.node).into_iter();
        within
            .map(|node| Self::new(self.document, node))
            .find(|element| element.name().0 == name)
    }

    pub(super) fn find(self, name: &str) -> Option<Self> {
        self.all(name).into_iter().next()
    }

    pub(super) fn group(self, name: &str) -> Result<Self, Fault> {
        self.find(name).ok_or_else(|| invalid(name, "absent"))
    }

    /// All text in it, without the white space around.
    pub(super) fn content(self) -> String {
        xml::text(self.document, self.node)
    }

    pub(super) fn optional(self, name: &str) -> Option<String> {
        self.find(name).map(Self::content)
    }

    pub(super) fn text(self, name: &str) -> Result<String, Fault> {
        self.group(name).map(Self::content)
    }

    pub(super) fn date(self, name: &str) -> Result<Date, Fault> {
        Date::parse(&self.text(name)?, ISO_DATE).map_err(|_| invalid(name, "date invalide"))
    }

    pub(super) fn optional_date(self, name: &str) -> Result<Option<Date>, Fault> {
        self.find(name).map(|_| self.date(name)).transpose()
    }

    pub(super) fn is_true(self, name: &str) -> bool {
        self.optional(name).is_some_and(|text| matches!(text.as_str(), "true" | "1"))
    }

    pub(super) fn number(self, name: &str) -> Result<i64, Fault> {
        self.text(name)?.parse().map_err(|_| invalid(name, "nombre invalide"))
    }

    /// An amount of two decimals, in cents.
    pub(super) fn cents(self, name: &str) -> Result<i64, Fault> {
        let wrong = || invalid(name, "montant invalide");
        let amount = self.text(name)?;
        let (euros, cents) = amount.split_once('.').ok_or_else(wrong)?;
        let whole: i64 = euros.parse().map_err(|_| wrong())?;
        let part: i64 = cents.parse().map_err(|_| wrong())?;
        whole
            .checked_mul(100)
            .and_then(|hundredfold| hundredfold.checked_add(part))
            .ok_or_else(wrong)
    }

    /// As [`Self::cents`]; what is absent counts nothing.
    pub(super) fn cents_or_zero(self, name: &str) -> Result<i64, Fault> {
        self.find(name).map_or(Ok(0), |_| self.cents(name))
    }
}

/// The document breaks its model; nothing of its values is quoted.
pub(super) fn invalid(element: &str, why: &str) -> Fault {
    Fault::client("DOCUMENT_INVALIDE", format!("{element} : {why}"))
}
