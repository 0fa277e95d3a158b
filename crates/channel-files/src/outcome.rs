//! What became of the files.

/// Limit: files whose names are kept in an [`Outcome`] since they were left out; of more, the number only.
pub const MAX_NAMED: usize = 1000;

/// How far a transfer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files and folders that are done with.
    pub files: u64,
    /// Of so many; at the receiver, as the sender says.
    pub total_files: u64,
    /// Bytes that are done with.
    pub bytes: u64,
    /// Of so many; at the receiver, as the sender says.
    pub total_bytes: u64,
}

/// What became of everything that was offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Files and folders that are at the receiver now, those included that were before.
    pub stored: u64,
    /// The bytes of these.
    pub bytes: u64,
    /// Files and folders that are not.
    pub left_out: u64,
    /// The first of these.
    pub named: Vec<LeftOut>,
}

/// A file or folder that was not transferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// What the sender calls it. It may be anything: a receiver shows it with care.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl LeftOut {
    /// Whether what arrived was not what was sent.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.reason == crate::refusal::DAMAGED
    }
}

impl Outcome {
    pub(crate) fn stored(&mut self, bytes: u64) {
        self.stored += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(crate) fn left_out(&mut self, name: &str, reason: impl Into<String>) {
        self.left_out += 1;
        if self.named.len() < MAX_NAMED {
            let (name, reason) = (name.to_owned(), reason.into());
            self.named.push(LeftOut { name, reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_up_to_the_limit_and_all_are_counted() {
        let mut outcome = Outcome::default();
        for _ in 0..=MAX_NAMED {
            outcome.left_out("x", "exists");
        }
        assert_eq!(outcome.left_out, MAX_NAMED as u64 + 1);
        assert_eq!(outcome.named.len(), MAX_NAMED);
    }
}
