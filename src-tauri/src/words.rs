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
    pub(crate) link_off: &'static str,
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
    link_off: "la liaison avec les logiciels est désactivée sur ce poste. Pour l’activer : enabled = true, puis redémarrez eConnector",
};

const DE: Words = Words {
    help: "\
econnector                      öffnet das Fenster
econnector --background         startet ohne Fenster und bedient die Praxissoftware
econnector --autostart on|off   startet so bei der Anmeldung, oder nicht mehr
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
    link_off: "die Verbindung mit Praxissoftware ist auf diesem Rechner ausgeschaltet. Zum Einschalten: enabled = true, dann eConnector neu starten",
};

const EN: Words = Words {
    help: "\
econnector                      opens the window
econnector --background         starts without a window and serves practice software
econnector --autostart on|off   starts like this when you log in, or no longer
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
    link_off: "the link with practice software is switched off on this computer. To switch it on: enabled = true, then start eConnector again",
};

const LB: Words = Words {
    help: "\
econnector                      mécht d’Fënster op
econnector --background         start ouni Fënster a bedéngt d’Praxissoftware
econnector --autostart on|off   start esou bei der Umeldung, oder net méi
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
    link_off: "d’Verbindung mat Praxissoftware ass op dësem Rechner ausgeschalt. Fir se anzeschalten: enabled = true, dann eConnector nei starten",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_command_in_every_language() {
        for lang in Lang::ALL {
            for command in ["--background", "--autostart on|off", "doctor [--json]", "--version", "--help"] {
                assert!(words(lang).help.contains(command), "{command} in {}", lang.code());
            }
        }
    }
}
