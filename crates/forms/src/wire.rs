use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use time::Date;
use uuid::Uuid;

use crate::answer::{self, Answer, AnswerError};
use crate::check::Checked;
use crate::pack::Pack;
use crate::{PackError, values};

/// What one message is about, besides the values.
pub struct WireContext<'a> {
    /// Identifier of the document, made by the caller.
    pub id: Uuid,
    /// The day it is dated.
    pub issued: Date,
    /// The signed PDF.
    pub document: &'a [u8],
}

/// A message ready for the authority's envelope. No `Debug`: it names a patient.
#[derive(Clone)]
pub struct WireMessage {
    /// The kind of exchange, for the envelope.
    pub model_uid: String,
    /// The business element, without an XML declaration.
    pub xml: String,
}

impl Pack {
    /// Whether this form is deposited at all.
    #[must_use]
    pub const fn is_deposited(&self) -> bool {
        self.source.wire.is_some()
    }

    /// Writes the message for the authority.
    ///
    /// # Errors
    /// When the values were checked by another pack, or when template and definition disagree.
    pub fn wire(&self, checked: &Checked, context: &WireContext<'_>) -> Result<WireMessage, PackError> {
        self.own(&checked.by)?;
        let (Some(wire), Some(template)) = (&self.source.wire, &self.wire) else {
            return Err(PackError::Missing { file: "wire".to_owned() });
        };
        let failed = |reason: String| PackError::Wire {
            file: wire.template.clone(),
            reason,
        };
        let xml = template
            .render(&checked.values, context)
            .map_err(|e| failed(format!("{} in line {}", e.kind(), e.line().unwrap_or_default())))?;
        if !is_well_formed(&xml) {
            return Err(failed("not well-formed".to_owned()));
        }
        Ok(WireMessage {
            model_uid: wire.model_uid.clone(),
            xml,
        })
    }

    /// Reads the authority's answer to a deposit.
    ///
    /// # Errors
    /// When it is hostile, or not the answer this form expects.
    pub fn read_answer(&self, xml: &str) -> Result<Answer, AnswerError> {
        let wire = self.source.wire.as_ref().ok_or(AnswerError::NoWire)?;
        answer::read(xml, &wire.answer)
    }
}

/// The compiled template of a pack's message.
pub(crate) struct WireTemplate(Environment<'static>);

impl WireTemplate {
    const NAME: &'static str = "wire";

    pub(crate) fn compile(source: String) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Custom("xml".into()));
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(100_000));
        environment.set_formatter(|out, _, value| {
            if value.is_none() || value.is_undefined() {
                // An empty field must be left out by the template, never sent as a word.
                return Err(Error::new(ErrorKind::UndefinedError, "empty value"));
            }
            if value.kind() == ValueKind::Bool {
                // xs:boolean; the template language would write it with a capital letter.
                return out
                    .write_str(if value.is_true() { "true" } else { "false" })
                    .map_err(|_| unwritten());
            }
            let text = value.to_string();
            let text = if value.is_safe() {
                text.into()
            } else {
                quick_xml::escape::escape(text)
            };
            out.write_str(&text).map_err(|_| unwritten())
        });
        environment.add_template_owned(Self::NAME, source).map_err(|e| e.to_string())?;
        Ok(Self(environment))
    }

    fn render(&self, values: &serde_json::Map<String, serde_json::Value>, context: &WireContext<'_>) -> Result<String, Error> {
        let document = Value::from_safe_string(STANDARD.encode(context.document));
        self.0.get_template(Self::NAME)?.render(minijinja::context! {
            values => Value::from(Serde(values)),
            id => context.id.to_string(),
            issued => values::iso(context.issued),
            document => document,
        })
    }
}

fn unwritten() -> Error {
    Error::new(ErrorKind::WriteFailure, "formatter failed")
}

fn is_well_formed(xml: &str) -> bool {
    let mut reader = quick_xml::NsReader::from_str(xml);
    reader.config_mut().enable_all_checks(true);
    loop {
        match reader.read_resolved_event() {
            Ok((quick_xml::name::ResolveResult::Unknown(_), _)) | Err(_) => return false,
            Ok((_, quick_xml::events::Event::Eof)) => return true,
            Ok(_) => {}
        }
    }
}
