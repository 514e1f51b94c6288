use econnector_connector::Error;
use econnector_forms::{Lang, Severity};

use crate::desk::{Desk, example_with};

#[tokio::test]
async fn a_character_that_no_page_can_show_is_found_while_it_is_typed() {
    let desk = Desk::open().await;
    let values = example_with("ecit", "illness", "last_name", "大江");
    let mut said = Vec::new();
    for lang in [Lang::Fr, Lang::De, Lang::En, Lang::Lb] {
        let checkup = desk.connector.check("ecit", &values, lang).unwrap();
        let found: Vec<_> = checkup
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].field.as_str(), found[0].code.as_str()),
            ("last_name", "character-unprintable")
        );
        said.push(found[0].message.clone());
    }
    assert!(said.iter().all(|message| message.contains('大')));
    said.sort();
    said.dedup();
    assert_eq!(said.len(), 4);
    match desk.issue_values(1, values).await {
        Err(Error::Findings(findings)) => assert!(findings.iter().any(|finding| finding.code == "character-unprintable")),
        _ => panic!("it was sent"),
    }
    assert!(desk.authority.models().is_empty());

    // Beside another error it is found as well, and a field that is not asked for is not looked into.
    let mut incomplete = example_with("ecit", "illness", "first_name", "李").reveal().clone();
    incomplete.remove("diagnosis");
    incomplete.insert("child_last_name".into(), "大江".into());
    let checkup = desk
        .connector
        .check("ecit", &econnector_base::Patient::new(incomplete), Lang::En)
        .unwrap();
    let fields: Vec<&str> = checkup
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.field.as_str())
        .collect();
    assert_eq!(fields, ["diagnosis", "first_name"]);
}
