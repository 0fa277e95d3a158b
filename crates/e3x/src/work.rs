//! Counts the public-key work of a test, so that the table on the crate's first page can be held
//! to.

use core::cell::Cell;

std::thread_local! {
    static DONE: Cell<Work> = const { Cell::new(Work { agreements: 0, bases: 0 }) };
}

/// Scalar multiplications, those with the base point apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) agreements: u32,
    pub(crate) bases: u32,
}

/// What `action` costs.
pub(crate) fn of<T>(action: impl FnOnce() -> T) -> (T, Work) {
    let before = DONE.get();
    let result = action();
    let after = DONE.get();
    let work = Work {
        agreements: after.agreements - before.agreements,
        bases: after.bases - before.bases,
    };
    (result, work)
}

pub(crate) fn count_agreement() {
    DONE.set(Work {
        agreements: DONE.get().agreements + 1,
        ..DONE.get()
    });
}

pub(crate) fn count_base() {
    DONE.set(Work {
        bases: DONE.get().bases + 1,
        ..DONE.get()
    });
}
