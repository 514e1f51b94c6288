//! The pages a person sees: login, logout, errors. Plain HTML, no scripts, French or English.

use axum::http::{HeaderMap, header};

use super::Parameters;
use crate::people::{PEOPLE, Person};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    French,
    English,
}

impl Language {
    /// English when asked for, by `ui_locales` or by the browser; French otherwise.
    pub(super) fn of(headers: &HeaderMap, parameters: &Parameters) -> Self {
        let wish = parameters
            .get("ui_locales")
            .map(String::as_str)
            .or_else(|| headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()))
            .unwrap_or_default();
        if wish.trim_start().to_ascii_lowercase().starts_with("en") {
            Self::English
        } else {
            Self::French
        }
    }

    const fn pick(self, french: &'static str, english: &'static str) -> &'static str {
        match self {
            Self::French => french,
            Self::English => english,
        }
    }
}

pub(super) const fn wrong_password(language: Language) -> &'static str {
    language.pick("Nom d’utilisateur ou mot de passe incorrect.", "Wrong user name or password.")
}

/// The login form. It posts `username` and `password` to `action`.
pub(super) fn login(language: Language, action: &str, username: &str, error: Option<&str>) -> String {
    let t = |french, english| language.pick(french, english);
    let (alert, described) = match error {
        Some(message) => (
            format!("<p class=\"alert\" id=\"error\" role=\"alert\">{}</p>", escape(message)),
            " aria-describedby=\"error\" aria-invalid=\"true\"",
        ),
        None => (String::new(), ""),
    };
    let accounts: String = PEOPLE
        .iter()
        .map(|person| {
            let role = if person.ehealth_id.is_none() {
                t("secrétaire", "secretary")
            } else if person.activated {
                t("médecin", "physician")
            } else {
                t("médecin, services web non activés", "physician, web services not activated")
            };
            let others = person.acts_for.iter().filter_map(|id| Person::with_ehealth_id(id));
            let others: String = others
                .map(|other| format!(", {} {}", t("pour", "for"), escape(other.name)))
                .collect();
            format!(
                "<tr><td>{}<br><small>{role}{others}</small></td><td><code>{}</code></td><td><code>{}</code></td></tr>",
                escape(person.name),
                escape(person.username),
                escape(person.password)
            )
        })
        .collect();
    let (action, username) = (escape(action), escape(username));
    page(
        language,
        t("Connexion", "Log in"),
        &format!(
            "{alert}
<form method=\"post\" action=\"{action}\">
<label for=\"username\">{}</label>
<input id=\"username\" name=\"username\" type=\"text\" value=\"{username}\" autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" required{described} autofocus>
<label for=\"password\">{}</label>
<input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" required{described}>
<button type=\"submit\">{}</button>
</form>
<table><caption>{}</caption>
<thead><tr><th scope=\"col\">{}</th><th scope=\"col\">{}</th><th scope=\"col\">{}</th></tr></thead>
<tbody>{accounts}</tbody></table>",
            t("Nom d’utilisateur", "User name"),
            t("Mot de passe", "Password"),
            t("Se connecter", "Log in"),
            t("Comptes de formation", "Training accounts"),
            t("Personne", "Person"),
            t("Utilisateur", "User"),
            t("Mot de passe", "Password"),
        ),
    )
}

pub(super) fn expired(language: Language) -> String {
    let text = language.pick(
        "Cette page de connexion a expiré. Fermez-la et recommencez depuis l’application.",
        "This login page has expired. Close it and start again from the application.",
    );
    page(
        language,
        language.pick("Connexion expirée", "Login expired"),
        &format!("<p role=\"alert\">{text}</p>"),
    )
}

/// `parameter` is ours, not the caller's.
pub(super) fn problem(language: Language, parameter: &str) -> String {
    let text = language.pick("Paramètre refusé", "Parameter refused");
    page(
        language,
        language.pick("Demande refusée", "Request refused"),
        &format!("<p role=\"alert\">{text}: <code>{parameter}</code></p>"),
    )
}

pub(super) fn confirm_logout(language: Language) -> String {
    let (question, button) = (
        language.pick("Voulez-vous vous déconnecter ?", "Do you want to log out?"),
        language.pick("Se déconnecter", "Log out"),
    );
    let form = format!(
        "<p>{question}</p><form method=\"post\" action=\"{}/protocol/openid-connect/logout\"><button type=\"submit\">{button}</button></form>",
        super::REALM
    );
    page(language, language.pick("Déconnexion", "Log out"), &form)
}

pub(super) fn logged_out(language: Language) -> String {
    let text = language.pick(
        "Vous êtes déconnecté. Vous pouvez fermer cette page.",
        "You are logged out. You may close this page.",
    );
    page(
        language,
        language.pick("Déconnecté", "Logged out"),
        &format!("<p role=\"status\">{text}</p>"),
    )
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#17242d;--paper:#f4f7f8;--card:#fff;--line:#8a9aa3;--accent:#0b5c6b;--on:#fff;--bad:#a3161f}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf0;--paper:#10181d;--card:#18242b;--line:#6c7f89;--accent:#6fd0e0;--on:#062027;--bad:#ff9a9f}}
*{box-sizing:border-box}body{margin:0;padding:2rem 1rem;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{max-width:30rem;margin:0 auto;padding:2rem;background:var(--card);border-radius:.75rem}
h1{margin:0 0 1rem;font-size:1.5rem}p.where{margin:0 0 .25rem;font-size:.9rem}
label{display:block;margin:1rem 0 .25rem;font-weight:600}
input{width:100%;padding:.6rem;border:1px solid var(--line);border-radius:.4rem;background:var(--card);color:inherit;font:inherit}
button{margin-top:1.5rem;padding:.65rem 1.5rem;border:0;border-radius:.4rem;background:var(--accent);color:var(--on);font:inherit;font-weight:600;cursor:pointer}
input:focus-visible,button:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.alert{padding:.6rem .8rem;border-left:.3rem solid var(--bad);color:var(--bad);font-weight:600}
table{width:100%;margin-top:2rem;border-collapse:collapse;font-size:.9rem}caption{text-align:left;font-weight:600;padding-bottom:.4rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .5rem .35rem 0;border-top:1px solid var(--line)}";

fn page(language: Language, title: &str, content: &str) -> String {
    let lang = language.pick("fr", "en");
    let place = language.pick(
        "Agence eSanté — environnement de formation (fictif)",
        "Agence eSanté — training environment (fictitious)",
    );
    format!(
        "<!doctype html>
<html lang=\"{lang}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">
<title>{title} – {place}</title><style>{STYLE}</style></head>
<body><main><p class=\"where\">{place}</p><h1>{title}</h1>
{content}
</main></body></html>"
    )
}

fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Language, login};

    #[test]
    fn what_was_typed_is_shown_as_text() {
        let html = login(Language::French, "/x?a=1&b=2", "\"><script>alert(1)</script>", Some("non"));
        assert!(!html.contains("<script"));
        assert!(html.contains("value=\"&quot;&gt;&lt;script&gt;"));
        assert!(html.contains("action=\"/x?a=1&amp;b=2\""));
    }
}
