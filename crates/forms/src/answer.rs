use serde::Serialize;
use uuid::Uuid;

use crate::source::{AnswerSource, PaymentNames};
use crate::xml::{self, Element, unexpected};
use crate::{Severity, amount};

/// What the authority answered to a document, a cancellation or a contestation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The authority's own identifier; absent when it refused before giving one.
    pub reference: Option<String>,
    /// The identifier that it answers, to be compared with what was sent.
    pub document: Option<String>,
    /// What it found.
    pub anomalies: Vec<Anomaly>,
}

/// One remark of the authority, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Anomaly {
    /// An error means that the document, or the row, was refused.
    pub severity: Severity,
    /// The authority's code.
    pub code: String,
    /// The authority's words; empty when it gave none.
    pub message: String,
    /// The authority's identifier of the anomaly, by which it can be contested.
    pub id: Option<String>,
    /// The row it is about, counted from 0, when it tells; always one of the rows that were sent.
    pub line: Option<usize>,
}

/// What the authority would pay. Amounts in cents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Simulation {
    /// The authority's identifier, by which it is validated or contested; empty when it refused before giving one.
    pub reference: String,
    /// The identifier of ours that it answers, to be compared with what was sent.
    pub document: Option<String>,
    /// One for each row sent, in the same order.
    pub lines: Vec<SimulatedLine>,
    /// The authority's share.
    pub statutory: i64,
    /// The patient's share.
    pub personal: i64,
    /// Both.
    pub total: i64,
    /// What it found.
    pub anomalies: Vec<Anomaly>,
}

/// What the authority would pay for one row. Amounts in cents; all 0 when it said nothing about the row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SimulatedLine {
    /// Whether the act can be paid this way.
    pub accepted: bool,
    /// The authority's share.
    pub statutory: i64,
    /// The patient's share.
    pub personal: i64,
    /// Both.
    pub total: i64,
}

/// What the authority answered to an order to pay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Payment {
    /// Identifiers and anomalies.
    pub answer: Answer,
    /// What is paid; absent when the answer does not tell all of it in whole cents. What was decided stands nevertheless.
    pub amounts: Option<PaidAmounts>,
    /// Why it keeps something, in its own words.
    pub reason: Option<String>,
}

/// What the authority pays. Amounts in cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PaidAmounts {
    /// The authority's share.
    pub statutory: i64,
    /// What it keeps for debts; below zero when it adds something that it kept before.
    pub offset: i64,
    /// What it pays.
    pub paid: i64,
}

/// An anomaly that the physician contests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contested {
    /// The authority's identifier of the anomaly.
    pub id: String,
    /// The reason, a code of the pack's list.
    pub code: String,
}

/// Why an answer cannot be used. Holds nothing of the answer but element names of the pack.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// This form has no such message, so no answer either.
    #[error("this form has no such message")]
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

impl Simulation {
    /// Whether it can be validated: every row is accepted and nothing was refused.
    #[must_use]
    pub fn is_payable(&self) -> bool {
        let refused = self.anomalies.iter().any(|a| a.severity == Severity::Error);
        !refused && !self.lines.is_empty() && self.lines.iter().all(|line| line.accepted)
    }
}

/// Reads an answer to a message of so many rows by the names the pack gives.
pub(crate) fn read(xml: &str, names: &AnswerSource, rows: usize) -> Result<Answer, AnswerError> {
    read_common(&parse(xml, names)?, names, Rows { count: rows, ids: &[] })
}

/// Reads what the authority would pay for the rows with these identifiers.
pub(crate) fn read_simulation(xml: &str, names: &AnswerSource, ids: &[Uuid]) -> Result<Simulation, AnswerError> {
    let (Some(line), Some(totals)) = (&names.lines, &names.totals) else {
        return Err(AnswerError::NoWire);
    };
    let root = parse(xml, names)?;
    let rows = Rows { count: ids.len(), ids };
    let answer = read_common(&root, names, rows)?;
    let mut lines: Vec<Option<SimulatedLine>> = vec![None; ids.len()];
    for element in root.all(&line.element)? {
        let place = row(element.required(&line.id)?.text(), ids).and_then(|row| lines.get_mut(row));
        let place = place.filter(|place| place.is_none()).ok_or_else(|| unexpected(&line.id))?;
        *place = Some(SimulatedLine {
            accepted: boolean(element, &line.accepted)?,
            statutory: cents(element, &line.statutory)?,
            personal: cents(element, &line.personal)?,
            total: cents(element, &line.total)?,
        });
    }
    let refused = answer.is_refused();
    if !refused && lines.contains(&None) {
        return Err(AnswerError::Missing {
            element: line.element.clone(),
        });
    }
    let sum = |name: &str| sum(&root, name, refused);
    Ok(Simulation {
        statutory: sum(&totals.statutory)?,
        personal: sum(&totals.personal)?,
        total: sum(&totals.total)?,
        lines: lines.into_iter().map(Option::unwrap_or_default).collect(),
        reference: answer.reference.unwrap_or_default(),
        document: answer.document,
        anomalies: answer.anomalies,
    })
}

/// Reads what the authority pays.
pub(crate) fn read_payment(xml: &str, names: &AnswerSource) -> Result<Payment, AnswerError> {
    let payment = names.payment.as_ref().ok_or(AnswerError::NoWire)?;
    let root = parse(xml, names)?;
    // The order names a simulation as a whole.
    let answer = read_common(&root, names, Rows { count: 0, ids: &[] })?;
    let reason = root.only(&payment.reason)?.map(Element::words);
    Ok(Payment {
        // The payment stands, whatever was written into the amounts: its reference must not be lost with them.
        amounts: paid_amounts(&root, payment).ok(),
        reason: reason.filter(|reason| !reason.is_empty()),
        answer,
    })
}

fn paid_amounts(root: &Element, names: &PaymentNames) -> Result<PaidAmounts, AnswerError> {
    Ok(PaidAmounts {
        statutory: cents(root, &names.statutory)?,
        offset: signed_cents(root, &names.offset)?,
        paid: cents(root, &names.paid)?,
    })
}

fn parse(xml: &str, names: &AnswerSource) -> Result<Element, AnswerError> {
    let root = xml::parse(xml, &names.namespace)?;
    if root.name == names.root && root.in_namespace {
        return Ok(root);
    }
    Err(AnswerError::OtherRoot {
        expected: names.root.clone(),
    })
}

/// The rows that an answer may point to: how many were sent, and their identifiers when they had some.
#[derive(Clone, Copy)]
struct Rows<'a> {
    count: usize,
    ids: &'a [Uuid],
}

fn read_common(root: &Element, names: &AnswerSource, rows: Rows<'_>) -> Result<Answer, AnswerError> {
    let answer = Answer {
        reference: root.only(&names.reference)?.map(|e| identifier(e, &names.reference)).transpose()?,
        document: root.only(&names.document)?.map(|e| identifier(e, &names.document)).transpose()?,
        anomalies: root
            .all(&names.anomaly)?
            .into_iter()
            .map(|element| anomaly(element, names, rows))
            .collect::<Result<_, _>>()?,
    };
    if answer.reference.is_none() && !answer.is_refused() {
        return Err(AnswerError::Missing {
            element: names.reference.clone(),
        });
    }
    Ok(answer)
}

fn anomaly(element: &Element, names: &AnswerSource, rows: Rows<'_>) -> Result<Anomaly, AnswerError> {
    let optional = |name: &Option<String>| match name {
        Some(name) => element.only(name)?.map(|e| identifier(e, name)).transpose(),
        None => Ok(None),
    };
    let severity = match element.required(&names.severity)?.text() {
        s if names.errors.iter().any(|e| e == s) => Severity::Error,
        s if names.warnings.iter().any(|w| w == s) => Severity::Warning,
        _ => return Err(unexpected(&names.severity)),
    };
    let message = element.only(&names.message)?.map(Element::words).unwrap_or_default();
    let told = optional(&names.anomaly_line)?.and_then(|id| row(&id, rows.ids));
    let said = || names.line_word.as_ref().and_then(|word| line_in(&message, word));
    Ok(Anomaly {
        severity,
        code: element.required(&names.code)?.words(),
        id: optional(&names.anomaly_id)?,
        line: told.or_else(said).filter(|line| *line < rows.count),
        message,
    })
}

/// The row whose number, counted from 1, stands after the word: `Ligne 3 : …` is row 2.
fn line_in(message: &str, word: &str) -> Option<usize> {
    let (message, word) = (message.to_lowercase(), word.to_lowercase());
    let (before, after) = message.split_once(&word)?;
    if before.ends_with(char::is_alphanumeric) || !after.starts_with(char::is_whitespace) {
        return None;
    }
    let after = after.trim_start();
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<usize>().ok()?.checked_sub(1)
}

fn row(id: &str, ids: &[Uuid]) -> Option<usize> {
    let id = Uuid::try_parse(id).ok()?;
    ids.iter().position(|known| *known == id)
}

fn identifier(element: &Element, name: &str) -> Result<String, AnswerError> {
    let text = element.text();
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if fits { Ok(text.to_owned()) } else { Err(unexpected(name)) }
}

fn boolean(element: &Element, name: &str) -> Result<bool, AnswerError> {
    match element.required(name)?.text() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(unexpected(name)),
    }
}

fn cents(element: &Element, name: &str) -> Result<i64, AnswerError> {
    let cents = signed_cents(element, name)?;
    if cents < 0 { Err(unexpected(name)) } else { Ok(cents) }
}

fn signed_cents(element: &Element, name: &str) -> Result<i64, AnswerError> {
    amount::parse(element.required(name)?.text()).ok_or_else(|| unexpected(name))
}

/// An amount of the whole; a refusal may leave it out.
fn sum(root: &Element, name: &str, refused: bool) -> Result<i64, AnswerError> {
    match root.only(name)? {
        None if refused => Ok(0),
        _ => cents(root, name),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Anomaly, Answer, AnswerError, PaidAmounts, Payment, SimulatedLine, read, read_payment, read_simulation};
    use crate::Severity;
    use crate::source::{AnswerSource, LineNames, PaymentNames, ShareNames};

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
            line_word: Some(text("Ligne")),
            anomaly_id: Some(text("no")),
            anomaly_line: Some(text("row")),
            lines: Some(LineNames {
                element: text("line"),
                id: text("row"),
                accepted: text("ok"),
                statutory: text("fund"),
                personal: text("own"),
                total: text("sum"),
            }),
            totals: Some(ShareNames {
                statutory: text("fund"),
                personal: text("own"),
                total: text("sum"),
            }),
            payment: Some(PaymentNames {
                statutory: text("fund"),
                offset: text("debt"),
                paid: text("paid"),
                reason: text("why"),
            }),
        }
    }

    fn refused(xml: &str) -> AnswerError {
        read(xml, &names(), 0).unwrap_err()
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
                id: None,
                line: None,
            }],
        };
        assert_eq!(read(xml, &names(), 0), Ok(expected));
    }

    #[test]
    fn a_refusal_needs_no_reference() {
        let xml = "<reply xmlns='urn:x'><remark><kind>E</kind><code>9</code></remark></reply>";
        let answer = read(xml, &names(), 0).unwrap();
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

    const ROWS: [Uuid; 2] = [Uuid::from_u128(1), Uuid::from_u128(2)];

    fn simulated(inner: &str) -> Result<super::Simulation, AnswerError> {
        read_simulation(&format!("<reply xmlns='urn:x'>{inner}</reply>"), &names(), &ROWS)
    }

    fn line(row: Uuid, ok: &str, fund: &str) -> String {
        format!("<line><row>{row}</row><ok>{ok}</ok><fund>{fund}</fund><own>1.00</own><sum>2.00</sum></line>")
    }

    #[test]
    fn a_simulation_is_read_in_the_order_of_the_rows_sent() {
        let [first, second] = ROWS;
        let xml = format!(
            "<doc>D</doc><ref>S</ref>{}{}<fund>46.11</fund><own>6.29</own><sum>52.40</sum>\
             <remark><no>A-1</no><kind>W</kind><code>7</code><words>x</words><row>{second}</row></remark>",
            line(second, "0", "3.01"),
            line(first, "true", "0.07"),
        );
        let simulation = simulated(&xml).unwrap();
        let expected = |accepted, statutory| SimulatedLine {
            accepted,
            statutory,
            personal: 100,
            total: 200,
        };
        assert_eq!(simulation.lines, [expected(true, 7), expected(false, 301)]);
        assert_eq!((simulation.statutory, simulation.personal, simulation.total), (4611, 629, 5240));
        assert_eq!((simulation.reference.as_str(), simulation.document.as_deref()), ("S", Some("D")));
        let anomaly = &simulation.anomalies[0];
        assert_eq!((anomaly.id.as_deref(), anomaly.line), (Some("A-1"), Some(1)));
        assert!(!simulation.is_payable());
    }

    #[test]
    fn only_a_simulation_accepted_as_a_whole_is_payable() {
        let [first, second] = ROWS;
        let sums = "<ref>S</ref><fund>1.00</fund><own>1.00</own><sum>2.00</sum>";
        let both = format!("{sums}{}{}", line(first, "1", "1.00"), line(second, "true", "0.00"));
        assert!(simulated(&both).unwrap().is_payable());
        let warned = format!("{both}<remark><kind>W</kind><code>1</code></remark>");
        assert!(simulated(&warned).unwrap().is_payable());
        let refused = format!("{both}<remark><kind>E</kind><code>1</code></remark>");
        assert!(!simulated(&refused).unwrap().is_payable());
        let whole = simulated("<remark><kind>E</kind><code>1</code></remark>").unwrap();
        assert_eq!((whole.reference.as_str(), whole.lines.len(), whole.total), ("", 2, 0));
        assert!(!whole.is_payable());
        let nothing = read_simulation(&format!("<reply xmlns='urn:x'>{sums}</reply>"), &names(), &[]).unwrap();
        assert!(!nothing.is_payable());
    }

    #[test]
    fn a_simulation_that_does_not_answer_the_question_is_refused() {
        let [first, second] = ROWS;
        let sums = "<ref>S</ref><fund>1.00</fund><own>1.00</own><sum>2.00</sum>";
        let unexpected = |element: &str| AnswerError::Unexpected {
            element: element.to_owned(),
        };
        let missing = |element: &str| AnswerError::Missing {
            element: element.to_owned(),
        };
        let good = line(first, "1", "1.00");
        for (second, error) in [
            (String::new(), missing("line")),
            (line(first, "1", "1.00"), unexpected("row")),
            (line(Uuid::from_u128(3), "1", "1.00"), unexpected("row")),
            (line(second, "yes", "1.00"), unexpected("ok")),
            (line(second, "1", "1,00"), unexpected("fund")),
            (line(second, "1", "1.001"), unexpected("fund")),
            (line(second, "1", "-1.00"), unexpected("fund")),
            (line(second, "1", "1e2"), unexpected("fund")),
            (line(second, "1", "12345678901.00"), unexpected("fund")),
            (line(second, "1", ""), unexpected("fund")),
            (line(second, "1", "<b/>1.00"), unexpected("fund")),
            (format!("<line><row>{second}</row></line>"), missing("ok")),
            ("<line/>".to_owned(), missing("row")),
        ] {
            assert_eq!(simulated(&format!("{sums}{good}{second}")), Err(error), "{second}");
        }
        let good = format!("{good}{}", line(second, "1", "1.00"));
        assert_eq!(simulated(&format!("<ref>S</ref>{good}")), Err(missing("fund")));
        assert_eq!(simulated(&format!("{sums}<sum>2.00</sum>{good}")), Err(unexpected("sum")));
        assert_eq!(simulated(&good), Err(missing("ref")));
    }

    #[test]
    fn a_payment_is_read_and_a_refused_one_pays_nothing() {
        let pay = |inner: &str| read_payment(&format!("<reply xmlns='urn:x'>{inner}</reply>"), &names());
        let paid = pay("<doc>S</doc><ref>P</ref><fund>46.11</fund><debt>6.11</debt><paid>40.00</paid><why> dette </why>").unwrap();
        let expected = Payment {
            answer: Answer {
                reference: Some("P".to_owned()),
                document: Some("S".to_owned()),
                anomalies: Vec::new(),
            },
            amounts: Some(PaidAmounts {
                statutory: 4611,
                offset: 611,
                paid: 4000,
            }),
            reason: Some("dette".to_owned()),
        };
        assert_eq!(paid, expected);
        let refused = pay("<doc>S</doc><remark><kind>E</kind><code>9</code></remark>").unwrap();
        assert!(refused.answer.is_refused());
        assert_eq!((refused.amounts, refused.reason), (None, None));
    }

    #[test]
    fn a_payment_is_known_whatever_its_amounts_look_like() {
        let pay = |amounts: &str| {
            let xml = format!("<reply xmlns='urn:x'><doc>S</doc><ref>P</ref>{amounts}<why>dette</why></reply>");
            let payment = read_payment(&xml, &names()).unwrap();
            assert_eq!(payment.answer.reference.as_deref(), Some("P"), "{amounts}");
            assert_eq!(payment.reason.as_deref(), Some("dette"), "{amounts}");
            payment.amounts.map(|amounts| (amounts.statutory, amounts.offset, amounts.paid))
        };
        let told = |fund: &str, debt: &str, paid: &str| pay(&format!("<fund>{fund}</fund><debt>{debt}</debt><paid>{paid}</paid>"));
        assert_eq!(told("46", "6.1", "39.9"), Some((4600, 610, 3990)));
        assert_eq!(told(" 46.110 ", "-3.89", "+50"), Some((4611, -389, 5000)));
        for (fund, debt, paid) in [
            ("46.115", "0", "46.115"),
            ("1", "0", "1e0"),
            ("-1", "0", "1"),
            ("1", "0", "-1"),
            ("1", "", "1"),
            ("1", "<b/>0", "1"),
            ("12345678901", "0", "1"),
        ] {
            assert_eq!(told(fund, debt, paid), None, "{fund} {debt} {paid}");
        }
        assert_eq!(pay("<fund>1.00</fund><debt>0.00</debt>"), None);
        assert_eq!(pay("<fund>1</fund><debt>0</debt><paid>1</paid><paid>2</paid>"), None);
    }

    #[test]
    fn an_anomaly_points_to_no_row_that_was_not_sent() {
        let xml = "<reply xmlns='urn:x'><ref>1</ref><remark><kind>W</kind><code>9</code><words>Ligne 3</words></remark></reply>";
        for (rows, line) in [(0, None), (2, None), (3, Some(2)), (99, Some(2))] {
            assert_eq!(read(xml, &names(), rows).unwrap().anomalies[0].line, line, "{rows}");
        }
        let remark = |words: &str, row: &str| {
            let xml =
                format!("<reply xmlns='urn:x'><remark><kind>E</kind><code>9</code><words>{words}</words><row>{row}</row></remark></reply>");
            read_simulation(&xml, &names(), &ROWS).unwrap().anomalies[0].line
        };
        assert_eq!(remark("Ligne 2", "7"), Some(1));
        assert_eq!(remark("Ligne 3", "7"), None);
        assert_eq!(remark("Ligne 3", &ROWS[0].to_string()), Some(0));
    }

    #[test]
    fn words_point_to_a_line() {
        for (message, line) in [
            ("Ligne 3 : code inconnu", Some(2)),
            ("Voir ligne\u{a0}12.", Some(11)),
            ("LIGNE 1", Some(0)),
            ("Ligne 0", None),
            ("Ligne trois", None),
            ("Ligne", None),
            ("Ligne3", None),
            ("Soulignez 3", None),
            ("souligne 3", None),
            ("Ligne 99999999999999999999", None),
            ("İ ligne 2", Some(1)),
            ("", None),
        ] {
            assert_eq!(super::line_in(message, "Ligne"), line, "{message}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_answered(text in "[<>&;/a-z0-9.='\" !\\[\\]-]{0,60}") {
            for xml in [text.clone(), format!("<reply xmlns='urn:x'>{text}</reply>"), format!("<reply xmlns='urn:x'><line>{text}</line></reply>")] {
                let _ = read(&xml, &names(), 3);
                let _ = read_simulation(&xml, &names(), &ROWS);
                let _ = read_payment(&xml, &names());
            }
        }
    }
}
