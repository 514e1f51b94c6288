use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use time::Date;
use uuid::Uuid;

use crate::answer::{self, Answer, AnswerError, Contested, Payment, Simulation};
use crate::check::Checked;
use crate::pack::Pack;
use crate::source::MessageSource;
use crate::{Lang, OptionDefinition, PackError, amount, values};

/// Longest reason for a cancellation, in characters.
const LONGEST_REASON: usize = 200;

/// What one message is about, besides the values.
#[derive(Clone, Copy)]
pub struct WireContext<'a> {
    /// Identifier of the document, made by the caller.
    pub id: Uuid,
    /// The day it is dated.
    pub issued: Date,
    /// The signed PDF.
    pub document: &'a [u8],
    /// Identifiers of the rows, made by the caller: [`Checked::rows`] of them, in order. A pack that sends none ignores them.
    pub ids: &'a [Uuid],
}

/// The cancellation of a deposited document.
#[derive(Clone, Copy)]
pub struct Cancellation<'a> {
    /// Identifier of the cancellation itself.
    pub id: Uuid,
    /// The document that is cancelled, by the identifier of ours.
    pub cancelled: Uuid,
    /// The document that takes its place.
    pub replaced_by: Option<Uuid>,
    /// Why, as [`check_reason`] takes it.
    pub reason: &'a str,
}

/// A message ready for the authority's envelope. No `Debug`: it names a patient. Whoever sends it wipes it.
#[derive(Clone)]
pub struct WireMessage {
    /// The kind of exchange, for the envelope.
    pub model_uid: String,
    /// The business element, without an XML declaration.
    pub xml: String,
}

/// The exchanges a form may have with the authority, by their tables in `pack.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exchange {
    Deposit,
    Cancellation,
    Simulation,
    Validation,
    Contestation,
}

/// One exchange: its names and its compiled template.
pub(crate) struct Message {
    pub source: MessageSource,
    template: Template,
}

/// The reason for a cancellation as it is sent: trimmed, 1 to 200 characters, none of them invisible.
///
/// # Errors
/// [`PackError::Reason`].
pub fn check_reason(reason: &str) -> Result<&str, PackError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON || reason.chars().any(values::is_invisible) {
        return Err(PackError::Reason { longest: LONGEST_REASON });
    }
    Ok(reason)
}

impl Exchange {
    /// The table's name.
    pub(crate) const fn table(self) -> &'static str {
        match self {
            Self::Deposit => "wire",
            Self::Cancellation => "cancellation",
            Self::Simulation => "simulation",
            Self::Validation => "validation",
            Self::Contestation => "contestation",
        }
    }
}

impl Pack {
    /// Whether this form is deposited at all.
    #[must_use]
    pub fn is_deposited(&self) -> bool {
        self.messages.contains_key(&Exchange::Deposit)
    }

    /// Whether a deposited form can be cancelled.
    #[must_use]
    pub fn is_cancellable(&self) -> bool {
        self.messages.contains_key(&Exchange::Cancellation)
    }

    /// Writes the message for the authority.
    ///
    /// # Errors
    /// When the values were checked by another pack, or when template and definition disagree.
    pub fn wire(&self, checked: &Checked, context: &WireContext<'_>) -> Result<WireMessage, PackError> {
        self.send(Exchange::Deposit, self.document(checked, context)?)
    }

    /// Reads the authority's answer to a deposit; `rows` is how many were sent ([`Checked::rows`]).
    ///
    /// # Errors
    /// When it is hostile, or not the answer this form expects.
    pub fn read_answer(&self, xml: &str, rows: usize) -> Result<Answer, AnswerError> {
        answer::read(xml, self.names(Exchange::Deposit)?, rows)
    }

    /// Writes the cancellation of a deposited document.
    ///
    /// # Errors
    /// [`PackError::Reason`] when the reason cannot be sent; a form without cancellation, or a broken template.
    pub fn cancellation(&self, cancellation: &Cancellation<'_>) -> Result<WireMessage, PackError> {
        let reason = check_reason(cancellation.reason)?;
        let context = minijinja::context! {
            id => cancellation.id.to_string(),
            cancelled => cancellation.cancelled.to_string(),
            replaced_by => cancellation.replaced_by.map(|id| id.to_string()),
            reason => reason,
            kind => if cancellation.replaced_by.is_some() { "2" } else { "1" },
        };
        self.send(Exchange::Cancellation, context)
    }

    /// Reads the authority's answer to a cancellation.
    ///
    /// # Errors
    /// When it is hostile, or not the answer this form expects.
    pub fn read_cancellation_answer(&self, xml: &str) -> Result<Answer, AnswerError> {
        answer::read(xml, self.names(Exchange::Cancellation)?, 0)
    }

    /// Writes the question what the authority would pay.
    ///
    /// # Errors
    /// When the values were checked by another pack, or when template and definition disagree.
    pub fn simulation(&self, checked: &Checked, context: &WireContext<'_>) -> Result<WireMessage, PackError> {
        self.send(Exchange::Simulation, self.document(checked, context)?)
    }

    /// Reads what the authority would pay; `ids` are those of the rows, as they were sent.
    ///
    /// # Errors
    /// When it is hostile, or not the answer this form expects: a row twice, a row nobody asked for, or one without a word though
    /// nothing was refused.
    pub fn read_simulation(&self, xml: &str, ids: &[Uuid]) -> Result<Simulation, AnswerError> {
        answer::read_simulation(xml, self.names(Exchange::Simulation)?, ids)
    }

    /// Writes the order to pay what was simulated.
    ///
    /// # Errors
    /// [`PackError::NotPayable`], a form without validation, or a broken template.
    pub fn validation(&self, id: Uuid, simulation: &Simulation) -> Result<WireMessage, PackError> {
        if !simulation.is_payable() || simulation.reference.is_empty() {
            return Err(PackError::NotPayable);
        }
        self.send(Exchange::Validation, settlement(id, simulation, &[]))
    }

    /// Reads what the authority pays.
    ///
    /// # Errors
    /// When it is hostile, or not the answer this form expects.
    pub fn read_payment(&self, xml: &str) -> Result<Payment, AnswerError> {
        answer::read_payment(xml, self.names(Exchange::Validation)?)
    }

    /// Writes the contestation of some anomalies of a simulation.
    ///
    /// # Errors
    /// [`PackError::Contestation`] for none, for an anomaly the simulation does not have or has twice, or for an unknown reason.
    pub fn contestation(&self, id: Uuid, simulation: &Simulation, contested: &[Contested]) -> Result<WireMessage, PackError> {
        let codes = self.contestation.as_ref();
        let fits = |one: &Contested| {
            codes.is_some_and(|codes| codes.find(&one.code).is_some())
                && simulation.anomalies.iter().any(|a| a.id.as_ref() == Some(&one.id))
                && contested.iter().filter(|other| other.id == one.id).count() == 1
        };
        if contested.is_empty() || simulation.reference.is_empty() || !contested.iter().all(fits) {
            return Err(PackError::Contestation);
        }
        self.send(Exchange::Contestation, settlement(id, simulation, contested))
    }

    /// Reads the authority's answer to a contestation.
    ///
    /// # Errors
    /// When it is hostile, or not the answer this form expects.
    pub fn read_contestation_answer(&self, xml: &str) -> Result<Answer, AnswerError> {
        answer::read(xml, self.names(Exchange::Contestation)?, 0)
    }

    /// The reasons for contesting an anomaly.
    #[must_use]
    pub fn contestation_codes(&self, lang: Lang) -> Vec<OptionDefinition> {
        // Reasons have no price, so any day will do.
        self.contestation
            .as_ref()
            .map(|codes| codes.options(lang, Date::MIN))
            .unwrap_or_default()
    }

    fn names(&self, exchange: Exchange) -> Result<&crate::source::AnswerSource, AnswerError> {
        self.messages.get(&exchange).map(|m| &m.source.answer).ok_or(AnswerError::NoWire)
    }

    fn document(&self, checked: &Checked, context: &WireContext<'_>) -> Result<Value, PackError> {
        self.own(&checked.by)?;
        let totals: BTreeMap<&str, Option<i64>> = self
            .totals
            .iter()
            .map(|total| (total.name.as_str(), checked.total(&total.name)))
            .collect();
        Ok(minijinja::context! {
            values => Value::from(Serde(&checked.values)),
            totals => totals,
            id => context.id.to_string(),
            issued => values::iso(context.issued),
            document => Value::from_safe_string(STANDARD.encode(context.document)),
            ids => context.ids.iter().map(Uuid::to_string).collect::<Vec<_>>(),
        })
    }

    fn send(&self, exchange: Exchange, context: Value) -> Result<WireMessage, PackError> {
        let message = self.messages.get(&exchange).ok_or_else(|| PackError::Missing {
            file: format!("[{}]", exchange.table()),
        })?;
        let failed = |reason: String| PackError::Wire {
            file: message.source.template.clone(),
            reason,
        };
        let xml = message
            .template
            .render(context)
            .map_err(|e| failed(format!("{} in line {}", e.kind(), e.line().unwrap_or_default())))?;
        if !is_well_formed(&xml) {
            return Err(failed("not well-formed".to_owned()));
        }
        Ok(WireMessage {
            model_uid: message.source.model_uid.clone(),
            xml,
        })
    }
}

impl Message {
    pub(crate) fn compile(source: MessageSource, template: String) -> Result<Self, String> {
        Ok(Self {
            source,
            template: Template::compile(template)?,
        })
    }
}

/// The compiled template of a message.
struct Template(Environment<'static>);

impl Template {
    const NAME: &'static str = "wire";

    fn compile(source: String) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Custom("xml".into()));
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(100_000));
        environment.add_filter("cents", amount::decimal);
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

    fn render(&self, context: Value) -> Result<String, Error> {
        self.0.get_template(Self::NAME)?.render(context)
    }
}

fn settlement(id: Uuid, simulation: &Simulation, contested: &[Contested]) -> Value {
    let contested: Vec<Value> = contested
        .iter()
        .map(|one| minijinja::context! { id => &one.id, code => &one.code })
        .collect();
    minijinja::context! {
        id => id.to_string(),
        reference => &simulation.reference,
        contested => contested,
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
