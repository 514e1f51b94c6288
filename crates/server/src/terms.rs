//! The licence, and the word that accepts it.

use crate::reader::yes_or_no;

/// The whole text.
pub(crate) const LICENSE: &str = include_str!("../../../LICENSE");

/// The terms in short, for whoever did not accept them yet.
pub(crate) const IN_SHORT: &str = "\
eConnector is free software under the European Union Public Licence 1.2 (EUPL-1.2), and does not start before you accept it.
In short: you may use, copy, change and pass it on, as long as the licence goes with it and your changes stay open. It comes as it is,
without warranty, and its authors are liable only where the law says so (articles 7 and 8). The licence itself counts, not this summary.

  Read it:    econnector-server --license        (in a container: docker run --rm IMAGE --license)
  Accept it:  ACCEPT_LICENSE=yes                 (or true)
";

/// Whether the value of `ACCEPT_LICENSE` says yes, in one of the two spellings the official documents use.
pub(crate) fn accepted(value: Option<&str>) -> bool {
    value.and_then(yes_or_no) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::{LICENSE, accepted};

    #[test]
    fn yes_and_true_in_any_case_and_nothing_else() {
        for yes in ["yes", "true", "YES", "True", " yes "] {
            assert!(accepted(Some(yes)), "{yes}");
        }
        for no in [
            None,
            Some(""),
            Some("no"),
            Some("false"),
            Some("y"),
            Some("accepted"),
            Some("yes please"),
        ] {
            assert!(!accepted(no), "{no:?}");
        }
        assert!(LICENSE.contains("EUROPEAN UNION PUBLIC LICENCE"));
    }
}
