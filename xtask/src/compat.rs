//! The promise to integrators: within `v1` the API only grows. Every released description in docs/releases is held against today's.
//!
//! Callers must not mind what they do not know: a new field or a new value in an answer, a new status, a new optional field in a
//! request. Everything else that can break a caller who did nothing wrong is a finding here.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Map, Value};

use crate::process::{Outcome, root};

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// Today's description against that of every release.
pub(crate) fn check() -> Outcome {
    eprintln!("> compatibility: docs/openapi.json keeps what docs/releases promised");
    let today = read("docs/openapi.json")?;
    let mut releases: Vec<String> = fs::read_dir(root().join("docs/releases"))
        .map_err(|error| format!("docs/releases: {error}"))?
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    releases.sort();
    if releases.is_empty() {
        return Err("docs/releases holds no release: nothing would be promised".to_owned());
    }
    let mut broken = Vec::new();
    for release in &releases {
        let promised = read(&format!("docs/releases/{release}/openapi.json"))?;
        let codes = (codes(&format!("docs/releases/{release}/problems.md"))?, codes("docs/problems.md")?);
        let lost = codes.0.difference(&codes.1).map(|code| format!("problem {code}: removed"));
        let found = breaks(&promised, &today).into_iter().chain(lost);
        broken.extend(found.map(|what| format!("since {release}: {what}")));
    }
    if broken.is_empty() {
        return Ok(());
    }
    Err(format!(
        "callers of a released version would break; add instead of changing:\n  {}",
        broken.join("\n  ")
    ))
}

fn read(path: &str) -> Outcome<Value> {
    let text = fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))
}

/// The problem codes that a list of them explains.
fn codes(path: &str) -> Outcome<BTreeSet<String>> {
    let text = fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))?;
    let codes: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(ToOwned::to_owned)
        .collect();
    if codes.is_empty() {
        return Err(format!("{path} lists no problem code"));
    }
    Ok(codes)
}

/// What a caller of `old` would miss in `new`, one line each.
fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (path, operations) in members(&old["paths"]) {
        for method in METHODS {
            if let Some(operation) = operations.get(method) {
                let place = format!("{} {path}", method.to_uppercase());
                match new["paths"].get(path).and_then(|operations| operations.get(method)) {
                    None => found.push(format!("{place}: removed")),
                    Some(today) => Comparison { old, new }.operation(&place, operation, today, &mut found),
                }
            }
        }
    }
    for (name, scheme) in members(&old["components"]["securitySchemes"]) {
        let today = &new["components"]["securitySchemes"][name];
        if ["type", "scheme", "in", "name"].iter().any(|key| scheme[*key] != today[*key]) {
            found.push(format!("security scheme {name}: removed or changed"));
        }
    }
    found
}

/// Which way a schema's data travel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Request,
    Response,
}

/// Two descriptions, for their references.
#[derive(Clone, Copy)]
struct Comparison<'a> {
    old: &'a Value,
    new: &'a Value,
}

impl Comparison<'_> {
    fn operation(self, place: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
        if old["operationId"] != new["operationId"] {
            found.push(format!("{place}: its operationId changed"));
        }
        for caller in items(&old["security"]) {
            if !items(&new["security"]).contains(caller) {
                found.push(format!("{place}: callers with {caller} are not let in any more"));
            }
        }
        self.parameters(place, old, new, found);
        let (body, today) = (resolved(self.old, &old["requestBody"]), resolved(self.new, &new["requestBody"]));
        self.request(place, body, today, found);
        for (status, response) in members(&old["responses"]) {
            let place = format!("{place} {status}");
            let Some(today) = new["responses"].get(status) else {
                found.push(format!("{place}: removed"));
                continue;
            };
            let (response, today) = (resolved(self.old, response), resolved(self.new, today));
            self.contents(&place, &response["content"], &today["content"], Way::Response, found);
            for (header, _) in members(&response["headers"]) {
                if today["headers"].get(header).is_none() {
                    found.push(format!("{place}: header {header} removed"));
                }
            }
        }
    }

    fn parameters(self, place: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
        let same = |one: &Value, other: &Value| one["name"] == other["name"] && one["in"] == other["in"];
        let name = |parameter: &Value| parameter["name"].as_str().unwrap_or_default().to_owned();
        let before: Vec<&Value> = items(&old["parameters"]).iter().map(|one| resolved(self.old, one)).collect();
        let today: Vec<&Value> = items(&new["parameters"]).iter().map(|one| resolved(self.new, one)).collect();
        for parameter in &before {
            let place = format!("{place} parameter {}", name(parameter));
            match today.iter().find(|today| same(parameter, today)) {
                None => found.push(format!("{place}: removed")),
                Some(today) => {
                    if is_true(&today["required"]) && !is_true(&parameter["required"]) {
                        found.push(format!("{place}: required now"));
                    }
                    self.schema(
                        &place,
                        &parameter["schema"],
                        &today["schema"],
                        Way::Request,
                        &mut Seen::new(),
                        found,
                    );
                }
            }
        }
        for parameter in today {
            if is_true(&parameter["required"]) && !before.iter().any(|before| same(before, parameter)) {
                found.push(format!("{place} parameter {}: new and required", name(parameter)));
            }
        }
    }

    fn request(self, place: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
        let place = format!("{place} request");
        if is_true(&new["required"]) && !is_true(&old["required"]) {
            found.push(format!("{place}: a body is required now"));
        }
        self.contents(&place, &old["content"], &new["content"], Way::Request, found);
    }

    fn contents(self, place: &str, old: &Value, new: &Value, way: Way, found: &mut Vec<String>) {
        for (media, content) in members(old) {
            let place = format!("{place} {media}");
            match new.get(media) {
                None => found.push(format!("{place}: removed")),
                Some(today) => self.schema(&place, &content["schema"], &today["schema"], way, &mut Seen::new(), found),
            }
        }
    }

    /// Requests: whatever was accepted is accepted. Answers: whatever comes is what was announced.
    fn schema(self, place: &str, old: &Value, new: &Value, way: Way, seen: &mut Seen, found: &mut Vec<String>) {
        let before = alternatives(self.old, old);
        let today = alternatives(self.new, new);
        let (each, among) = if way == Way::Request {
            (&before, &today)
        } else {
            (&today, &before)
        };
        for one in each {
            let mut least: Option<Vec<String>> = None;
            for other in among {
                let mut complaints = Vec::new();
                let (old, new) = if way == Way::Request { (one, other) } else { (other, one) };
                self.alternative(place, old, new, way, seen, &mut complaints);
                if least.as_ref().is_none_or(|least| complaints.len() < least.len()) {
                    least = Some(complaints);
                }
            }
            found.extend(least.unwrap_or_default());
        }
    }

    fn alternative(self, place: &str, old: &Alternative, new: &Alternative, way: Way, seen: &mut Seen, found: &mut Vec<String>) {
        let pair = old.name.clone().zip(new.name.clone());
        if pair.as_ref().is_some_and(|pair| !seen.insert(pair.clone())) {
            return;
        }
        self.shape(place, old, new, way, seen, found);
        if let Some(pair) = pair {
            seen.remove(&pair);
        }
    }

    fn shape(self, place: &str, old: &Alternative, new: &Alternative, way: Way, seen: &mut Seen, found: &mut Vec<String>) {
        let (before, today) = (&old.schema, &new.schema);
        let widened = way == Way::Request && before["type"] == "integer" && today["type"] == "number";
        if before["type"] != today["type"] && !widened {
            found.push(format!("{place}: type {} is {} now", before["type"], today["type"]));
            return;
        }
        if before["format"] != today["format"] && !(way == Way::Request && today["format"].is_null()) {
            found.push(format!("{place}: format {} is {} now", before["format"], today["format"]));
        }
        if way == Way::Request {
            narrowed(place, before, today, found);
        }
        let required = |schema: &Value, field: &str| items(&schema["required"]).iter().any(|name| name == field);
        for (field, schema) in members(&before["properties"]) {
            let place = format!("{place} .{field}");
            match today["properties"].get(field) {
                None => found.push(format!("{place}: removed")),
                Some(now) => {
                    if way == Way::Response && required(before, field) && !required(today, field) {
                        found.push(format!("{place}: no longer always there"));
                    }
                    if way == Way::Request && !required(before, field) && required(today, field) {
                        found.push(format!("{place}: required now"));
                    }
                    self.schema(&place, schema, now, way, seen, found);
                }
            }
        }
        if way == Way::Request {
            for (field, _) in members(&today["properties"]) {
                if before["properties"].get(field).is_none() && required(today, field) {
                    found.push(format!("{place} .{field}: new and required"));
                }
            }
        }
        if before.get("items").is_some() {
            self.schema(&format!("{place}[]"), &before["items"], &today["items"], way, seen, found);
        }
        if before["additionalProperties"].is_object() {
            let place = format!("{place} .*");
            self.schema(
                &place,
                &before["additionalProperties"],
                &today["additionalProperties"],
                way,
                seen,
                found,
            );
        }
    }
}

/// Pairs of named schemas that are just being compared: schemas may contain themselves.
type Seen = BTreeSet<(String, String)>;

/// One shape that data may have.
struct Alternative {
    /// The schema's name, when it was referred to.
    name: Option<String>,
    schema: Value,
}

/// Every shape that a schema allows: `oneOf`, `anyOf` and lists of types taken apart, `allOf` put together.
fn alternatives(document: &Value, schema: &Value) -> Vec<Alternative> {
    let name = schema["$ref"].as_str().map(ToOwned::to_owned);
    let schema = resolved(document, schema);
    for several in ["oneOf", "anyOf"] {
        if let Some(list) = schema[several].as_array() {
            return list.iter().flat_map(|one| alternatives(document, one)).collect();
        }
    }
    let schema = match schema["allOf"].as_array() {
        Some(parts) => together(document, schema, parts),
        None => schema.clone(),
    };
    match schema["type"].as_array() {
        None => vec![Alternative { name, schema }],
        Some(types) => types
            .iter()
            .map(|kind| {
                let mut schema = schema.clone();
                schema["type"] = kind.clone();
                let name = name.as_ref().map(|name| format!("{name} {kind}"));
                Alternative { name, schema }
            })
            .collect(),
    }
}

/// The parts of an `allOf` as one schema.
fn together(document: &Value, schema: &Value, parts: &[Value]) -> Value {
    let mut all = schema.as_object().cloned().unwrap_or_default();
    all.remove("allOf");
    for part in parts {
        let part = resolved(document, part);
        let part = match part["allOf"].as_array() {
            Some(inner) => together(document, part, inner),
            None => part.clone(),
        };
        for (key, value) in part.as_object().cloned().unwrap_or_default() {
            match (all.get_mut(&key), value) {
                (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
                (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
                (_, value) => {
                    all.insert(key, value);
                }
            }
        }
    }
    Value::Object(all)
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let mut value = value;
    // A reference may lead to a reference, and a broken description in a circle.
    for _ in 0..16 {
        let Some(target) = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) else {
            break;
        };
        value = document.pointer(target).unwrap_or(&Value::Null);
    }
    value
}

/// What a request might have said and may no longer say.
fn narrowed(place: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    let values = |schema: &Value| {
        schema["enum"]
            .as_array()
            .cloned()
            .or_else(|| Some(vec![schema.get("const")?.clone()]))
    };
    match (values(old), values(new)) {
        (_, None) => {}
        (None, Some(_)) => found.push(format!("{place}: only certain values now")),
        (Some(before), Some(today)) => {
            found.extend(
                before
                    .iter()
                    .filter(|value| !today.contains(value))
                    .map(|value| format!("{place}: {value} removed")),
            );
        }
    }
    for least in ["minimum", "minLength", "minItems"] {
        if let Some(today) = new[least].as_f64()
            && old[least].as_f64().is_none_or(|before| today > before)
        {
            found.push(format!("{place}: {least} {} is {today} now", old[least]));
        }
    }
    for most in ["maximum", "maxLength", "maxItems"] {
        if let Some(today) = new[most].as_f64()
            && old[most].as_f64().is_none_or(|before| today < before)
        {
            found.push(format!("{place}: {most} {} is {today} now", old[most]));
        }
    }
    if !new["pattern"].is_null() && new["pattern"] != old["pattern"] {
        found.push(format!("{place}: pattern changed"));
    }
    if new["additionalProperties"] == false && old["additionalProperties"] != false {
        found.push(format!("{place}: other fields are refused now"));
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::breaks;

    fn description() -> Value {
        json!({
            "paths": { "/v1/notes": {
                "get": { "operationId": "notes", "security": [{ "bearer": [] }, {}], "parameters": [{ "name": "page", "in": "query", "schema": { "type": "integer", "minimum": 0 } }],
                    "responses": { "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Note" } } },
                        "headers": { "X-Page-Count": {} } }, "404": {} } },
                "post": { "operationId": "add", "requestBody": { "required": true, "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/NewNote" } } } }, "responses": { "201": {} } } } },
            "components": {
                "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
                "schemas": {
                    "Note": { "type": "object", "required": ["id", "state"], "properties": {
                        "id": { "type": "string", "format": "uuid" }, "state": { "$ref": "#/components/schemas/State" },
                        "author": { "oneOf": [{ "$ref": "#/components/schemas/Author" }, { "type": "null" }] },
                        "replies": { "type": "array", "items": { "$ref": "#/components/schemas/Note" } } } },
                    "Author": { "type": "object", "required": ["name"], "properties": { "name": { "type": "string" } } },
                    "State": { "type": "string", "enum": ["open", "closed"] },
                    "NewNote": { "type": "object", "required": ["kind"], "properties": {
                        "kind": { "type": "string", "enum": ["short", "long"] }, "text": { "type": ["string", "null"], "maxLength": 200 } } } } } })
    }

    /// What is found when this place of the description gets this value; `null` removes it.
    fn after(pointer: &str, value: Value) -> Vec<String> {
        let mut today = description();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = today.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        let name = name.replace("~1", "/");
        if value.is_null() {
            assert!(parent.remove(&name).is_some(), "{pointer}");
        } else {
            parent.insert(name, value);
        }
        breaks(&description(), &today)
    }

    #[test]
    fn growing_is_no_break() {
        let schemas = "/components/schemas";
        for (pointer, value) in [
            ("/paths/~1v1~1notes/delete".to_owned(), json!({ "responses": { "204": {} } })),
            ("/paths/~1v1~1notes/get/responses/500".to_owned(), json!({})),
            (format!("{schemas}/Note/properties/colour"), json!({ "type": "string" })),
            (format!("{schemas}/NewNote/properties/colour"), json!({ "type": "string" })),
            (format!("{schemas}/State/enum"), json!(["open", "closed", "lost"])),
            (
                format!("{schemas}/NewNote/properties/kind/enum"),
                json!(["short", "long", "endless"]),
            ),
            (format!("{schemas}/NewNote/properties/text/maxLength"), json!(400)),
            (format!("{schemas}/NewNote/required"), json!([])),
            (format!("{schemas}/Note/required"), json!(["id", "state", "author"])),
            (
                format!("{schemas}/Note/properties/author"),
                json!({ "$ref": "#/components/schemas/Author" }),
            ),
        ] {
            assert_eq!(after(&pointer, value), [""; 0], "{pointer}");
        }
        assert_eq!(breaks(&description(), &description()), [""; 0]);
    }

    #[test]
    fn what_a_caller_would_miss_is_found() {
        let schemas = "/components/schemas";
        let get = "/paths/~1v1~1notes/get";
        for (pointer, value, said) in [
            ("/paths/~1v1~1notes".to_owned(), Value::Null, "GET /v1/notes: removed"),
            (get.to_owned(), Value::Null, "GET /v1/notes: removed"),
            (format!("{get}/operationId"), json!("list"), "operationId"),
            (format!("{get}/responses/404"), Value::Null, "GET /v1/notes 404: removed"),
            (
                format!("{get}/responses/200/content/application~1json"),
                Value::Null,
                "application/json: removed",
            ),
            (
                format!("{get}/responses/200/headers/X-Page-Count"),
                Value::Null,
                "header X-Page-Count removed",
            ),
            (
                format!("{get}/security"),
                json!([{ "bearer": [] }]),
                "callers with {} are not let in",
            ),
            (format!("{get}/parameters"), json!([]), "parameter page: removed"),
            (
                format!("{get}/parameters"),
                json!([{ "name": "page", "in": "query", "required": true, "schema": { "type": "integer", "minimum": 1 } }]),
                "parameter page: required now",
            ),
            (
                format!("{get}/parameters"),
                json!([{ "name": "page", "in": "query", "schema": { "type": "integer", "minimum": 1 } }]),
                "minimum 0 is 1 now",
            ),
            (format!("{schemas}/Note/properties/id"), Value::Null, ".id: removed"),
            (format!("{schemas}/Note/properties/id/type"), json!("integer"), "type \"string\" is"),
            (format!("{schemas}/Note/properties/id/format"), Value::Null, "format \"uuid\" is"),
            (format!("{schemas}/Note/required"), json!(["id"]), ".state: no longer always there"),
            (format!("{schemas}/Author/properties/name"), Value::Null, ".author .name: removed"),
            (
                format!("{schemas}/Author/properties/name/type"),
                json!(["string", "null"]),
                "type \"string\" is \"null\" now",
            ),
            (
                format!("{schemas}/NewNote/properties/text"),
                Value::Null,
                "POST /v1/notes request application/json .text: removed",
            ),
            (
                format!("{schemas}/NewNote/properties/text/type"),
                json!("string"),
                ".text: type \"null\"",
            ),
            (
                format!("{schemas}/NewNote/properties/text/maxLength"),
                json!(100),
                "maxLength 200 is 100 now",
            ),
            (format!("{schemas}/NewNote/properties/text/pattern"), json!("^a"), "pattern changed"),
            (
                format!("{schemas}/NewNote/properties/kind/enum"),
                json!(["short"]),
                "\"long\" removed",
            ),
            (
                format!("{schemas}/NewNote/required"),
                json!(["kind", "text"]),
                ".text: required now",
            ),
            (
                format!("{schemas}/NewNote/additionalProperties"),
                json!(false),
                "other fields are refused now",
            ),
            (
                "/components/securitySchemes/bearer".to_owned(),
                Value::Null,
                "security scheme bearer",
            ),
        ] {
            let found = after(&pointer, value);
            assert!(found.iter().any(|line| line.contains(said)), "{pointer}: {said}: {found:?}");
        }
    }

    #[test]
    fn a_new_required_field_of_a_request_is_found() {
        let mut today = description();
        today["components"]["schemas"]["NewNote"]["properties"]["colour"] = json!({ "type": "string" });
        today["components"]["schemas"]["NewNote"]["required"] = json!(["kind", "colour"]);
        let found = breaks(&description(), &today);
        assert_eq!(found, ["POST /v1/notes request application/json .colour: new and required"]);
    }
}
