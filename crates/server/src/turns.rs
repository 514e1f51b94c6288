//! Whose turn it is to be worked on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::limits::Limits;

/// The turns. As many work at once as keep the processors busy and not more: with two processors, thirty-two pages typeset at the same
/// time are each sixteen times slower, and none is ready sooner. Most of a document's time is spent waiting for authorities, so the
/// number follows from how long those take.
pub(crate) struct Gate {
    processors: usize,
    most: usize,
    waiting: usize,
    /// Whoever waits longer is better served by an answer than by a turn.
    patience: Duration,
    state: Mutex<Turns>,
    in_line: AtomicUsize,
}

struct Turns {
    open: usize,
    running: usize,
    line: VecDeque<oneshot::Sender<Turn>>,
    /// Own and remote time of a document, in seconds, smoothed.
    own: f64,
    remote: f64,
}

/// Somebody's turn; the next one's when dropped.
pub(crate) struct Turn(Arc<Gate>);

impl Gate {
    pub(crate) fn new(limits: &Limits, processors: usize) -> Arc<Self> {
        let processors = processors.max(1);
        Arc::new(Self {
            processors,
            most: limits.at_once,
            waiting: limits.waiting,
            patience: limits.answer / 3,
            state: Mutex::new(Turns {
                open: (processors * 2).min(limits.at_once),
                running: 0,
                line: VecDeque::new(),
                own: 0.0,
                remote: 0.0,
            }),
            in_line: AtomicUsize::new(0),
        })
    }

    /// Waits for a turn, in the order of asking; `None` when too many wait or it takes too long.
    pub(crate) async fn turn(self: &Arc<Self>) -> Option<Turn> {
        let turn = {
            let mut state = self.state();
            if state.running < state.open && state.line.is_empty() {
                state.running += 1;
                return Some(Turn(Arc::clone(self)));
            }
            if self.in_line.load(Ordering::Relaxed) >= self.waiting {
                return None;
            }
            let (sender, turn) = oneshot::channel();
            state.line.push_back(sender);
            turn
        };
        self.in_line.fetch_add(1, Ordering::Relaxed);
        let _waiting = InLine(self);
        tokio::time::timeout(self.patience, turn).await.ok()?.ok()
    }

    /// A document took so long here and so long at the authorities: opens as many turns as keep every processor busy while the others
    /// wait for an answer.
    pub(crate) fn tune(self: &Arc<Self>, own: Duration, remote: Duration) {
        const WEIGHT: f64 = 0.1;
        let turns = {
            let mut state = self.state();
            let first = state.own == 0.0;
            let smooth = |old: f64, new: f64| if first { new } else { old + WEIGHT * (new - old) };
            state.own = smooth(state.own, own.as_secs_f64().max(0.001));
            state.remote = smooth(state.remote, remote.as_secs_f64());
            let useful = self.processors as f64 * (1.0 + state.remote / state.own);
            // A finite positive number, cut to the bounds.
            state.open = (useful.round() as usize).clamp(self.processors.min(self.most), self.most);
            self.next(&mut state)
        };
        hand_out(turns);
    }

    /// Turns open, taken, and asked for.
    pub(crate) fn load(&self) -> (usize, usize, usize) {
        let state = self.state();
        (state.open, state.running, self.in_line.load(Ordering::Relaxed))
    }

    /// Those whose turn it is now, with the turns they get. Handed out without the lock: a turn that nobody takes comes back.
    fn next(self: &Arc<Self>, state: &mut Turns) -> Vec<(oneshot::Sender<Turn>, Turn)> {
        let mut turns = Vec::new();
        while state.running < state.open
            && let Some(sender) = state.line.pop_front()
        {
            if !sender.is_closed() {
                state.running += 1;
                turns.push((sender, Turn(Arc::clone(self))));
            }
        }
        turns
    }

    fn state(&self) -> MutexGuard<'_, Turns> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hand_out(turns: Vec<(oneshot::Sender<Turn>, Turn)>) {
    for (sender, turn) in turns {
        // Whoever has gone meanwhile gives it back by dropping it.
        let _ = sender.send(turn);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let turns = {
            let mut state = self.0.state();
            state.running -= 1;
            self.0.next(&mut state)
        };
        hand_out(turns);
    }
}

struct InLine<'a>(&'a Gate);

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.0.in_line.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(at_once: usize, waiting: usize) -> Arc<Gate> {
        let limits = Limits {
            at_once,
            waiting,
            ..Limits::default()
        };
        Gate::new(&limits, 1)
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_given_in_order_and_who_is_too_many_hears_so_at_once() {
        let gate = gate(1, 1);
        let first = gate.turn().await.unwrap();
        let second = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.turn().await.is_some() }
        });
        tokio::task::yield_now().await;
        assert_eq!(gate.load(), (1, 1, 1));
        assert!(gate.turn().await.is_none(), "the line is full");
        drop(first);
        assert!(second.await.unwrap());
        tokio::task::yield_now().await;
        assert_eq!(gate.load(), (1, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_in_vain_or_goes_away_leaves_no_turn_behind() {
        let gate = gate(1, 10);
        let held = gate.turn().await.unwrap();
        assert!(gate.turn().await.is_none(), "patience ends");
        let gone = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.turn().await }
        });
        tokio::task::yield_now().await;
        gone.abort();
        let _ = gone.await;
        drop(held);
        assert_eq!(gate.load(), (1, 0, 0));
        assert!(gate.turn().await.is_some());
    }

    #[tokio::test]
    async fn slow_authorities_open_turns_and_fast_ones_close_them() {
        let gate = gate(32, 10);
        let open = |gate: &Arc<Gate>| gate.load().0;
        for _ in 0..100 {
            gate.tune(Duration::from_millis(40), Duration::from_millis(400));
        }
        assert_eq!(open(&gate), 11);
        for _ in 0..100 {
            gate.tune(Duration::from_millis(40), Duration::from_secs(30));
        }
        assert_eq!(open(&gate), 32, "never more than allowed");
        for _ in 0..200 {
            gate.tune(Duration::from_millis(40), Duration::from_millis(4));
        }
        assert_eq!(open(&gate), 1);
    }
}
