use time::{Date, Month};

/// A national identification number: `YYYYMMDD XXX C1 C2`, 13 digits. No `Debug`, no `Display`: it names a patient.
///
/// C1 is a Luhn digit, C2 a Verhoeff digit, both over the first eleven digits. Month and day `00` mean unknown; a first digit 3 or 4
/// marks a person not yet in the register, born in the year minus 2000.
#[derive(Clone, PartialEq, Eq)]
pub struct Matricule([u8; 13]);

/// Why a text is not a matricule. Holds no digit of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MatriculeError {
    /// Something else than digits, spaces, dots and dashes.
    #[error("a matricule has digits only")]
    NotDigits,
    /// Not 13 digits.
    #[error("a matricule has 13 digits, not {found}")]
    Length {
        /// How many digits there are.
        found: usize,
    },
    /// The first eight digits are no date of birth.
    #[error("the first eight digits are no date")]
    ImpossibleDate,
    /// The digits and their check digits disagree.
    #[error("{0}")]
    CheckDigits(WrongCheckDigits),
}

/// Which check digits disagree with the first eleven digits, and what they would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WrongCheckDigits {
    /// Only the 12th digit (Luhn): most likely that digit itself was mistyped.
    #[error("the 12th digit is a wrong check digit")]
    First {
        /// What the eleven digits ask for.
        expected: u8,
    },
    /// Only the 13th digit (Verhoeff): most likely that digit itself was mistyped.
    #[error("the 13th digit is a wrong check digit")]
    Second {
        /// What the eleven digits ask for.
        expected: u8,
    },
    /// Both: most likely one of the first eleven digits was mistyped.
    #[error("both check digits are wrong")]
    Both {
        /// What the eleven digits ask for in the 12th place.
        first: u8,
        /// What the eleven digits ask for in the 13th place.
        second: u8,
    },
}

/// The date of birth a matricule carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BirthDate {
    /// Year of birth; the year of registration where it was unknown.
    pub year: i32,
    /// 1–12, unknown when absent.
    pub month: Option<u8>,
    /// 1–31, unknown when absent.
    pub day: Option<u8>,
}

impl Matricule {
    /// Reads a matricule strictly; spaces, dots and dashes between the digits are accepted.
    ///
    /// # Errors
    /// Says what is wrong: length, date, or which check digit.
    pub fn parse(text: &str) -> Result<Self, MatriculeError> {
        match Self::read(text)? {
            (matricule, None) => Ok(matricule),
            (_, Some(wrong)) => Err(MatriculeError::CheckDigits(wrong)),
        }
    }

    /// Reads a matricule and reports wrong check digits beside it: the authorities' test environments hold such numbers.
    ///
    /// # Errors
    /// Length and date only.
    pub fn read(text: &str) -> Result<(Self, Option<WrongCheckDigits>), MatriculeError> {
        let mut digits = Vec::with_capacity(13);
        for c in text.chars() {
            match c {
                '0'..='9' => digits.push(c as u8 - b'0'),
                ' ' | '.' | '-' | '\u{a0}' | '\u{202f}' => {}
                _ => return Err(MatriculeError::NotDigits),
            }
        }
        let digits: [u8; 13] = digits
            .try_into()
            .map_err(|digits: Vec<u8>| MatriculeError::Length { found: digits.len() })?;
        let matricule = Self(digits);
        if !matricule.has_possible_date() {
            return Err(MatriculeError::ImpossibleDate);
        }
        let (first, second) = check_digits(&digits);
        let wrong = match (digits[11] == first, digits[12] == second) {
            (true, true) => None,
            (false, true) => Some(WrongCheckDigits::First { expected: first }),
            (true, false) => Some(WrongCheckDigits::Second { expected: second }),
            (false, false) => Some(WrongCheckDigits::Both { first, second }),
        };
        Ok((matricule, wrong))
    }

    /// Date of birth, as far as the number tells.
    #[must_use]
    pub fn birth(&self) -> BirthDate {
        let year = self.number(0, 4);
        let known = |value: i32| u8::try_from(value).ok().filter(|v| *v > 0);
        BirthDate {
            year: if matches!(self.0[0], 3 | 4) { year - 2000 } else { year },
            month: known(self.number(4, 2)),
            day: known(self.number(6, 2)),
        }
    }

    /// Completed years on `day`; absent when month or day of birth are unknown or the birth lies after `day`.
    #[must_use]
    pub fn age_on(&self, day: Date) -> Option<u16> {
        let birth = self.birth();
        let (month, date) = (birth.month?, birth.day?);
        let before_birthday = (u8::from(day.month()), day.day()) < (month, date);
        u16::try_from(day.year() - birth.year - i32::from(before_birthday)).ok()
    }

    /// The 13 digits, as sent.
    #[must_use]
    pub fn digits(&self) -> String {
        self.0.iter().map(|d| char::from(b'0' + d)).collect()
    }

    /// As printed and shown: `YYYY MM DD XXX CC`.
    #[must_use]
    pub fn grouped(&self) -> String {
        let mut shown = String::with_capacity(17);
        for (at, digit) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 11) {
                shown.push(' ');
            }
            shown.push(char::from(b'0' + digit));
        }
        shown
    }

    fn number(&self, from: usize, len: usize) -> i32 {
        self.0.iter().skip(from).take(len).fold(0, |n, d| n * 10 + i32::from(*d))
    }

    fn has_possible_date(&self) -> bool {
        if !matches!(self.0[0], 1..=4) {
            return false;
        }
        let (month, day) = (self.number(4, 2), self.number(6, 2));
        let longest = match u8::try_from(month).ok().map(Month::try_from) {
            Some(Ok(month)) => month.length(self.birth().year),
            _ if month == 0 => 31,
            _ => return false,
        };
        day <= i32::from(longest)
    }
}

impl Drop for Matricule {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl BirthDate {
    /// Whether the birth certainly lies after `day`.
    #[must_use]
    pub fn is_after(&self, day: Date) -> bool {
        let limit = (day.year(), u8::from(day.month()), day.day());
        match (self.month, self.day) {
            (Some(month), Some(date)) => (self.year, month, date) > limit,
            (Some(month), None) => (self.year, month) > (limit.0, limit.1),
            (None, _) => self.year > limit.0,
        }
    }
}

/// C1 (Luhn) and C2 (Verhoeff) of the first eleven digits; C2 does not cover C1.
fn check_digits(digits: &[u8; 13]) -> (u8, u8) {
    let sum: u32 = digits
        .iter()
        .take(11)
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let value = u32::from(*digit) * if at % 2 == 0 { 2 } else { 1 };
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    let luhn = u8::try_from((10 - sum % 10) % 10).unwrap_or_default();
    let verhoeff = digits.iter().take(11).rev().enumerate().fold(0_u8, |c, (at, digit)| {
        let permuted = PERMUTATION[(at + 1) % 8][usize::from(*digit)];
        DIHEDRAL[usize::from(c)][usize::from(permuted)]
    });
    (luhn, INVERSE[usize::from(verhoeff)])
}

const DIHEDRAL: [[u8; 10]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
];

const PERMUTATION: [[u8; 10]; 8] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
    [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
    [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
    [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
    [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
    [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
    [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
];

const INVERSE: [u8; 10] = [0, 4, 3, 2, 1, 5, 6, 7, 8, 9];

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::{Matricule, MatriculeError, WrongCheckDigits};

    const VALID: [&str; 10] = [
        "1893120105732",
        "1987110803276",
        "1988123048083",
        "1980010145728",
        "1970050299902",
        "4005021384333",
        "3934052492435",
        "1985061501293",
        "2024022912336",
        "1980000000109",
    ];

    fn refusal(text: &str) -> MatriculeError {
        Matricule::parse(text).err().unwrap()
    }

    #[test]
    fn published_numbers_are_accepted() {
        for number in VALID {
            assert!(Matricule::parse(number).is_ok(), "{number}");
        }
    }

    #[test]
    fn the_wrong_check_digit_is_named() {
        for number in ["1893120105733", "1980010145723", "3934052492438"] {
            assert!(
                matches!(refusal(number), MatriculeError::CheckDigits(WrongCheckDigits::Second { .. })),
                "{number}"
            );
        }
        for number in ["1893120105702", "1980010145718"] {
            assert!(
                matches!(refusal(number), MatriculeError::CheckDigits(WrongCheckDigits::First { .. })),
                "{number}"
            );
        }
        assert_eq!(
            refusal("1893120105733"),
            MatriculeError::CheckDigits(WrongCheckDigits::Second { expected: 2 })
        );
        assert_eq!(
            refusal("1980010145718"),
            MatriculeError::CheckDigits(WrongCheckDigits::First { expected: 2 })
        );
    }

    #[test]
    fn a_right_checksum_does_not_excuse_an_impossible_date() {
        assert_eq!(refusal("2010022900172"), MatriculeError::ImpossibleDate);
        assert_eq!(refusal("1988133048083"), MatriculeError::ImpossibleDate);
        assert_eq!(refusal("1988123248083"), MatriculeError::ImpossibleDate);
        assert_eq!(refusal("0988123048083"), MatriculeError::ImpossibleDate);
        assert_eq!(refusal("9988123048083"), MatriculeError::ImpossibleDate);
    }

    #[test]
    fn every_single_wrong_digit_is_caught_and_placed() {
        for number in VALID {
            for at in 0..13 {
                for digit in '0'..='9' {
                    let mut typed: Vec<char> = number.chars().collect();
                    if typed[at] == digit {
                        continue;
                    }
                    typed[at] = digit;
                    let typed: String = typed.into_iter().collect();
                    match (at, refusal(&typed)) {
                        (12, MatriculeError::CheckDigits(WrongCheckDigits::Second { expected })) => {
                            assert!(number.ends_with(&expected.to_string()));
                        }
                        (11, MatriculeError::CheckDigits(WrongCheckDigits::First { expected })) => {
                            assert_eq!(number.as_bytes()[11], b'0' + expected);
                        }
                        (0..=10, MatriculeError::CheckDigits(WrongCheckDigits::Both { .. })) => {}
                        (0..=7, MatriculeError::ImpossibleDate) => {}
                        (_, other) => panic!("{typed}, place {at}: {other:?}"),
                    }
                }
            }
        }
    }

    #[test]
    fn neighbours_swapped_are_caught() {
        for number in VALID {
            for at in 0..12 {
                let mut typed: Vec<char> = number.chars().collect();
                typed.swap(at, at + 1);
                let typed: String = typed.into_iter().collect();
                assert!(typed == number || Matricule::parse(&typed).is_err(), "{typed}");
            }
        }
    }

    #[test]
    fn pasted_separators_are_accepted_and_the_rest_is_not() {
        for typed in [
            "1988 12 30 480 83",
            "1988.12.30-480-83",
            " 1988123048083 ",
            "1988\u{a0}1230\u{202f}48083",
        ] {
            assert_eq!(Matricule::parse(typed).ok().unwrap().grouped(), "1988 12 30 480 83");
        }
        assert_eq!(refusal("198812304808"), MatriculeError::Length { found: 12 });
        assert_eq!(refusal(""), MatriculeError::Length { found: 0 });
        assert_eq!(refusal(&"1".repeat(100_000)), MatriculeError::Length { found: 100_000 });
        assert_eq!(refusal("1988x23048083"), MatriculeError::NotDigits);
        assert_eq!(refusal("١٩٨٨١٢٣٠٤٨٠٨٣"), MatriculeError::NotDigits);
    }

    #[test]
    fn birth_and_age() {
        let known = Matricule::parse("1988123048083").ok().unwrap();
        assert_eq!(known.age_on(date!(2026 - 12 - 29)), Some(37));
        assert_eq!(known.age_on(date!(2026 - 12 - 30)), Some(38));
        assert_eq!(known.age_on(date!(1988 - 12 - 29)), None);
        assert!(known.birth().is_after(date!(1988 - 12 - 29)));
        assert!(!known.birth().is_after(date!(1988 - 12 - 30)));

        let unregistered = Matricule::parse("3934052492435").ok().unwrap().birth();
        assert!((unregistered.year, unregistered.month, unregistered.day) == (1934, Some(5), Some(24)));

        let partial = Matricule::parse("1980000000109").ok().unwrap();
        assert!((partial.birth().year, partial.birth().month, partial.birth().day) == (1980, None, None));
        assert_eq!(partial.age_on(date!(2026 - 01 - 01)), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,40}") {
            let _ = Matricule::parse(&text);
        }

        #[test]
        fn digits_survive_grouping(tail in "[0-9]{3}") {
            let body = format!("19880101{tail}00");
            let matricule = Matricule::read(&body).unwrap_or_else(|e| panic!("{e}")).0;
            proptest::prop_assert_eq!(matricule.grouped().replace(' ', ""), matricule.digits());
        }
    }
}
