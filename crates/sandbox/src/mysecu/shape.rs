//! Models of other people's forms, for trying them: any document with a UUID and a signed PDF is deposited.

use uuid::Uuid;

use super::{Fault, fields::invalid, models::Case, pdf, register::Family, reply::Reply};

pub(super) fn deposit(case: Case<'_, '_>) -> Result<Reply, Fault> {
    let Case {
        root,
        sender,
        mut anomalies,
        mysecu,
    } = case;
    let find = |name: &str| root.anywhere(name).ok_or_else(|| invalid(name, "absent"));
    let uuid = find("UUID")?.content();
    if uuid.len() != 36 || Uuid::try_parse(&uuid).is_err() {
        return Err(invalid("UUID", "valeur invalide"));
    }
    let document = pdf::signed(&find("document")?.content())?;
    let filed = mysecu.register().deposit(&uuid, Family::Test, sender, &mut anomalies);
    let (name, namespace) = root.name();
    Ok(Reply {
        namespace: namespace.to_owned(),
        document_pdf: Some(document),
        ..Reply::acknowledgement(format!("{name}Retour"), &uuid, filed, anomalies)
    })
}
