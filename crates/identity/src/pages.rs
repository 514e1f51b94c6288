use http::StatusCode;

/// What the browser shows when it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// Logged in.
    Done,
    /// AeS refused, or its answer did not stand up to checking.
    Failed,
    /// A visit that has nothing to do with the login under way.
    Refused(StatusCode),
}

impl Page {
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Done => StatusCode::OK,
            Self::Failed => StatusCode::BAD_REQUEST,
            Self::Refused(status) => status,
        }
    }

    /// A whole page without scripts, references or anything taken from the request.
    pub(crate) fn html(self, language: Language) -> String {
        let (title, text) = self.words(language);
        format!(
            "<!doctype html>\n<html lang=\"{}\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title} – eConnector</title>\n\
             <style>:root{{color-scheme:light dark}}body{{font:1.125rem/1.5 system-ui,sans-serif;max-width:34rem;\
             margin:15vh auto 0;padding:0 1.5rem}}h1{{font-size:1.5rem}}</style>\n<main><h1>{title}</h1><p>{text}</p></main>\n</html>\n",
            language.tag()
        )
    }

    const fn words(self, language: Language) -> (&'static str, &'static str) {
        match (self, language) {
            (Self::Done, Language::French) => (
                "Connexion réussie",
                "Vous pouvez fermer cet onglet et revenir à la fenêtre d’eConnector.",
            ),
            (Self::Done, Language::German) => (
                "Sie sind angemeldet",
                "Sie können diesen Tab schließen und zum eConnector-Fenster zurückkehren.",
            ),
            (Self::Done, Language::English) => ("You are logged in", "You can close this tab and go back to the eConnector window."),
            (Self::Done, Language::Luxembourgish) => (
                "Dir sidd ageloggt",
                "Dir kënnt dësen Tab zoumaachen an zréck an d’eConnector-Fënster goen.",
            ),
            (Self::Failed, Language::French) => (
                "La connexion n’a pas abouti",
                "Revenez à la fenêtre d’eConnector\u{a0}: elle dit pourquoi et ce que vous pouvez faire.",
            ),
            (Self::Failed, Language::German) => (
                "Die Anmeldung ist nicht gelungen",
                "Kehren Sie zum eConnector-Fenster zurück: Dort steht, warum und was Sie tun können.",
            ),
            (Self::Failed, Language::English) => (
                "The login did not succeed",
                "Go back to the eConnector window: it says why and what you can do.",
            ),
            (Self::Failed, Language::Luxembourgish) => (
                "D’Umeldung huet net geklappt",
                "Gitt zréck an d’eConnector-Fënster: do steet, firwat a wat Dir maache kënnt.",
            ),
            (Self::Refused(_), Language::French) => (
                "Cette page n’attend rien",
                "Cette adresse ne sert qu’à la connexion en cours. Recommencez depuis la fenêtre d’eConnector.",
            ),
            (Self::Refused(_), Language::German) => (
                "Diese Seite erwartet nichts",
                "Diese Adresse dient nur der laufenden Anmeldung. Beginnen Sie im eConnector-Fenster von vorn.",
            ),
            (Self::Refused(_), Language::English) => (
                "This page expects nothing",
                "This address only serves the login under way. Start again from the eConnector window.",
            ),
            (Self::Refused(_), Language::Luxembourgish) => (
                "Dës Säit erwaart näischt",
                "Dës Adress déngt just der Umeldung, déi grad leeft. Fänkt nach eng Kéier an der eConnector-Fënster un.",
            ),
        }
    }
}

/// The language of the window from which the login was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    French,
    German,
    English,
    Luxembourgish,
}

impl Language {
    /// By the first two letters of a language tag; French where there is no text in it.
    pub(crate) fn from_tag(tag: &str) -> Self {
        match tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "de" => Self::German,
            "en" => Self::English,
            "lb" => Self::Luxembourgish,
            _ => Self::French,
        }
    }

    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::French => "fr",
            Self::German => "de",
            Self::English => "en",
            Self::Luxembourgish => "lb",
        }
    }
}
