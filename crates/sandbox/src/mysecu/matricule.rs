//! The matricule: check digits and age (luxembourg.md §1). Written apart from the client's reading on purpose.

use time::Date;

/// C1 by Luhn, C2 by Verhoeff, both over the first eleven digits.
pub(super) fn has_valid_check_digits(matricule: &str) -> bool {
    let digits: Vec<usize> = matricule.bytes().map(|b| usize::from(b.wrapping_sub(b'0'))).collect();
    let [base @ .., luhn, verhoeff] = digits.as_slice() else {
        return false;
    };
    luhn_of(base) == *luhn && verhoeff_of(base) == *verhoeff
}

/// Completed years of life on a day; negative before the birth. An unknown month or day counts as the first.
pub(super) fn age(matricule: &str, on: Date) -> Option<i32> {
    let part = |from: usize, to: usize| matricule.get(from..to)?.parse::<i32>().ok();
    let year = match part(0, 4)? {
        provisional @ 3000.. => provisional - 2000,
        year => year,
    };
    let birthday = (part(4, 6)?.max(1), part(6, 8)?.max(1));
    let day = (i32::from(u8::from(on.month())), i32::from(on.day()));
    Some(on.year() - year - i32::from(day < birthday))
}

fn luhn_of(digits: &[usize]) -> usize {
    let doubled = |d: usize| if d * 2 > 9 { d * 2 - 9 } else { d * 2 };
    let sum: usize = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| if i % 2 == 0 { doubled(*d) } else { *d })
        .sum();
    (10 - sum % 10) % 10
}

/// The dihedral group D5 in closed form: 0–4 are rotations, 5–9 reflections.
fn verhoeff_of(digits: &[usize]) -> usize {
    const PERMUTATION: [usize; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let product = |a: usize, b: usize| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b) % 5,
        (false, true) => 5 + (a + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let permuted = |digit: usize, times: usize| (0..times % 8).fold(digit, |d, _| PERMUTATION.get(d).copied().unwrap_or(d));
    let check = digits
        .iter()
        .rev()
        .enumerate()
        .fold(0, |check, (i, d)| product(check, permuted(*d, i + 1)));
    if check < 5 { (5 - check) % 5 } else { check }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::{age, has_valid_check_digits};

    #[test]
    fn check_digits_of_the_published_examples() {
        let valid = [
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
        for matricule in valid {
            assert!(has_valid_check_digits(matricule), "{matricule}");
        }
        for matricule in ["1893120105733", "1893120105702", "1980010145718", "1980010145723", "3934052492438"] {
            assert!(!has_valid_check_digits(matricule), "{matricule}");
        }
    }

    #[test]
    fn a_year_is_completed_on_the_birthday() {
        assert_eq!(age("1988123048083", date!(2026 - 12 - 29)), Some(37));
        assert_eq!(age("1988123048083", date!(2026 - 12 - 30)), Some(38));
        assert_eq!(age("2024022912336", date!(2024 - 02 - 28)), Some(-1));
        assert_eq!(age("4005021384333", date!(2023 - 02 - 12)), Some(17), "provisional number");
        assert_eq!(age("1980000000109", date!(2026 - 01 - 01)), Some(46), "unknown month and day");
        assert_eq!(age("198000", date!(2026 - 01 - 01)), None);
    }
}
