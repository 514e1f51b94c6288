use serde::{Deserialize, Serialize};

/// The languages of every text a person reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// French, the default and the language of the printed forms.
    #[default]
    Fr,
    /// German.
    De,
    /// English.
    En,
    /// Luxembourgish.
    Lb,
}

impl Lang {
    /// All of them; a pack is complete when it has texts in each.
    pub const ALL: [Self; 4] = [Self::Fr, Self::De, Self::En, Self::Lb];

    /// BCP 47 code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fr => "fr",
            Self::De => "de",
            Self::En => "en",
            Self::Lb => "lb",
        }
    }

    /// The language of a BCP 47 tag (`de-LU` → German), if it is one of ours.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next()?.to_ascii_lowercase();
        Self::ALL.into_iter().find(|lang| lang.code() == primary)
    }

    /// The best of ours for an `Accept-Language` header (RFC 9110, 12.5.4); French when none fits.
    #[must_use]
    pub fn negotiate(accept_language: &str) -> Self {
        let mut best: Option<(f32, Self)> = None;
        for range in accept_language.split(',') {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let quality = parts
                .find_map(|p| p.trim().strip_prefix("q="))
                .map_or(Some(1.0), |q| q.trim().parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q)))
                .unwrap_or(0.0);
            let lang = if tag == "*" { Some(Self::default()) } else { Self::of_tag(tag) };
            if let Some(lang) = lang
                && quality > 0.0
                && best.is_none_or(|(found, _)| quality > found)
            {
                best = Some((quality, lang));
            }
        }
        best.map_or_else(Self::default, |(_, lang)| lang)
    }
}

#[cfg(test)]
mod tests {
    use super::Lang;

    #[test]
    fn the_highest_quality_we_speak_wins() {
        for (header, expected) in [
            ("de-LU,fr;q=0.8", Lang::De),
            ("pt;q=1, lb;q=0.4, en;q=0.9", Lang::En),
            ("fr;q=0.1, de;q=0.1", Lang::Fr),
            ("lb", Lang::Lb),
            ("de;q=0, en;q=0.2", Lang::En),
            ("*", Lang::Fr),
            ("", Lang::Fr),
            ("pt-BR", Lang::Fr),
            ("de;q=banane, en;q=0.1", Lang::En),
            ("de;q=7, lb;q=0.1", Lang::Lb),
        ] {
            assert_eq!(Lang::negotiate(header), expected, "{header}");
        }
    }
}
