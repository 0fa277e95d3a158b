use std::cell::Cell;

std::thread_local! {
    static AGREEMENTS: Cell<u32> = const { Cell::new(0) };
}

/// Called for every scalar multiplication that is not with the base point.
pub(super) fn count_agreement() {
    AGREEMENTS.set(AGREEMENTS.get() + 1);
}

/// Scalar multiplications since the last call.
pub(super) fn agreements() -> u32 {
    AGREEMENTS.take()
}
