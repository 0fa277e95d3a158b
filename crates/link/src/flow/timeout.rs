//! Time passes.

use telehash_e3x::Instant;

use super::{
    Flow,
    channel::Verdict,
    lane::Lane,
    ready::Ready,
    table::{Key, Table},
    timers::Timers,
};

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

    /// Gives back what channels and bursts of news needed, if there are no channels: most links are idle
    /// most of the time. Says whether that is so.
    pub(crate) fn trim(&mut self) -> bool {
        if !self.table.is_empty() {
            return false;
        }
        self.table = Table::default();
        self.ready = Ready::default();
        self.timers = Timers::default();
        self.events.shrink_to_fit();
        self.refusals.shrink_to_fit();
        self.lanes.iter_mut().for_each(Lane::trim);
        true
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
