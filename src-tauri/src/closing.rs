//! Closing the window would lose what is typed in it and not sent: the page is told first, and asks, or keeps it behind the lock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// How long the page may take to say what it does: one that hangs keeps no window open.
const ANSWER: Duration = Duration::from_secs(2);

/// What comes sooner after the last one than this is a key that is held, or a second click: nobody means it as an answer.
const APART: Duration = Duration::from_secs(1);

/// How somebody is done with the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// Closes it, and the program with it.
    Close,
    /// Closes it; the program goes on in the background.
    PutAway,
    /// Ends the program that runs in the background.
    Quit,
}

/// What to do about it.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Nothing would be lost.
    Leave,
    /// The page is told.
    Tell,
    /// The page was told, and nobody means it once more.
    Stay,
}

/// What the page made of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// The question stands.
    Asked,
    /// Everything is behind the lock.
    Locked,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    Told,
    Heard(Heard),
    Discarded,
}

/// How far a closing has come.
#[derive(Default)]
pub(crate) struct Closing {
    unsent: AtomicBool,
    /// When it was last asked for, or the question came.
    last: Mutex<Option<Instant>>,
    stage: watch::Sender<Stage>,
}

impl Closing {
    /// Whether the page holds something that is typed and not sent.
    pub(crate) fn note_unsent(&self, unsent: bool) {
        self.unsent.store(unsent, Ordering::SeqCst);
    }

    /// Somebody is done with the window.
    pub(crate) fn wanted(&self, way: Way, now: Instant) -> Step {
        let last = self.note_time(now);
        if !self.unsent.load(Ordering::SeqCst) {
            return Step::Leave;
        }
        let is_too_soon = last.is_some_and(|last| now.saturating_duration_since(last) < APART);
        let is_told = match *self.stage.borrow() {
            Stage::Told => true,
            // Put away it loses nothing, whatever was asked before.
            Stage::Heard(Heard::Asked) => is_too_soon && way != Way::PutAway,
            _ => false,
        };
        if is_told {
            return Step::Stay;
        }
        self.stage.send_replace(Stage::Told);
        Step::Tell
    }

    /// The page's own word, which alone knows whether the question still stands; nothing when it has no place now.
    pub(crate) fn say(&self, word: &str, now: Instant) -> Option<()> {
        let asked = Stage::Heard(Heard::Asked);
        let (from, to): (&[Stage], Stage) = match word {
            "asked" => (&[Stage::Told], asked),
            "locked" => (&[Stage::Told], Stage::Heard(Heard::Locked)),
            "kept" => (&[asked], Stage::Open),
            // By its button, or by closing once more.
            "discarded" => (&[asked, Stage::Told], Stage::Discarded),
            _ => return None,
        };
        let has_place = self.stage.send_if_modified(|stage| {
            let has_place = from.contains(stage);
            if has_place {
                *stage = to;
            }
            has_place
        });
        has_place.then(|| {
            self.note_time(now);
        })
    }

    /// What the page that was told made of it; nothing when it does not answer.
    pub(crate) async fn heard(&self) -> Option<Heard> {
        let mut stages = self.stage.subscribe();
        let told = stages.wait_for(|stage| *stage != Stage::Told);
        let told = tokio::time::timeout(ANSWER, told).await.map(|stage| stage.map(|stage| *stage));
        match told {
            Ok(Ok(Stage::Heard(Heard::Locked))) => Some(Heard::Locked),
            // It may be answered before anybody here looked.
            Ok(Ok(_)) => Some(Heard::Asked),
            _ => {
                self.stage.send_replace(Stage::Open);
                None
            }
        }
    }

    /// Waits for the answer to the question: whether what was typed may go.
    pub(crate) async fn is_discarded(&self) -> bool {
        let mut stages = self.stage.subscribe();
        let answered = stages.wait_for(|stage| *stage != Stage::Heard(Heard::Asked)).await;
        answered.is_ok_and(|stage| *stage == Stage::Discarded)
    }

    fn note_time(&self, now: Instant) -> Option<Instant> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).replace(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed() -> (Closing, Instant) {
        let closing = Closing::default();
        closing.note_unsent(true);
        (closing, Instant::now())
    }

    #[test]
    fn where_nothing_is_typed_nothing_is_asked() {
        let (closing, now) = typed();
        closing.note_unsent(false);
        for way in [Way::Close, Way::PutAway, Way::Quit] {
            assert_eq!(closing.wanted(way, now), Step::Leave);
        }
    }

    #[test]
    fn the_page_is_told_once_and_told_of_a_second_close() {
        let (closing, now) = typed();
        assert_eq!(closing.wanted(Way::Close, now), Step::Tell);
        assert_eq!(closing.wanted(Way::Close, now + 2 * APART), Step::Stay);
        assert_eq!(closing.say("asked", now + 3 * APART), Some(()));
        assert_eq!(closing.wanted(Way::Close, now + 4 * APART), Step::Tell);
        // What was answered on its way to here does not count for what came after it.
        assert_eq!(closing.say("kept", now + 4 * APART), None);
        assert_eq!(closing.say("asked", now + 4 * APART), Some(()));
        assert_eq!(closing.wanted(Way::Close, now + 5 * APART), Step::Tell);
        assert_eq!(closing.say("discarded", now + 5 * APART), Some(()));
    }

    #[test]
    fn a_key_that_is_held_is_no_answer() {
        let (closing, now) = typed();
        assert_eq!(closing.wanted(Way::Close, now), Step::Tell);
        assert_eq!(closing.say("asked", now), Some(()));
        for tenth in 1..50 {
            assert_eq!(closing.wanted(Way::Close, now + tenth * APART / 10), Step::Stay);
        }
        // A question that came late was not read yet.
        let (closing, now) = typed();
        assert_eq!(closing.wanted(Way::Close, now), Step::Tell);
        assert_eq!(closing.say("asked", now + 2 * APART), Some(()));
        assert_eq!(closing.wanted(Way::Close, now + 2 * APART + APART / 2), Step::Stay);
    }

    #[test]
    fn whoever_keeps_it_is_asked_again() {
        let (closing, now) = typed();
        assert_eq!(closing.wanted(Way::Quit, now), Step::Tell);
        assert_eq!(closing.say("asked", now), Some(()));
        assert_eq!(closing.say("kept", now), Some(()));
        assert_eq!(closing.wanted(Way::Close, now + 2 * APART), Step::Tell);
    }

    #[test]
    fn what_is_put_away_loses_nothing_whatever_was_asked() {
        let (closing, now) = typed();
        assert_eq!(closing.wanted(Way::Quit, now), Step::Tell);
        assert_eq!(closing.say("asked", now), Some(()));
        assert_eq!(closing.wanted(Way::PutAway, now + 2 * APART), Step::Tell);
        assert_eq!(closing.say("locked", now + 2 * APART), Some(()));
        assert_eq!(closing.wanted(Way::PutAway, now + 4 * APART), Step::Tell);
    }

    #[test]
    fn the_page_discards_nothing_unasked() {
        let (closing, now) = typed();
        for word in ["asked", "locked", "kept", "discarded", "yes"] {
            assert_eq!(closing.say(word, now), None, "{word}");
        }
        assert_eq!(closing.wanted(Way::Close, now), Step::Tell);
        assert_eq!(closing.say("asked", now), Some(()));
        assert_eq!(closing.say("kept", now), Some(()));
        assert_eq!(closing.say("discarded", now), None);
    }

    #[tokio::test]
    async fn the_answer_is_what_the_page_says() {
        let (closing, now) = typed();
        assert_eq!(closing.wanted(Way::Close, now), Step::Tell);
        assert_eq!(closing.say("asked", now), Some(()));
        assert_eq!(closing.heard().await, Some(Heard::Asked));
        assert_eq!(closing.say("kept", now), Some(()));
        assert!(!closing.is_discarded().await);
        assert_eq!(closing.wanted(Way::Close, now), Step::Tell);
        assert_eq!(closing.say("asked", now), Some(()));
        assert_eq!(closing.say("discarded", now), Some(()));
        assert_eq!(closing.heard().await, Some(Heard::Asked), "answered already");
        assert!(closing.is_discarded().await);
    }

    #[tokio::test]
    async fn a_page_that_says_nothing_is_not_waited_for() {
        let (closing, now) = typed();
        assert_eq!(closing.wanted(Way::Close, now), Step::Tell);
        assert_eq!(closing.heard().await, None);
        assert_eq!(closing.say("asked", now), None, "too late");
        assert_eq!(closing.wanted(Way::Close, now), Step::Tell);
    }
}
