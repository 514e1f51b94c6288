use econnector_identity::Browser;

/// The system's default browser: the password is typed where the physician sees the address.
pub(crate) struct SystemBrowser;

impl Browser for SystemBrowser {
    fn open(&self, url: &str) -> bool {
        let web = url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
        web && open::that(url).is_ok()
    }
}
