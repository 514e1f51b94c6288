use econnector_base::Explain as _;
use econnector_connector::{Caller, Error, Print, Printed};
use econnector_forms::Lang;
use econnector_profile::Profile;
use uuid::Uuid;

use crate::desk::{Desk, code};

impl Desk {
    async fn print(&self, id: u128, volets: &[&str], printer: Option<&str>) -> Result<Printed, Error> {
        let print = Print {
            id: Uuid::from_u128(id),
            volets: volets.iter().map(|&volet| volet.to_owned()).collect(),
            printer: printer.map(ToOwned::to_owned),
        };
        self.connector.print(&Caller::OwnSession, print).await
    }
}

#[tokio::test]
async fn volets_come_out_in_the_order_asked_for() {
    let desk = Desk::open().await;
    let issued = desk.issue(1, None).await.unwrap();
    let printed = desk.print(1, &["employeur", "assure"], None).await.unwrap();
    assert_eq!(
        (printed.printer.as_str(), printed.jobs.len()),
        ("Accueil", 2),
        "the system's default"
    );
    let content = |name: &str| issued.volets.iter().find(|volet| volet.name == name).unwrap().content.to_vec();
    let pages: Vec<Vec<u8>> = desk.queue.printed.lock().unwrap().iter().map(|(_, pdf)| pdf.clone()).collect();
    assert!(pages == [content("employeur"), content("assure")], "the very bytes handed out");

    let own = Profile {
        printer: Some("Salle_1".into()),
        ..Profile::default()
    };
    desk.connector.keep_profile(&Caller::OwnSession, own, Lang::Fr).await.unwrap();
    assert_eq!(
        desk.print(1, &["caisse"], None).await.unwrap().printer,
        "Salle_1",
        "the physician's own"
    );
    assert_eq!(
        desk.print(1, &["caisse"], Some("Accueil")).await.unwrap().printer,
        "Accueil",
        "the one asked for"
    );
}

#[tokio::test]
async fn what_came_out_is_said_when_the_rest_does_not() {
    let desk = Desk::open().await;
    desk.issue(1, None).await.unwrap();
    *desk.queue.room.lock().unwrap() = Some(1);
    let half = desk.print(1, &["employeur", "assure"], None).await.unwrap();
    assert_eq!(half.jobs, ["Accueil-1"]);
    assert!(half.problem.is_some_and(|problem| problem.code() == "printer-failed"));
    assert_eq!(
        code(desk.print(1, &["assure"], None).await),
        "printer-failed",
        "nothing at all is an error"
    );
}

#[tokio::test]
async fn where_there_is_no_printing_that_is_said() {
    let desk = Desk::open().await;
    desk.issue(1, None).await.unwrap();
    *desk.queue.absent.lock().unwrap() = true;
    assert_eq!(code(desk.print(1, &["caisse"], None).await), "printing-unavailable");
    assert_eq!(code(desk.print(1, &["caisse"], Some("Accueil")).await), "printing-unavailable");
    assert_eq!(desk.connector.printers().await.unwrap(), []);
}

#[tokio::test]
async fn what_was_cancelled_is_not_printed_any_more() {
    let desk = Desk::open().await;
    desk.issue(1, None).await.unwrap();
    desk.cancel(1, None).await.unwrap();
    assert_eq!(code(desk.print(1, &["assure"], None).await), "document-unknown");
    assert!(desk.queue.printed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_printed_unless_all_of_it_can_be() {
    let desk = Desk::open().await;
    desk.issue(1, None).await.unwrap();
    assert_eq!(code(desk.print(1, &["caisse", "nobody"], None).await), "volet-unknown");
    assert_eq!(code(desk.print(1, &[], None).await), "request-body");
    assert_eq!(code(desk.print(1, &["caisse"], Some("Cave")).await), "printer-unknown");
    assert_eq!(code(desk.print(2, &["caisse"], None).await), "document-unknown");
    desk.person.leave();
    assert_eq!(code(desk.print(1, &["caisse"], None).await), "login-required");
    assert!(desk.queue.printed.lock().unwrap().is_empty());
}
