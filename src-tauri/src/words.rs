//! What the program says outside of its window, in the system's language.

use econnector_forms::Lang;

/// The words of one language.
pub(crate) struct Words {
    pub(crate) help: &'static str,
    pub(crate) unknown: &'static str,
    pub(crate) open: &'static str,
    pub(crate) autostart: &'static str,
    pub(crate) quit: &'static str,
    pub(crate) autostart_on: &'static str,
    pub(crate) autostart_off: &'static str,
    pub(crate) autostart_failed: &'static str,
    pub(crate) links_on: &'static str,
    pub(crate) links_off: &'static str,
    pub(crate) links_failed: &'static str,
    pub(crate) elsewhere: &'static str,
}

/// The language of this user's system; French when it is none of ours.
pub(crate) fn language() -> Lang {
    sys_locale::get_locales().find_map(|tag| Lang::of_tag(&tag)).unwrap_or_default()
}

/// The words of a language.
pub(crate) const fn words(lang: Lang) -> &'static Words {
    match lang {
        Lang::Fr => &FR,
        Lang::De => &DE,
        Lang::En => &EN,
        Lang::Lb => &LB,
    }
}

const FR: Words = Words {
    help: "\
econnector                      ouvre la fenêtre
econnector --background         démarre sans fenêtre et sert les logiciels du cabinet
econnector --autostart on|off   démarre ainsi à l’ouverture de session, ou ne le fait plus
econnector --links on|off       ouvre les liens econnector:login et econnector:open, ou ne le fait plus
econnector doctor [--json]      dit pourquoi la liaison avec un logiciel ne fonctionne pas
econnector --version            dit la version
econnector --help               montre cette aide",
    unknown: "n’est pas compris. Voyez : econnector --help",
    open: "Ouvrir eConnector",
    autostart: "Démarrer avec la session",
    quit: "Quitter",
    autostart_on: "eConnector démarrera sans fenêtre à l’ouverture de session.",
    autostart_off: "eConnector ne démarrera plus à l’ouverture de session.",
    autostart_failed: "Le démarrage automatique n’a pas pu être changé. Vérifiez les droits de ce fichier",
    links_on: "Les liens econnector: ouvriront eConnector.",
    links_off: "Les liens econnector: n’ouvriront plus eConnector.",
    links_failed: "Les liens n’ont pas pu être changés. Vérifiez les droits de ces fichiers",
    elsewhere: "un eConnector est déjà ouvert sous votre compte, mais il ne répond pas. Fermez-le (ou déconnectez-vous de cet ordinateur), puis recommencez.",
};

const DE: Words = Words {
    help: "\
econnector                      öffnet das Fenster
econnector --background         startet ohne Fenster und bedient die Praxissoftware
econnector --autostart on|off   startet so bei der Anmeldung, oder nicht mehr
econnector --links on|off       öffnet Links econnector:login und econnector:open, oder nicht mehr
econnector doctor [--json]      sagt, warum die Verbindung zu einer Software nicht geht
econnector --version            nennt die Version
econnector --help               zeigt diese Hilfe",
    unknown: "ist unbekannt. Hilfe: econnector --help",
    open: "eConnector öffnen",
    autostart: "Bei der Anmeldung starten",
    quit: "Beenden",
    autostart_on: "eConnector startet künftig ohne Fenster bei der Anmeldung.",
    autostart_off: "eConnector startet nicht mehr bei der Anmeldung.",
    autostart_failed: "Der automatische Start ließ sich nicht ändern. Prüfen Sie die Rechte dieser Datei",
    links_on: "Links mit econnector: öffnen künftig eConnector.",
    links_off: "Links mit econnector: öffnen eConnector nicht mehr.",
    links_failed: "Die Links ließen sich nicht ändern. Prüfen Sie die Rechte dieser Dateien",
    elsewhere: "unter Ihrem Konto läuft bereits ein eConnector, aber er antwortet nicht. Beenden Sie ihn (oder melden Sie sich am Rechner ab) und versuchen Sie es noch einmal.",
};

const EN: Words = Words {
    help: "\
econnector                      opens the window
econnector --background         starts without a window and serves practice software
econnector --autostart on|off   starts like this when you log in, or no longer
econnector --links on|off       opens links econnector:login and econnector:open, or no longer
econnector doctor [--json]      says why the link with a software does not work
econnector --version            says the version
econnector --help               shows this help",
    unknown: "is not known. See: econnector --help",
    open: "Open eConnector",
    autostart: "Start when I log in",
    quit: "Quit",
    autostart_on: "eConnector will start without a window when you log in.",
    autostart_off: "eConnector will no longer start when you log in.",
    autostart_failed: "The automatic start could not be changed. Check the permissions of this file",
    links_on: "Links that begin with econnector: will open eConnector.",
    links_off: "Links that begin with econnector: will no longer open eConnector.",
    links_failed: "The links could not be changed. Check the permissions of these files",
    elsewhere: "an eConnector is open already under your account, but does not answer. Close it (or log out of this computer), then try again.",
};

const LB: Words = Words {
    help: "\
econnector                      mécht d’Fënster op
econnector --background         start ouni Fënster a bedéngt d’Praxissoftware
econnector --autostart on|off   start esou bei der Umeldung, oder net méi
econnector --links on|off       mécht Linken econnector:login an econnector:open op, oder net méi
econnector doctor [--json]      seet, firwat d’Verbindung mat enger Software net geet
econnector --version            seet d’Versioun
econnector --help               weist dës Hëllef",
    unknown: "ass net bekannt. Hëllef: econnector --help",
    open: "eConnector opmaachen",
    autostart: "Bei der Umeldung starten",
    quit: "Zoumaachen",
    autostart_on: "eConnector start elo ouni Fënster bei der Umeldung.",
    autostart_off: "eConnector start net méi bei der Umeldung.",
    autostart_failed: "Den automatesche Start konnt net geännert ginn. Kuckt d’Rechter vun dësem Fichier no",
    links_on: "Linken mat econnector: maachen elo eConnector op.",
    links_off: "Linken mat econnector: maachen eConnector net méi op.",
    links_failed: "D’Linke konnten net geännert ginn. Kuckt d’Rechter vun dëse Fichieren no",
    elsewhere: "ënner Ärem Kont leeft schonn en eConnector, mee en äntwert net. Maacht en zou (oder mellt Iech um Rechner of) a probéiert nach eng Kéier.",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_command_in_every_language() {
        for lang in Lang::ALL {
            for command in [
                "--background",
                "--autostart on|off",
                "--links on|off",
                "doctor [--json]",
                "--version",
                "--help",
            ] {
                assert!(words(lang).help.contains(command), "{command} in {}", lang.code());
            }
        }
    }
}
