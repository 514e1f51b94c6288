//! Documents against the schemas in xsd/: order, lengths, patterns, qualification. They are evaluated by uppsala's validator; what
//! it does otherwise than `xmllint` is mended in [`attributes_and_size`] and [`in_ascii`].

use std::{collections::HashMap, path::Path};

use uppsala::{Attribute, Document, NodeId, NodeKind, XsdValidator, error::ValidationError, xsd::XSI_NAMESPACE};

use super::{Fault, fields::invalid, models, ns};
use crate::SandboxError;

/// The schemas as files: they include one another by name, and so does whoever reads them from a folder.
pub(crate) const FILES: [(&str, &str); 10] = [
    ("types.xsd", include_str!("../../xsd/types.xsd")),
    ("actes.xsd", include_str!("../../xsd/actes.xsd")),
    ("cancellation.xsd", include_str!("../../xsd/cancellation.xsd")),
    ("ecit.xsd", include_str!("../../xsd/ecit.xsd")),
    ("ecit-cancellation.xsd", include_str!("../../xsd/ecit-cancellation.xsd")),
    ("mh.xsd", include_str!("../../xsd/mh.xsd")),
    ("mh-cancellation.xsd", include_str!("../../xsd/mh-cancellation.xsd")),
    ("pid-simulation.xsd", include_str!("../../xsd/pid-simulation.xsd")),
    ("pid-validation.xsd", include_str!("../../xsd/pid-validation.xsd")),
    ("pid-contestation.xsd", include_str!("../../xsd/pid-contestation.xsd")),
];

/// More elements than any document of ours has.
const MOST_ELEMENTS: usize = 20_000;
/// Bytes × elements up to which it is worth looking for the place of an error.
const LOOK_UP_TO: usize = 100_000_000;

/// A validator per model.
pub(crate) struct Schemas(HashMap<&'static str, XsdValidator>);

impl Schemas {
    /// Reads the schemas from the folder where [`FILES`] are.
    pub(crate) fn read(folder: &Path) -> Result<Self, SandboxError> {
        let mut validators = HashMap::new();
        for name in models::schemas() {
            let broken = |why: String| SandboxError::Data { file: name, why };
            let text = FILES.iter().find(|(file, _)| *file == name).map_or("", |(_, text)| *text);
            let document = uppsala::parse(text).map_err(|e| broken(e.to_string()))?;
            let validator = XsdValidator::from_schema_with_base_path(&document, Some(folder)).map_err(|e| broken(e.to_string()))?;
            validators.insert(name, validator);
        }
        Ok(Self(validators))
    }

    /// Refuses what does not follow the schema, naming the element but no value.
    pub(super) fn check(&self, schema: &str, document: &Document<'_>, root: NodeId) -> Result<(), Fault> {
        let validator = self.0.get(schema).ok_or_else(|| Fault::server("Schéma absent"))?;
        let elements = attributes_and_size(document, root)?;
        // A copy has no places in a source, so errors cost nothing, however many there are.
        let mut alone = Document::new();
        let copy = alone
            .import_subtree(document, root)
            .ok_or_else(|| Fault::server("Document illisible"))?;
        alone.append_child(alone.root(), copy);
        if validator.validate(&in_ascii(alone)).is_empty() {
            return Ok(());
        }
        if document.input_text().len().saturating_mul(elements) > LOOK_UP_TO {
            return Err(invalid("document", "contraire au schéma"));
        }
        let mut placed = document.clone();
        placed.detach(root);
        for other in placed.children(placed.root()) {
            placed.detach(other);
        }
        placed.append_child(placed.root(), root);
        let placed = in_ascii(placed);
        Err(match validator.validate(&placed).first() {
            Some(error) => invalid(&blamed(&placed, root, error), explain(&error.message)),
            None => invalid("document", "contraire au schéma"),
        })
    }
}

/// The validator counts lengths in bytes and takes every white space of Unicode for white space. No model tells characters outside ASCII
/// apart, so each gives way to one that is neither white space nor part of any pattern.
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

/// The validator does not look at attributes of elements with text, and takes an `xsi:type` of any built-in type for good. No model has
/// attributes; what may be hung on is a `schemaLocation`. Other people's elements, below `signature`, are left alone. Counts the elements.
fn attributes_and_size(document: &Document<'_>, root: NodeId) -> Result<usize, Fault> {
    let mut count = 0;
    let mut waiting = vec![root];
    while let Some(node) = waiting.pop() {
        let Some(element) = document.element(node) else { continue };
        count += 1;
        if count > MOST_ELEMENTS {
            return Err(invalid("document", "trop d'éléments"));
        }
        let is_ours = element.name.namespace_uri.as_deref().is_none_or(|uri| uri.starts_with(ns::CNS));
        if is_ours && element.attributes.iter().any(is_forbidden) {
            return Err(invalid(&element.name.local_name, "attribut interdit"));
        }
        if is_ours {
            waiting.extend(document.children_iter(node));
        }
    }
    Ok(count)
}

fn is_forbidden(attribute: &Attribute<'_>) -> bool {
    let name = &attribute.name;
    let declares = name.local_name == "xmlns" || name.prefix.as_deref() == Some("xmlns");
    let locates = name.namespace_uri.as_deref() == Some(XSI_NAMESPACE) && name.local_name.ends_with("chemaLocation");
    !declares && !locates
}

/// The element a message is about.
fn blamed(document: &Document<'_>, root: NodeId, error: &ValidationError) -> String {
    if error.message.starts_with("Expected at least")
        && let Some(name) = error.message.split('\'').nth(1)
    {
        return name.to_owned();
    }
    let place = error
        .line
        .zip(error.column)
        .and_then(|(line, column)| position(document.input_text(), line, column));
    let name = |node: NodeId| document.element(node).map(|element| element.name.local_name.to_string());
    std::iter::once(root)
        .chain(document.descendants(root))
        .filter(|node| document.node_range(*node).map(|range| range.start) == place)
        .find_map(name)
        .or_else(|| name(root))
        .unwrap_or_default()
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
        "absent ou mal placé"
    } else if message.starts_with("Unexpected element") || message.starts_with("No element declaration") {
        "élément inattendu"
    } else if message.contains("choice") {
        "un élément du choix est attendu"
    } else {
        "valeur invalide"
    }
}

#[cfg(test)]
#[allow(clippy::string_slice)]
mod tests {
    use std::{collections::HashSet, fs, path::Path, process::Command};

    use super::{FILES, Schemas};
    use crate::xml::{self, elements};

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/xsd");
    /// Examples in tests/data and the schema each follows.
    const EXAMPLES: [(&str, &str); 11] = [
        ("ecit.xml", "ecit.xsd"),
        ("ecit-crf.xml", "ecit.xsd"),
        ("ecit-maternity.xml", "ecit.xsd"),
        ("ecit-cancellation.xml", "ecit-cancellation.xsd"),
        ("mh.xml", "mh.xsd"),
        ("mh-hospital.xml", "mh.xsd"),
        ("mh-cancellation.xml", "mh-cancellation.xsd"),
        ("mh-replacement.xml", "mh-cancellation.xsd"),
        ("pid-simulation.xml", "pid-simulation.xsd"),
        ("pid-validation.xml", "pid-validation.xsd"),
        ("pid-contestation.xml", "pid-contestation.xsd"),
    ];

    fn example(name: &str) -> String {
        fs::read_to_string(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn objection(schemas: &Schemas, schema: &str, text: &str) -> Option<String> {
        let document = xml::parse(text).unwrap();
        let root = document.document_element().unwrap();
        schemas.check(schema, &document, root).err().map(|fault| fault.message)
    }

    /// The documents that `xmllint` finds wrong.
    fn wrong_by_xmllint(schema: &str, texts: &[String]) -> HashSet<usize> {
        let folder = tempfile::tempdir().unwrap();
        let mut wrong = HashSet::new();
        let indexed: Vec<(usize, &String)> = texts.iter().enumerate().collect();
        for part in indexed.chunks(500) {
            let files = part.iter().map(|(index, text)| {
                let file = folder.path().join(format!("{index}.xml"));
                fs::write(&file, text).unwrap();
                file
            });
            let output = Command::new("xmllint")
                .args(["--noout", "--schema", &format!("{FOLDER}/{schema}")])
                .args(files)
                .output()
                .unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            for (index, _) in part {
                let file = folder.path().join(format!("{index}.xml"));
                let verdict = |word: &str| said.lines().any(|line| line == format!("{} {word}", file.display()));
                assert_ne!(verdict("validates"), verdict("fails to validate"), "{said}");
                if verdict("fails to validate") {
                    wrong.insert(*index);
                }
            }
        }
        wrong
    }

    /// Everything one change can spoil at an element: absent, twice, out of order, qualified otherwise, with a strange value, attribute, child
    /// or text. `seen` keeps the elements, by their path, that were spoiled in an example before.
    fn spoiled(text: &str, seen: &mut HashSet<String>) -> Vec<String> {
        let document = xml::parse(text).unwrap();
        let root = document.document_element().unwrap();
        let mut all = Vec::new();
        for node in std::iter::once(root).chain(document.descendants(root)) {
            let Some(element) = document.element(node) else { continue };
            let ancestors = document.ancestors(node).into_iter();
            let mut path: Vec<String> = ancestors
                .filter_map(|node| Some(document.element(node)?.name.local_name.to_string()))
                .collect();
            path.insert(0, element.name.local_name.to_string());
            if !seen.insert(path.join("/")) {
                continue;
            }
            let range = document.node_range(node).unwrap();
            let (before, source, after) = (&text[..range.start], &text[range.clone()], &text[range.end..]);
            let mut put = |other: &str| all.push(format!("{before}{other}{after}"));
            let name = source[1..].split([' ', '>', '/']).next().unwrap();
            let local = element.name.local_name.as_ref();
            if node != root {
                put("");
                put(&source.repeat(2));
                for stranger in [
                    "<!-- -->",
                    "text",
                    "\u{a0}",
                    "<![CDATA[x]]>",
                    "<autre/>",
                    "<cns:autre/>",
                    "<x:nom xmlns:x=\"urn:x\"/>",
                ] {
                    put(&format!("{stranger}{source}"));
                }
                let other = if name.contains(':') {
                    local.to_owned()
                } else {
                    format!("cns:{local}")
                };
                let renamed = source.replacen(&format!("<{name}"), &format!("<{other}"), 1);
                put(&match renamed.rsplit_once(&format!("</{name}>")) {
                    Some((start, "")) => format!("{start}</{other}>"),
                    _ => renamed,
                });
                let parent = document.parent(node).unwrap();
                let next = elements(&document, parent).into_iter().skip_while(|other| *other != node).nth(1);
                if let Some(next) = next.map(|next| document.node_range(next).unwrap()) {
                    let swapped = format!("{}{}{source}", &text[next.clone()], &text[range.end..next.start]);
                    all.push(format!("{before}{swapped}{}", &text[next.end..]));
                }
            }
            let mut put = |other: String| all.push(format!("{before}{other}{after}"));
            let xsi = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xs=\"http://www.w3.org/2001/XMLSchema\"";
            let mut attributes = vec!["z=\"1\"", "xml:lang=\"fr\"", "xsi:nil=\"true\"", "xsi:schemaLocation=\"a b\""];
            if element.name.namespace_uri.as_deref() != Some("urn:example:sceau") {
                attributes.extend(["xsi:type=\"xs:string\"", "xsi:type=\"xs:anyType\""]);
            }
            for attribute in attributes {
                put(source.replacen(name, &format!("{name} {xsi} {attribute}"), 1));
            }
            if elements(&document, node).is_empty() {
                let value = document.text_content_deep(node);
                let mut values: Vec<String> = [
                    "",
                    " ",
                    "\u{a0}",
                    "é",
                    "0",
                    "1",
                    "99",
                    "100",
                    "-1",
                    "+1",
                    "01",
                    "1.5",
                    "1.50",
                    "-1.50",
                    "١",
                    "99999999999",
                    "true",
                    "TRUE",
                    "2026-02-30",
                    "2026-10-26Z",
                    "0000-01-01",
                    "24:00:00",
                    "25:00:00",
                    "09:30",
                    "AAAA",
                    "AAA",
                    "CNS",
                ]
                .map(str::to_owned)
                .to_vec();
                values.push(value.chars().skip(1).collect());
                for (start, end) in [
                    (" ", ""),
                    ("", "\n"),
                    ("\u{a0}", ""),
                    ("", "\u{2003}"),
                    ("", "x"),
                    ("<!-- -->", ""),
                    ("", "<b/>"),
                ] {
                    values.push(format!("{start}{value}{end}"));
                }
                if !value.is_empty() {
                    values.push(format!("<![CDATA[{value}]]>"));
                }
                for value in values {
                    // libxml2 does not collapse white space here, against XML Schema.
                    let collapses = matches!(local, "numeroLigne" | "nombre" | "heureDebut" | "heureFin" | "nombreDePage");
                    if !(collapses && value.trim_ascii() != value) {
                        put(format!("<{name}>{value}</{name}>"));
                    }
                }
            }
        }
        all
    }

    /// Judges documents with our schemas and with `xmllint`, and says where the two disagree.
    fn differences(schemas: &Schemas, schema: &str, texts: &[String]) -> Vec<String> {
        let wrong = wrong_by_xmllint(schema, texts);
        let judged = texts.iter().enumerate().map(|(index, text)| {
            let (ours, theirs) = (objection(schemas, schema, text), wrong.contains(&index));
            // libxml2 skips over characters that base64 does not have.
            let agree = ours.is_some() == theirs || ours.as_deref() == Some("document : valeur invalide");
            (!agree).then(|| format!("{ours:?}, wrong by xmllint: {theirs}\n{text}"))
        });
        judged.flatten().collect()
    }

    #[test]
    fn the_examples_are_right() {
        let schemas = Schemas::read(Path::new(FOLDER)).unwrap();
        for (file, schema) in EXAMPLES {
            let text = example(file);
            assert_eq!(objection(&schemas, schema, &text), None, "{file}");
            assert!(wrong_by_xmllint(schema, &[text]).is_empty(), "{file}");
        }
        let on_disk: HashSet<String> = fs::read_dir(FOLDER)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(on_disk, FILES.iter().map(|(name, _)| (*name).to_owned()).collect());
    }

    #[test]
    fn what_one_change_spoils_is_judged_as_by_xmllint() {
        let schemas = Schemas::read(Path::new(FOLDER)).unwrap();
        let mut seen = HashSet::new();
        std::thread::scope(|judges| {
            for (file, schema) in EXAMPLES {
                let (schemas, texts) = (&schemas, spoiled(&example(file), &mut seen));
                judges.spawn(move || {
                    let differences = differences(schemas, schema, &texts).join("\n");
                    assert!(differences.is_empty(), "{file}: {differences}");
                });
            }
        });
        assert!(seen.len() > 100, "{}", seen.len());
    }

    /// The lengths of luxembourg.md §4, and ours.
    #[test]
    fn texts_are_as_long_as_agreed_in_characters() {
        let schemas = Schemas::read(Path::new(FOLDER)).unwrap();
        let longest = usize::MAX;
        for (file, schema, path, least, most) in [
            ("mh-hospital.xml", "mh.xsd", "nom", 0, 150),
            ("mh-hospital.xml", "mh.xsd", "prenom", 0, 100),
            ("mh-hospital.xml", "mh.xsd", "titre", 0, 50),
            ("mh-hospital.xml", "mh.xsd", "numeroTelephone", 0, 24),
            ("mh-hospital.xml", "mh.xsd", "numeroFax", 0, 24),
            ("mh-hospital.xml", "mh.xsd", "email", 0, 100),
            ("mh-hospital.xml", "mh.xsd", "extension1", 0, 100),
            ("mh-hospital.xml", "mh.xsd", "Extension2", 0, 100),
            ("mh-hospital.xml", "mh.xsd", "numeroRue", 0, 20),
            ("mh-hospital.xml", "mh.xsd", "rue", 0, 80),
            ("mh-hospital.xml", "mh.xsd", "codePays", 2, 2),
            ("mh-hospital.xml", "mh.xsd", "codePostal", 1, 15),
            ("mh-hospital.xml", "mh.xsd", "localite", 1, 80),
            ("mh-hospital.xml", "mh.xsd", "numeroMemoireHonoraires", 0, 100),
            ("mh-hospital.xml", "mh.xsd", "nomHopitalAssociation", 100, longest),
            ("mh-hospital.xml", "mh.xsd", "numeroAdmission", 0, 25),
            ("mh-hospital.xml", "mh.xsd", "caisseComplementaire", 0, 25),
            ("mh-hospital.xml", "mh.xsd", "lieu", 2, 2),
            ("mh-hospital.xml", "mh.xsd", "dent", 0, 3),
            ("mh-hospital.xml", "mh.xsd", "codeActe", 0, 6),
            ("mh-hospital.xml", "mh.xsd", "prefixActe", 1, 1),
            ("mh-hospital.xml", "mh.xsd", "suffixActe", 1, 1),
            ("mh-hospital.xml", "mh.xsd", "libelle", 0, 35),
            ("mh-hospital.xml", "mh.xsd", "numeroTitreOrdonnance", 36, 36),
            ("mh-hospital.xml", "mh.xsd", "typeSeance", 1, 20),
            ("mh-hospital.xml", "mh.xsd", "numeroSeance", 1, 2),
            ("mh-hospital.xml", "mh.xsd", "devise", 3, 3),
            ("mh-hospital.xml", "mh.xsd", "texteLibreVirement", 1, 2500),
            ("mh-hospital.xml", "mh.xsd", "texteLibreMedical", 1, 200),
            ("mh-cancellation.xml", "mh-cancellation.xsd", "cns:Motif", 1, 200),
            ("ecit-cancellation.xml", "ecit-cancellation.xsd", "cns:Motif", 1, 200),
            ("ecit.xml", "ecit.xsd", "nom", 1, 150),
            ("ecit.xml", "ecit.xsd", "prenom", 1, 100),
            ("ecit.xml", "ecit.xsd", "codeDiagnostic", 1, 10),
            ("pid-simulation.xml", "pid-simulation.xsd", "com:codeActe", 1, 6),
            ("pid-simulation.xml", "pid-simulation.xsd", "cns:lieuDePrestation", 2, 2),
            ("pid-contestation.xml", "pid-contestation.xsd", "cns:codeContestation", 1, 20),
        ] {
            let text = example(file);
            let (before, rest) = text.split_once(&format!("<{path}>")).unwrap();
            let (_, after) = rest.split_once(&format!("</{path}>")).unwrap();
            let of_length = |length: usize| format!("{before}<{path}>{}</{path}>{after}", "é".repeat(length));
            let right = [least, most.min(least + 3000)].map(of_length);
            for text in &right {
                assert_eq!(objection(&schemas, schema, text), None, "{path}");
            }
            let wrong: Vec<String> = [least.checked_sub(1), most.checked_add(1)]
                .into_iter()
                .flatten()
                .map(of_length)
                .collect();
            for text in &wrong {
                let blamed = path.rsplit(':').next().unwrap();
                assert_eq!(objection(&schemas, schema, text).unwrap(), format!("{blamed} : valeur invalide"));
            }
            let all = [right.as_slice(), wrong.as_slice()].concat();
            let differences = differences(&schemas, schema, &all);
            assert!(differences.is_empty(), "{path}: {differences:?}");
        }
    }

    #[test]
    fn the_element_is_named_and_no_value() {
        let schemas = Schemas::read(Path::new(FOLDER)).unwrap();
        for (file, schema, from, to, expected) in [
            (
                "ecit.xml",
                "ecit.xsd",
                "cns:certificat",
                "cns:autre",
                "autreIncapaciteTravail : élément inattendu",
            ),
            ("ecit.xml", "ecit.xsd", "<nom>Dr Anne Weber</nom>", "", "nom : absent ou mal placé"),
            ("ecit.xml", "ecit.xsd", "<type>MALADIE", "<type>GRIPPE", "type : valeur invalide"),
            (
                "ecit.xml",
                "ecit.xsd",
                "</patient>",
                "<age>3</age></patient>",
                "age : élément inattendu",
            ),
            (
                "ecit.xml",
                "ecit.xsd",
                "<matricule>1",
                "<matricule n=\"1\">1",
                "matricule : attribut interdit",
            ),
            (
                "mh.xml",
                "mh.xsd",
                "<matricule>1988123048083</matricule>",
                "",
                "patient : un élément du choix est attendu",
            ),
            (
                "mh.xml",
                "mh.xsd",
                "<montantBrut>52.40",
                "<montantBrut>52.4",
                "montantBrut : valeur invalide",
            ),
            (
                "pid-simulation.xml",
                "pid-simulation.xsd",
                "</com:nombre>",
                "</com:nombre><com:montant>1.00</com:montant>",
                "montant : élément inattendu",
            ),
        ] {
            let text = example(file).replace(from, to);
            assert_ne!(text, example(file), "{from}");
            assert_eq!(objection(&schemas, schema, &text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn in_an_absurd_document_no_time_is_spent_on_finding_the_place() {
        let schemas = Schemas::read(Path::new(FOLDER)).unwrap();
        for (count, expected) in [
            (100, "a : élément inattendu"),
            (15_000, "document : contraire au schéma"),
            (30_000, "document : trop d'éléments"),
        ] {
            let text = example("mh.xml").replace("<libre/>", &format!("<libre>{}</libre>", "<a/>".repeat(count)));
            assert_eq!(objection(&schemas, "mh.xsd", &text).unwrap(), expected);
        }
    }
}
