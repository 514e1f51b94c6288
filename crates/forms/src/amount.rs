//! Amounts: whole cents inside, decimals on the wire.

use crate::Lang;

/// Largest amount of one value, in cents: a sum of a table of them cannot overflow.
pub(crate) const LARGEST: i64 = 99_999_999;

/// More euros than digits of this number are in no answer.
const MOST_DIGITS: usize = 9;

/// `52.40`, as it is sent.
pub(crate) fn decimal(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

/// Reads an `xs:decimal` that is a whole number of cents: `52.40`, `52.4`, `52`, `-0.5`, `52.4000`. Never rounds.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (euros, rest) = digits.split_once('.').unwrap_or((digits, ""));
    if (euros.is_empty() && rest.is_empty()) || !euros.bytes().chain(rest.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (euros, rest) = (euros.trim_start_matches('0'), rest.trim_end_matches('0'));
    if euros.len() > MOST_DIGITS || rest.len() > 2 {
        return None;
    }
    let cents = format!("{euros}{rest:0<2}").parse::<i64>().ok()?;
    Some(if negative { -cents } else { cents })
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
            ("0000000000001.00", 100),
            ("52", 5200),
            ("52.", 5200),
            ("52.4", 5240),
            ("52.40000000000000000000", 5240),
            (".5", 50),
            ("+1.00", 100),
            ("-1.00", -100),
            ("-0.5", -50),
            ("-0.00", 0),
            ("0", 0),
        ] {
            assert_eq!(parse(text), Some(cents), "{text}");
        }
        for text in [
            "",
            ".",
            "-",
            "+.",
            "1.505",
            "1.001",
            "1,50",
            "--1.00",
            "+-1.00",
            "- 1.00",
            "1.-50",
            " 1.00",
            "1.00 ",
            "1e2",
            "1.0e",
            "1E0",
            "INF",
            "0x10",
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
        fn what_is_written_is_read_again(cents in -99_999_999_999_i64..100_000_000_000, zeros in 0_usize..30) {
            proptest::prop_assert_eq!(parse(&decimal(cents)), Some(cents));
            proptest::prop_assert_eq!(parse(&format!("{}{}", decimal(cents), "0".repeat(zeros))), Some(cents));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+.0-9eE ]{0,14}") {
            if let Some(cents) = parse(&text) {
                // Within these limits a binary float is near enough to compare.
                let float = text.parse::<f64>().unwrap();
                proptest::prop_assert_eq!(float, decimal(cents).parse::<f64>().unwrap(), "{}", text);
            }
        }
    }
}
