//! What keys do.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::InputRequest;

use super::state::State;
use crate::chat::input::{Doing, HELP, Input, Line};

/// What whoever types wants of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Do(Input),
    /// At once, whatever has not arrived.
    Leave,
}

/// Follows what was typed.
pub(super) fn typed(state: &mut State, event: &Event) -> Option<Wish> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => pressed(state, *key),
        Event::Paste(text) if state.page().is_none() => {
            state.type_text(text);
            None
        }
        Event::FocusLost => {
            state.look(true);
            None
        }
        Event::FocusGained => {
            state.look(false);
            None
        }
        // The size is asked for when it is drawn.
        _ => None,
    }
}

fn pressed(state: &mut State, key: KeyEvent) -> Option<Wish> {
    state.look(false);
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    if control && key.code == KeyCode::Char('c') {
        return leave(state);
    }
    if state.page().is_some() {
        if matches!(key.code, KeyCode::Enter | KeyCode::Esc | KeyCode::Char(_)) {
            state.turn_page();
        }
        return None;
    }
    match key.code {
        KeyCode::Enter => return entered(state),
        KeyCode::Esc => {
            state.editing = false;
            let _ = state.take_typed();
        }
        KeyCode::Up if state.editor.value().is_empty() => state.edit_last(),
        KeyCode::PageUp => state.scroll_by(page(state)),
        KeyCode::PageDown => state.scroll_by(-page(state)),
        KeyCode::Char('d') if control && state.editor.value().is_empty() => return leave(state),
        KeyCode::Char('l') if control => state.draw_anew(),
        code => edit(state, code, key.modifiers),
    }
    None
}

/// As many lines as are scrolled at once.
fn page(state: &State) -> isize {
    isize::try_from(state.size.1.saturating_sub(1).max(1)).unwrap_or(1)
}

fn edit(state: &mut State, code: KeyCode, modifiers: KeyModifiers) {
    let word = modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    let request = match code {
        KeyCode::Backspace if word => InputRequest::DeletePrevWord,
        KeyCode::Backspace => InputRequest::DeletePrevChar,
        KeyCode::Delete => InputRequest::DeleteNextChar,
        KeyCode::Left if word => InputRequest::GoToPrevWord,
        KeyCode::Left => InputRequest::GoToPrevChar,
        KeyCode::Right if word => InputRequest::GoToNextWord,
        KeyCode::Right => InputRequest::GoToNextChar,
        KeyCode::Home => InputRequest::GoToStart,
        KeyCode::End => InputRequest::GoToEnd,
        KeyCode::Char(char) if modifiers.contains(KeyModifiers::CONTROL) => match char {
            'a' => InputRequest::GoToStart,
            'e' => InputRequest::GoToEnd,
            'w' => InputRequest::DeletePrevWord,
            'u' => InputRequest::DeleteLine,
            'k' => InputRequest::DeleteTillEnd,
            'd' => InputRequest::DeleteNextChar,
            'h' => InputRequest::DeletePrevChar,
            _ => return,
        },
        KeyCode::Char(_) if modifiers.contains(KeyModifiers::ALT) => return,
        KeyCode::Char(char) => return state.type_text(char.encode_utf8(&mut [0; 4])),
        _ => return,
    };
    let _ = state.editor.handle(request);
}

fn entered(state: &mut State) -> Option<Wish> {
    let line = state.take_typed();
    let editing = std::mem::take(&mut state.editing);
    // Whoever says something wants to see it.
    state.scroll_by(isize::MIN + 1);
    let input = match Line::parse(&line) {
        Line::Nothing => return None,
        Line::Wants(Input::Say(text)) if editing => Input::Edit(text),
        Line::Wants(input) => input,
        Line::Help => {
            state.note(HELP);
            state.note("Up: change what you said last   PgUp, PgDn: scroll   Esc: empty the line   Ctrl-C: leave");
            return None;
        }
        Line::Quit => return leave(state),
        Line::Wrong(why) => {
            state.note(&why);
            return None;
        }
    };
    match input {
        Input::Who => state.who(),
        Input::Doing(doing) => state.look(doing == Doing::Away),
        Input::Say(_) | Input::Edit(_) if !state.is_joined() => {
            state.keep(line);
            state.note("the leader has not let you in yet");
        }
        input => return Some(Wish::Do(input)),
    }
    None
}

/// The first time in order, the second time at once.
fn leave(state: &mut State) -> Option<Wish> {
    if state.leaving || !state.is_joined() {
        return Some(Wish::Leave);
    }
    state.leaving = true;
    state.turn_page();
    Some(Wish::Do(Input::End))
}
