//! What travels: the shapes that are not already those of the core.

use base64::Engine as _;
use base64::alphabet::STANDARD as STANDARD_ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use econnector_base::{Fault, Patient};
use econnector_connector::{
    Contestation, Issued, JournalLine, LockRule, Problem, Progress, Receipt, Simulated, Status, Values, Verification, VoletCopy,
};
use econnector_forms::{Contested, Environment, FormSummary, Lang, Severity};
use econnector_identity::Logins;
use econnector_loopback::{LinkFacts, RemarkView, ReplacedView};
use econnector_printing::Printer;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::input::Id;

/// `{values}`.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ValuesBody {
    /// Field id to value, as the form's schema says.
    #[schema(value_type = Object)]
    pub(crate) values: Values,
}

/// A document to issue.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssueBody {
    /// Made by the caller, UUID v4. The same id is never deposited twice.
    #[schema(value_type = Uuid, pattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$")]
    pub(crate) id: Id,
    /// The form's kind.
    pub(crate) kind: String,
    /// Field id to value, as the form's schema says.
    #[schema(value_type = Object)]
    pub(crate) values: Values,
    /// The document that this one replaces, of the same kind and physician. If it is still deposited it is cancelled, naming this
    /// one, after this one is signed and before it is deposited.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>, pattern = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
    pub(crate) replaces: Option<Id>,
    /// Why the replaced document is cancelled, for the authority; 1 to 200 characters. Sent and not kept.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    pub(crate) reason: Option<Patient<String>>,
}

/// A document that its caller made: the XML of the authority and its PDF, in parts.
#[derive(ToSchema)]
pub(crate) struct DocumentParts {
    /// Made by the caller, UUID v4; the XML must name it too.
    #[schema(value_type = Uuid, pattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$")]
    pub(crate) id: Id,
    /// The form's kind.
    #[schema(max_length = 64)]
    pub(crate) kind: String,
    /// The XML of the authority for this form, without the PDF; UTF-8, at most 4 MiB.
    #[schema(value_type = String)]
    pub(crate) xml: Zeroizing<String>,
    /// At most 10 MB, neither encrypted nor signed. It is signed as it is.
    #[schema(value_type = String, format = Binary)]
    pub(crate) pdf: Zeroizing<Vec<u8>>,
}

/// A PDF to sign, in parts; with `kind` and `xml` the XML is deposited with it.
#[derive(ToSchema)]
pub(crate) struct SignatureParts {
    /// Made by the caller, UUID v4; the XML must name it too.
    #[schema(value_type = Uuid, pattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$")]
    pub(crate) id: Id,
    /// At most 10 MB, neither encrypted nor signed. It is signed as it is.
    #[schema(value_type = String, format = Binary)]
    pub(crate) pdf: Zeroizing<Vec<u8>>,
    /// The form's kind, with `xml`: either both or neither.
    #[schema(max_length = 64)]
    pub(crate) kind: Option<String>,
    /// The XML of the authority for this form, without the PDF, with `kind`; UTF-8, at most 4 MiB.
    #[schema(value_type = Option<String>)]
    pub(crate) xml: Option<Zeroizing<String>>,
}

/// A PDF to sign.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignatureBody {
    /// Made by the caller, UUID v4. The same id is never signed or deposited twice.
    #[schema(value_type = Uuid, pattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$")]
    pub(crate) id: Id,
    /// The PDF in base64; at most 10 MB, neither encrypted nor signed. It is signed as it is.
    #[schema(value_type = String, content_encoding = "base64", content_media_type = "application/pdf", pattern = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$")]
    pub(crate) content: Base64,
    /// What is deposited with it; the PDF is only signed when absent.
    #[serde(default)]
    pub(crate) deposit: Option<DepositBody>,
}

/// The XML of the authority that goes with a PDF made elsewhere.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DepositBody {
    /// The form's kind.
    pub(crate) kind: String,
    /// The XML, without the PDF; it must name the document's id and the physician's provider code.
    #[schema(value_type = String)]
    pub(crate) xml: Zeroizing<String>,
}

/// A signed PDF to look at.
#[derive(Deserialize, ToSchema)]
pub(crate) struct VerificationBody {
    /// The PDF in base64.
    #[schema(value_type = String, content_encoding = "base64", content_media_type = "application/pdf", pattern = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$")]
    pub(crate) content: Base64,
}

/// The last character of a text may carry bits that no byte needs; programs differ in what they write there.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD_ALPHABET,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// A PDF that travels as base64 in JSON, wiped when dropped.
pub(crate) struct Base64(pub(crate) Zeroizing<Vec<u8>>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(source)?);
        let content = LENIENT.decode(text.as_bytes()).map_err(|_| D::Error::custom("no base64"))?;
        Ok(Self(Zeroizing::new(content)))
    }
}

/// A PDF as such.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(crate) struct Pdf(());

/// What a signed PDF is worth.
#[derive(Serialize, ToSchema)]
pub(crate) struct VerificationView {
    /// Intact, complete and trusted, with nothing to doubt.
    pub(crate) valid: bool,
    /// What is signed was not changed.
    pub(crate) intact: bool,
    /// The signature covers the whole file.
    pub(crate) complete: bool,
    /// The signer's certificate chains to the trust store.
    pub(crate) trusted: bool,
    pub(crate) signer: SignerView,
    /// The time in the timestamp.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub(crate) signed_at: Option<OffsetDateTime>,
    /// Why it is not valid, or what else to know.
    pub(crate) doubts: Vec<Notice>,
}

/// Who signed, as the certificate says.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignerView {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ehealth_id: Option<String>,
}

/// What the physician decided on a software that asks for the link.
#[derive(Deserialize, ToSchema)]
pub(crate) struct DecisionBody {
    pub(crate) decision: DecisionWord,
    /// Whether what it wants signed today needs no word of hers.
    #[serde(default)]
    pub(crate) trusted_today: Option<bool>,
}

/// Whether it may.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DecisionWord {
    Allowed,
    Refused,
}

/// A web page that may use the link.
#[derive(Deserialize, ToSchema)]
pub(crate) struct OriginBody {
    /// Scheme, host and port, as the browser sends them.
    #[schema(example = "https://cabinet.example.lu")]
    pub(crate) origin: String,
}

/// The physician's word on what a software wants to do in her name.
#[derive(Deserialize, ToSchema)]
pub(crate) struct AnswerBody {
    /// `today` also allows whatever this software asks until midnight, while the same person works for the same physician.
    pub(crate) answer: econnector_loopback::Answer,
}

/// What a software wants to do in the physician's name.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApprovalView {
    pub(crate) id: Uuid,
    /// Who asks.
    pub(crate) software: String,
    pub(crate) action: econnector_loopback::Action,
    /// The physician in whose name it would be done.
    pub(crate) physician_name: String,
    /// The form's kind, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) form: Option<String>,
    /// The document's id.
    pub(crate) document: Uuid,
    /// For a cancellation: why, in the software's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// The document whose place it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<ReplacedView>,
    /// For a cancellation: the document that will take the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replaced_by: Option<Uuid>,
    /// The XML that is deposited with a page made elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<MessageView>,
    /// The remarks of the authority that are to be contested.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(crate) remarks: Vec<RemarkView>,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) since: OffsetDateTime,
    /// The document in the journal, when it is there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<LineFacts>,
}

/// What an XML says that is deposited with a page made elsewhere. It is sent as it came.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageView {
    /// The provider codes in it that may be the physician's.
    pub(crate) provider_codes: Vec<String>,
    /// How many rows it has.
    pub(crate) lines: usize,
    /// What its form shows of it.
    pub(crate) facts: Vec<MessageFact>,
}

/// One thing that a message says.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageFact {
    pub(crate) label: String,
    /// As it stands in the message.
    pub(crate) value: String,
}

/// A line of the journal, in short.
#[derive(Serialize, ToSchema)]
pub(crate) struct LineFacts {
    pub(crate) kind: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
}

/// Whether documents can be issued, and how the caller stands with the link.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsableView {
    #[serde(flatten)]
    pub(crate) status: Status,
    /// On the link alone: what it makes of this request's key and software.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<LinkFacts>,
}

/// Why a document is cancelled.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancellationBody {
    /// For the authority; 1 to 200 characters. Sent and not kept.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    pub(crate) reason: Patient<String>,
    /// The id of the document that will take its place, when there will be one.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>, pattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$")]
    pub(crate) replaced_by: Option<Id>,
}

/// A document for a handwritten signature.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaperBody {
    /// Made by the caller, UUID v4.
    #[schema(value_type = Uuid, pattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$")]
    pub(crate) id: Id,
    /// The form's kind.
    pub(crate) kind: String,
    /// Field id to value, as the form's schema says.
    #[schema(value_type = Object)]
    pub(crate) values: Values,
}

/// What to print, and where.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PrintBody {
    /// The volets, in the order they come out.
    #[schema(min_items = 1)]
    pub(crate) volets: Vec<String>,
    /// The queue; that of the profile when absent, else the system's default.
    #[serde(default)]
    pub(crate) printer: Option<String>,
}

/// What the printer took.
#[derive(Serialize, ToSchema)]
pub(crate) struct PrintView {
    /// The queue.
    pub(crate) printer: String,
    /// The system's name of the first job.
    pub(crate) job: String,
    /// Every job, one for each volet in the order asked for; fewer when a later one was not taken.
    pub(crate) jobs: Vec<String>,
    /// Why a later volet was not taken; the jobs named come out all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<Problem>,
}

/// The printers there are.
#[derive(Serialize, ToSchema)]
pub(crate) struct PrintersView {
    pub(crate) printers: Vec<Printer>,
}

/// A form whose amounts the authority is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SimulateBody {
    /// Made by the caller, UUID v4. The same id again simulates anew, unless it was paid.
    #[schema(value_type = Uuid, pattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-4[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$")]
    pub(crate) id: Id,
    /// The form's kind, where several are simulated.
    #[serde(default)]
    pub(crate) kind: Option<String>,
    /// Field id to value, as the form's schema says.
    #[schema(value_type = Object)]
    pub(crate) values: Values,
}

/// What the authority would pay. Nothing is paid yet.
#[derive(Serialize, ToSchema)]
pub(crate) struct SimulationView {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    /// `simulated`.
    pub(crate) state: StateView,
    /// Whether every line was accepted, so that the payment can be ordered.
    pub(crate) payable: bool,
    /// The authority's name of the simulation; empty when it refused before giving one.
    pub(crate) reference: String,
    #[schema(example = "EUR")]
    pub(crate) currency: &'static str,
    /// One for each line of the form, in its order.
    pub(crate) lines: Vec<SimulatedLineView>,
    pub(crate) totals: SharesView,
    /// What the authority remarked.
    pub(crate) anomalies: Vec<SimulationAnomaly>,
    /// Under which mySecu can find the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) correlation_id: Option<String>,
    /// The kind of form to use instead when this one is not paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) turns_into: Option<String>,
}

/// One line's shares, in cents.
#[derive(Serialize, ToSchema)]
pub(crate) struct SimulatedLineView {
    /// Which line of the form, from 0.
    pub(crate) line: usize,
    /// Whether it can be paid directly.
    pub(crate) accepted: bool,
    /// What the insurance pays.
    pub(crate) statutory: i64,
    /// What the patient pays.
    pub(crate) personal: i64,
    pub(crate) total: i64,
}

/// Shares in cents.
#[derive(Serialize, ToSchema)]
pub(crate) struct SharesView {
    /// What the insurance pays.
    pub(crate) statutory: i64,
    /// What the patient pays.
    pub(crate) personal: i64,
    pub(crate) total: i64,
}

/// One remark on a simulation, in the authority's words.
#[derive(Serialize, ToSchema)]
pub(crate) struct SimulationAnomaly {
    /// By which it can be contested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    pub(crate) severity: Severity,
    pub(crate) code: String,
    pub(crate) message: String,
    /// Which line of the form it is about, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<usize>,
}

/// Nothing more is needed to order the payment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ValidationBody {}

/// What is contested.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContestationBody {
    #[schema(min_items = 1)]
    pub(crate) anomalies: Vec<ContestedAnomaly>,
}

/// One contested remark.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ContestedAnomaly {
    /// Of the simulation's anomaly.
    pub(crate) id: String,
    /// One of the definition's `contestation` codes.
    pub(crate) code: String,
}

/// What was contested.
#[derive(Serialize, ToSchema)]
pub(crate) struct ContestationView {
    pub(crate) id: Uuid,
    /// `contested`.
    pub(crate) state: StateView,
    /// The authority's reference.
    pub(crate) reference: String,
    /// Under which mySecu can find the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) correlation_id: Option<String>,
}

/// The forms there are.
#[derive(Serialize, ToSchema)]
pub(crate) struct FormsView {
    pub(crate) forms: Vec<FormSummary>,
}

/// A settled document.
#[derive(Serialize, ToSchema)]
pub(crate) struct DocumentView {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    /// `deposited`, `signed`, `paper`, or what an earlier call left: `unknown` when its answer was lost, `cancelling`, `cancelled`.
    pub(crate) state: StateView,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) receipt: Option<Receipt>,
    pub(crate) volets: Vec<VoletView>,
    /// Why the outcome is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<Problem>,
}

/// How far a document has come.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProgressView {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) state: StateView,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) receipt: Option<Receipt>,
    pub(crate) volets: Vec<VoletView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<Problem>,
}

/// How far a document has come.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = State)]
pub(crate) enum StateView {
    Checking,
    Signing,
    Depositing,
    Deposited,
    Signed,
    Failed,
    Unknown,
    Simulated,
    Contested,
    Cancelling,
    Cancelled,
    Paper,
}

/// One volet of a document.
#[derive(Serialize, ToSchema)]
pub(crate) struct VoletView {
    pub(crate) name: String,
    pub(crate) title: String,
    #[schema(example = "application/pdf")]
    pub(crate) media_type: &'static str,
    pub(crate) signed: bool,
    pub(crate) pages: usize,
    /// Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<String>,
}

/// The journal, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct JournalView {
    pub(crate) entries: Vec<EntryView>,
}

/// One line of the journal. It never says anything of a patient.
#[derive(Serialize, ToSchema)]
pub(crate) struct EntryView {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) state: StateView,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub(crate) finished_at: Option<OffsetDateTime>,
    pub(crate) actor: String,
    pub(crate) physician: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) correlation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<Uuid>,
    /// The document that took, or will take, its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replaced_by: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub(crate) cancelled_at: Option<OffsetDateTime>,
    /// Under which mySecu can find the cancellation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cancellation_correlation_id: Option<String>,
    /// Whether a cancellation can be asked for now.
    pub(crate) cancellable: bool,
    /// Whether its pages are still in memory, and the caller may see them.
    pub(crate) has_pages: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem_code: Option<String>,
}

/// How to log in.
#[derive(Default, Deserialize, ToSchema)]
pub(crate) struct LoginBody {
    /// AeS asks who it is, whoever was logged in there before.
    #[serde(default)]
    #[schema(required = false)]
    pub(crate) other_account: bool,
}

/// For whom the logged-in person works from now on.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ChoiceBody {
    /// One of the session's `acts_for`, 10 digits.
    #[schema(pattern = "^[0-9]{10}$", example = "1900000002")]
    pub(crate) ehealth_id: String,
}

/// Who is logged in on this machine, and for whom.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionDto {
    pub(crate) state: SessionState,
    /// Whose logins this installation takes.
    pub(crate) logins: LoginsView,
    /// Whether this is the real thing.
    pub(crate) environment: Environment,
    /// While logging in: the address to open if no browser did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) login_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<ActorView>,
    /// For whom; absent until somebody with several physicians has chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) physician: Option<PhysicianView>,
    /// Whether `physician` is somebody else than the actor, who works for her by her mandate.
    pub(crate) mandate: bool,
    /// Everybody she may choose, herself first if she is a physician; empty where there is no choice.
    pub(crate) acts_for: Vec<PhysicianView>,
    /// When this login was done, or this session was taken up again. A renewal changes nothing of it.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub(crate) since: Option<OffsetDateTime>,
    /// When the session ends unless it is renewed.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub(crate) until: Option<OffsetDateTime>,
    /// Whether the next start needs no login.
    pub(crate) remembered: bool,
    /// AeS' clock minus this computer's, in seconds: positive when this computer is behind. Absent until AeS has answered once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clock_skew_seconds: Option<i64>,
    /// When the window hides what it shows.
    pub(crate) lock: LockRule,
    pub(crate) notices: Vec<Notice>,
    /// Why the last login failed or the session ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<Problem>,
}

/// Whose logins an installation takes: those of this desktop, the tokens of callers, or both.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Logins)]
pub(crate) enum LoginsView {
    Own,
    Delegated,
    Both,
}

impl From<Logins> for LoginsView {
    fn from(logins: Logins) -> Self {
        match logins {
            Logins::Own => Self::Own,
            Logins::Delegated => Self::Delegated,
            Logins::Both => Self::Both,
        }
    }
}

/// `logged_out`, `logging_in`, `logged_in`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionState {
    LoggedOut,
    LoggingIn,
    LoggedIn,
}

/// Whoever presses the button.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActorView {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// In whose name documents are signed.
#[derive(Serialize, ToSchema)]
pub(crate) struct PhysicianView {
    pub(crate) ehealth_id: String,
    pub(crate) name: String,
    pub(crate) provider_codes: Vec<String>,
}

/// Something to know that does not stop the work.
#[derive(Serialize, ToSchema)]
pub(crate) struct Notice {
    pub(crate) code: String,
    pub(crate) title: String,
    pub(crate) detail: String,
    /// What to do about it.
    pub(crate) next: String,
}

impl From<econnector_journal::State> for StateView {
    fn from(state: econnector_journal::State) -> Self {
        use econnector_journal::State;
        match state {
            State::Checking => Self::Checking,
            State::Signing => Self::Signing,
            State::Depositing => Self::Depositing,
            State::Deposited => Self::Deposited,
            State::Signed => Self::Signed,
            State::Failed => Self::Failed,
            State::Unknown => Self::Unknown,
            State::Simulated => Self::Simulated,
            State::Contested => Self::Contested,
            State::Cancelling => Self::Cancelling,
            State::Cancelled => Self::Cancelled,
            State::Paper => Self::Paper,
        }
    }
}

impl From<JournalLine> for EntryView {
    fn from(line: JournalLine) -> Self {
        let JournalLine {
            entry,
            cancellable,
            has_pages,
        } = line;
        Self {
            id: entry.id,
            kind: entry.kind,
            state: entry.state.into(),
            created_at: entry.created_at,
            finished_at: entry.finished_at,
            actor: entry.who.actor_name,
            physician: entry.who.physician_name,
            reference: entry.reference,
            correlation_id: entry.correlation_id,
            replaces: entry.replaces,
            replaced_by: entry.replaced_by,
            cancelled_at: entry.cancellation.as_ref().and_then(|cancellation| cancellation.at),
            cancellation_correlation_id: entry.cancellation.and_then(|cancellation| cancellation.correlation_id),
            cancellable,
            has_pages,
            problem_code: entry.problem.map(|(code, _)| code),
        }
    }
}

impl From<Simulated> for SimulationView {
    fn from(simulated: Simulated) -> Self {
        let simulation = simulated.simulation;
        let lines = simulation.lines.iter().enumerate();
        Self {
            id: simulated.id,
            kind: simulated.kind,
            state: StateView::Simulated,
            payable: simulation.is_payable(),
            currency: "EUR",
            lines: lines
                .map(|(line, shares)| SimulatedLineView {
                    line,
                    accepted: shares.accepted,
                    statutory: shares.statutory,
                    personal: shares.personal,
                    total: shares.total,
                })
                .collect(),
            totals: SharesView {
                statutory: simulation.statutory,
                personal: simulation.personal,
                total: simulation.total,
            },
            reference: simulation.reference,
            anomalies: simulation
                .anomalies
                .into_iter()
                .map(|anomaly| SimulationAnomaly {
                    id: anomaly.id,
                    severity: anomaly.severity,
                    code: anomaly.code,
                    message: anomaly.message,
                    line: anomaly.line,
                })
                .collect(),
            correlation_id: simulated.correlation_id,
            turns_into: simulated.turns_into,
        }
    }
}

impl From<Contestation> for ContestationView {
    fn from(contestation: Contestation) -> Self {
        Self {
            id: contestation.id,
            state: StateView::Contested,
            reference: contestation.reference,
            correlation_id: contestation.correlation_id,
        }
    }
}

impl From<ContestedAnomaly> for Contested {
    fn from(anomaly: ContestedAnomaly) -> Self {
        Self {
            id: anomaly.id,
            code: anomaly.code,
        }
    }
}

impl From<Problem> for Notice {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code,
            title: problem.title,
            detail: problem.detail,
            next: problem.next,
        }
    }
}

impl From<econnector_identity::Physician> for PhysicianView {
    fn from(physician: econnector_identity::Physician) -> Self {
        Self {
            ehealth_id: physician.ehealth_id,
            name: physician.name,
            provider_codes: physician.provider_codes,
        }
    }
}

/// The volets' titles are the pack's texts.
pub(crate) type Titles<'a> = &'a dyn Fn(&str) -> String;

impl VerificationView {
    pub(crate) fn new(found: Verification, lang: Lang) -> Self {
        Self {
            valid: found.is_valid(),
            intact: found.intact,
            complete: found.covers_whole_document,
            trusted: found.trusted,
            signer: SignerView {
                name: found.signer_name,
                ehealth_id: found.ehealth_id,
            },
            signed_at: found.signed_at,
            doubts: found
                .doubts
                .into_iter()
                .map(|doubt| Problem::of_code(doubt.code(), Fault::Authority, lang).into())
                .collect(),
        }
    }
}

impl DocumentView {
    pub(crate) fn new(issued: Issued, titles: Titles<'_>, lang: Lang) -> Self {
        Self {
            problem: issued.problem.map(|error| Problem::of(&error, lang)),
            id: issued.id,
            kind: issued.kind,
            state: issued.state.into(),
            receipt: issued.receipt,
            volets: issued
                .volets
                .into_iter()
                .map(|volet| VoletView::new(&volet, titles, true))
                .collect(),
        }
    }
}

impl ProgressView {
    pub(crate) fn new(progress: Progress, titles: Titles<'_>, lang: Lang) -> Self {
        Self {
            problem: progress.problem.map(|(code, fault)| Problem::of_code(&code, fault, lang)),
            id: progress.id,
            kind: progress.kind,
            state: progress.state.into(),
            receipt: progress.receipt,
            volets: progress
                .volets
                .into_iter()
                .map(|volet| VoletView::new(&volet, titles, false))
                .collect(),
        }
    }
}

impl VoletView {
    fn new(volet: &VoletCopy, titles: Titles<'_>, with_content: bool) -> Self {
        Self {
            title: titles(&volet.name),
            name: volet.name.clone(),
            media_type: "application/pdf",
            signed: volet.signed,
            pages: volet.pages,
            content: with_content.then(|| STANDARD.encode(volet.content.as_slice())),
        }
    }
}
