//! Time passes.

use telehash_e3x::Instant;

use super::{Flow, channel::Verdict, lane::Lane, table::Key};

impl Flow {
    /// When [`handle_timeout`](Self::handle_timeout) wants to be called; ask again after any call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let lanes = self.lanes.iter().filter_map(Lane::poll_timeout);
        lanes.chain(self.timers.next()).min()
    }

    /// Time passed. Spurious calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.lanes
            .iter_mut()
            .for_each(|lane| lane.handle_timeout(now));
        while let Some(key) = self.timers.expire(now) {
            self.on_deadline(now, key);
        }
    }

    fn on_deadline(&mut self, now: Instant, key: Key) {
        let verdict = self.change(now, key, |channel, cx| {
            let verdict = channel.handle_timeout(cx);
            cx.lanes.settle(now);
            verdict
        });
        match verdict {
            Some(Verdict::Fails(error)) => self.fail_key(now, key, error),
            Some(Verdict::Forgotten) => _ = self.remove(key),
            Some(Verdict::Lives) | None => {}
        }
    }
}
