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
    if !count.said.is_empty() {
        println!("what failed, once more:");
    }
    for line in &count.said {
        println!("{line}");
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
    let ended: Vec<_> = [("the window's tests", ui), ("the screens", screens), ("cargo test", core)]
        .into_iter()
        .filter_map(|(runner, well)| (!well).then_some(runner))
        .collect();
    if ended.is_empty() && count.failed == 0 && count.passed > 0 {
        Ok(())
    } else {
        Err(format!("tests failed: {}", ended.join(", ")))
    }
}

/// As many lines of one failed test are said again at the end, and as many letters of each.
const LINES_OF_ONE: usize = 40;
const LETTERS_OF_ONE: usize = 300;

#[derive(Default)]
struct Count {
    passed: u32,
    failed: u32,
    /// What failed and why: said again at the end, since a log may be kept from there only.
    said: Vec<String>,
    /// Lines left of the failed test whose output passes by.
    left: usize,
}

impl Count {
    /// `test result: ok. 3 passed; 0 failed; …`
    fn cargo(&mut self, line: &str) {
        if let Some(rest) = line.trim_start().strip_prefix("test result:") {
            self.passed += before(rest, "passed");
            self.failed += before(rest, "failed");
            self.left = 0;
        }
        if line.starts_with("---- ") {
            self.left = LINES_OF_ONE;
        } else if line == "failures:" {
            self.left = 0;
        }
        self.say(line);
    }

    fn say(&mut self, line: &str) {
        if self.left > 0 {
            self.left -= 1;
            self.say_again(line);
        }
    }

    fn say_again(&mut self, line: &str) {
        self.said.push(line.chars().take(LETTERS_OF_ONE).collect());
    }

    /// `Tests  1 failed | 11 passed (12)`
    fn vitest(&mut self, line: &str) {
        if let Some(rest) = line.trim_start().strip_prefix("Tests ") {
            self.passed += before(rest, "passed");
            self.failed += before(rest, "failed");
        }
        if line.starts_with(" FAIL ") {
            self.left = LINES_OF_ONE;
        } else if line.trim_start().starts_with("Test Files ") {
            self.left = 0;
        }
        self.say(line);
    }

    /// `120 screens, 0 findings`: what axe-core and the walks with Tab said of every screen.
    fn screens(&mut self, line: &str) {
        if line.ends_with(" findings") {
            self.passed += before(line, "screens");
            self.failed += before(line, "findings");
        } else if line.contains(": ") {
            self.say_again(line);
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

    #[test]
    fn what_failed_is_said_again_and_nothing_else() {
        let mut count = Count::default();
        for line in [
            "test a ... ok",
            "test b ... FAILED",
            "",
            "failures:",
            "",
            "---- b stdout ----",
            "thread 'b' panicked at src/b.rs:1:1:",
            "",
            "failures:",
            "    b",
            "",
            "test result: FAILED. 1 passed; 1 failed; 0 ignored",
        ] {
            count.cargo(line);
        }
        for line in [
            " ✓ src/a.test.ts",
            " FAIL  src/b.test.ts > b",
            "AssertionError: 1 is not 2",
            " Test Files  1 failed (1)",
        ] {
            count.vitest(line);
        }
        for line in ["fr-light-laptop-04-form: color-contrast", "36 screens, 1 findings"] {
            count.screens(line);
        }
        assert_eq!(
            count.said,
            [
                "---- b stdout ----",
                "thread 'b' panicked at src/b.rs:1:1:",
                "",
                " FAIL  src/b.test.ts > b",
                "AssertionError: 1 is not 2",
                "fr-light-laptop-04-form: color-contrast",
            ]
        );
    }
}
