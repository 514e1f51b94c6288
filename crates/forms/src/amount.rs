//! Amounts: whole cents inside, two decimals on the wire.

use crate::Lang;

/// Largest amount of one value, in cents: a sum of a table of them cannot overflow.
pub(crate) const LARGEST: i64 = 99_999_999;

/// `52.40`, as the authority writes and reads it.
pub(crate) fn decimal(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

/// Reads `52.40`: digits, a point, two digits, nothing else.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (euros, cents) = text.split_once('.')?;
    let fits =
        |part: &str, length: std::ops::RangeInclusive<usize>| length.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if !fits(euros, 1..=9) || !fits(cents, 2..=2) {
        return None;
    }
    Some(euros.parse::<i64>().ok()? * 100 + cents.parse::<i64>().ok()?)
}

/// `52,40 €` or `€52.40`, as it is read.
pub(crate) fn shown(cents: i64, lang: Lang) -> String {
    let amount = decimal(cents.saturating_abs());
    let sign = if cents < 0 { "-" } else { "" };
    match lang {
        Lang::En => format!("{sign}€{amount}"),
        Lang::Fr | Lang::De | Lang::Lb => format!("{sign}{} €", amount.replace('.', ",")),
    }
}

#[cfg(test)]
mod tests {
    use super::{decimal, parse, shown};
    use crate::Lang;

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        for (text, cents) in [
            ("0.00", 0),
            ("52.40", 5240),
            ("0.07", 7),
            ("999999999.99", 99_999_999_999),
            ("007.50", 750),
        ] {
            assert_eq!(parse(text), Some(cents), "{text}");
        }
        for text in [
            "",
            ".",
            "1",
            "1.",
            ".50",
            "1.5",
            "1.505",
            "1,50",
            "-1.00",
            "+1.00",
            " 1.00",
            "1.00 ",
            "1e2",
            "1.0e",
            "NaN",
            "1.00.00",
            "1234567890.00",
            "１.00",
            "1.０0",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_are_shown_as_each_language_writes_them() {
        assert_eq!(shown(5240, Lang::Fr), "52,40 €");
        assert_eq!(shown(5240, Lang::De), "52,40 €");
        assert_eq!(shown(7, Lang::Lb), "0,07 €");
        assert_eq!(shown(123_456, Lang::En), "€1234.56");
        assert_eq!(shown(-150, Lang::En), "-€1.50");
        assert_eq!(decimal(-7), "-0.07");
        assert_eq!(decimal(i64::MIN), "-92233720368547758.08");
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_again(cents in 0_i64..100_000_000_000) {
            proptest::prop_assert_eq!(parse(&decimal(cents)), Some(cents));
        }
    }
}
