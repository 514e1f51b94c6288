use std::sync::Arc;

use econnector_forms::{Lang, Severity};
use econnector_identity::{IdentityError, Physician};
use econnector_profile::{Fault, Practitioner, Profile, ProfileError, Profiles};

use crate::present::herself;
use crate::{Caller, Connector, Error, FindingView};

impl Connector {
    /// The profile of the physician on whose behalf the caller acts; what was never typed comes from the login. Without a login at this
    /// desk, the only profile kept here: paper needs no login.
    ///
    /// # Errors
    /// [`Error::Identity`] without a login, [`Error::Profile`] when the file cannot be read.
    pub async fn profile(&self, caller: &Caller) -> Result<Profile, Error> {
        let Some(physician) = self.physician(caller).await? else {
            let only = self.on_disk(Profiles::only).await?;
            return Ok(only.map(Profile::filled).ok_or(IdentityError::LoginRequired)?);
        };
        let known = self.on_disk(move |profiles| profiles.known(practitioner(&physician))).await?;
        Ok(known.filled())
    }

    /// Keeps a profile in place of the one of before. Only the physician herself: what stands in it goes onto what she signs.
    ///
    /// # Errors
    /// [`Error::ProfileWrong`] with everything that cannot be kept, [`Error::Identity`] without a login, [`Error::PhysicianOnly`],
    /// [`Error::Profile`].
    pub async fn keep_profile(&self, caller: &Caller, profile: Profile, lang: Lang) -> Result<Profile, Error> {
        let principal = self.present(caller).await?.principal()?;
        herself(principal.mandate, &principal.physician)?;
        let physician = principal.physician;
        let profile = Profile {
            physician: Some(practitioner(&physician)),
            ..profile.trimmed()
        };
        let findings: Vec<FindingView> = profile
            .faults()
            .into_iter()
            .map(|(field, fault)| FindingView {
                field,
                severity: Severity::Error,
                code: code(fault).to_owned(),
                message: message(fault, lang),
            })
            .collect();
        if !findings.is_empty() {
            return Err(Error::ProfileWrong(findings));
        }
        let kept = profile.clone();
        self.on_disk(move |profiles| profiles.keep(&physician.ehealth_id, &kept)).await?;
        Ok(profile.filled())
    }

    pub(crate) async fn stored_profile(&self, ehealth_id: &str) -> Result<Option<Profile>, Error> {
        let ehealth_id = ehealth_id.to_owned();
        self.on_disk(move |profiles| profiles.find(&ehealth_id)).await
    }

    /// Beside the threads that answer others.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Profiles) -> Result<T, ProfileError> + Send + 'static,
    ) -> Result<T, Error> {
        let profiles = Arc::clone(&self.profiles);
        Ok(tokio::task::spawn_blocking(move || work(&profiles))
            .await
            .map_err(|_| Error::Interrupted)??)
    }
}

fn practitioner(physician: &Physician) -> Practitioner {
    Practitioner {
        ehealth_id: physician.ehealth_id.clone(),
        name: physician.name.clone(),
        provider_codes: physician.provider_codes.clone(),
    }
}

const fn code(fault: Fault) -> &'static str {
    match fault {
        Fault::TooLong(_) => "value-too-long",
        Fault::NotPrintable => "value-not-printable",
        Fault::NoProviderCode => "value-no-provider-code",
        Fault::NoCountry => "value-no-country",
        Fault::NoEmail => "value-no-email",
        Fault::TooMany(_) => "value-too-many",
        Fault::NoCode => "value-no-code",
        Fault::Twice => "value-twice",
    }
}

fn message(fault: Fault, lang: Lang) -> String {
    let [fr, de, en, lb] = match fault {
        Fault::TooLong(most) => [
            format!("Le texte est trop long : {most} caractères au plus. Raccourcissez-le."),
            format!("Der Text ist zu lang: höchstens {most} Zeichen. Kürzen Sie ihn."),
            format!("The text is too long: at most {most} characters. Shorten it."),
            format!("Den Text ass ze laang: héchstens {most} Zeechen. Kierzt en."),
        ],
        Fault::NotPrintable => [
            "Le texte contient un caractère invisible. Effacez-le et tapez-le de nouveau.",
            "Der Text enthält ein unsichtbares Zeichen. Löschen Sie ihn und tippen Sie ihn neu.",
            "The text holds an invisible character. Delete it and type it again.",
            "Den Text enthält en onsiichtbaart Zeechen. Läscht en an tippt en nei.",
        ]
        .map(str::to_owned),
        Fault::NoProviderCode => [
            "Un code prestataire a 8 chiffres et ne commence pas par 0. Vérifiez-le.",
            "Ein Leistungserbringercode hat 8 Ziffern und beginnt nicht mit 0. Prüfen Sie ihn.",
            "A provider code has 8 digits and does not begin with 0. Check it.",
            "E Prestatairescode huet 8 Zifferen a fänkt net mat 0 un. Kuckt en no.",
        ]
        .map(str::to_owned),
        Fault::NoCountry => [
            "Le pays s’écrit en deux lettres majuscules, comme LU. Corrigez-le.",
            "Das Land schreibt man mit zwei Großbuchstaben, wie LU. Berichtigen Sie es.",
            "The country is written with two capital letters, such as LU. Correct it.",
            "D’Land schreift ee mat zwee grousse Buschtawen, wéi LU. Verbessert et.",
        ]
        .map(str::to_owned),
        Fault::NoEmail => [
            "Ce n’est pas une adresse e-mail. Corrigez-la ou effacez-la.",
            "Das ist keine E-Mail-Adresse. Berichtigen oder löschen Sie sie.",
            "This is no e-mail address. Correct it or delete it.",
            "Dat ass keng E-Mail-Adress. Verbessert oder läscht se.",
        ]
        .map(str::to_owned),
        Fault::TooMany(most) => [
            format!("La liste est trop longue : {most} au plus. Retirez-en."),
            format!("Die Liste ist zu lang: höchstens {most}. Entfernen Sie einige."),
            format!("The list is too long: at most {most}. Remove some."),
            format!("D’Lëscht ass ze laang: héchstens {most}. Huelt der eraus."),
        ],
        Fault::NoCode => [
            "Un code n’a que des lettres, des chiffres, des points et des tirets, 20 au plus. Corrigez-le.",
            "Ein Code hat nur Buchstaben, Ziffern, Punkte und Striche, höchstens 20. Berichtigen Sie ihn.",
            "A code has letters, digits, points and dashes only, at most 20. Correct it.",
            "E Code huet just Buschtawen, Zifferen, Punkten a Strécher, héchstens 20. Verbessert en.",
        ]
        .map(str::to_owned),
        Fault::Twice => [
            "Ce code est déjà dans la liste. Retirez l’un des deux.",
            "Dieser Code steht schon in der Liste. Entfernen Sie einen der beiden.",
            "This code is in the list already. Remove one of the two.",
            "Dëse Code steet schonn op der Lëscht. Huelt ee vun deenen zwee eraus.",
        ]
        .map(str::to_owned),
    };
    match lang {
        Lang::Fr => fr,
        Lang::De => de,
        Lang::En => en,
        Lang::Lb => lb,
    }
}
