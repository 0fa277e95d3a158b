//! Handshakes of strangers that wait: for their `link` message, or for the application.

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};

use telehash_e3x::{Exchange, Instant, Token};
use telehash_hashname::{Hashname, KeySet};

use crate::{
    PipeId, Ticket,
    config::{HALF_OPEN_TIMEOUT, MAX_HALF_OPEN, MAX_HALF_OPEN_MESSAGES},
    event::OpenedMessage,
    handshake::Kind,
};

/// The table of half-open handshakes, by the sender's ephemeral.
#[derive(Debug, Default)]
pub(crate) struct HalfOpenTable {
    entries: BTreeMap<Token, HalfOpen>,
    next_ticket: u64,
}

#[derive(Debug)]
pub(crate) struct HalfOpen {
    pub(crate) pipe: PipeId,
    pub(crate) messages: Vec<OpenedMessage>,
    /// Set once the `link` message arrived and its sender is authenticated.
    pub(crate) identified: Option<Identified>,
    since: Instant,
}

/// Who a half-open handshake is from.
pub(crate) struct Identified {
    pub(crate) ticket: Ticket,
    pub(crate) hashname: Hashname,
    pub(crate) keys: KeySet,
    pub(crate) exchange: Box<dyn Exchange>,
}

impl core::fmt::Debug for Identified {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Identified")
            .field("hashname", &self.hashname)
            .finish_non_exhaustive()
    }
}

impl HalfOpenTable {
    /// The entry of this ephemeral, made if there is none; the oldest one makes room.
    pub(crate) fn entry(&mut self, now: Instant, token: Token, pipe: PipeId) -> &mut HalfOpen {
        if !self.entries.contains_key(&token) && self.entries.len() >= MAX_HALF_OPEN {
            // Who is unknown makes room before who is known.
            let rank = |entry: &HalfOpen| (entry.identified.is_some(), entry.since);
            let oldest = self.entries.iter().min_by_key(|(_, entry)| rank(entry));
            if let Some(token) = oldest.map(|(token, _)| *token) {
                self.entries.remove(&token);
            }
        }
        self.entries.entry(token).or_insert_with(|| HalfOpen {
            pipe,
            messages: Vec::new(),
            identified: None,
            since: now,
        })
    }

    pub(crate) fn get(&self, token: &Token) -> Option<&HalfOpen> {
        self.entries.get(token)
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    /// Takes the handshake of this ticket out of the table.
    pub(crate) fn redeem(&mut self, ticket: Ticket) -> Option<(HalfOpen, Identified)> {
        let token = self.entries.iter().find_map(|(token, entry)| {
            entry
                .identified
                .as_ref()
                .is_some_and(|who| who.ticket == ticket)
                .then_some(*token)
        })?;
        let mut entry = self.entries.remove(&token)?;
        let identified = entry.identified.take()?;
        Some((entry, identified))
    }

    pub(crate) fn remove(&mut self, token: &Token) -> Option<HalfOpen> {
        self.entries.remove(token)
    }

    pub(crate) fn expiry(&self) -> Option<Instant> {
        self.entries
            .values()
            .map(|entry| entry.since + HALF_OPEN_TIMEOUT)
            .min()
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        self.entries
            .retain(|_, entry| entry.since + HALF_OPEN_TIMEOUT > now);
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl HalfOpen {
    /// Whether one of the messages that wait says what led its sender here.
    pub(crate) fn has_uri(&self) -> bool {
        let mut messages = self.messages.iter();
        messages.any(|waiting| waiting.message.kind == Kind::Uri)
    }

    /// Keeps one more message of the round, if there is room and it is no repetition.
    pub(crate) fn push(&mut self, message: OpenedMessage) -> bool {
        let mut known = self.messages.iter();
        let is_known = known.any(|known| known.digest == message.digest);
        let room = !is_known && self.messages.len() < MAX_HALF_OPEN_MESSAGES;
        if room {
            self.messages.push(message);
        }
        room
    }
}
