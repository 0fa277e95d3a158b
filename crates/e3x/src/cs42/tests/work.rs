//! Counts what is costly, so that the crate's first page can be held to what it says.

use std::cell::Cell;

std::thread_local! {
    static DONE: Cell<Work> = const { Cell::new(Work { agreements: 0, bases: 0, keys: 0 }) };
}

/// Scalar multiplications, those with the base point apart, and keys of epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) agreements: u32,
    pub(super) bases: u32,
    pub(super) keys: u32,
}

pub(super) const NOTHING: Work = Work {
    agreements: 0,
    bases: 0,
    keys: 0,
};

/// What `action` costs.
pub(super) fn of<T>(action: impl FnOnce() -> T) -> (T, Work) {
    let before = DONE.get();
    let result = action();
    let after = DONE.get();
    let work = Work {
        agreements: after.agreements - before.agreements,
        bases: after.bases - before.bases,
        keys: after.keys - before.keys,
    };
    (result, work)
}

pub(in super::super) fn count_agreement() {
    let done = DONE.get();
    DONE.set(Work {
        agreements: done.agreements + 1,
        ..done
    });
}

pub(in super::super) fn count_base() {
    let done = DONE.get();
    DONE.set(Work {
        bases: done.bases + 1,
        ..done
    });
}

pub(in super::super) fn count_keys() {
    let done = DONE.get();
    DONE.set(Work {
        keys: done.keys + 1,
        ..done
    });
}
