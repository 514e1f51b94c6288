//! The lock and the tasks of the session's keeper. Its tests take shuttle's instead, which try out in which orders things can happen.

#[cfg(not(test))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(test)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};

/// Lets a task run to its end, whoever waits for it.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    #[cfg(not(test))]
    drop(tokio::spawn(task));
    #[cfg(test)]
    drop(shuttle::future::spawn(task));
}
