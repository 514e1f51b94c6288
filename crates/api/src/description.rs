//! What the routes have in common in the OpenAPI document: who may call, what every answer may be, and examples. Said once here, so
//! that a route says only what is its own.

use econnector_base::Fault;
use econnector_connector::Problem;
use econnector_forms::Lang;
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, PathItem, Ref, RefOr, Required};
use utoipa_axum::router::OpenApiRouter;

use crate::Shared;
use crate::examples::Examples;

const PROBLEM: &str = "application/problem+json";
const STATUS: &str = "/econnector/status";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "eConnector",
        description = "Sick notes, fee notes and direct payments for Luxembourg: checked, signed remotely in the physician's name, deposited at mySecu.\n\n\
            One API, three doors. **Link**: practice software on the physician's machine, `http://127.0.0.1:17943` with the key of the user's \
            connection file. **Hospital**: integration engines, HTTPS with a token, a client certificate or an API key. **Window**: \
            the desktop itself, in process; routes marked *window only* answer 403 or 404 elsewhere.\n\n\
            Every error is a problem (RFC 9457) with a stable code, whose fault it is and what to do next, in the language of \
            `Accept-Language`. Names and fields are only ever added within `/v1`.",
        license(name = "EUPL-1.2", identifier = "EUPL-1.2")
    ),
    tags(
        (name = "status", description = "Whether it works, and if not, why. Without login."),
        (name = "session", description = "Who is logged in at this desktop. Not on the hospital's door."),
        (name = "forms", description = "The forms: definition, schema, check and preview. Nothing is sent."),
        (name = "documents", description = "Documents: signed, deposited, followed, cancelled; signatures of PDFs made elsewhere; verifications."),
        (name = "pid", description = "Immediate direct payment: simulated, then ordered or contested."),
        (name = "journal", description = "What was sent, without patients."),
        (name = "profile", description = "What the physician typed about herself. Not on the hospital's door."),
        (name = "printing", description = "The printers of this machine. Not on the hospital's door."),
        (name = "link", description = "Window only: who may use the link, and what waits for the physician's word."),
    )
)]
struct Description;

/// The document before the routes add themselves.
pub(crate) fn empty() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Description::openapi())
}

/// The document when all routes are in it.
pub(crate) fn complete(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let components = document.components.get_or_insert_default();
    add_security_schemes(components);
    add_headers(components);
    for (status, description, code, fault) in EVERYWHERE.iter().chain(OFTEN) {
        let answer = problem(description, said(code, *fault));
        components.responses.insert(name(status), RefOr::T(with_headers(answer, status)));
    }
    let examples = Examples::embedded();
    examples.add_requests(components);
    close_parts(components);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            complete_operation(&examples, path, method, operation);
        }
    }
    document
}

/// A problem that any route may answer: status, what it says, and the code and fault of its example.
type Everywhere = (&'static str, &'static str, &'static str, Fault);

const EVERYWHERE: &[Everywhere] = &[
    (
        "400",
        "The request cannot be used: a parameter, the body, or a header that this door asks for",
        "request-parameter",
        Fault::You,
    ),
    (
        "401",
        "Nobody is logged in, the token is missing or not valid, or the caller's key is missing or wrong",
        "token-missing",
        Fault::You,
    ),
    (
        "403",
        "Not for this physician, or the token names none or gives no right to sign; on the link: this origin or software is not allowed, or the physician has not said yes",
        "physician-mismatch",
        Fault::You,
    ),
    ("408", "The request came too slowly", "request-too-slow", Fault::Network),
    (
        "421",
        "The link was called by another name than its address",
        "link-host-wrong",
        Fault::You,
    ),
    (
        "429",
        "Too many requests of this caller; `Retry-After` says when to come back",
        "too-many-requests",
        Fault::You,
    ),
    ("500", "This program failed", "internal", Fault::Us),
    (
        "502",
        "An authority failed, or refused what only it can explain",
        "aes-garbage",
        Fault::Authority,
    ),
    (
        "503",
        "This installation cannot work as it is set up, or is busy: then `Retry-After` says when to come back",
        "server-busy",
        Fault::Us,
    ),
    (
        "504",
        "An authority cannot be reached, or the answer took too long",
        "answer-too-slow",
        Fault::Us,
    ),
];

/// What routes with a body, with a name in their path, or in somebody's name may answer besides.
const OFTEN: &[Everywhere] = &[
    ("404", "Not known", "document-unknown", Fault::You),
    (
        "409",
        "The session is not the one that `X-EConnector-Physician` names",
        "session-changed",
        Fault::You,
    ),
    ("413", "The body is too large", "request-too-large", Fault::You),
    ("415", "The body is of another media type", "request-media-type", Fault::You),
];

/// Examples of problems that routes describe in their own words.
const EXAMPLES: &[(&str, &str, Fault)] = &[("409", "id-already-used", Fault::You), ("422", "values-wrong", Fault::You)];

fn complete_operation(examples: &Examples, path: &str, method: &str, operation: &mut Operation) {
    let own = |operation: &Operation, status: &str| operation.responses.responses.contains_key(status);
    for (status, ..) in EVERYWHERE {
        // The state of the services is told to anybody and asks nobody.
        let asked = path != STATUS || !matches!(*status, "400" | "401" | "502");
        if asked && !own(operation, status) {
            let answer = RefOr::Ref(Ref::from_response_name(name(status)));
            operation.responses.responses.insert((*status).to_owned(), answer);
        }
    }
    // The status of the services and the forms themselves are open, and whose desk it is needs no token; the link wants its key all the
    // same, save for the first.
    let forms = path.contains("/v1/forms") && !path.ends_with("/preview");
    let desk = path.contains("/v1/session") || path.ends_with("/printers");
    let open = path == STATUS || path == "/econnector/v1/status" || forms || desk;
    for (status, ..) in OFTEN {
        let possible = match *status {
            "404" => path.contains('{'),
            "409" => (!open || path.ends_with("/printers")) && !path.contains("/v1/link"),
            _ => operation.request_body.is_some(),
        };
        if possible && !own(operation, status) {
            let answer = RefOr::Ref(Ref::from_response_name(name(status)));
            operation.responses.responses.insert((*status).to_owned(), answer);
        }
    }
    for (status, answer) in &mut operation.responses.responses {
        let RefOr::T(answer) = answer else { continue };
        if answer.content.is_empty() && !status.starts_with('2') {
            *answer = problem(&answer.description, None);
        }
        for (media, content) in &mut answer.content {
            let RefOr::T(content) = content else { continue };
            match media.as_str() {
                PROBLEM if status == "409" && path.contains("/link/approvals/") => content.example = said("session-changed", Fault::You),
                PROBLEM => content.example = example_of(status),
                "application/json" => content.example = examples.of_answer(path, content),
                _ => {}
            }
        }
        let described = std::mem::replace(answer, Response::new(""));
        *answer = with_headers(described, status);
    }
    operation.security = Some(callers(path, open));
    let parameter = |name: &str| RefOr::Ref(Ref::new(format!("#/components/parameters/{name}")));
    let parameters = operation.parameters.get_or_insert_default();
    parameters.push(parameter("AcceptLanguage"));
    if path == STATUS {
        parameters.push(parameter("Challenge"));
    }
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        let optional = path.ends_with("/session/login");
        body.required = Some(if optional { Required::False } else { Required::True });
        for (media, content) in &mut body.content {
            if let RefOr::T(content) = content {
                examples.add_to_request(path, method, media, content);
            }
        }
    }
}

/// No route takes a part that it does not name.
fn close_parts(components: &mut Components) {
    for name in ["DocumentParts", "SignatureParts"] {
        if let Some(RefOr::T(Schema::Object(parts))) = components.schemas.get_mut(name) {
            parts.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [
        ("get", item.get.as_mut()),
        ("put", item.put.as_mut()),
        ("post", item.post.as_mut()),
        ("delete", item.delete.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation?)))
}

/// Whoever may call: one of these, each with everything it needs.
fn callers(path: &str, open: bool) -> Vec<SecurityRequirement> {
    let all = |names: &[&str]| {
        names.iter().fold(SecurityRequirement::default(), |requirement, name| {
            requirement.add::<_, [&str; 0], &str>(*name, [])
        })
    };
    if path.contains("/v1/link") || path == STATUS {
        return vec![SecurityRequirement::default()];
    }
    // Which physician may also be said beside a token or in the session; there it is no credential, and may be left out.
    let link = [all(&["connection_key", "software"]), all(&["connection_key", "software", "bearer"])];
    let hospital = [
        all(&["bearer"]),
        all(&["client_key", "physician"]),
        all(&["client_certificate", "physician"]),
    ];
    let anybody = open.then(SecurityRequirement::default);
    anybody.into_iter().chain(hospital).chain(link).collect()
}

fn add_security_schemes(components: &mut Components) {
    let header = |name: &str, description: &str| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, description)));
    let schemes = [
        (
            "bearer",
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .bearer_format("JWT")
                    .description(Some(
                        "AeS access token of the physician, or of somebody who acts for her: then `X-EConnector-Physician` beside it says for which of \
                         those it lists. Wins over every other way.",
                    ))
                    .build(),
            ),
        ),
        (
            "connection_key",
            header(
                "X-EConnector-Key",
                "Link: the key in the user's connection file, new at each start; for a web page, the key of its allowed origin.",
            ),
        ),
        (
            "software",
            header(
                "X-EConnector-Software",
                "Link: who calls, `Name` or `Name/version`, 1 to 64 printable ASCII characters. The physician is asked once for each name.",
            ),
        ),
        (
            "client_key",
            header("X-EConnector-Key", "Hospital: the API key of a caller in the clients file."),
        ),
        (
            "client_certificate",
            SecurityScheme::MutualTls {
                description: Some("Hospital: the TLS certificate of a caller in the clients file.".to_owned()),
                deprecated: None,
                extensions: None,
            },
        ),
        (
            "physician",
            header(
                "X-EConnector-Physician",
                "The eHealthID, 10 digits, in whose name the call is made. Beside a token: which of the physicians it lists, when there are \
                 several. In the desktop's session it may be left out; while the session works for another the answer is 409 \
                 `session-changed`. Hospital, with an API key or a client certificate: always; the server gets a token in her name.",
            ),
        ),
    ];
    for (name, scheme) in schemes {
        components.security_schemes.insert(name.to_owned(), RefOr::T(scheme));
    }
}

fn add_headers(components: &mut Components) {
    let headers = [
        (
            "RequestId",
            text_header(
                "Hospital: names this request in the server's log",
                "4f1c2a7e-5b0d-4c3f-9a55-0d6b8e1f2a3c",
            ),
        ),
        ("RetryAfter", text_header("Seconds after which to come back", "5")),
        ("Authenticate", text_header("How to say who calls", "Bearer")),
    ];
    for (name, header) in headers {
        components.headers.insert(name.to_owned(), RefOr::T(header));
    }
    let parameters = [
        (
            "AcceptLanguage",
            "Accept-Language",
            "`fr` (also when absent), `de`, `en` or `lb`: the language of every text in the answer",
            "fr",
        ),
        (
            "Challenge",
            "X-EConnector-Challenge",
            "Link: 16 to 128 visible ASCII characters, new for each request; `link.proof` of the answer shows that who answers wrote the \
             connection file. Anything else is answered without a proof.",
            "0b6d2f5c3a7e4d1f9c8b7a6e5d4c3b2a",
        ),
    ];
    for (component, header, description, example) in parameters {
        let parameter = ParameterBuilder::new()
            .name(header)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(string()))
            .example(Some(json!(example)))
            .build();
        components.parameters.insert(component.to_owned(), RefOr::T(parameter));
    }
}

fn text_header(description: &str, example: &str) -> Header {
    let mut header = HeaderBuilder::new().schema(Some(string())).description(Some(description)).build();
    header.example = Some(json!(example));
    header
}

fn string() -> Schema {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).build().into()
}

fn with_headers(mut answer: Response, status: &str) -> Response {
    let mut add = |name: &str, component: &str| {
        let header = RefOr::Ref(Ref::new(format!("#/components/headers/{component}")));
        answer.headers.insert(name.to_owned(), header);
    };
    add("X-Request-Id", "RequestId");
    match status {
        "401" => add("WWW-Authenticate", "Authenticate"),
        "403" | "408" | "429" | "503" | "504" => add("Retry-After", "RetryAfter"),
        _ => {}
    }
    answer
}

fn problem(description: &str, example: Option<Value>) -> Response {
    let content: Content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .example(example)
        .build();
    ResponseBuilder::new().description(description).content(PROBLEM, content).build()
}

/// A problem that is answered with this status.
fn example_of(status: &str) -> Option<Value> {
    let everywhere = EVERYWHERE
        .iter()
        .chain(OFTEN)
        .map(|(status, _, code, fault)| (*status, *code, *fault));
    let (_, code, fault) = EXAMPLES.iter().copied().chain(everywhere).find(|(known, ..)| *known == status)?;
    said(code, fault)
}

fn said(code: &str, fault: Fault) -> Option<Value> {
    serde_json::to_value(Problem::of_code(code, fault, Lang::En)).ok()
}

fn name(status: &str) -> String {
    format!("Problem{status}")
}

/// A value as an example.
pub(crate) fn example(summary: &str, value: Value) -> utoipa::openapi::example::Example {
    utoipa::openapi::example::ExampleBuilder::new()
        .summary(summary)
        .value(Some(value))
        .build()
}
