use crate::process::{Outcome, cargo, npm, run, run_seeing};
use crate::setup;

/// Every test there is; closes with the one line that counts.
pub(crate) fn test() -> Outcome {
    let mut count = Count::default();
    let outcome = run_all(&mut count);
    // What did not build, or ended without a word, is a failure too.
    if outcome.is_err() && count.failed == 0 {
        count.failed = 1;
    }
    println!("{} passed, {} failed", count.passed, count.failed);
    outcome
}

fn run_all(count: &mut Count) -> Outcome {
    setup::to_test()?;
    run(npm("ui").args(["run", "--silent", "build"]))?;
    let ui = run_seeing(
        npm("ui")
            .args(["run", "--silent", "test", "--", "--reporter=default"])
            .env("NO_COLOR", "1"),
        |line| count.vitest(line),
    )?;
    let screens = run_seeing(npm("ui").args(["run", "--silent", "screens"]), |line| count.screens(line))?;
    run(cargo().args(["build", "--locked", "--workspace", "--all-targets"]))?;
    let core = run_seeing(
        cargo()
            .args(["test", "--locked", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"])
            .env("ECONNECTOR_VENV", setup::venv()),
        |line| count.cargo(line),
    )?;
    if ui && screens && core && count.failed == 0 && count.passed > 0 {
        Ok(())
    } else {
        Err("tests failed".to_owned())
    }
}

#[derive(Default)]
struct Count {
    passed: u32,
    failed: u32,
}

impl Count {
    /// `test result: ok. 3 passed; 0 failed; …`
    fn cargo(&mut self, line: &str) {
        if let Some(rest) = line.trim_start().strip_prefix("test result:") {
            self.passed += before(rest, "passed");
            self.failed += before(rest, "failed");
        }
    }

    /// `Tests  1 failed | 11 passed (12)`
    fn vitest(&mut self, line: &str) {
        if let Some(rest) = line.trim_start().strip_prefix("Tests ") {
            self.passed += before(rest, "passed");
            self.failed += before(rest, "failed");
        }
    }

    /// `120 screens, 0 findings`: what axe-core and the walks with Tab said of every screen.
    fn screens(&mut self, line: &str) {
        if line.ends_with(" findings") {
            self.passed += before(line, "screens");
            self.failed += before(line, "findings");
        }
    }
}

/// The number that stands before a word.
fn before(text: &str, word: &str) -> u32 {
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .windows(2)
        .filter(|pair| pair[1].trim_end_matches([';', ',']) == word)
        .filter_map(|pair| pair[0].parse::<u32>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn every_runner_is_counted() {
        let mut count = Count::default();
        count.cargo("test result: ok. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s");
        count.vitest("      Tests  2 failed | 11 passed (13)");
        count.cargo("test tests::passed ... ok");
        count.screens("fr-light-laptop-04-form: color-contrast");
        count.screens("36 screens, 2 findings");
        assert_eq!((count.passed, count.failed), (50, 5));
    }
}
