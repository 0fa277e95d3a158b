//! Counts the public-key work of a test, so that what the crate's first page says can be held to.

use core::cell::Cell;

std::thread_local! {
    static DONE: Cell<Work> = const { Cell::new(Work::NOTHING) };
}

/// RSA operations with the secret and with the public key; scalar multiplications on P-256, those
/// with the base point apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) rsa_private: u32,
    pub(super) rsa_public: u32,
    pub(super) agreements: u32,
    pub(super) bases: u32,
}

impl Work {
    pub(super) const NOTHING: Self = Self {
        rsa_private: 0,
        rsa_public: 0,
        agreements: 0,
        bases: 0,
    };
}

/// What `action` costs.
pub(super) fn of<T>(action: impl FnOnce() -> T) -> (T, Work) {
    let before = DONE.replace(Work::NOTHING);
    let result = action();
    (result, DONE.replace(before))
}

pub(super) fn count(count: impl FnOnce(&mut Work)) {
    let mut work = DONE.get();
    count(&mut work);
    DONE.set(work);
}
