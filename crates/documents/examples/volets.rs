//! Writes every volet of every example of the embedded packs into a folder, to look at: `cargo run -p econnector-documents
//! --example volets -- FOLDER`.

use std::error::Error;
use std::path::PathBuf;

use econnector_documents::{Content, DocumentFacts, Typesetter};
use econnector_forms::{CheckContext, Environment, SimulatedLine, Simulation, Workflow, embedded};
use uuid::Uuid;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("a folder to write into")?);
    std::fs::create_dir_all(&folder)?;
    let typesetter = Typesetter::new();
    for pack in embedded()? {
        typesetter.check(&pack)?;
        for name in pack.examples() {
            let (Some(values), Some(today)) = (pack.example(name), pack.example_day(name)) else {
                continue;
            };
            let environment = Environment::Production;
            let checked = pack
                .check(values, &CheckContext { today, environment })
                .checked
                .ok_or("an example with errors")?;
            let facts = DocumentFacts {
                id: Uuid::from_u128(0x3f2a_9c1e_7b54_4d0a_9e61_5c28_d7f0_13ab),
                issued: today.with_hms(9, 30, 0)?.assume_utc(),
                day: today,
                signed_by: Some("Dr Anne Weber".to_owned()),
                reference: Some("7d1f0a52-51f7-4a5c-8d5d-2b1c9e3f4a60".to_owned()),
                training: name == "minimal",
                paper: false,
                preview: false,
            };
            let on_paper = DocumentFacts {
                paper: true,
                ..facts.clone()
            };
            let simulation = shares(checked.rows());
            let content = match pack.workflow() {
                Workflow::Simulate => Content::Simulated(&checked, &simulation),
                _ => Content::Checked(&checked),
            };
            let draft = pack.draft(values);
            for volet in pack.volets() {
                let stem = format!("{}-{name}-{}", pack.kind(), volet.name);
                let document = typesetter.render(&pack, &volet.name, content, &facts)?;
                std::fs::write(folder.join(format!("{stem}.pdf")), document.pdf()?)?;
                let draft = typesetter.render(&pack, &volet.name, Content::Draft(&draft), &facts)?;
                std::fs::write(folder.join(format!("{stem}-draft.svg")), draft.svg(1)?)?;
                if pack.allows_paper() {
                    let paper = typesetter.render(&pack, &volet.name, content, &on_paper)?;
                    std::fs::write(folder.join(format!("{stem}-paper.pdf")), paper.pdf()?)?;
                }
            }
        }
    }
    Ok(())
}

/// The second act is refused.
fn shares(rows: usize) -> Simulation {
    let lines: Vec<SimulatedLine> = (0..rows)
        .map(|row| SimulatedLine {
            accepted: row != 1,
            statutory: if row == 1 { 0 } else { 4611 },
            personal: if row == 1 { 2500 } else { 629 },
            total: if row == 1 { 2500 } else { 5240 },
        })
        .collect();
    Simulation {
        reference: "b1c2d3e4-5f60-4718-8293-a4b5c6d7e8f9".to_owned(),
        document: None,
        statutory: lines.iter().map(|line| line.statutory).sum(),
        personal: lines.iter().map(|line| line.personal).sum(),
        total: lines.iter().map(|line| line.total).sum(),
        lines,
        anomalies: Vec::new(),
    }
}
