//! What the screen shows, and how that changes.

use std::collections::VecDeque;

use jiff::tz::TimeZone;
use mesh::chat::limits::MAX_TEXT;
use tui_input::{Input as Editor, InputRequest};

use super::item::{Item, Said};
use crate::chat::input::Doing;
use crate::chat::text::{clean, is_unsafe, line_name, line_text};
use crate::record::{ParticipantRecord, Presence, Record};

/// Limit: bytes of what can be scrolled back to. At the limit the oldest is forgotten here; the chat still has it.
const MAX_SCROLLBACK: usize = 8 << 20;

/// Everything that the screen shows.
pub(crate) struct State {
    pub(super) title: String,
    pub(super) name: String,
    pub(super) items: VecDeque<Item>,
    weight: usize,
    pub(super) people: Vec<ParticipantRecord>,
    pub(super) editor: Editor,
    /// What is typed takes the place of what we said last.
    pub(super) editing: bool,
    /// Lines below the last one that is seen.
    pub(super) scroll: usize,
    /// Messages that came since we scrolled back.
    pub(super) unseen: usize,
    /// Columns and lines of the part with what was said, when it was drawn last.
    pub(super) size: (usize, usize),
    pub(super) leaving: bool,
    joined: bool,
    away: bool,
    page: Option<String>,
    anew: bool,
    zone: TimeZone,
}

impl Default for State {
    fn default() -> Self {
        Self {
            title: "mesh chat".to_owned(),
            name: String::new(),
            items: VecDeque::new(),
            weight: 0,
            people: Vec::new(),
            editor: Editor::default(),
            editing: false,
            scroll: 0,
            unseen: 0,
            size: (80, 20),
            leaving: false,
            joined: false,
            away: false,
            page: None,
            anew: false,
            zone: TimeZone::system(),
        }
    }
}

impl State {
    /// Takes in what happened.
    pub(super) fn take(&mut self, record: Record) {
        match record {
            Record::Chat(chat) => {
                self.joined = chat.joined;
                self.name = line_name(&chat.name);
                let title = chat.title.as_deref().unwrap_or(&chat.chat);
                self.title = line_name(title);
                self.note(&chat.to_string());
            }
            Record::Message(message) => {
                let said = Said::new(&message, false, &self.zone);
                self.say(said, message.follows.as_deref(), !message.earlier);
            }
            Record::Edited(message) => {
                let said = Said::new(&message, true, &self.zone);
                self.say_again(said, message.follows.as_deref());
            }
            Record::Participant(one) => self.meet(one),
            Record::Joined { title } => {
                self.joined = true;
                title.iter().for_each(|title| self.title = line_name(title));
                self.note("you are let in");
            }
            Record::Ready { invite, qr, .. } => {
                if let Some(invite) = invite {
                    self.invite(&invite, qr.as_deref());
                }
            }
            Record::Invite(invite) => {
                if let Some(uri) = &invite.uri {
                    self.invite(uri, invite.qr.as_deref());
                }
            }
            // Whoever leaves sees it in how that goes.
            Record::Delivered { .. } => {}
            other => self.note(&other.to_string()),
        }
    }

    /// Says something that nobody else sees.
    pub(super) fn note(&mut self, text: &str) {
        let note = Item::Note(line_text(text.trim_start_matches("* ")));
        self.insert(self.items.len(), note);
    }

    /// Everybody who takes part, as notes.
    pub(super) fn who(&mut self) {
        let notes: Vec<String> = self.people.iter().map(ToString::to_string).collect();
        if notes.is_empty() {
            self.note("nobody else takes part yet");
        }
        notes.iter().for_each(|note| self.note(note));
    }

    pub(super) fn is_joined(&self) -> bool {
        self.joined
    }

    /// What we are doing, as far as others may know.
    pub(super) fn doing(&self) -> Doing {
        let value = self.editor.value();
        match value {
            _ if self.away => Doing::Away,
            // To say that we type would be a message, and nothing before the last one can be changed.
            _ if self.editing => Doing::Looking,
            "" => Doing::Looking,
            command if command.starts_with('/') => Doing::Looking,
            _ => Doing::Typing,
        }
    }

    /// Whether we look at it.
    pub(super) fn look(&mut self, away: bool) {
        self.away = away;
    }

    /// What is to be shown in place of the screen.
    pub(super) fn page(&self) -> Option<&str> {
        self.page.as_deref()
    }

    pub(super) fn turn_page(&mut self) {
        self.page = None;
    }

    /// Have everything drawn anew: something else may have written on the screen.
    pub(super) fn draw_anew(&mut self) {
        self.anew = true;
    }

    pub(super) fn takes_anew(&mut self) -> bool {
        std::mem::take(&mut self.anew)
    }

    /// Types something; what is not to be in a text is left out, and so is what is too long.
    pub(super) fn type_text(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace(['\n', '\r', '\t'], " ");
        for char in text.chars().filter(|char| !is_unsafe(*char)) {
            if self.editor.value().len() + char.len_utf8() > MAX_TEXT {
                return;
            }
            let _ = self.editor.handle(InputRequest::InsertChar(char));
        }
    }

    /// Takes what was typed.
    pub(super) fn take_typed(&mut self) -> String {
        self.editor.value_and_reset()
    }

    /// Puts back what was typed.
    pub(super) fn keep(&mut self, text: String) {
        self.editor = Editor::new(text);
    }

    /// Takes up what we said last, to be changed.
    pub(super) fn edit_last(&mut self) {
        let last = self.items.iter().rev().find_map(|item| match item {
            Item::Said(said) if said.mine => Some(said.text.replace('\n', " ")),
            _ => None,
        });
        if let Some(text) = last {
            self.keep(text);
            self.editing = true;
        }
    }

    /// Scrolls by so many lines; back is more.
    pub(super) fn scroll_by(&mut self, lines: isize) {
        self.scroll = self.scroll.saturating_add_signed(lines);
        if self.scroll == 0 {
            self.unseen = 0;
        }
    }

    fn invite(&mut self, uri: &str, qr: Option<&str>) {
        let mut page = format!(
            "An invite for somebody else, good once within an hour. There:\n\nmesh chat '{}'\n",
            clean(uri)
        );
        if let Some(qr) = qr {
            page.push('\n');
            page.push_str(qr);
        }
        self.page = Some(page);
    }

    fn say(&mut self, said: Said, follows: Option<&str>, is_new: bool) {
        if is_new && self.scroll > 0 {
            self.unseen += 1;
        }
        let at = self.place(follows);
        self.insert(at, Item::Said(said));
    }

    fn say_again(&mut self, said: Said, follows: Option<&str>) {
        let same = |item: &&mut Item| matches!(item, Item::Said(before) if before.is(&said));
        match self.items.iter_mut().rev().find(same) {
            Some(item) => {
                let before = item.weight();
                *item = Item::Said(said);
                self.weight = self.weight + item.weight() - before;
            }
            // It was scrolled away already.
            None => self.say(said, follows, false),
        }
    }

    /// Where a message belongs: right after the one that it follows, or at the end.
    fn place(&self, follows: Option<&str>) -> usize {
        let is_before = |item: &Item| match item {
            Item::Said(said) => Some(said.id.as_str()) == follows,
            Item::Note(_) => false,
        };
        let Some(after) = self.items.iter().rposition(is_before) else {
            return self.items.len();
        };
        // Notes that came after it stay where they are, unless something was said after them.
        let rest = self.items.iter().skip(after + 1);
        match rest.clone().all(|item| matches!(item, Item::Note(_))) {
            true => self.items.len(),
            false => after + 1,
        }
    }

    fn insert(&mut self, at: usize, item: Item) {
        if self.scroll > 0 {
            // What is seen stays where it is.
            self.scroll += item.lines(self.size.0).len();
        }
        self.weight += item.weight();
        self.items.insert(at, item);
        while self.weight > MAX_SCROLLBACK {
            let Some(oldest) = self.items.pop_front() else {
                return;
            };
            self.weight -= oldest.weight();
        }
    }

    fn meet(&mut self, one: ParticipantRecord) {
        let one = ParticipantRecord {
            name: line_name(&one.name),
            ..one
        };
        let known = self
            .people
            .iter_mut()
            .find(|known| known.hashname == one.hashname);
        let was_there = known
            .as_ref()
            .is_some_and(|known| known.state != Presence::Offline);
        let is_there = one.state != Presence::Offline;
        let note = match (was_there, is_there) {
            (false, true) => Some(format!("{} is here", one.name)),
            (true, false) => Some(format!("{} is gone", one.name)),
            _ => None,
        };
        match known {
            Some(known) => *known = one,
            None => self.people.push(one),
        }
        note.iter().for_each(|note| self.note(note));
    }
}

#[cfg(test)]
mod tests;
